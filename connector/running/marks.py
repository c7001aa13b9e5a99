"""How far the database's history had come, kept outside it: an older copy in its place is noticed at once."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from typing import Any, Final

from connector import telemetry
from connector.backoff import DAY
from connector.errors import StoreUnavailable
from connector.running.state import State
from connector.running.witness import Witness
from connector.store import Store
from connector.store.commits import Mark, as_data, read_mark

ROLES: Final = ("receive", "work")
"""The roles whose commits are counted. Each has its own file, so that none overwrites another's."""

_EVERY: Final = 1.0
"""Seconds between two looks at the database, and between two versions of the file."""

_WITNESSED: Final = 10
"""Every how many looks the newest entry of the audit log is kept, too."""

_SLACK: Final = 2_000
"""Milliseconds that a process may have gone on after the last version of its file."""

_KEPT: Final = 60 * DAY
"""Counts of processes that ended so long ago are deleted; a file as old says nothing."""


class Marks:
    """Compares the database with what this process committed, and keeps that in a file. role: receive or work."""

    def __init__(self, store: Store, state: State, role: str) -> None:
        self._store, self._state, self._name = store, state, _name(role)
        self._written: Mark | None = None
        self._witness = Witness(store, state)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Check the file of the process before this one, then look once a second while the block runs."""
        check_file(self._store, self._state, self._name)
        self._store.commits.forget(_KEPT)
        stopping = threading.Event()
        thread = threading.Thread(target=self._run, args=(stopping,), name="history", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stopping.set()
            thread.join(_EVERY)
            self.write()

    def _run(self, stopping: threading.Event) -> None:
        for number in count():
            if stopping.wait(_EVERY):
                return
            self.look()
            if number % _WITNESSED == 0:
                self._witness.look()

    def look(self) -> None:
        """Compare once, and keep how far this process has come."""
        with suppress(StoreUnavailable):  # reported where work is done; the next look comes
            self._store.commits.check()
        self.write()

    def write(self) -> None:
        """Keep how far this process has come, if that has changed."""
        mark = self._store.commits.mark
        if mark.points and mark != self._written:
            self._state.write(self._name, {**as_data(mark), "address": _address(self._store)})
            self._written = mark


def check_files(store: Store, state: State) -> None:
    """Compare the database with the files of every role on this machine. Raises StoreUnavailable."""
    for role in ROLES:
        check_file(store, state, _name(role))


def check_file(store: Store, state: State, name: str) -> None:
    """Compare the database with what an earlier process had committed, and note a gap. Raises StoreUnavailable."""
    data = state.read(name)
    mark = read_mark(data) if data else None
    if data is None or mark is None or not mark.points:
        return
    if max(point.at for point in mark.points.values()) < store.database.moment() - _KEPT:
        return
    if mark.database == store.database.identity:
        store.commits.check_mark(mark, _SLACK)
    elif data.get("address") == _address(store):
        store.commits.began_again(mark)
    else:
        telemetry.other_database(str(state.path(name)))


def _name(role: str) -> str:
    return f"history-{role}"


def _address(store: Store) -> str:
    """Identifies where the database is, without its user and password."""
    url = store.database.engine.url
    where: tuple[Any, ...] = (url.host, url.port, url.database, url.query.get("host"))
    return hashlib.sha256(repr(where).encode()).hexdigest()[:16]
