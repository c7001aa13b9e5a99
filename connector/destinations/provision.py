"""Preparing a CRM account for a mapping: what it lacks, as a plan, and making it. Contract of both CRMs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from connector.mapping.demands import Demand, Demands


class Making(StrEnum):
    """What a step makes."""

    FIELD = "field"
    PERMISSION = "field permission"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing the account lacks and we can make, for the sake of one field. `about`: in plain words.

    demand: the field as it will be.
    """

    making: Making
    demand: Demand
    about: str

    @property
    def name(self) -> str:
        """What is made, as people would call it."""
        return f"{self.demand.object}.{self.demand.field}"


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One thing the account lacks and nobody but a person can mend, and how."""

    object: str
    field: str
    problem: str
    advice: str


@dataclass(frozen=True, slots=True)
class Provision:
    """Everything an account lacks for a mapping. doubts: what could not be looked at, and why."""

    steps: tuple[Step, ...] = ()
    obstacles: tuple[Obstacle, ...] = ()
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a step; `problem` is empty when it was made."""

    step: Step
    problem: str = ""


class Provisioner(Protocol):
    """Every method that speaks to the CRM may raise DestinationUnusable, and nothing else."""

    fixed: str
    """What of a field cannot be changed once it is made, and what to do about one that does not fit."""

    def plan(self, demands: Demands) -> Provision:
        """What the account lacks. Changes nothing."""
        ...

    def apply(self, steps: Sequence[Step]) -> list[Done]:
        """Make it, in order; a step that is refused holds up only what needs it. Doing it twice is doing it once."""
        ...

    def files(self, steps: Sequence[Step]) -> Mapping[str, str]:
        """The same as files to deploy, path -> text; empty where the CRM knows no such thing."""
        ...
