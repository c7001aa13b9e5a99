"""What a database lacks once its history went back, as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class GapKind(StrEnum):
    """How the history went back."""

    OLDER = "older"
    ANOTHER = "another"


@dataclass(frozen=True, slots=True)
class Gap:
    """What one process lost. Times in epoch ms of the database's clock.

    lost_from: the last that is known to be there, 0 if nothing is. lost_until: the last that is known to be lost.
    events: acknowledged and lost; of another database 0, because nobody knows.
    """

    process: str
    kind: GapKind
    lost_from: int
    lost_until: int
    events: int
    noticed_at: int = 0
    resolved_at: int | None = None


@dataclass(frozen=True, slots=True)
class Lost:
    """The unresolved gaps of every process together."""

    since: int
    until: int
    events: int
    noticed_at: int
    another: bool


@dataclass(frozen=True, slots=True)
class Doubt:
    """The last declared restore: when (epoch ms), and when the last write to a CRM was that the ledger may not know."""

    at: int
    lost_until: int


def together(gaps: Sequence[Gap]) -> Lost | None:
    """Several processes' gaps as one."""
    if not gaps:
        return None
    return Lost(
        min(gap.lost_from for gap in gaps),
        max(gap.lost_until for gap in gaps),
        sum(gap.events for gap in gaps),
        min(gap.noticed_at for gap in gaps),
        any(gap.kind is GapKind.ANOTHER for gap in gaps),
    )
