"""Deliveries that wait or were set aside, read once more: an opt-out spoken in a call is owed before its turn."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import select

from connector.model import Delivery
from connector.settlement import Obligation
from connector.store.database import Database
from connector.store.inbox import Inbox
from connector.store.obligations import Obligations
from connector.store.tables import DEAD, READY, deliveries, events

STEP: Final = 500
"""Waiting deliveries looked at in one step."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A delivery that waits, of a type of event in which an opt-out may be spoken."""

    destination: str
    lane: str
    delivery: Delivery


@dataclass(frozen=True, slots=True)
class Heard:
    """One step through what waits, opened a few at a time. last: the newest delivery's id; 0 when nothing was left."""

    waiting: Iterator[Waiting]
    last: int


class Spoken:
    """Reads what waits, in the order received, and owes what was heard."""

    def __init__(self, database: Database, inbox: Inbox, obligations: Obligations) -> None:
        self._db, self._inbox, self._obligations = database, inbox, obligations

    def step(self, destinations: Collection[str], types: Collection[str], after: int, until: int) -> Heard:
        """The next deliveries that wait or are dead, accepted until then (epoch ms), those of these types opened."""
        of_state = (
            select(deliveries.c.id, deliveries.c.destination, deliveries.c.lane, deliveries.c.event_id, events.c.type)
            .join_from(deliveries, events)
            .where(deliveries.c.id > after, deliveries.c.accepted_at <= until)
            .order_by(deliveries.c.id)
            .limit(STEP)
        )
        with self._db.reading() as connection:
            both = [
                row
                for state in (READY, DEAD)
                for row in connection.execute(of_state.where(deliveries.c.state == state))
            ]
        rows = sorted(both, key=lambda row: row.id)[:STEP]
        speaking = [row for row in rows if row.destination in destinations and row.type in types]
        return Heard(self._opened(speaking), rows[-1].id if rows else 0)

    def _opened(self, rows: Sequence[Any]) -> Iterator[Waiting]:
        lanes = {(row.destination, row.event_id): row.lane for row in rows}
        for destination in dict.fromkeys(row.destination for row in rows):
            events_of = [row.event_id for row in rows if row.destination == destination]
            for delivery in self._inbox.deliveries_of(destination, events_of):
                yield Waiting(destination, lanes[destination, delivery.event_id], delivery)

    def owe(self, owed: Sequence[tuple[Obligation, str]]) -> None:
        """Note opt-outs that were heard, each with its lane."""
        rows = self._obligations.rows(owed)
        with self._db.waking() as connection:
            self._obligations.owe(connection, rows)
            self._obligations.note_spoken(connection, [obligation for obligation, _ in owed])
