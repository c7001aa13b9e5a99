"""Letting go of payloads whose time has come, in small steps beside the traffic."""

from __future__ import annotations

from typing import Final

from sqlalchemy import exists, select, update

from connector.store.database import Database
from connector.store.tables import deliveries, events

STEP: Final = 500
"""Rows of one step: short enough to keep nobody waiting."""


class Retention:
    """Purges payloads; ids, states, attempts and the ledger's digests stay."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def purge(self, agency: str, before: int) -> int:
        """Remove a step's worth of payloads accepted before (epoch ms) and owed to nobody any more; how many."""
        open_still = exists().where(deliveries.c.event_id == events.c.id, deliveries.c.state.in_(("ready", "dead")))
        old = (
            select(events.c.id)
            .where(events.c.agency == agency, events.c.received_at < before, events.c.payload.is_not(None), ~open_still)
            .limit(STEP)
        )
        with self._db.transaction() as connection:
            return connection.execute(update(events).where(events.c.id.in_(old)).values(payload=None)).rowcount

    def give_up(self, agency: str, before: int) -> int:
        """Discard a step's worth of dead letters accepted before (epoch ms); how many."""
        old = (
            select(deliveries.c.id)
            .join_from(deliveries, events)
            .where(events.c.agency == agency, deliveries.c.state == "dead", deliveries.c.accepted_at < before)
            .limit(STEP)
        )
        changes = {"state": "skipped", "reason": "a dead letter nobody freed in its time"}
        with self._db.transaction() as connection:
            return connection.execute(update(deliveries).where(deliveries.c.id.in_(old)).values(changes)).rowcount
