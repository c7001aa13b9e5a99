"""HubSpot's limits of one account, for all lanes that share it: what one of them learns holds for the others."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from threading import Lock
from typing import Final

SEARCHES: Final = 5
"""Searches an account may make in a second: https://developers.hubspot.com/docs/api-reference/search/guide"""


class Limits:
    """When the next request may go out. clock: seconds, only forward."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, Lock()
        self._free_at = 0.0
        self._searches: deque[float] = deque(maxlen=SEARCHES)

    def wait(self, *, search: bool, rested: bool) -> float:
        """Return the seconds until a request may go out, and count it. rested: it has waited already."""
        with self._lock:
            now = self._clock()
            at = now if rested else max(now, self._free_at)
            if search:
                if len(self._searches) == SEARCHES:
                    at = max(at, self._searches[0] + 1.0)
                self._searches.append(at)
            return at - now

    def rest(self, seconds: float) -> None:
        """Let nobody ask for so long: HubSpot counts rejected requests as errors."""
        with self._lock:
            self._free_at = max(self._free_at, self._clock() + seconds)
