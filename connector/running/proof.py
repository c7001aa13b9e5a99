"""Whether this process can write to the database now, tried every few seconds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from connector import telemetry
from connector.errors import StoreUnavailable

_RETRY: Final = 2.0


class Proof:
    """Tries to write now and then, and more often where it fails. To be called about once a second.

    It may wait for the database in each call, so nothing else may wait for it. tick: monotonic seconds. every: seconds.
    """

    def __init__(self, tick: Callable[[], float], every: float) -> None:
        self._tick, self._every = tick, every
        self._tried_at = self.written_at = 0.0
        self._failed_at, self._problem = 0.0, ""
        self._try: Callable[[], None] | None = None

    def use(self, attempt: Callable[[], None]) -> None:
        """From now on, try this: it writes, or raises StoreUnavailable."""
        self._try = attempt

    @property
    def problem(self) -> str:
        """Why it cannot write; empty if it can, or has not tried."""
        return self._problem if self._failed_at > self.written_at else ""

    def __call__(self) -> None:
        """Try to write if that is due."""
        now = self._tick()
        rest = min(_RETRY, self._every) if self.problem else self._every
        if self._try is None or now - self._tried_at < rest:
            return
        self._tried_at = now
        try:
            self._try()
        except StoreUnavailable as error:
            self.failed(error)
        else:
            self.written_at = self._tick()

    def failed(self, error: StoreUnavailable) -> None:
        """Note that the database cannot be written. Logged once until it can."""
        if not self.problem:
            telemetry.store_unavailable("alarms", error.problem)
        self._failed_at, self._problem = self._tick(), error.problem
