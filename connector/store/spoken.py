"""Deliveries that wait or were set aside, read once more: an opt-out spoken in a call is owed before its turn."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import select

from connector.model import Delivery
from connector.settlement import Obligation
from connector.store.database import Database
from connector.store.inbox import Inbox
from connector.store.obligations import Obligations
from connector.store.oddities import read_odd
from connector.store.tables import DEAD, READY, deliveries, events

STEP: Final = 500
"""Waiting deliveries looked at in one step."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A delivery that waits, in which an opt-out may be heard that the inbox does not know of."""

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

    def step(self, speaking: Mapping[str, Collection[str]], after: int, until: int) -> Heard:
        """The next deliveries that wait or are dead, accepted until then (epoch ms), opened where they may say more.

        speaking: destination -> the types of events in which an opt-out may be spoken. One with a field that could not
        be read is opened whatever its type: this version may read what the one that accepted it could not.
        """
        of_state = (
            select(
                *(deliveries.c[name] for name in ("id", "destination", "lane", "event_id")), events.c.type, events.c.odd
            )
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
        wanted = [
            row
            for row in rows
            if row.destination in speaking and (row.type in speaking[row.destination] or _lacks(row.odd))
        ]
        return Heard(self._opened(wanted), rows[-1].id if rows else 0)

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


def _lacks(odd: str) -> bool:
    """Whether a field could not be read that may be a flag. odd: as `events.odd` holds it."""
    return any(not (field.used or field.is_clock) for field in read_odd(odd))
