"""What belongs to records: whatever they are associated with, of each object type that a portal may have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from pydantic import Field

from connector.destinations.hubspot.calls import Calls, Path
from connector.destinations.hubspot.current import linked
from connector.destinations.hubspot.object_types import type_id
from connector.destinations.lenient import Lenient
from connector.errors import DestinationUnusable, PauseReason

# https://developers.hubspot.com/docs/api-reference/crm-schemas-v3/guide
SCHEMAS: Final = Path("GET", "/crm-object-schemas/v3/schemas", scope="crm.schemas.custom.read")

_CONTACTS: Final = type_id("contacts")
_EVERYWHERE: Final = ("contacts", "deals", "tickets", "calls", "emails", "meetings", "notes", "tasks", "communications")
_NOT_EVERYWHERE: Final = {
    "leads": "0-136",
    "line items": "0-8",
    "quotes": "0-14",
    "invoices": "0-53",
    "appointments": "0-421",
    "postal mail": "0-116",
}
"""Objects that a portal may lack. HubSpot guarantees their type ids, not their names.
https://developers.hubspot.com/docs/guides/api/crm/understanding-the-crm#object-type-ids"""
_LACKING: Final = "OBJECT_TYPE_UNKNOWN"
_PASSED_OVER: Final = (PauseReason.PERMISSIONS, PauseReason.REQUEST)


class _Schema(Lenient):
    type: str = Field(alias="objectTypeId", pattern=r"^2-[0-9]+$")


class _Schemas(Lenient):
    """None of them may be missed."""

    results: list[_Schema]


def attached(
    calls: Calls, object: str, ids: Sequence[str]
) -> tuple[Mapping[str, frozenset[tuple[str, str]]], Mapping[str, str]]:
    """What hangs on each record, and what could not be looked up. Companies, which HubSpot adds itself, do not count.

    Nor does the only contact of anything else, such as a call: it is the person whose it is.
    """
    own: dict[str, frozenset[tuple[str, str]]] = dict.fromkeys(ids, frozenset())
    unknown: dict[str, str] = {}
    others = _others(calls, object) if ids else []
    if others is None:
        return own, dict.fromkeys(ids, "what custom objects belong to it cannot be looked up")
    for name, other in others:
        ends = _linked(calls, object, ids, other)
        if other == _CONTACTS != type_id(object):
            ends = {crm_id: people if len(people) > 1 else frozenset() for crm_id, people in ends.items()}
        own = {crm_id: held | {(name, end) for end in ends.get(crm_id, ())} for crm_id, held in own.items()}
        unknown |= {crm_id: f"its {name} cannot be looked up" for crm_id in ids if crm_id not in ends}
    return own, unknown


def _others(calls: Calls, object: str) -> list[tuple[str, str]] | None:
    """The objects to ask about: what they are called, and in a path; None where the custom ones are not known."""
    try:
        custom = [schema.type for schema in calls.read(_Schemas, SCHEMAS).results]
    except DestinationUnusable as error:
        if error.reason not in (*_PASSED_OVER, PauseReason.REPLY):  # one odd entry may be the type that matters
            raise
        return None
    named = [(name, type_id(name)) for name in (*_EVERYWHERE, *custom)]
    return [*named, *_NOT_EVERYWHERE.items()]


def _linked(calls: Calls, object: str, ids: Sequence[str], other: str) -> Mapping[str, frozenset[str]]:
    try:
        return linked(calls, object, ids, other)
    except DestinationUnusable as error:
        if error.reason not in _PASSED_OVER:
            raise
        lacks = other in _NOT_EVERYWHERE.values() and _LACKING in error.problem
        return dict.fromkeys(ids, frozenset()) if lacks else {}
