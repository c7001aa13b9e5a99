"""The catalogue's example of each event, from careCycle's "Events & Payloads" page, and changes to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from importlib.resources import files
from itertools import pairwise
from typing import Any, Final

from connector.carecycle import catalogue

EXAMPLES: Final[Mapping[str, Mapping[str, Any]]] = json.loads(
    files("connector.mapping").joinpath("example_events.json").read_text("utf-8")
)

Keys = tuple[str | int, ...]


def keys_of(name: str, event: str) -> Keys | None:
    """Return the keys that lead to a field, or to an entry of a list by its number.

    The field is named by its catalogue path or as a top-level key of the payload.
    """
    if name == "event.type":
        return None
    if name in catalogue.FIELDS and event in catalogue.carried_by(name):
        return catalogue.steps(name, event) or None
    owner, _, number = name.rpartition(".")
    if owner in catalogue.FIELDS and catalogue.FIELDS[owner].kind is catalogue.Kind.LIST and number.isdecimal():
        keys = keys_of(owner, event)
        return (*keys, int(number)) if keys else None
    return (name,) if name in EXAMPLES[event] and name != "event_type" else None


def names_of(event: str) -> list[str]:
    """List what the fields of an event may be called."""
    carried = [path for path in catalogue.FIELDS if event in catalogue.carried_by(path)]
    return [*EXAMPLES[event], *carried]


def example(event: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the example of an event with some fields changed; KeyError for a field it does not have."""
    return changed(EXAMPLES[event], event, given)


def changed(payload: Mapping[str, Any], event: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a payload of an event with some fields changed; KeyError for a field it does not have."""
    made = deepcopy(dict(payload))
    for name, value in given.items():
        keys = keys_of(name, event)
        if keys is None:
            raise KeyError(name)
        _put(made, keys, value)
    return made


def _put(part: Any, keys: Keys, value: Any) -> None:
    """Change what the keys lead to; what is no object or list on the way becomes one. A number past the end appends."""
    for key, below in pairwise(keys):
        expected = list if isinstance(below, int) else dict
        if not isinstance(part.get(key), expected):
            part[key] = expected()
        part = part[key]
    match keys[-1]:
        case int() as number:
            part[number : number + 1] = [value]
        case name:
            part[name] = value
