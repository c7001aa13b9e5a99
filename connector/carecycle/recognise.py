"""Read a payload field by field: what can be read is used, what cannot is left out and reported by name."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any, Final

from connector.carecycle.catalogue import (
    ABSENT,
    EVENTS,
    FIELDS,
    FLAGS,
    Field,
    Kind,
    carried_by,
    epoch_ms,
    parse_time,
    reader,
    steps,
    walk,
)
from connector.errors import UnreadableEvent
from connector.model import Event

_WORD = re.compile(r"[\w.:-]{1,64}\Z", re.ASCII)
"""What an id and an event type look like: they are kept in columns and shown in links."""

_DAY = re.compile(r"\d{4}-\d\d-\d\d\Z", re.ASCII)
_WHOLE_NUMBER = re.compile(r"[+-]?\d{1,15}(\.0*)?\Z", re.ASCII)
_LARGEST: Final = 2**53
"""Beyond it, careCycle's own numbers (JavaScript's) are no longer exact."""

_DIGITS: Final = 400

_EXPECTED: Final[Mapping[Kind, str]] = {
    Kind.TEXT: "text",
    Kind.UUID: "an id",
    Kind.ENUM: "text",
    Kind.DATE: "a date (YYYY-MM-DD)",
    Kind.DATETIME: "a time (ISO 8601)",
    Kind.INTEGER: "a whole number",
    Kind.BOOLEAN: "true or false",
    Kind.LIST: "a list of texts",
    Kind.OBJECT: "an object",
}


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """A field that could not be read and counts as absent. `got` is the JSON type that came, never the value."""

    path: str
    expected: str
    got: str

    def __str__(self) -> str:
        return f"{self.path}: expected {self.expected}, got {self.got}"


@dataclass(frozen=True, slots=True)
class Reading:
    """What can be read of an event.

    payload: as sent, with harmless differences of type evened out and unreadable fields left out.
    source_time: epoch ms; None when the event does not say when it happened.
    raised: the consent flags its customer says true of.
    """

    type: str
    customer_id: str | None
    source_time: int | None
    raised: frozenset[str]
    payload: Mapping[str, Any]
    problems: tuple[FieldProblem, ...] = ()

    def event(self, agency: str, message_id: str, received_at: int) -> Event:
        """The event as mappings see it. received_at: epoch ms, used if the event gives no time of its own."""
        time = received_at if self.source_time is None else self.source_time
        return Event(agency, message_id, self.type, self.customer_id, time, received_at, self.payload)


@dataclass(frozen=True, slots=True)
class Remnant:
    """What counts even of a message that is no event we can read: the opt-outs of the customer it names."""

    customer_id: str | None = None
    raised: frozenset[str] = frozenset()


def decoded(body: bytes) -> Any:
    """The JSON of a body. Raises ValueError and RecursionError.

    A number of more digits than Python reads, which no field has, costs that number alone.
    """
    return json.loads(body, parse_int=_whole_number)


def _whole_number(digits: str) -> int | float:
    return int(digits) if len(digits) < _DIGITS else float(digits)


def read(payload: Any, message: str) -> Reading | None:
    """Read a decoded body; None for an event type we do not know.

    Raises UnreadableEvent where it is no JSON object, or has no type or no id. message: how the error names it.
    """
    if not isinstance(payload, Mapping):
        raise UnreadableEvent(message, "the body is not a JSON object")
    event_type = payload.get("event_type")
    if not isinstance(event_type, str) or not _WORD.match(event_type):
        raise UnreadableEvent(message, "event_type is missing or malformed")
    if event_type not in EVENTS:
        return None
    readable, problems = _readable(payload, event_type)
    own = "call.id" if event_type == "call.completed" else "customer.id"
    if not reader(own, event_type)(readable):
        raise UnreadableEvent(message, f"{own} is missing or not an id")
    return Reading(
        type=event_type,
        customer_id=reader("customer.id", event_type)(readable) or None,
        source_time=_source_time(readable, event_type),
        raised=_raised(reader("customer", event_type)(readable)),
        payload=readable,
        problems=problems,
    )


def as_read(event: Event) -> Event | None:
    """A stored event as this version reads it, whatever the version that accepted it could read.

    None for an event type we do not know. Raises UnreadableEvent.
    """
    reading = read(event.payload, event.message_id)
    return reading.event(event.agency, event.message_id, event.received_at) if reading else None


def remnant(payload: Any) -> Remnant:
    """The opt-outs in a body that is no event we know, by the shape of a customer: its own, or one inside it."""
    whole = payload if isinstance(payload, Mapping) else {}
    inner = whole.get("customer")
    customer = inner if isinstance(inner, Mapping) and _as_id(inner.get("id")) else whole
    identity = _as_id(customer.get("id"))
    flags = {flag: _as_boolean(customer.get(flag)) for flag in FLAGS}
    raised = frozenset(flag for flag, value in flags.items() if value is True)
    return Remnant(identity, raised) if identity and raised else Remnant()


def _raised(customer: Any) -> frozenset[str]:
    return frozenset(flag for flag in FLAGS if isinstance(customer, Mapping) and customer.get(flag) is True)


def _source_time(payload: Mapping[str, Any], event_type: str) -> int | None:
    """When what the event says was true: of a call its end, of a customer its last update.

    An update that does not say when it was made is not as old as its customer's creation: it has no time.
    """
    clocks = {
        "customer.created": ("customer.updatedAt", "customer.createdAt"),
        "customer.updated": ("customer.updatedAt",),
        "call.completed": ("call.createdAt", "call.endTime", "call.startTime"),
    }[event_type]
    times = (reader(path, event_type)(payload) for path in clocks)
    return next((epoch_ms(time) for time in times if time), None)


def _readable(payload: Mapping[str, Any], event_type: str) -> tuple[Mapping[str, Any], tuple[FieldProblem, ...]]:
    """The payload with every field as the catalogue has it, and the fields that had to be left out for that."""
    readable, problems = payload, []
    for keys, fields in _fields_by_holder(event_type).items():
        for name, field in _odd_fields(walk(readable, keys), fields):
            value = walk(readable, (*keys, name))
            better = _COERCIONS[field.kind](value, field)
            readable = _with(readable, keys, name, ABSENT if better is None else better)
            if better is None:
                problems.append(FieldProblem(field.path, _EXPECTED[field.kind], _json_type(value)))
    return readable, tuple(sorted(problems, key=lambda problem: _ORDER[problem.path]))


_ORDER: Final = {path: number for number, path in enumerate(FIELDS)}
_Checked = Mapping[str, tuple[Field, Callable[[Any], bool]]]
"""Name of a field -> the field, and the test that its value is as the catalogue has it."""


def _odd_fields(holder: Any, fields: _Checked) -> list[tuple[str, Field]]:
    if not isinstance(holder, Mapping):
        return []
    return [
        (name, fields[name][0])
        for name, value in holder.items()
        if value is not None and name in fields and not fields[name][1](value)
    ]


def _with(payload: Mapping[str, Any], keys: tuple[str, ...], name: str, value: Any) -> dict[str, Any]:
    """A copy in which one field of the object below these keys is another, or gone where it is ABSENT."""
    if keys:
        return {**payload, keys[0]: _with(payload[keys[0]], keys[1:], name, value)}
    rest = {other: there for other, there in payload.items() if other != name}
    return rest if value is ABSENT else {**rest, name: value}


@cache
def _fields_by_holder(event_type: str) -> Mapping[tuple[str, ...], _Checked]:
    """The fields of a payload by the object that holds them, outer objects first."""
    held: dict[tuple[str, ...], dict[str, tuple[Field, Callable[[Any], bool]]]] = {}
    for field in FIELDS.values():
        keys = steps(field.path, event_type) if event_type in carried_by(field.path) else ()
        if keys:
            held.setdefault(keys[:-1], {})[keys[-1]] = (field, _is_plain(field))
    return dict(sorted(held.items(), key=lambda item: len(item[0])))


def _is_plain(field: Field) -> Callable[[Any], bool]:
    options = frozenset(field.options)
    return _PLAIN[field.kind] if not options else lambda value: isinstance(value, str) and value in options


def _json_type(value: Any) -> str:
    match value:
        case bool():
            return "true or false"
        case int():
            return "a number"
        case float():
            return "a number with decimals"
        case str():
            return "text of another form"
        case list():
            return "a list of other things"
        case _:
            return "an object"


def _parses(parse: Callable[[str], Any], text: str) -> bool:
    try:
        parse(text)
    except (ValueError, OverflowError):
        return False
    return True


_PLAIN: Final[Mapping[Kind, Callable[[Any], bool]]] = {
    Kind.TEXT: lambda value: isinstance(value, str),
    Kind.UUID: lambda value: isinstance(value, str) and _WORD.match(value) is not None,
    Kind.ENUM: lambda value: isinstance(value, str),
    Kind.DATE: lambda value: (
        isinstance(value, str) and _DAY.match(value) is not None and _parses(date.fromisoformat, value)
    ),
    Kind.DATETIME: lambda value: isinstance(value, str) and _parses(parse_time, value),
    Kind.INTEGER: lambda value: isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGEST,
    Kind.BOOLEAN: lambda value: isinstance(value, bool),
    Kind.LIST: lambda value: isinstance(value, list) and all(isinstance(item, str) for item in value),
    Kind.OBJECT: lambda value: isinstance(value, Mapping),
}


def _as_text(value: Any) -> str | None:
    """A number as text. An NPN or a postal code that careCycle sends as a number has no decimals.

    >>> [_as_text(value) for value in ("a", 8419302, 85204.0, 0.5, True, ["a"])]
    ['a', '8419302', '85204', '0.5', None, None]
    """
    match value:
        case str():
            return value
        case bool():
            return None
        case int() if abs(value) < _LARGEST:
            return str(value)
        case float() if abs(value) < _LARGEST:  # neither NaN nor infinite
            return str(int(value)) if value.is_integer() else str(value)
        case _:
            return None


def _as_id(value: Any) -> str | None:
    text = _as_text(value)
    return text if text is not None and _WORD.match(text) else None


def _as_date(value: Any) -> str | None:
    """The day of a date with a time, as written: a birthday has no time zone.

    >>> _as_date("1958-04-12T00:00:00.000Z"), _as_date(" 1958-04-12 "), _as_date("04/12/1958")
    ('1958-04-12', '1958-04-12', None)
    """
    text = value.strip() if isinstance(value, str) else ""
    day = text[:10]
    rest_is_time = len(text) == 10 or _parses(epoch_ms, text)
    return day if rest_is_time and _PLAIN[Kind.DATE](day) else None


def _as_time(value: Any) -> str | None:
    """A time with small letters, or without its offset: careCycle's own times are all UTC.

    >>> _as_time("2026-06-17t19:07:23z"), _as_time("2026-06-17T19:07:23"), _as_time("2026-06-17")
    ('2026-06-17T19:07:23Z', '2026-06-17T19:07:23Z', None)
    """
    text = value.strip().upper() if isinstance(value, str) else ""
    return next((time for time in (text, f"{text}Z") if _parses(epoch_ms, time)), None)


def _as_integer(value: Any) -> int | None:
    """A whole number written with a point or as text.

    >>> [_as_integer(value) for value in (42000.0, "42000", " 7 ", 148.5, "42k", True)]
    [42000, 42000, 7, None, None, None]
    """
    match value:
        case float() if abs(value) < _LARGEST and value.is_integer():
            return int(value)
        case str() if _WHOLE_NUMBER.match(value.strip()):
            return int(value.strip().partition(".")[0])
        case _:
            return None


def _as_boolean(value: Any) -> bool | None:
    """
    >>> [_as_boolean(value) for value in (True, "TRUE", "false", "yes", 1, None)]
    [True, True, False, None, None, None]
    """
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(value.strip().lower()) if isinstance(value, str) else None


def _as_list(value: Any) -> list[str] | None:
    """
    >>> _as_list(["AZ", 7, None]), _as_list("AZ"), _as_list(["AZ", {}])
    (['AZ', '7'], None, None)
    """
    items = [_as_text(item) for item in value if item is not None] if isinstance(value, list) else [None]
    return None if None in items else [item for item in items if item is not None]


def _as_option(value: Any, options: tuple[str, ...]) -> str | None:
    """An option in careCycle's own letters. A value that is none of them is data of a later version, and stays.

    >>> _as_option("lead", ("Lead", "Active")), _as_option("Prospect", ("Lead",)), _as_option(True, ("Lead",))
    ('Lead', 'Prospect', None)
    """
    text = _as_text(value)
    return next((option for option in options if text is not None and option.lower() == text.lower()), text)


_COERCIONS: Final[Mapping[Kind, Callable[[Any, Field], Any]]] = {
    Kind.TEXT: lambda value, _: _as_text(value),
    Kind.UUID: lambda value, _: _as_id(value),
    Kind.ENUM: lambda value, field: _as_option(value, field.options),
    Kind.DATE: lambda value, _: _as_date(value),
    Kind.DATETIME: lambda value, _: _as_time(value),
    Kind.INTEGER: lambda value, _: _as_integer(value),
    Kind.BOOLEAN: lambda value, _: _as_boolean(value),
    Kind.LIST: lambda value, _: _as_list(value),
    Kind.OBJECT: lambda _value, _field: None,
}
"""A value of another type than the catalogue's -> the value it plainly means; None where it means none."""
