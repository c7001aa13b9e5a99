"""HubSpot's limits of one account, for all lanes that share it: what one of them learns holds for the others.

HubSpot calls its ten seconds rolling, and does not say when they began. So every ten seconds are kept within the limit,
wherever they begin: that is within it, too, where HubSpot counts from fixed moments.
"""

from __future__ import annotations

import time
from bisect import bisect_right, insort
from collections.abc import Callable, Mapping
from math import inf
from threading import Lock
from typing import Final

SEARCHES: Final = 5
"""Searches an account may make in a second: https://developers.hubspot.com/docs/api-reference/search/guide"""

AT_ONCE: Final = 0.25
"""The share of a limit that goes out as it comes: a few events after a quiet time wait for nothing."""

OURS: Final = 0.9
"""The share of a limit that batches use: the rest is for opt-outs, which no batch holds up, and for other programs."""

LEAST: Final = 0.1
"""The share of a limit that batches use however much other programs take."""

LONGEST: Final = 15.0
"""Seconds over which a limit may be counted: a longer one, which HubSpot does not have, is taken for this."""

SHORTEST: Final = 5_000
"""Milliseconds: a shorter span is another limit's than the account's."""

SLACK: Final = 0.5
"""Seconds by which a request may take longer to arrive than a later one."""


class Window:
    """A limit: the most requests in any span of some seconds, by us and by other programs. Without a clock.

    due: when the next batch may begin, so that what is left of the limit lasts.
    """

    def __init__(self, most: float, seconds: float) -> None:
        self.most, self.seconds, self.due = most, seconds, 0.0
        self._sent: list[float] = []
        self._others, self._others_until = 0, 0.0
        self._expected, self._expected_until = 0, 0.0

    def hear(self, most: int, left: int, seconds: float, now: float) -> None:
        """Note what HubSpot says: what is used and was not ours is other programs'.

        They are expected to use as much again: where HubSpot counts from fixed moments, it shows little of it at first.
        """
        self.most, self.seconds = most, seconds
        self._forget(now)
        self._others, self._others_until = max(0, most - left - len(self._sent)), now + seconds
        if self._others >= self._expected:
            self._expected, self._expected_until = self._others, now + 2 * seconds

    def free_at(self, now: float) -> float:
        """Return when the next request may go out: what is one too many must have left the span before."""
        self._forget(now)
        over = len(self._sent) + self._others - self.most
        if over < 0:
            return now
        return self._sent[int(over)] + self.seconds if over < len(self._sent) else self._others_until

    def count(self, at: float) -> None:
        """Count a request that goes out at this moment, and put off the next batch by it."""
        insort(self._sent, at)
        # By then everything that went out until now has left the span, however much it was.
        self.due = min(max(self.due, at) + self._apart(at), at + self.seconds)

    def _apart(self, now: float) -> float:
        """The seconds between requests with which what is left lasts until older ones leave the span, one by one."""
        if len(self._sent) + self._expected <= AT_ONCE * self.most:
            return 0.0
        left = max(OURS * self.most - self._expected, LEAST * self.most) - len(self._sent)
        leaving = enumerate(self._sent, 1)
        return max((at + self.seconds - now) / (max(left, 0.0) + number) for number, at in leaving)

    def _forget(self, now: float) -> None:
        del self._sent[: bisect_right(self._sent, now - self.seconds)]
        if now >= self._others_until:
            self._others = 0
        if now >= self._expected_until:
            self._expected = self._others


class Limits:
    """When the next request may go out, and the next batch begin. clock: seconds, only forward."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, Lock()
        self._free_at = 0.0
        self._calls, self._searches = Window(inf, 10.0 + SLACK), Window(SEARCHES, 1.0)

    def wait(self, *, search: bool, rested: bool) -> float:
        """Return the seconds until a request may go out, and count it. rested: it has waited already."""
        with self._lock:
            now = self._clock()
            window = self._searches if search else self._calls
            at = max(window.free_at(now), now if rested else self._free_at)
            window.count(at)
            return at - now

    def rest(self, seconds: float) -> None:
        """Let nobody ask for so long: HubSpot counts rejected requests as errors."""
        with self._lock:
            self._free_at = max(self._free_at, self._clock() + seconds)

    def hear(self, headers: Mapping[str, str]) -> None:
        """Note the account's limit, and what is left of it, from the headers of a reply."""
        texts = [
            headers.get(f"x-hubspot-ratelimit-{name}", "") for name in ("max", "remaining", "interval-milliseconds")
        ]
        if not all(text.isdecimal() and len(text) < 10 for text in texts):
            return
        most, left, milliseconds = map(int, texts)
        if most and milliseconds >= SHORTEST:
            with self._lock:
                self._calls.hear(most, left, min(milliseconds / 1000, LONGEST) + SLACK, self._clock())

    def hold(self) -> float:
        """Return the seconds until the next batch should begin, so that what is left of the limits lasts."""
        with self._lock:
            return max(0.0, max(self._free_at, self._calls.due, self._searches.due) - self._clock())
