"""What the agency files say, as of the last start: for commands and pages that do not read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

from sqlalchemy import func, select

from connector.settlement import DeliveryState
from connector.store.database import Database
from connector.store.dialect import insert
from connector.store.tables import agencies, deliveries, events

NOTICE_DAYS: Final = 7
"""Dead letters that will be given up within so many days are told."""
_DAY: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class Terms:
    """What one agency's file says of its values and its dead letters."""

    name: str
    reveal_values: bool
    dead_letter_days: int


class Agencies:
    """Keeps the terms of every agency."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def announce(self, terms: Sequence[Terms]) -> None:
        """Remember what the agency files say."""
        statement = insert(self._db.engine, agencies)
        told = {name: statement.excluded[name] for name in ("reveal_values", "dead_letter_days")}
        with self._db.transaction() as connection:
            connection.execute(
                statement.on_conflict_do_update(index_elements=["name"], set_=told), [asdict(one) for one in terms]
            )

    def expiring(self) -> dict[str, int]:
        """How many dead letters each agency will have given up within NOTICE_DAYS, unless somebody frees them."""
        soon = self._db.now() - (agencies.c.dead_letter_days - NOTICE_DAYS) * _DAY
        statement = (
            select(events.c.agency, func.count())
            .join_from(deliveries, events)
            .join(agencies, agencies.c.name == events.c.agency)
            .where(deliveries.c.state == DeliveryState.DEAD, deliveries.c.accepted_at < soon)
            .group_by(events.c.agency)
            .order_by(events.c.agency)
        )
        with self._db.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(statement)}
