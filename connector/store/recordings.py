"""The calls whose recording is still to come, each asked for a few times within an hour, by one process at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import delete, literal, select, update

from connector.settlement.newest import Kind, Origin
from connector.store.database import Database
from connector.store.dialect import insert
from connector.store.fetched_tables import newest
from connector.store.inbox import Inbox
from connector.store.payloads import walk
from connector.store.source_tables import recordings
from connector.store.tables import events

_MINUTE: Final = 60_000
AFTER: Final = tuple(_MINUTE * minutes for minutes in (1, 3, 8, 20, 40, 60))
"""When each call is asked for, in ms after we heard of it."""

_COLUMNS: Final = ("agency", "call_id", "customer_id", "event_id", "heard_at", "tries", "due_at")


@dataclass(frozen=True, slots=True)
class Awaited:
    """A call whose recording is to be asked for now."""

    agency: str
    call_id: str
    customer_id: str
    event_id: int


class Recordings:
    """Notes calls as they come, and hands them out when they are due."""

    def __init__(self, database: Database, inbox: Inbox) -> None:
        self._db, self._inbox = database, inbox

    def note(self, agency: str) -> None:
        """Note the agency's calls of the last hour that careCycle sent, and drop those noted earlier."""
        now = self._db.now()
        its_call = (
            (newest.c.agency == events.c.agency)
            & (newest.c.kind == Kind.CALL)
            & (newest.c.customer_id == events.c.customer_id)
            & (newest.c.event_id == events.c.id)
        )
        heard = events.c.received_at
        rows = (
            select(newest.c.agency, newest.c.id, newest.c.customer_id, events.c.id, heard, literal(0), heard + AFTER[0])
            .join_from(events, newest, its_call)
            .where(events.c.agency == agency, heard > now - AFTER[-1], events.c.payload.is_not(None))
            .where(events.c.type == "call.completed", events.c.origin == Origin.WEBHOOK)
        )
        new = insert(self._db.engine, recordings).from_select(list(_COLUMNS), rows).on_conflict_do_nothing()
        old = (recordings.c.agency == agency, recordings.c.heard_at < now - 2 * AFTER[-1])
        with self._db.transaction() as connection:
            connection.execute(new)
            connection.execute(delete(recordings).where(*old))

    def take(self, agency: str) -> Awaited | None:
        """A call that is due. No other process gets it until its next time; after the last, it is given up."""
        now = self._db.now().label("now")
        due = (recordings.c.agency == agency, recordings.c.due_at <= self._db.now())
        first = select(recordings, now).where(*due).order_by(recordings.c.due_at, recordings.c.call_id).limit(1)
        with self._db.transaction() as connection:
            row = connection.execute(first).first()
            if row is None:
                return None
            again = AFTER[row.tries + 1 : row.tries + 2]
            later = max(row.now + _MINUTE, row.heard_at + again[0]) if again else None
            still = (*_one(agency, row.call_id), recordings.c.tries == row.tries)
            taken = connection.execute(update(recordings).where(*still).values(tries=row.tries + 1, due_at=later))
        return Awaited(agency, row.call_id, row.customer_id, row.event_id) if taken.rowcount else None

    def done(self, call: Awaited) -> None:
        """Ask for it no more."""
        with self._db.transaction() as connection:
            connection.execute(update(recordings).where(*_one(call.agency, call.call_id)).values(due_at=None))

    def payload(self, call: Awaited) -> Mapping[str, Any]:
        """What careCycle sent of the call; empty where it is not kept any more, or cannot be decrypted."""
        mine = (events.c.id == call.event_id, events.c.agency == call.agency, events.c.type == "call.completed")
        for rows in walk(self._db, *mine):
            return self._inbox.event(rows[0]).payload
        return {}


def _one(agency: str, call_id: str) -> tuple[Any, ...]:
    return recordings.c.agency == agency, recordings.c.call_id == call_id
