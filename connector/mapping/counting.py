"""Compile `count:`, the number of a customer's calls.

One event cannot know it. By itself it gives 1, or 0 where its call does not count; what is known of all of them comes
later, and goes through the same modifiers.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, tzinfo
from typing import Any, Final

from connector.carecycle import catalogue
from connector.carecycle.catalogue import ABSENT
from connector.mapping import conditions
from connector.mapping.compiled import Clock, CountProgram, FieldProgram
from connector.mapping.functions import Get, Holds, Payload
from connector.mapping.schema_sources import MappedField, Source
from connector.model import Timing, Value

CALL: Final = "call.id"
"""What tells calls apart."""


class _Number(dict[str, Any]):
    """What a count is read from in place of an event, once it is known."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def of_one(source: Source, event: str) -> Get:
    """Compile the count of an event by itself; ABSENT where it has no call."""
    call, counts = _call(event), _counts(source, event)

    def count(payload: Payload, zone: tzinfo) -> Any:
        if isinstance(payload, _Number):
            return payload.number
        return int(counts(payload, zone)) if call(payload, zone) else ABSENT

    return count


def compiled(field: MappedField, event: str, program: FieldProgram) -> FieldProgram:
    """Complete the program of a field that counts. Its condition says which calls count, not what the count is of."""
    if field.count is None:
        return program

    def finish(number: int) -> Value:
        value = program.get(_Number(number), UTC)
        return None if value is ABSENT else value

    count = CountProgram(_call(event), _counts(field, event), finish)
    return replace(program, clock=Clock.BOTH, flags=frozenset(), pieced=False, count=count, timing=Timing.COUNT)


def _counts(source: Source, event: str) -> Holds:
    when = source.when if isinstance(source, MappedField) else None
    return conditions.compiled(when, event) if when else lambda payload, zone: True


def _call(event: str) -> Get:
    if event not in catalogue.carried_by(CALL):
        return lambda payload, zone: ""
    read = catalogue.reader(CALL, event)
    return lambda payload, zone: read(payload) or ""
