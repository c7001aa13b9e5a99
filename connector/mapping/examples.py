"""Run a mapping file's own tests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from connector.carecycle import recognise
from connector.errors import UnreadableEvent
from connector.mapping import example_events, unsent
from connector.mapping.compiled import CompiledMapping, Example
from connector.mapping.diagnostics import Diagnostic, Severity
from connector.mapping.load import Loaded
from connector.mapping.planning import plan
from connector.model import Event, Lookup, RecordKey, Ref, Write

_NOT_SENT = object()

ZONE: Final = "America/New_York"
"""The time zone of tests whose customer has none. The same everywhere, so that a mapping passes everywhere or nowhere.
"""


@dataclass(frozen=True, slots=True)
class Difference:
    """One mismatch between a test and its result. what: `record` or `record.Field`."""

    what: str
    expected: str
    got: str

    def __str__(self) -> str:
        return f"{self.what}: expected {self.expected}, got {self.got}"


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one test."""

    name: str
    file: str
    line: int
    col: int
    ok: bool
    differences: tuple[Difference, ...] = ()


def run_examples(mapping: CompiledMapping) -> list[Result]:
    """Run every test of a compiled mapping."""
    return [_run(mapping, example) for example in mapping.tests]


def tested(loaded: Loaded) -> Loaded:
    """Return a mapping as one that does not load if tests of its own fail, with those tests as its errors."""
    failed = failures(run_examples(loaded.mapping)) if loaded.mapping else []
    if not failed:
        return loaded
    return replace(loaded, mapping=None, written=None, diagnostics=(*loaded.diagnostics, *failed))


def failures(results: Iterable[Result]) -> list[Diagnostic]:
    """Return the failed tests as diagnostics."""
    return [_failure(result) for result in results if not result.ok]


def _failure(result: Result) -> Diagnostic:
    message, hint = f"the test '{result.name}' fails", "; ".join(map(str, result.differences))
    return Diagnostic(result.file, result.line, result.col, Severity.ERROR, "T001", message, hint)


def event_of(example: Example) -> Event:
    """Build the event a test starts from. Raises UnreadableEvent if careCycle could never send it."""
    thing = "the event with given: applied"
    reading = recognise.read(example_events.example(example.test.event, example.test.given), thing)
    if reading is None:
        raise UnreadableEvent(thing, "event_type is none of careCycle's")
    if reading.unread:
        raise UnreadableEvent(thing, "; ".join(map(str, reading.unread)))
    return reading.event("example", "example", reading.source_time or 0)


def _run(mapping: CompiledMapping, example: Example) -> Result:
    differences = tuple(_differences(mapping, example))
    return Result(example.test.name, example.file, example.line, example.col, not differences, differences)


def _differences(mapping: CompiledMapping, example: Example) -> Iterator[Difference]:
    try:
        event = event_of(example)
    except UnreadableEvent as error:
        yield Difference("given", "an event careCycle could send", error.problem)
        return
    planned = plan(event, mapping, timezone=ZONE)
    writes = {write.name: write for write in planned.writes}
    names = {write.key: write.name for write in planned.writes}
    for record, expected in example.test.expect.items():
        write = writes.get(record)
        if (write is None) is not isinstance(expected, str):
            why = "" if write else unsent.why_no_record(record, event, mapping, planned, ZONE)
            yield Difference(record, "none", "one") if write else Difference(record, "one", _because("none", why))
        elif write is not None and not isinstance(expected, str):
            why_not = partial(unsent.why_no_field, record, event=event, mapping=mapping, planned=planned, timezone=ZONE)
            yield from _compare(record, expected, _sent(write, names), why_not)


def _because(got: str, why: str) -> str:
    return f"{got} ({why})" if why else got


def _compare(
    record: str, expected: Mapping[str, Any], sent: Mapping[str, Any], why_not: Callable[[str], str]
) -> Iterator[Difference]:
    for field, value in expected.items():
        if field == "without" and isinstance(value, list):
            surplus = (name for name in value if name in sent)
            yield from (Difference(f"{record}.{name}", _shown(_NOT_SENT), _shown(sent[name])) for name in surplus)
        elif not _same(value, actual := sent.get(field, _NOT_SENT)):
            why = why_not(field) if actual is _NOT_SENT else ""
            yield Difference(f"{record}.{field}", _shown(value), _because(_shown(actual), why))


def _sent(write: Write, names: Mapping[RecordKey, str]) -> dict[str, Any]:
    """Return everything a write sends as a test names it: a link by its record, a lookup by the value it searches."""
    sent: dict[str, Any] = {write.key.field: write.key.value}
    for target, field in write.fields.items():
        match field.value:
            case Ref(key):
                sent[target] = names.get(key)
            case Lookup() as lookup:
                sent[target] = lookup.searched
            case value:
                sent[target] = value
    return sent | dict.fromkeys(write.flags.values(), True)


def _same(expected: Any, actual: Any) -> bool:
    return type(expected) is type(actual) and bool(expected == actual)


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
