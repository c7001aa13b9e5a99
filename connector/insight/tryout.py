"""Try an edited mapping on one event, in memory: run its checks and its own tests, and plan its records.

Input size is limited, and the only files read are shipped mappings.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from connector.carecycle import catalogue, recognise
from connector.carecycle.catalogue import ABSENT, Kind, Privacy
from connector.carecycle.recognise import OddField, Reading
from connector.destinations import VENDORS
from connector.errors import UnreadableEvent
from connector.mapping import Diagnostic, Loaded, Result, load_text, run_examples, shipped_folder
from connector.mapping.example_events import example
from connector.mapping.planning import plan
from connector.mapping.target import TargetSchema
from connector.model import FieldWrite, Lookup, Plan, RecordKey, Ref, Withheld, Write

MAX_TEXT: Final = 32 * 1024
"""Most bytes accepted for a mapping or an event; a mapping is a few hundred lines."""
NAME: Final = "edited.yaml"
_SHOWN: Final = 500

_MADE_UP: Final[Mapping[Kind, Any]] = {
    Kind.DATE: "1950-01-01",
    Kind.DATETIME: "2026-01-01T00:00:00.000Z",
    Kind.INTEGER: 1,
    Kind.BOOLEAN: False,
    Kind.UUID: "00000000-0000-4000-8000-000000000000",
    Kind.LIST: [],
}


@dataclass(frozen=True, slots=True)
class TriedField:
    """One field of a planned record: what is sent (JSON or words), the write rule, and the mapping line."""

    target: str
    shown: str
    rule: str
    line: int


@dataclass(frozen=True, slots=True)
class TriedRecord:
    """One record the mapping would write."""

    name: str
    object: str
    mode: str
    key: tuple[str, str]
    fields: tuple[TriedField, ...]
    links: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tried:
    """The result of a try. problem: why the event is not valid, if so. reason: why no record is written.

    unread: fields of the event that could not be read and were left out.
    """

    loaded: Loaded | None
    problem: str = ""
    tests: tuple[Result, ...] = ()
    records: tuple[TriedRecord, ...] = ()
    withheld: tuple[Withheld, ...] = ()
    reason: str = ""
    unread: tuple[OddField, ...] = ()

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """What the checks report about the mapping."""
        return self.loaded.diagnostics if self.loaded else ()


def try_mapping(text: str, event_text: str, *, timezone: str, schema: TargetSchema | None = None) -> Tried:
    """Check a mapping's text and plan one event with it. timezone: the agency's; schema: the CRM's, if known."""
    if max(len(text.encode(errors="replace")), len(event_text.encode(errors="replace"))) > MAX_TEXT:
        return Tried(None, f"the text is longer than {MAX_TEXT // 1024} KiB: use connector check and connector map")
    loaded = load_text(text, NAME, schema=schema, shipped=shipped_folder(), crms=VENDORS, sealed=True)
    reading, problem = _reading(event_text)
    if loaded.mapping is None:
        return Tried(loaded, problem)
    tests = tuple(run_examples(loaded.mapping))
    if reading is None:
        return Tried(loaded, problem, tests)
    planned = plan(reading.event("tried", "tried", 0), loaded.mapping, timezone=timezone)
    return Tried(loaded, "", tests, tuple(_records(planned)), planned.withheld, planned.reason, reading.unread)


def _reading(text: str) -> tuple[Reading | None, str]:
    try:
        payload = json.loads(text)
        reading = recognise.read(payload, "the event")
    except UnreadableEvent as error:
        return None, error.problem
    except (ValueError, RecursionError):
        return None, "is not JSON"
    if reading is None:
        return None, f"has an unknown type: event_type must be one of {', '.join(catalogue.EVENTS)}"
    return reading, ""


def _records(planned: Plan) -> Iterator[TriedRecord]:
    names = {write.key: write.name for write in planned.writes}
    for write in planned.writes:
        fields = [
            TriedField(name, _shown(field, names), field.rule, field.line) for name, field in write.fields.items()
        ]
        fields += [TriedField(target, "true", "always", 0) for target in write.flags.values()]
        links = tuple(names[key] for key in write.links if key in names)
        yield TriedRecord(write.name, write.key.object, write.mode, _key(write), tuple(fields), links)


def _key(write: Write) -> tuple[str, str]:
    return write.key.field, write.key.value[:_SHOWN]


def _shown(written: FieldWrite, names: Mapping[RecordKey, str]) -> str:
    match written.value:
        case Ref(key):
            return f"the id of {names.get(key, key.object)}"
        case Lookup() as lookup:
            return lookup.described(_SHOWN)
        case value:
            return json.dumps(value, ensure_ascii=False)[:_SHOWN]


def sample(event_type: str) -> dict[str, Any]:
    """Return the catalogue's example of an event."""
    return example(event_type, {})


def masked(payload: Mapping[str, Any], event_type: str) -> dict[str, Any]:
    """Copy a stored event for a try: keep operational values, null and absence; make up every other value."""
    given: dict[str, Any] = {}
    for path, field in catalogue.FIELDS.items():
        if (
            path == "event.type"
            or event_type not in catalogue.carried_by(path)
            or not catalogue.steps(path, event_type)
        ):
            continue
        value = catalogue.reader(path, event_type)(payload)
        if field.kind is Kind.OBJECT:
            if value is None:
                given[path] = None
        elif value is None or value is ABSENT:
            given[path] = None
        else:
            given[path] = value if field.privacy is Privacy.OPERATIONAL else _made_up(path, event_type)
    return example(event_type, _without_empty(given, payload, event_type))


def _without_empty(given: Mapping[str, Any], payload: Mapping[str, Any], event_type: str) -> dict[str, Any]:
    """Drop the fields inside an object that is null, because setting them would create the object."""
    empty = {path for path, field in catalogue.FIELDS.items() if field.kind is Kind.OBJECT and path in given}
    return {path: value for path, value in given.items() if not any(path.startswith(f"{parent}.") for parent in empty)}


def _made_up(path: str, event_type: str) -> Any:
    """Return the example's value of a field, or else some value of its kind."""
    field = catalogue.FIELDS[path]
    value = catalogue.reader(path, event_type)(example(event_type, {}))
    if value is not None and value is not ABSENT:
        return value
    return field.options[0] if field.options else _MADE_UP.get(field.kind, "made up")
