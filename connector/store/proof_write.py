"""A write that keeps nothing: it shows that events could be kept now."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from connector.store.database import Database
from connector.store.dialect import insert
from connector.store.inbox import Arrival, Inbox, Owed
from connector.store.sql import Sql, built_once
from connector.store.tables import settings

_NAME: Final = "last trial"
_OWED: Final = (Owed("trial", "trial"),)


@built_once
def _mark(sql: Sql) -> Any:
    fresh = insert(sql, settings)
    return fresh.on_conflict_do_update(index_elements=["name"], set_={"value": fresh.excluded.value})


class _Undo(Exception):
    """Roll back: this was a proof only."""


class ProofWrite:
    """Writes what an event needs and rolls it back, then puts one row on disk, always the same.

    The first half meets what would refuse an event: a lock, a lost table, a damaged page. The second shows that a
    commit reaches the disk. name: this process's, so that two processes never wait for each other.
    """

    def __init__(self, database: Database, inbox: Inbox, name: Callable[[], str] = lambda: uuid.uuid4().hex) -> None:
        self._db, self._inbox = database, inbox
        self._arrival = Arrival("", name(), "", "trial", 0, 0, b"", _OWED, raised=frozenset({"trial"}))
        self._mark = _mark(database.sql)

    def __call__(self) -> None:
        """Raises StoreUnavailable."""
        with suppress(_Undo), self._db.transaction() as connection:
            self._inbox.keep(connection, [self._arrival])
            raise _Undo
        with self._db.transaction() as connection:
            connection.execute(self._mark, {"name": _NAME, "value": uuid.uuid4().bytes})
