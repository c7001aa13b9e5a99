"""What was fetched, not sent: kept like any event, and owed to destinations that did not exist when it first came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import Connection, select, update

from connector.settlement import UNOPENABLE
from connector.store.database import Database
from connector.store.inbox import Arrival, Inbox
from connector.store.lacking import Lacking
from connector.store.tables import deliveries, events


class Fetched:
    """Accepts what was fetched. The same content again changes nothing."""

    def __init__(self, database: Database, inbox: Inbox, lacking: Lacking) -> None:
        self._db, self._inbox, self._lacking = database, inbox, lacking

    def accept(self, arrivals: Sequence[Arrival]) -> list[bool]:
        """Keep them in one durable commit: True for a new one. What is known gets the deliveries it lacks."""
        return self._inbox.accept(arrivals, self._complete)

    def _complete(self, connection: Connection, known: Sequence[Arrival]) -> None:
        """Add the deliveries that are lacking, and store payloads again that were purged or cannot be decrypted."""
        if unopened := self._unopened(connection, known):
            self._inbox.sent_again(connection, unopened)
        rows = [
            {"agency": again.agency, "message_id": again.message_id, **asdict(owed), "again": 0}
            for again in known
            for owed in again.owed
        ]
        bodies = {(again.agency, again.message_id): again.body for again in known}
        _, completed = self._lacking.owe(connection, rows)
        for row in completed:
            if row.purged:
                payload = self._db.seal.close(bodies[row.agency, row.message_id], f"{row.agency}/{row.message_id}")
                connection.execute(update(events).where(events.c.id == row.id).values(payload=payload))

    def _unopened(self, connection: Connection, known: Sequence[Arrival]) -> list[Arrival]:
        """Return what is stored in a form that could not be decrypted when it was to be delivered."""
        theirs = events.c.message_id.in_({again.message_id for again in known})
        failed = select(events.c.agency, events.c.message_id).join_from(events, deliveries)
        rows = {tuple(row) for row in connection.execute(failed.where(theirs, deliveries.c.code == UNOPENABLE))}
        return [again for again in known if (again.agency, again.message_id) in rows]
