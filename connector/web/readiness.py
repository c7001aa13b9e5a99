"""Whether this process can work now, found out by a write of its own, without ever waiting long for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, Generic, TypeVar

from connector.errors import StoreUnavailable
from connector.store.writer import Writer

PATIENCE: Final = 1.5
"""Seconds a page waits for the database: with what else it does, it answers within two."""

FRESH: Final = 3.0
"""Seconds a write counts: monitors that ask more often cost no further one."""

Result = TypeVar("Result")


class Shared(Generic[Result]):
    """Begins one call at a time; all who ask meanwhile wait for the same one.

    So a database that does not answer costs one call, however often it is asked for.
    keeps: seconds for which the last result is good enough where the next takes long.
    """

    def __init__(
        self, begin: Callable[[], Future[Result]], clock: Callable[[], float] = time.monotonic, keeps: float = 0.0
    ) -> None:
        self._begin, self._clock, self._lock, self._keeps = begin, clock, threading.Lock(), keeps
        self._call: Future[Result] | None = None
        self._kept: tuple[float, Result] | None = None
        self.began = 0.0

    def ask(self, patience: float = PATIENCE) -> Result:
        """Raises TimeoutError once the call has taken `patience` seconds, and whatever it raises."""
        with self._lock:
            if self._call is None or self._call.done():
                self._call, self.began = self._begin(), self._clock()
                self._call.add_done_callback(self._keep)
            call, left = self._call, self.began + patience - self._clock()
        try:
            return call.result(max(0.0, left))
        except TimeoutError:
            kept = self._kept
            if kept is None or self._clock() - kept[0] >= self._keeps:
                raise
            return kept[1]

    def _keep(self, call: Future[Result]) -> None:
        if not call.cancelled() and call.exception() is None:
            self._kept = self._clock(), call.result()

    def waited(self) -> float:
        """How many seconds the call in progress has taken."""
        return self._clock() - self.began


class Readiness:
    """Ready means: a write through the writer's own thread and connection is on disk, since a moment ago or now.

    full: why ordinary events are refused although the database can be written; empty if they are not.
    """

    def __init__(
        self, writer: Writer, full: Callable[[], str] | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._writer, self._full, self._clock = writer, full, clock
        self._trial = Shared(writer.try_out, clock)

    def problem(self, patience: float = PATIENCE) -> str:
        """What is wrong with the database, in words for an operator; empty if nothing is."""
        if self._clock() - self._writer.written_at < FRESH:
            return ""
        try:
            self._trial.ask(patience)
        except TimeoutError:
            return f"does not answer: a write has been waiting for {self._trial.waited():.0f} s"
        except StoreUnavailable as error:
            return error.problem
        return ""

    def parts(self) -> dict[str, str]:
        """Each part and how it is; a full inbox still accepts opt-outs, so that it stays ready."""
        database = self.problem() or "ok"
        return {"database": database} if self._full is None else {"database": database, "inbox": self._full() or "ok"}

    def lives(self) -> bool:
        """Whether the writer's thread runs: without it, only a restart helps."""
        return self._writer.lives()
