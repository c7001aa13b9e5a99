"""A webhook's payload that came in a file, without what the catalogue does not know."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from connector.carecycle.catalogue import FIELDS, Kind, carried_by, steps
from connector.carecycle.kinds import Unclear


def only_known(payload: Mapping[str, Any], event_type: str) -> dict[str, Any]:
    """Return a payload with the catalogue's fields alone: nobody says what else a file holds.

    >>> only_known({"id": "x", "dependents": [{"ssn": "..."}]}, "customer.updated")
    {'event_type': 'customer.updated', 'id': 'x'}
    """
    return {"event_type": event_type, **_known_in(payload, (), event_type)}


def _known_in(part: Mapping[str, Any], outer: tuple[str, ...], event_type: str) -> dict[str, Any]:
    known, kept = _kinds(event_type), {}
    for name, value in part.items():
        match known.get((*outer, name)):
            case Kind.OBJECT if isinstance(value, Mapping) and not isinstance(value, Unclear):
                kept[name] = _known_in(value, (*outer, name), event_type)
            case Kind.OBJECT if value is not None:  # what is in it is unknown
                continue
            case Kind():
                kept[name] = value
    return kept


@cache
def _kinds(event_type: str) -> Mapping[tuple[str, ...], Kind]:
    carried = (field for path, field in FIELDS.items() if event_type in carried_by(path) and path != "event.type")
    return {steps(field.path, event_type): field.kind for field in carried}
