"""The catalogue's example of each event, from careCycle's "Events & Payloads" page, and changes to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from importlib.resources import files
from typing import Any, Final

from connector.carecycle import catalogue

EXAMPLES: Final[Mapping[str, Mapping[str, Any]]] = json.loads(
    files("connector.mapping").joinpath("example_events.json").read_text("utf-8")
)


def keys_of(name: str, event: str) -> tuple[str, ...] | None:
    """Return the keys that lead to a field, named by its catalogue path or as a top-level key of the payload."""
    if name == "event.type":
        return None
    if name in catalogue.FIELDS and event in catalogue.carried_by(name):
        return catalogue.steps(name, event) or None
    return (name,) if name in EXAMPLES[event] and name != "event_type" else None


def example(event: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the example of an event with some fields changed; KeyError for a field it does not have."""
    payload = deepcopy(dict(EXAMPLES[event]))
    for name, value in given.items():
        keys = keys_of(name, event)
        if keys is None:
            raise KeyError(name)
        _put(payload, keys, value)
    return payload


def _put(payload: dict[str, Any], keys: tuple[str, ...], value: Any) -> None:
    for key in keys[:-1]:
        if not isinstance(payload.get(key), dict):
            payload[key] = {}
        payload = payload[key]
    payload[keys[-1]] = value
