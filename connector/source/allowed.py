"""A webhook's payload that came in a file, without what the catalogue does not know."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from connector.carecycle.catalogue import FIELDS, Kind, carried_by, steps
from connector.carecycle.kinds import Unclear
from connector.source.cells import own_id


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


def with_own_ids(payload: Mapping[str, Any]) -> dict[str, Any] | None:
    """A payload whose ids, its own and its customer's, are as careCycle writes them; None if one is another system's.

    >>> with_own_ids({"id": "6C9E1B9A-3A1B-4B5C-8D7E-2F1A0B9C8D7E", "customer": None})
    {'id': '6c9e1b9a-3a1b-4b5c-8d7e-2f1a0b9c8d7e', 'customer': None}
    >>> with_own_ids({"id": "12345"})
    """
    own, customer = own_id(payload.get("id")), payload.get("customer")
    if own is None:
        return None
    if not isinstance(customer, Mapping) or not customer:
        return {**payload, "id": own}
    inner = with_own_ids(customer)
    return {**payload, "id": own, "customer": inner} if inner else None


@cache
def _kinds(event_type: str) -> Mapping[tuple[str, ...], Kind]:
    carried = (field for path, field in FIELDS.items() if event_type in carried_by(path) and path != "event.type")
    return {steps(field.path, event_type): field.kind for field in carried}
