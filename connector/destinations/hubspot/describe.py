"""The portal's schema, from the properties API.

https://developers.hubspot.com/docs/api-reference/crm-properties-v3/guide
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from connector.destinations.hubspot.calls import PROPERTIES, Calls, expect
from connector.destinations.hubspot.pipelines import stages
from connector.destinations.hubspot.refusals import reply_refusal
from connector.destinations.hubspot.replies import Properties, PropertyDefinition
from connector.destinations.hubspot.values import LONGEST
from connector.errors import DestinationUnusable
from connector.mapping.target import Option, TargetField, TargetObject

_TYPES: Final = {
    "number": "double",
    "date": "date",
    "datetime": "datetime",
    "bool": "boolean",
    "phone_number": "phone",
}
# The properties API does not list what a new record requires: every activity needs its place on the timeline.
_REQUIRED: Final = dict.fromkeys(("calls", "notes", "meetings", "tasks", "emails"), "hs_timestamp")
_NO_OBJECT: Final = frozenset({"OBJECT_TYPE_UNKNOWN", "OBJECT_NOT_FOUND", "HTTP_404"})
_SENSITIVE: Final = ("sensitive", "highly_sensitive")
# HubSpot's guide "Sensitive data" lists the objects that may hold it; activities are not among them.
NEVER_SENSITIVE: Final = frozenset(_REQUIRED)

OWNERS: Final = TargetObject(
    fields={
        "id": TargetField(type="string", unique=True, writable=False),
        "email": TargetField(type="string", unique=True, writable=False),
        "firstName": TargetField(type="string", writable=False),
        "lastName": TargetField(type="string", writable=False),
        "userId": TargetField(type="double", unique=True, writable=False),
    }
)


def describe(calls: Calls, object: str) -> TargetObject | None:
    """The properties of one object, with the sensitive ones that the token may see; None if there is no such object."""
    reply = calls.ask(PROPERTIES, query=[("dataSensitivity", "non_sensitive")], object=object)
    if not reply.ok and reply_refusal(reply).code in _NO_OBJECT:
        return None
    fields = {own.name: _field(object, own, sensitive=False) for own in expect(Properties, reply).results}
    fields |= {own.name: _field(object, own, sensitive=True) for own in _all_sensitive(calls, object)}
    return TargetObject(fields=fields | stages(calls, object, fields))


def all_properties(calls: Calls, object: str) -> list[PropertyDefinition]:
    """The properties of an object as HubSpot defines them, with the sensitive ones that the token may see."""
    return [*calls.read(Properties, PROPERTIES, object=object).results, *_all_sensitive(calls, object)]


def _all_sensitive(calls: Calls, object: str) -> Iterator[PropertyDefinition]:
    for sensitivity in () if object in NEVER_SENSITIVE else _SENSITIVE:
        yield from _sensitive(calls, object, sensitivity)


def _sensitive(calls: Calls, object: str, sensitivity: str) -> list[PropertyDefinition]:
    """The sensitive properties; none if the token lacks the scope or the portal has no sensitive data."""
    try:
        reply = calls.ask(PROPERTIES, query=[("dataSensitivity", sensitivity)], object=object)
    except DestinationUnusable as error:
        if error.reason != "permissions":
            raise
        return []
    return expect(Properties, reply).results if reply.ok else []


def _field(object: str, own: PropertyDefinition, *, sensitive: bool) -> TargetField:
    kind = _kind(own)
    return TargetField(
        type=kind,
        length=LONGEST if kind in ("string", "phone") else None,
        required=_REQUIRED.get(object) == own.name,
        unique=own.has_unique_value is not False or (object, own.name) == ("contacts", "email"),
        writable=not own.changes.read_only,
        sensitive=sensitive,
        of_user=own.refers_to == "OWNER",
        restricted=kind == "picklist",
        options=tuple(Option(value=value) for value in own.options) if "picklist" in kind else (),
        label=own.label,
    )


def _kind(own: PropertyDefinition) -> str:
    if own.type == "enumeration":
        if own.refers_to or own.external:
            return "reference"
        return "multipicklist" if own.field_type == "checkbox" else "picklist"
    if own.type == "string" and own.field_type == "phonenumber":
        return "phone"
    return _TYPES.get(own.type, "string") if own.type else ""
