"""Group commit: whoever has something to accept while a commit is under way shares the next one."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Final

from connector.errors import InboxFull, StoreUnavailable
from connector.store.inbox import Arrival

Accept = Callable[[Sequence[Arrival]], list[bool]]
_Waiting = tuple[Arrival, "Future[bool]"]

MOST: Final = 256
"""Arrivals in one commit."""


class Bounded:
    """Keeps no more arrivals while `limit` deliveries wait, except those that raise an opt-out.

    waiting: counts deliveries up to a number; it is asked once a second at most.
    """

    def __init__(
        self,
        keep: Callable[[Arrival], bool],
        waiting: Callable[[int], int],
        limit: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keep, self._waiting, self._limit, self._clock = keep, waiting, limit, clock
        self._look_at, self._full = clock(), False

    def __call__(self, arrival: Arrival) -> bool:
        """Return once the arrival is on disk: True when new, False for a duplicate. Raises StoreUnavailable."""
        now = self._clock()
        if now >= self._look_at:
            self._look_at = now + 1.0
            self._full = self._waiting(self._limit) >= self._limit
        if self._full and not arrival.priority:
            raise InboxFull("inbox", f"{self._limit} deliveries wait", "CONNECTOR_INBOX_LIMIT")
        return self._keep(arrival)


class Writer:
    """One thread that commits; any number of threads that wait for their own arrival to be on disk."""

    def __init__(self, accept: Accept, patience: float = 10.0) -> None:
        self._accept, self._patience = accept, patience
        self._waiting: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="inbox writer", daemon=True)
        self._thread.start()

    def __call__(self, arrival: Arrival) -> bool:
        """Return once the arrival is on disk: True when new, False for a duplicate. Raises StoreUnavailable."""
        done: Future[bool] = Future()
        self._waiting.put((arrival, done))
        try:
            return done.result(self._patience)
        except FutureTimeout:
            raise StoreUnavailable("database", f"no commit within {self._patience:g} s") from None

    def close(self) -> None:
        """Commit what waits, then stop."""
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (first := self._waiting.get()) is not None:
            group, more = self._collect(first)
            self._commit(group)
            if not more:
                return

    def _collect(self, first: _Waiting) -> tuple[list[_Waiting], bool]:
        group = [first]
        while len(group) < MOST:
            try:
                one = self._waiting.get_nowait()
            except queue.Empty:
                break
            if one is None:
                return group, False
            group.append(one)
        return group, True

    def _commit(self, group: list[_Waiting]) -> None:
        try:
            fresh = self._accept([arrival for arrival, _ in group])
        except Exception as error:  # noqa: BLE001  # each waiting request must be answered, whatever happened here
            for _, done in group:
                done.set_exception(error)
            return
        for (_, done), new in zip(group, fresh, strict=True):
            done.set_result(new)
