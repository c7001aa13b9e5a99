"""The contract for preparing a CRM account for a mapping: plan what is missing, then create it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from connector.destinations.guide import Look, Needs
from connector.mapping.demands import Demand, Demands
from connector.mapping.target import TargetObject, TargetSchema


class Making(StrEnum):
    """What a step creates."""

    FIELD = "field"
    PERMISSION = "field permission"


@dataclass(frozen=True, slots=True)
class Step:
    """Something the account lacks for one field and the connector can create.

    demand: the field as it will be created. about: the same in plain words.
    """

    making: Making
    demand: Demand
    about: str

    @property
    def name(self) -> str:
        """The name to show for what is created."""
        return f"{self.demand.object}.{self.demand.field}"


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Something the account lacks that only a person can fix, and how. of_key: the key field is there, but no key."""

    object: str
    field: str
    problem: str
    advice: str
    of_key: bool = False


@dataclass(frozen=True, slots=True)
class Provision:
    """Everything an account lacks for a mapping. doubts: what could not be checked, and why."""

    steps: tuple[Step, ...] = ()
    obstacles: tuple[Obstacle, ...] = ()
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Done:
    """The result of a step; `problem` is empty on success."""

    step: Step
    problem: str = ""


class Provisioner(Protocol):
    """Prepares one account. Every method that calls the CRM may raise DestinationUnusable and nothing else."""

    fixed: str
    """What cannot be changed about an existing field, and what to do about a field that does not fit."""

    def access(self, needs: Needs) -> Iterator[Look]:
        """Look at each step of the set-up before the fields; ends early where the next cannot be looked at."""
        ...

    def duplicate_rules(self, objects: Collection[str]) -> Mapping[str, Sequence[str]] | None:
        """The names of the rules that may refuse a record of each object as a duplicate; None if they are hidden."""
        ...

    def plan(self, demands: Demands) -> Provision:
        """List what the account lacks, without changing anything."""
        ...

    def apply(self, steps: Sequence[Step]) -> list[Done]:
        """Carry out the steps in order; a failed step blocks only those that need it. Safe to repeat."""
        ...

    def files(self, steps: Sequence[Step]) -> Mapping[str, str]:
        """The same steps as files to deploy, path -> text; empty if the CRM deploys no files."""
        ...


def completed(schema: TargetSchema, asked: Demands, planned: Provision) -> TargetSchema:
    """The account's schema as if everything already reported had been created."""
    objects = {name: dict(known.fields) for name, known in schema.objects.items()}
    for obstacle in planned.obstacles:
        demanded = asked[obstacle.object]
        names = [obstacle.field] if obstacle.field else list(demanded)
        objects.setdefault(obstacle.object, {}).update({name: demanded[name].wanted for name in names})
    for step in planned.steps:
        objects.setdefault(step.demand.object, {})[step.demand.field] = step.demand.wanted
    return schema.model_copy(update={"objects": {name: TargetObject(fields=own) for name, own in objects.items()}})
