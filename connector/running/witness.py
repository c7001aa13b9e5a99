"""The newest entry of the audit log, kept outside the database: a log that was cut is shorter than what was seen."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from connector import telemetry
from connector.errors import StoreUnavailable
from connector.running.state import State
from connector.settlement.auditing import Head
from connector.store import Store

_FILE: Final = "audit-head"


class Witness:
    """Keeps the head in a file and in the program's log. It never goes back, until a restore is declared."""

    def __init__(self, store: Store, state: State) -> None:
        self._store, self._state = store, state
        self._seen = next(iter(witnessed(store, state)), None)

    def look(self) -> None:
        """Note the newest entry, if there is another one since."""
        with suppress(StoreUnavailable):  # reported where work is done; the next look comes
            head = self._store.audit.head()
            if head and head.number and (self._seen is None or head.number > self._seen.number):
                self._seen = head
                self._state.write(_FILE, _as_data(self._store, head))
                telemetry.audit_head(head.number, head.digest)


def witnessed(store: Store, state: State) -> tuple[Head, ...]:
    """The newest entry that a process on this machine saw in this database, if any did."""
    match state.read(_FILE):
        case {"database": store.database.identity, "number": int(number), "digest": str(digest)}:
            return (Head(number, digest),)
    return ()


def accept(store: Store, state: State) -> None:
    """Take the log as it is now: an older copy of the database was put in place, and people have declared it."""
    if head := store.audit.head():
        state.write(_FILE, _as_data(store, head))


def _as_data(store: Store, head: Head) -> dict[str, Any]:
    return {"database": store.database.identity, "number": head.number, "digest": head.digest}
