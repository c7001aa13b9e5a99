"""Runs the tests a mapping file holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from connector.carecycle import recognise
from connector.errors import UnreadableEvent
from connector.mapping.compiled import CompiledMapping, Example
from connector.mapping.diagnostics import Diagnostic, Severity
from connector.mapping.example_events import example
from connector.mapping.planning import plan
from connector.model import Event, Lookup, Plan, RecordKey, Ref, Write

_NOT_SENT = object()


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing a test expected and did not get. what: `record` or `record.Field`."""

    what: str
    expected: str
    got: str

    def __str__(self) -> str:
        return f"{self.what}: expected {self.expected}, got {self.got}"


@dataclass(frozen=True, slots=True)
class Result:
    """How one test of a mapping went."""

    name: str
    file: str
    line: int
    col: int
    ok: bool
    differences: tuple[Difference, ...] = ()


def run_examples(mapping: CompiledMapping, *, timezone: str) -> list[Result]:
    """Run every test of a compiled mapping; timezone: the agency's."""
    return [_run(mapping, one, timezone) for one in mapping.tests]


def failures(results: Iterable[Result]) -> list[Diagnostic]:
    """The tests that failed, as findings."""
    return [
        Diagnostic(
            r.file,
            r.line,
            r.col,
            Severity.ERROR,
            "T001",
            f"the test '{r.name}' fails",
            "; ".join(map(str, r.differences)),
        )
        for r in results
        if not r.ok
    ]


def event_of(one: Example) -> Event:
    """The event a test is about. Raises UnreadableEvent for one that could never come."""
    payload = example(one.test.event, one.test.given)
    reading = recognise.read(payload, "the event with given: applied")
    time = reading.source_time if reading else 0
    return Event("example", "example", one.test.event, reading.customer_id if reading else None, time, time, payload)


def _run(mapping: CompiledMapping, one: Example, timezone: str) -> Result:
    differences = tuple(_differences(mapping, one, timezone))
    return Result(one.test.name, one.file, one.line, one.col, not differences, differences)


def _differences(mapping: CompiledMapping, one: Example, timezone: str) -> Iterator[Difference]:
    try:
        event = event_of(one)
    except UnreadableEvent as error:
        yield Difference("given", "an event that could come", error.problem)
        return
    planned = plan(event, mapping, timezone=timezone)
    writes = {write.name: write for write in planned.writes}
    names = {write.key: write.name for write in planned.writes}
    for record, expected in one.test.expect.items():
        yield from _compare(record, expected, writes.get(record), planned, names)


def _compare(
    record: str, expected: str | Mapping[str, Any], write: Write | None, planned: Plan, names: Mapping[RecordKey, str]
) -> Iterator[Difference]:
    if isinstance(expected, str):
        if write is not None:
            yield Difference(record, "none", "one")
        return
    if write is None:
        yield Difference(record, "one", "none" + (f" ({planned.reason})" if planned.reason else ""))
        return
    sent = _sent(write, names)
    held_back = {item.field: f" (withheld by {item.flag})" for item in planned.withheld if item.record == record}
    for field, value in expected.items():
        if field == "without" and isinstance(value, list):
            surplus = (name for name in value if name in sent)
            yield from (Difference(f"{record}.{name}", _shown(_NOT_SENT), _shown(sent[name])) for name in surplus)
        elif not _same(value, got := sent.get(field, _NOT_SENT)):
            yield Difference(f"{record}.{field}", _shown(value), _shown(got) + held_back.get(field, ""))


def _sent(write: Write, names: Mapping[RecordKey, str]) -> dict[str, Any]:
    """Everything a write sends, as a test names it: a link by its record, a lookup by what it looks for."""
    sent: dict[str, Any] = {write.key.field: write.key.value}
    for target, field in write.fields.items():
        match field.value:
            case Ref(key):
                sent[target] = names.get(key)
            case Lookup(value=looked_for):
                sent[target] = looked_for
            case value:
                sent[target] = value
    return sent | dict.fromkeys(write.flags.values(), True)


def _same(expected: Any, got: Any) -> bool:
    return type(expected) is type(got) and bool(expected == got)


def _shown(value: Any) -> str:
    match value:
        case str():
            return f"'{value}'"
        case bool():
            return "true" if value else "false"
        case None:
            return "null (cleared)"
        case _:
            return "nothing sent" if value is _NOT_SENT else str(value)
