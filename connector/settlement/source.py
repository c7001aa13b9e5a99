"""What a comparison with careCycle found, as values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Standing(StrEnum):
    """How what careCycle has of a customer compares with what is held."""

    KNOWN = "known"
    UNKNOWN = "unknown"
    NEWER = "newer"


class Counted(StrEnum):
    """What a comparison counts.

    MISSING_CALLS: calls that are not held. UNDETAILED: customers of whom there is only what the list says.
    FETCHED_CUSTOMERS, FETCHED_CALLS: what was accepted into the inbox. UNREADABLE: items without a usable id.
    CALLS_ASKED: customers whose calls were compared. SHRUNK: 1 where the list had fewer customers than it said.
    REPEATED: customers and calls that seemed to be missing, but whose content came before: perhaps they were
    forgotten. UNANSWERED: customers of whom careCycle did not answer. LEFT_OUT: customers last updated before the
    time that was asked for. DELETED: customers who were deleted here, and have not changed since.
    """

    LISTED = "listed"
    UNKNOWN = "unknown"
    NEWER = "newer"
    MISSING_CALLS = "missing_calls"
    FETCHED_CUSTOMERS = "fetched_customers"
    FETCHED_CALLS = "fetched_calls"
    CALLS_ASKED = "calls_asked"
    UNDETAILED = "undetailed"
    UNREADABLE = "unreadable"
    SHRUNK = "shrunk"
    REPEATED = "repeated"
    UNANSWERED = "unanswered"
    LEFT_OUT = "left_out"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Comparison:
    """The counts of one comparison, whole or so far."""

    counts: Mapping[str, int]

    def __getitem__(self, what: Counted) -> int:
        return self.counts.get(what, 0)

    @property
    def missing(self) -> int:
        """Customers and calls that careCycle had and we did not."""
        seemed = self[Counted.UNKNOWN] + self[Counted.NEWER] + self[Counted.MISSING_CALLS]
        return seemed - self[Counted.REPEATED]

    @property
    def shows_all(self) -> bool:
        """Whether nobody was missing, and nobody was passed over."""
        passed_over = self[Counted.SHRUNK] + self[Counted.UNANSWERED] + self[Counted.UNREADABLE]
        return not (self.missing or passed_over)

    @property
    def left(self) -> int:
        """How many of them are missing still."""
        return self.missing - self[Counted.FETCHED_CUSTOMERS] - self[Counted.FETCHED_CALLS]

    def __add__(self, more: Mapping[str, int]) -> Comparison:
        return Comparison(Counter(self.counts) + Counter(more))


def standing(at: int | None, held: int | None) -> Standing:
    """Compare two times of one customer, in epoch ms. at: what careCycle says; None if it does not.

    >>> [standing(2, None), standing(2, 1), standing(2, 2), standing(None, 1)]
    [<Standing.UNKNOWN: 'unknown'>, <Standing.NEWER: 'newer'>, <Standing.KNOWN: 'known'>, <Standing.KNOWN: 'known'>]
    """
    if held is None:
        return Standing.UNKNOWN
    return Standing.NEWER if at is not None and at > held else Standing.KNOWN


@dataclass(frozen=True, slots=True)
class Compared:
    """What is known of an agency's comparisons with careCycle. Times in epoch ms.

    done: the last that ended, which began at `began_at`. running_since: when the one that has not ended began; None if
    all have. problem: why that one stopped last. fetching: whether what is missing is fetched without being asked for.
    """

    done: Comparison | None = None
    began_at: int = 0
    ended_at: int = 0
    running_since: int | None = None
    problem: str = ""
    fetching: bool = True

    def clears(self, silent_since: int) -> bool:
        """Whether nothing was missing in a comparison that began well after the last event."""
        return self.done is not None and self.done.shows_all and self.began_at > silent_since + _SETTLED

    def is_asking(self, now: int) -> bool:
        """Whether careCycle is being asked now."""
        return self.running_since is not None and not self.problem and now - self.running_since < _PATIENCE


_PATIENCE: Final = 3_600_000
"""How long to wait for a comparison, in ms."""

_SETTLED: Final = 1_800_000
"""An event may take its time: what came since is compared only after this, in ms."""
