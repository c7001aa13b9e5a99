"""What a check of an installation finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Health(StrEnum):
    """How something is."""

    FINE = "fine"
    DOUBTFUL = "doubtful"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was checked and the result. `do`: what the operator should do; empty if nothing."""

    thing: str
    health: Health
    found: str
    do: str = ""
