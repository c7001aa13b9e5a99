"""Apply retention in small steps while traffic goes on: first payloads, then dead letters, then the rows."""

from __future__ import annotations

from typing import Final

from sqlalchemy import ColumnElement, Select, delete, exists, or_, select, update

from connector.settlement import DeliveryState, ObligationState
from connector.store.database import Database
from connector.store.dialect import give_space_back
from connector.store.tables import DEAD, READY, attempts, deliveries, events, obligations

STEP: Final = 500
"""Rows of one step: few enough that nobody waits long."""
_PAGES: Final = 500
"""Pages an embedded file gives back in one step: 2 MB."""


class Retention:
    """Purges payloads, then rows. The ledger's digests stay: they keep older states from coming back."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def purge(self, agency: str, before: int) -> int:
        """Purge a step of payloads accepted before `before` (epoch ms) and no longer needed. Returns how many."""
        old = _old(agency, before, events.c.payload.is_not(None))
        with self._db.transaction() as connection:
            return connection.execute(update(events).where(events.c.id.in_(old)).values(payload=None)).rowcount

    def give_up(self, agency: str, before: int) -> int:
        """Discard a step of dead letters accepted before `before` (epoch ms). Returns how many."""
        old = (
            select(deliveries.c.id)
            .join_from(deliveries, events)
            .where(events.c.agency == agency, deliveries.c.state == DEAD, deliveries.c.accepted_at < before)
            .limit(STEP)
        )
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


_OPEN: Final = or_(
    exists().where(deliveries.c.event_id == events.c.id, deliveries.c.state.in_((READY, DEAD))),
    # An opt-out that is not in the CRM yet may need the event's key or address.
    exists().where(
        obligations.c.event_id == events.c.id,
        obligations.c.state.in_((ObligationState.OWED, ObligationState.REFUSED)),
    ),
)


def _old(agency: str, before: int, payload: ColumnElement[bool]) -> Select[tuple[int]]:
    """A step of events accepted before `before` and no longer needed."""
    return (
        select(events.c.id)
        .where(events.c.agency == agency, events.c.received_at < before, payload, ~_OPEN)
        .order_by(events.c.received_at)
        .limit(STEP)
    )
