"""Customers as careCycle's API and its exports have them, in the webhook's shape and without anything else."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from connector.carecycle.catalogue import FIELDS, Kind, carried_by, steps
from connector.carecycle.kinds import Unclear

RENAMED: Final[Mapping[str, str]] = {
    "clientCustomerId": "externalId",
    "callerId": "phoneNumber",
    "medicaid": "hasMedicaid",
}
"""The API's name of a customer's field -> the webhook's, where they differ."""

UPDATED: Final = "customer.updated"


def as_customer(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return a customer of the API as a payload. The webhook's own name counts where both are given.

    >>> as_customer({"id": "x", "callerId": "+15205550117", "dependents": [{"ssn": "..."}]})
    {'event_type': 'customer.updated', 'id': 'x', 'phoneNumber': '+15205550117'}
    """
    renamed = {RENAMED.get(name, name): value for name, value in item.items()}
    return only_known({**renamed, **{name: item[name] for name in RENAMED.values() if name in item}}, UPDATED)


def only_known(payload: Mapping[str, Any], event_type: str) -> dict[str, Any]:
    """Return a payload without what the catalogue does not know: dependents and their numbers, for instance."""
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
