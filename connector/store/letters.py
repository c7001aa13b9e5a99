"""Dead letters by cause: the destination, and the code, the fields and the mapping's record of the refusal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, func, select

from connector.settlement import RecordNote, Refusal
from connector.store.database import Database
from connector.store.notes import read_fields, read_notes
from connector.store.tables import DEAD, attempts, deliveries, events

CAUSES = 500
"""Dead letters have few causes; of more, the most common are shown."""


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """The dead letters of one cause. why: as of the newest. since, until: when the first and the newest died, epoch ms.

    newest: the ID of the newest delivery.
    """

    destination: str
    why: Refusal
    count: int
    customers: int
    since: int
    until: int
    newest: int


class Letters:
    """Reads what a CRM refused for good. Never a payload."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def causes(self) -> list[DeadLetters]:
        """The dead letters of each cause, the most first."""
        died = func.coalesce(deliveries.c.settled_at, deliveries.c.accepted_at)
        cause = (deliveries.c.destination, deliveries.c.code, deliveries.c.fields, deliveries.c.record)
        grouped = (
            select(
                *cause,
                func.count().label("dead"),
                func.count(events.c.customer_id.distinct()).label("customers"),
                func.min(died).label("since"),
                func.max(died).label("until"),
                func.max(deliveries.c.id).label("newest"),
            )
            .join_from(deliveries, events)
            .where(deliveries.c.state == DEAD)
            .group_by(*cause)
            .order_by(func.count().desc(), *cause)
            .limit(CAUSES)
        )
        with self._db.reading() as connection:
            rows = connection.execute(grouped).all()
            newest = deliveries.c.id.in_([row.newest for row in rows])
            words = {
                row.id: row
                for row in connection.execute(
                    select(deliveries.c.id, deliveries.c.reason, deliveries.c.action).where(newest)
                )
            }
        return [_dead_letters(row, words[row.newest]) for row in rows if row.newest in words]

    def last_notes(self, delivery_id: int) -> tuple[RecordNote, ...]:
        """What the last attempt of a delivery noted of each record; nothing when it was never tried."""
        statement = (
            select(attempts.c.records)
            .where(attempts.c.delivery_id == delivery_id)
            .order_by(attempts.c.id.desc())
            .limit(1)
        )
        with self._db.reading() as connection:
            kept = connection.execute(statement).scalar()
        return read_notes(kept) if kept else ()


def _dead_letters(row: Row[Any], words: Any) -> DeadLetters:
    why = Refusal(row.code, words.reason, words.action, read_fields(row.fields), row.record)
    return DeadLetters(row.destination, why, row.dead, row.customers, row.since, row.until, row.newest)
