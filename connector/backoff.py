"""Compute how long to wait before the next attempt. `roll` is a random number in [0, 1)."""

from __future__ import annotations

from typing import Final

SECOND: Final = 1000
HOUR: Final = 3600 * SECOND
DAY: Final = 24 * HOUR

FIRST_DELAY: Final = 5 * SECOND
FIRST_PAUSE: Final = 5 * SECOND
LONGEST_PAUSE: Final = 15 * 60 * SECOND
LEAST_ATTEMPTS: Final = 12


def delay(attempts: int, roll: float) -> int:
    """Return the milliseconds until a deferred delivery is due: doubling from 5 s to an hour, jittered by half."""
    return _jittered(FIRST_DELAY, attempts, HOUR, roll)


def pause(failures: int, roll: float, retry_after: float | None = None) -> int:
    """Return the milliseconds a lane pauses before it probes: doubling from 5 s to 15 min.

    retry_after: the seconds the CRM asked for instead of 5; if they do not help, the pause doubles as well.
    """
    if retry_after is not None:
        asked = min(max(retry_after, 1) * SECOND, DAY)
        return int(max(asked, min(asked * 2 ** min(failures, 30), LONGEST_PAUSE)) * (1 + roll / 10))
    return _jittered(FIRST_PAUSE, failures, LONGEST_PAUSE, roll)


def exhausted(attempts: int, first_at: int, now: int) -> bool:
    """Whether a deferred delivery has used both its 12 attempts and its 24 hours."""
    return attempts >= LEAST_ATTEMPTS and now - first_at >= DAY


def _jittered(first: int, exponent: int, longest: int, roll: float) -> int:
    whole = min(first * 2 ** min(exponent, 30), longest)
    return int(whole * (0.5 + roll / 2))
