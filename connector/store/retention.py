"""Apply retention in small steps while traffic goes on: first payloads, then dead letters, then the rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import Final

from sqlalchemy import ColumnElement, Connection, Select, delete, exists, func, or_, select, update

from connector.settlement import DeliveryState, ObligationState
from connector.settlement.clocks import Hold
from connector.store.audit import Audit
from connector.store.consent_tables import obligations
from connector.store.database import Database
from connector.store.dialect import give_space_back, insert
from connector.store.running_tables import deletion
from connector.store.tables import DEAD, READY, attempts, deliveries, events

STEP: Final = 500
"""Rows of one step: few enough that nobody waits long."""
COUNTED: Final = 10_000
"""How far what waits to be deleted is counted."""
_PAGES: Final = 500
"""Pages an embedded file gives back in one step: 2 MB."""

_HOLD: Final = tuple(deletion.c[field.name] for field in fields(Hold))


class Retention:
    """Purges payloads, then rows. The ledger's digests stay: they keep older states from coming back."""

    def __init__(self, database: Database, log: Audit) -> None:
        self._db, self._log = database, log

    def hold(self) -> Hold:
        """Return whether deletion waits, as of the last check."""
        with self._db.reading() as connection:
            row = connection.execute(select(*_HOLD)).first()
        return Hold(*row) if row else Hold(0)

    def check(self, keeps: Mapping[str, tuple[int, int]]) -> Hold:
        """Check that time went on evenly since the last check. Returns whether deletion waits, and what for.

        keeps: by agency, how long payloads and dead letters are kept, in ms.
        """
        with self._db.transaction() as connection:
            # The row is locked first: its change waits for another worker's.
            connection.execute(update(deletion).values(id=deletion.c.id))
            now = connection.execute(select(self._db.now())).scalar_one()
            row = connection.execute(select(*_HOLD)).first()
            held = (Hold(*row) if row else Hold(_newest(connection, now))).at(now)
            if held.left_ms:
                held = replace(held, **self._due(connection, keeps, now))
            self._put(connection, held)
        return held

    def resume(self, who: str) -> None:
        """Let deletion go on, by the clock as it is now."""
        with self._db.transaction() as connection:
            now = connection.execute(select(self._db.now())).scalar_one()
            self._put(connection, Hold(now))
            self._log.write_down(connection, who, "resume", "retention")

    def _put(self, connection: Connection, held: Hold) -> None:
        row = {"id": 1, **asdict(held)}
        put = insert(self._db.engine, deletion).values(row)
        connection.execute(put.on_conflict_do_update(index_elements=["id"], set_=row))

    def _due(self, connection: Connection, keeps: Mapping[str, tuple[int, int]], now: int) -> dict[str, int]:
        events_due = dead_due = 0
        for agency, (payloads, dead_letters) in keeps.items():
            old = _old(agency, now - payloads, events.c.payload.is_not(None), COUNTED)
            dead = _dead(agency, now - dead_letters, COUNTED)
            events_due += connection.execute(select(func.count()).select_from(old.subquery())).scalar_one()
            dead_due += connection.execute(select(func.count()).select_from(dead.subquery())).scalar_one()
        return {"events": events_due, "dead_letters": dead_due}

    def purge(self, agency: str, before: int) -> int:
        """Purge a step of payloads accepted before `before` (epoch ms) and no longer needed. Returns how many."""
        old = _old(agency, before, events.c.payload.is_not(None))
        with self._db.transaction() as connection:
            return connection.execute(update(events).where(events.c.id.in_(old)).values(payload=None)).rowcount

    def give_up(self, agency: str, before: int) -> int:
        """Discard a step of dead letters accepted before `before` (epoch ms) that owe no opt-out. Returns how many."""
        old = _dead(agency, before)
        changes = {"state": DeliveryState.SKIPPED, "reason": "a dead letter nobody replayed in time"}
        with self._db.transaction() as connection:
            return connection.execute(update(deliveries).where(deliveries.c.id.in_(old)).values(changes)).rowcount

    def forget(self, agency: str, before: int) -> int:
        """Delete a step of purged events older than `before` (epoch ms), and their deliveries. Returns how many."""
        with self._db.reading() as connection:
            old = list(connection.execute(_old(agency, before, events.c.payload.is_(None))).scalars())
        if not old:
            return 0
        # An event that an operator replayed since this read is in the inbox again: its rows stay.
        gone = select(events.c.id).where(events.c.id.in_(old), ~_OPEN)
        theirs = select(deliveries.c.id).where(deliveries.c.event_id.in_(gone))
        with self._db.transaction() as connection:
            ids = list(connection.execute(gone).scalars())
            connection.execute(delete(attempts).where(attempts.c.delivery_id.in_(theirs)))
            connection.execute(delete(deliveries).where(deliveries.c.event_id.in_(ids)))
            return connection.execute(delete(events).where(events.c.id.in_(ids))).rowcount

    def give_space_back(self) -> int:
        """Shrink an embedded file by a step if much of it is empty. Returns by how many pages."""
        with self._db.reading() as connection:
            return give_space_back(connection, _PAGES)


_OBLIGED: Final = exists().where(
    # An opt-out that is not in the CRM yet may need the event's key or address.
    obligations.c.event_id == events.c.id,
    obligations.c.state.in_((ObligationState.OWED, ObligationState.REFUSED)),
)
_OPEN: Final = or_(
    exists().where(deliveries.c.event_id == events.c.id, deliveries.c.state.in_((READY, DEAD))), _OBLIGED
)


def _dead(agency: str, before: int, most: int = STEP) -> Select[tuple[int]]:
    """A step of dead letters accepted before `before`, whose event owes no opt-out."""
    return (
        select(deliveries.c.id)
        .join_from(deliveries, events)
        .where(events.c.agency == agency, deliveries.c.state == DEAD, deliveries.c.accepted_at < before, ~_OBLIGED)
        .limit(most)
    )


def _newest(connection: Connection, now: int) -> int:
    """When the newest event came, or now if none did: what is known of the time before it was first checked."""
    last = select(func.max(events.c.id)).scalar_subquery()
    newest = connection.execute(select(events.c.received_at).where(events.c.id == last)).scalar()
    return now if newest is None else newest


def _old(agency: str, before: int, payload: ColumnElement[bool], most: int = STEP) -> Select[tuple[int]]:
    """A step of events accepted before `before` and no longer needed."""
    return (
        select(events.c.id)
        .where(events.c.agency == agency, events.c.received_at < before, payload, ~_OPEN)
        .order_by(events.c.received_at)
        .limit(most)
    )
