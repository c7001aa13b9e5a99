"""The portal's own schema, from the properties API.

https://developers.hubspot.com/docs/api-reference/crm-properties-v3/guide
"""

from __future__ import annotations

from typing import Final

from connector.destinations.hubspot.calls import PROPERTIES, Calls, expect
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
# The properties API does not tell what creating a record needs: every activity wants its place on the timeline.
_REQUIRED: Final = dict.fromkeys(("calls", "notes", "meetings", "tasks", "emails"), "hs_timestamp")
_SENSITIVE: Final = ("sensitive", "highly_sensitive")
# "Sensitive data" in HubSpot's guide lists where it may be kept; activities are not among them.
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


def describe(calls: Calls, object: str) -> TargetObject:
    """One object's properties, the sensitive ones included where the token may see them."""
    if object == "owners":
        return OWNERS
    fields = {one.name: _field(object, one, sensitive=False) for one in _listed(calls, object, "non_sensitive")}
    for sensitivity in () if object in NEVER_SENSITIVE else _SENSITIVE:
        fields |= {one.name: _field(object, one, sensitive=True) for one in _hidden(calls, object, sensitivity)}
    return TargetObject(fields=fields)


def _listed(calls: Calls, object: str, sensitivity: str) -> list[PropertyDefinition]:
    return calls.read(Properties, PROPERTIES, query=[("dataSensitivity", sensitivity)], object=object).results


def _hidden(calls: Calls, object: str, sensitivity: str) -> list[PropertyDefinition]:
    """Those a token without the scope, or a portal without sensitive data, does not show: there are none to use."""
    try:
        reply = calls.ask(PROPERTIES, query=[("dataSensitivity", sensitivity)], object=object)
    except DestinationUnusable as error:
        if error.reason != "permissions":
            raise
        return []
    return expect(Properties, reply).results if reply.ok else []


def _field(object: str, one: PropertyDefinition, *, sensitive: bool) -> TargetField:
    kind = _kind(one)
    return TargetField(
        type=kind,
        length=LONGEST if kind in ("string", "phone") else None,
        required=_REQUIRED.get(object) == one.name,
        unique=one.unique or (object, one.name) == ("contacts", "email"),
        writable=not one.changes.read_only,
        sensitive=sensitive,
        restricted=kind == "picklist",
        options=tuple(Option(value=option.value) for option in one.options) if "picklist" in kind else (),
    )


def _kind(one: PropertyDefinition) -> str:
    if one.type == "enumeration":
        if one.refers_to or one.external:
            return "reference"
        return "multipicklist" if one.field_type == "checkbox" else "picklist"
    if one.type == "string" and one.field_type == "phonenumber":
        return "phone"
    return _TYPES.get(one.type, "string")
