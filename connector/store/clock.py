"""Another machine's clock, read without asking it: what it said last, and what has passed since."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime


class RemoteClock:
    """The clock of a database or a CRM. tick: monotonic seconds of this machine, which no change of its date moves."""

    def __init__(self, tick: Callable[[], float] = time.monotonic) -> None:
        self._tick = tick
        self._ahead: float | None = None

    def set(self, at: float) -> None:
        """Note what it says now, in epoch seconds."""
        self._ahead = at - self._tick()

    def now(self) -> float | None:
        """Return what it would say now, in epoch seconds; None where it never said anything."""
        return None if self._ahead is None else self._ahead + self._tick()


def moment_of(date: str) -> float | None:
    """Return the time of an HTTP Date header, in epoch seconds; None where it is empty or not a date."""
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None
