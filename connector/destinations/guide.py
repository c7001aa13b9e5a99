"""The contract of a guided set-up: the steps a CRM account needs, and what a look at each of them shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from connector.errors import DestinationUnusable, PauseReason
from connector.mapping import Mapping
from connector.mapping.demands import Demands

CREDENTIALS: Final = "credentials"
"""The step that secrets missing in the environment belong to."""
OBJECTS: Final = "objects"
"""The step that says which objects there are; without it, that of the fields does."""
FIELDS, KEYS = "fields", "keys"
"""The last two steps, which are looked at alike for every CRM."""

_PASSING: Final = frozenset(
    {PauseReason.OUTAGE, PauseReason.MAINTENANCE, PauseReason.LOCKED, PauseReason.BUSY}
    | {PauseReason.RATE, PauseReason.QUOTA}
)


class Standing(StrEnum):
    """How far a step is. UNKNOWN: the CRM does not say, so a person has to look."""

    DONE = "done"
    TO_DO = "to do"
    UNSEEN = "not looked at"
    UNKNOWN = "check by hand"


@dataclass(frozen=True, slots=True)
class SetupStep:
    """One thing an account needs. title: its heading on the CRM's page in docs/. click: where a person does it."""

    name: str
    title: str
    click: str


@dataclass(frozen=True, slots=True)
class Look:
    """How far a step is, and why, a line each."""

    step: SetupStep
    standing: Standing
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Needs:
    """What a mapping needs of its account."""

    mapping: Mapping
    demands: Demands


def judged(step: SetupStep, lacking: Sequence[str], about: str = "") -> Look:
    """A step that is done if nothing is lacking."""
    if lacking:
        return Look(step, Standing.TO_DO, tuple(lacking))
    return Look(step, Standing.DONE, (about,) if about else ())


def stopped(step: SetupStep, error: DestinationUnusable, *about: str) -> Look:
    """A step that could not be looked at: something is to be done about it, or only waiting helps."""
    return Look(step, Standing.UNSEEN if error.reason in _PASSING else Standing.TO_DO, (error.problem, *about))


def in_order(steps: Sequence[SetupStep], looks: Sequence[Look]) -> Iterator[Look]:
    """A look at every step; those not reached wait for the last one that was."""
    by_name = {look.step.name: look for look in looks}
    waits = (f"first: {looks[-1].step.title}",) if looks else ()
    yield from (by_name.get(step.name, Look(step, Standing.UNSEEN, waits)) for step in steps)
