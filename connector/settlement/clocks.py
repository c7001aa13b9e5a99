"""What is known of the clocks of processes, and whether time went on evenly. Times in epoch ms. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_SECOND: Final = 1000
_DAY: Final = 24 * 60 * 60 * _SECOND

USUAL_GAP: Final = _DAY
"""How far apart two checks of the time are at most, in ms, while all is well. They are made every hour."""

HELD_FOR: Final = 7 * _DAY
"""How long deletion waits after a longer gap, in ms: long enough for people to see what would be deleted."""

CLOCK_TOLERANCE: Final = 30 * _SECOND
"""How far two machines' clocks may differ, in ms."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Whether deletion waits because time did not go on evenly: the clock jumped, or nothing was running.

    checked_at: when time was last checked. since: the last check before the gap. left_ms: how much longer deletion
    waits; 0 if it does not. events, dead_letters: what it would delete, counted no further than a limit.
    """

    checked_at: int
    since: int = 0
    left_ms: int = 0
    events: int = 0
    dead_letters: int = 0

    def at(self, now: int) -> Hold:
        """Return how it is at the next check. Of a gap during the wait, no more than a usual one counts."""
        passed = now - self.checked_at
        if not self.left_ms:
            return Hold(now, self.checked_at, HELD_FOR) if passed > USUAL_GAP else Hold(now)
        if now <= self.since + USUAL_GAP:  # the clock that had jumped was set right
            return Hold(now)
        left = max(0, self.left_ms - min(max(0, passed), USUAL_GAP))
        return Hold(now, self.since if left else 0, left)

    @property
    def matters(self) -> bool:
        """Whether anything is kept because of it."""
        return bool(self.left_ms and (self.events or self.dead_letters))


STEADY: Final = Hold(0)
"""Deletion does not wait."""


@dataclass(frozen=True, slots=True)
class ProcessClock:
    """A running process, and how far its machine's clock is ahead of the database's and the CRMs' (None: not known).

    halted: it is a worker that takes no lane, because its clock agrees with none of them.
    """

    name: str
    role: str
    offset_ms: int
    crm_offset_ms: int | None = None
    halted: bool = False

    @property
    def differs(self) -> bool:
        """Whether its clock and the database's are too far apart, or it agrees with no CRM's."""
        return self.halted or abs(self.offset_ms) > CLOCK_TOLERANCE or abs(self.crm_offset_ms or 0) > CLOCK_TOLERANCE
