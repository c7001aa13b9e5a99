"""Show an operator the values of an event, only if the agency allows it, and always with an audit entry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from connector.errors import FixConfiguration
from connector.store.audit import Audit
from connector.store.database import Database
from connector.store.inbox import Inbox
from connector.store.tables import agencies, events


class Reveal:
    """Knows which agencies allow it, as of the last start."""

    def __init__(self, database: Database, inbox: Inbox, audit: Audit) -> None:
        self._db, self._inbox, self._audit = database, inbox, audit

    def allowed(self, agency: str) -> bool:
        """Whether this agency's values may be revealed."""
        with self._db.reading() as connection:
            return bool(connection.execute(select(agencies.c.reveal_values).where(agencies.c.name == agency)).scalar())

    def payload(self, message_id: str, who: str, reason: str) -> Mapping[str, Any]:
        """Return a message's payload unmasked, after recording who asked and why. Raises FixConfiguration."""
        if not reason.strip("\0 \t\r\n"):
            raise FixConfiguration(message_id, "is revealed for a reason only", "say why: it is kept in the audit")
        with self._db.reading() as connection:
            row = connection.execute(select(events).where(events.c.message_id == message_id).limit(1)).first()
        if row is None:
            return {}
        if not self.allowed(row.agency):
            hint = "reveal_values: true in its agency file, then a restart"
            raise FixConfiguration(row.agency, "does not allow its values to be revealed", hint)
        with self._db.transaction() as connection:
            self._audit.write_down(connection, who, "reveal", f"{row.agency}/{message_id}", reason, agency=row.agency)
        return self._inbox.event(row).payload
