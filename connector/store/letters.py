"""Dead letters by cause: the delivery's destination and code, and the reason, which names the fields."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import func, literal_column, select

from connector.store.database import Database
from connector.store.tables import attempts, deliveries, events

CAUSES = 500
"""Dead letters have few causes; where they have more, the commonest are told."""

_DEAD = deliveries.c.state == literal_column("'dead'")  # a literal, so that the partial index serves it


class Letters:
    """Reads what a CRM refused for good. Never a payload."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def causes(self) -> list[dict[str, Any]]:
        """Each cause with its deliveries, its customers, when it began and went on (epoch ms), the most first.

        newest: the id of the newest delivery of that cause.
        """
        died = func.coalesce(deliveries.c.settled_at, deliveries.c.accepted_at)
        cause = (deliveries.c.destination, deliveries.c.code, deliveries.c.reason)
        statement = (
            select(
                *cause,
                func.count().label("count"),
                func.count(events.c.customer_id.distinct()).label("customers"),
                func.min(died).label("since"),
                func.max(died).label("until"),
                func.max(deliveries.c.id).label("newest"),
            )
            .join_from(deliveries, events)
            .where(_DEAD)
            .group_by(*cause)
            .order_by(func.count().desc(), *cause)
            .limit(CAUSES)
        )
        with self._db.reading() as connection:
            return [dict(row._mapping) for row in connection.execute(statement)]

    def last_try(self, delivery_id: int) -> list[dict[str, Any]]:
        """What the last attempt of a delivery keeps of each record; nothing when it was never tried."""
        statement = (
            select(attempts.c.records)
            .where(attempts.c.delivery_id == delivery_id)
            .order_by(attempts.c.id.desc())
            .limit(1)
        )
        with self._db.reading() as connection:
            found = connection.execute(statement).scalar()
        return list(json.loads(found)) if found else []
