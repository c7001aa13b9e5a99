"""What the lanes of one CRM account learn from each other: that it cannot be used, and that it can be used again. Pure.

A pause that surely is the account's holds for all of its lanes. A single call may fail for less, and a lane during
whose failures another got through has troubles of its own: such a pause counts as the account's once a second lane
fails.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from connector.errors import ACCOUNT_WIDE, LIMITS, PASSING, PauseReason

OFTEN_THE_ACCOUNTS: Final = frozenset({PauseReason.STORAGE, PauseReason.REPLY, PauseReason.REQUEST, PauseReason.CLIENT})
"""Pauses that each lane has for itself, but whose cause often ends for all lanes of an account at once."""


@dataclass(frozen=True, slots=True)
class Sibling:
    """One of an account's lanes. code: of its last pause, if nothing was delivered since.

    resting: its pause is not over. own: that pause is taken for the lane's own.
    """

    name: str
    code: str = ""
    failures: int = 0
    leased: bool = False
    resting: bool = False
    own: bool = False

    @property
    def is_down(self) -> bool:
        """Whether nothing has shown yet that the account can be used again."""
        return self.code in ACCOUNT_WIDE

    @property
    def failed(self) -> bool:
        """Whether it has found that out itself."""
        return self.is_down and self.failures > 0


@dataclass(frozen=True, slots=True)
class Shared:
    """Which lanes pause because one does: none where its pause is taken for its own."""

    own: bool = False
    names: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Freed:
    """A lane that may go on at once, and what is kept of its failures."""

    name: str
    failures: int
    own: bool


def pauses_of_account(siblings: Sequence[Sibling]) -> int:
    """Count the pauses in a row of the account: the most that any of its lanes had."""
    return max((sibling.failures for sibling in siblings if sibling.is_down and not sibling.own), default=0)


def share(reason: PauseReason, mine: Sibling, others: Sequence[Sibling]) -> Shared:
    """Decide for whom a pause holds. A lane in use will see for itself."""
    if reason not in ACCOUNT_WIDE:
        return Shared(mine.own)
    doubted = reason not in LIMITS and (reason in PASSING or mine.own)
    if doubted and not any(other.failed and (other.resting or not other.own) for other in others):
        return Shared(own=True)
    return Shared(names=[other.name for other in others if not other.leased and _gives_way(other)])


def _gives_way(other: Sibling) -> bool:
    """Whether its account's pause may replace a lane's own, if it has any."""
    return not other.resting or other.is_down or other.code == PauseReason.BUDGET


def free(mine: Sibling, others: Sequence[Sibling], *, only_opt_outs: bool) -> list[Freed]:
    """List the lanes that may go on, because this one got through after a pause.

    only_opt_outs: nothing else has got through. A lane that was not down frees nobody: what keeps another from its
    work meanwhile is that lane's own.
    """
    same = mine.code if mine.code in OFTEN_THE_ACCOUNTS and not only_opt_outs else None
    if not mine.is_down and same is None:
        return []
    return [_freed(other) for other in others if other.is_down or other.code == same]


def _freed(other: Sibling) -> Freed:
    """Forget a lane's failures, once: if it fails again although another got through, they are its own."""
    if not other.is_down:
        return Freed(other.name, other.failures, other.own)
    return Freed(other.name, other.failures if other.own else 0, other.own or other.failed)
