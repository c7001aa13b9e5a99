"""Find damage of an embedded database that no event has met yet, and notice when it was repaired or replaced."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final

from connector import telemetry
from connector.errors import StoreUnavailable
from connector.store.database import Database
from connector.store.integrity import begin_check
from connector.store.meaning import damaged

FIRST: Final = 5.0
"""Seconds a start waits for the first check; that of a larger file ends later."""

EVERY: Final = 3600.0
AGAIN: Final = 30.0
"""Seconds between two checks, and while the database is damaged."""


class Inspection:
    """Checks at the start, then every hour, and every half minute while the database is damaged.

    hourly: whether this process does the check that compares indexes with their tables; one process is enough.
    A shared database checks its pages itself, and says so when one is damaged.
    """

    def __init__(self, *, hourly: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._hourly, self._clock = hourly, clock
        self._checking: Future[list[str]] | None = None
        self._began = float("-inf")

    def first(self, database: Database) -> None:
        """Check, waiting a few seconds at most; not again within half a minute, however often a start is tried."""
        if database.folder() is None:
            return
        if self._checking is None and self._clock() - self._began >= AGAIN:
            self._begin(database, thorough=bool(database.damage.known()))
        self._settle(database, FIRST)

    def go_on(self, database: Database) -> Callable[[], None]:
        """Check from now on, in a thread of its own. Returns a function that ends it."""
        stopping = threading.Event()
        if database.folder() is not None:
            run = (database, stopping)
            threading.Thread(target=self._run, args=run, name="integrity", daemon=True).start()
        return stopping.set

    def _run(self, database: Database, stopping: threading.Event) -> None:
        self._settle(database)
        while not stopping.wait(AGAIN):
            if database.damage.known() or (self._hourly and self._clock() - self._began >= EVERY):
                self._begin(database, thorough=True)
                self._settle(database)

    def _begin(self, database: Database, *, thorough: bool) -> None:
        self._checking, self._began = begin_check(database.engine, thorough=thorough), self._clock()

    def _settle(self, database: Database, patience: float | None = None) -> None:
        """Take over what a check found, once."""
        if self._checking is None:
            return
        try:
            problems = self._checking.result(patience)
        except TimeoutError:
            return
        except StoreUnavailable as error:
            telemetry.store_unavailable("integrity", error.problem)
        else:
            if problems:
                database.damage.note(damaged("; ".join(problems)))
            elif database.damage.known():
                database.damage.clear()
                telemetry.database_sound()
        self._checking = None
