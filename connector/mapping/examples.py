"""Runs the tests a mapping file holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from connector import catalogue
from connector.errors import UnreadableEvent
from connector.mapping.compiled import CompiledMapping, Example
from connector.mapping.diagnostics import Diagnostic, Severity
from connector.mapping.example_events import example
from connector.mapping.planning import plan
from connector.model import Event, Lookup, Plan, RecordKey, Ref, Write

_NOT_SENT = object()


@dataclass(frozen=True, slots=True)
class Result:
    """How one test of a mapping went; problems say what was expected and what came."""

    name: str
    file: str
    line: int
    col: int
    ok: bool
    problems: tuple[str, ...] = ()


def run_examples(mapping: CompiledMapping, *, timezone: str) -> list[Result]:
    """Run every test of a compiled mapping; timezone: the agency's."""
    return [_run(mapping, one, timezone) for one in mapping.tests]


def failures(results: Iterable[Result]) -> list[Diagnostic]:
    """The tests that failed, as findings."""
    return [
        Diagnostic(r.file, r.line, r.col, Severity.ERROR, "T001", f"the test '{r.name}' fails", "; ".join(r.problems))
        for r in results
        if not r.ok
    ]


def _run(mapping: CompiledMapping, one: Example, timezone: str) -> Result:
    problems = tuple(_problems(mapping, one, timezone))
    return Result(one.test.name, one.file, one.line, one.col, not problems, problems)


def _problems(mapping: CompiledMapping, one: Example, timezone: str) -> Iterator[str]:
    payload = example(one.test.event, one.test.given)
    try:
        reading = catalogue.read(payload, "the event with given: applied")
    except UnreadableEvent as error:
        yield str(error)
        return
    time = reading.source_time if reading else 0
    customer = reading.customer_id if reading else None
    event = Event("example", "example", one.test.event, customer, time, time, payload)
    planned = plan(event, mapping, timezone=timezone)
    writes = {write.name: write for write in planned.writes}
    names = {write.key: write.name for write in planned.writes}
    for record, expected in one.test.expect.items():
        yield from _compare(record, expected, writes.get(record), planned, names)


def _compare(
    record: str, expected: str | Mapping[str, Any], write: Write | None, planned: Plan, names: Mapping[RecordKey, str]
) -> Iterator[str]:
    if isinstance(expected, str):
        if write is not None:
            yield f"{record}: expected none, but it is made"
        return
    if write is None:
        yield f"{record}: expected, but it is not made" + (f" ({planned.reason})" if planned.reason else "")
        return
    sent = _sent(write, names)
    held_back = {item.field: item.flag for item in planned.withheld if item.record == record}
    for field, value in expected.items():
        if field == "without" and isinstance(value, list):
            yield from (
                f"{record}.{name}: expected not to be sent, got {_shown(sent[name])}" for name in value if name in sent
            )
        elif not _same(value, got := sent.get(field, _NOT_SENT)):
            why = f" (withheld by {held_back[field]})" if field in held_back else ""
            yield f"{record}.{field}: expected {_shown(value)}, got {_shown(got)}{why}"


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
