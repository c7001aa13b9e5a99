"""Check a payload against the catalogue and read what the connector must know before any mapping sees it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any, Final

from connector.carecycle.catalogue import (
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

_WORD = re.compile(r"[\w.:-]{1,64}\Z", re.ASCII)
"""The form of an id or event type: both are stored in columns and shown in links."""

_DAY = re.compile(r"\d{4}-\d\d-\d\d\Z", re.ASCII)


def _is_time(value: Any) -> bool:
    return isinstance(value, str) and _holds(parse_time, value)


def _is_date(value: Any) -> bool:
    return isinstance(value, str) and _DAY.match(value) is not None and _holds(date.fromisoformat, value)


def _holds(parse: Callable[[str], Any], value: str) -> bool:
    try:
        parse(value)
    except (ValueError, OverflowError):
        return False
    return True


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53


_CHECKS: Final[Mapping[Kind, Callable[[Any], bool]]] = {
    Kind.TEXT: lambda value: isinstance(value, str),
    Kind.UUID: lambda value: isinstance(value, str) and _WORD.match(value) is not None,
    Kind.ENUM: lambda value: isinstance(value, str),  # an unknown value is data, not an error
    Kind.DATE: _is_date,
    Kind.DATETIME: _is_time,
    Kind.INTEGER: _is_integer,
    Kind.BOOLEAN: lambda value: isinstance(value, bool),
    Kind.LIST: lambda value: isinstance(value, list) and all(isinstance(item, str) for item in value),
    Kind.OBJECT: lambda value: isinstance(value, Mapping),
}


_CLOCKS: Final[Mapping[str, str]] = {
    "customer.created": "customer.updatedAt",
    "customer.updated": "customer.updatedAt",
    "call.completed": "call.createdAt",
}
"""The field that says when an event happened."""


@cache
def _checked(event_type: str) -> dict[tuple[str, ...], dict[str, tuple[Field, Callable[[Any], bool]]]]:
    """Map each object of a payload to its fields and their checks."""
    by_object: dict[tuple[str, ...], dict[str, tuple[Field, Callable[[Any], bool]]]] = {}
    for field in FIELDS.values():
        keys = steps(field.path, event_type) if event_type in carried_by(field.path) else ()
        if keys:
            by_object.setdefault(keys[:-1], {})[keys[-1]] = (field, _CHECKS[field.kind])
    return by_object


@dataclass(frozen=True, slots=True)
class Reading:
    """What the connector must know of an event before any mapping sees it. source_time in epoch ms."""

    type: str
    customer_id: str | None
    source_time: int
    raised: frozenset[str]


def problems(payload: Mapping[str, Any], event_type: str) -> list[str]:
    """Describe every field whose value has the wrong type, as "path is not a kind". Never a value."""
    wrong: list[Field] = []
    for keys, fields in _checked(event_type).items():
        holder = walk(payload, keys)
        for name, value in holder.items() if isinstance(holder, dict) else ():
            if value is not None and name in fields and not fields[name][1](value):
                wrong.append(fields[name][0])
    return [
        f"{field.path} is not {'an' if field.kind[0] in 'aeiou' else 'a'} {field.kind}"
        for field in sorted(wrong, key=list(FIELDS.values()).index)
    ]


def read(payload: Any, thing: str) -> Reading | None:
    """Read a decoded body; None for an unknown event type. Raises UnreadableEvent, naming fields only."""
    if not isinstance(payload, Mapping):
        raise UnreadableEvent(thing, "the body is not a JSON object")
    event_type = payload.get("event_type")
    if not isinstance(event_type, str) or not _WORD.match(event_type):
        raise UnreadableEvent(thing, "event_type is missing or malformed")
    if event_type not in EVENTS:
        return None
    needed = _needed(payload, event_type)
    missing = [f"{path} is missing" for path in needed if not reader(path, event_type)(payload)]
    if wrong := problems(payload, event_type) + missing:
        raise UnreadableEvent(thing, "; ".join(wrong))
    return Reading(
        type=event_type,
        customer_id=reader("customer.id", event_type)(payload) or None,
        source_time=epoch_ms(reader(_CLOCKS[event_type], event_type)(payload)),
        raised=frozenset(flag for flag in FLAGS if reader(f"customer.{flag}", event_type)(payload) is True),
    )


def _needed(payload: Mapping[str, Any], event_type: str) -> list[str]:
    """List the fields without which an event cannot be delivered."""
    clock = _CLOCKS[event_type]
    subject = clock.partition(".")[0]
    needed = [f"{subject}.id", clock]
    if subject != "customer" and isinstance(payload.get("customer"), Mapping):
        needed += ["customer.id", "customer.updatedAt"]
    return needed
