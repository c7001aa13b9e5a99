"""What is looked up in the CRM, as a value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field as attribute

Criterion = tuple[str, str]
"""A field of the CRM, and what it must hold, as text."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """A value looked up in the CRM: the field `returns` of the single `object` whose `match` field holds `value`.

    required, waits: without a match the record is rejected, or waits. default: written where there is no match.
    also: further fields that must hold a value of the event. where: those that must hold a fixed one. otherwise: what
    is looked up, or taken, where there is no match.
    """

    object: str
    match: str
    value: str = attribute(repr=False)
    returns: str = "Id"
    required: bool = False
    waits: bool = False
    default: str | int | float | bool | None = attribute(default=None, repr=False)
    also: tuple[Criterion, ...] = attribute(default=(), repr=False)
    where: tuple[Criterion, ...] = attribute(default=(), repr=False)
    otherwise: Lookup | str | int | float | bool | None = attribute(default=None, repr=False)

    @property
    def criteria(self) -> tuple[Criterion, ...]:
        """Every field that must agree, the one that records are searched by first."""
        return (self.match, self.value), *self.also, *self.where

    def chain(self) -> Iterator[Lookup]:
        """List this look-up and those made where it has no match."""
        step: object = self
        while isinstance(step, Lookup):
            yield step
            step = step.otherwise

    @property
    def searched(self) -> str:
        """What it searches for, as a mapping's tests name it."""
        return ", ".join([self.value, *(value for _, value in self.also)])

    @property
    def sought(self) -> str:
        """Where it searches, without values: `User by Email and IsActive, then Group by Name`."""
        return ", then ".join(
            f"{step.object} by {' and '.join(name for name, _ in step.criteria)}" for step in self.chain()
        )

    def described(self, longest: int | None = None) -> str:
        """What is looked up, for people. longest: characters of each value shown."""
        steps = []
        for step in self.chain():
            tests = " and ".join(f"{name} is {value[:longest]}" for name, value in step.criteria)
            steps.append(f"{step.returns} of the {step.object} whose {tests}")
        last = step.otherwise
        return ", or else ".join([*steps, *([] if last is None else [str(last)[:longest]])])
