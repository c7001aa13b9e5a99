"""A portal built from a saved schema: the objects and properties that `connector schema pull` has seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from connector.sandbox.hubspot.portal import READ_ONLY, Property

Saved = Mapping[str, Mapping[str, Any]]
"""Object -> its `fields`: name -> the attributes of a saved schema's field."""

_TYPES: Final = {
    "double": ("number", "number"),
    "int": ("number", "number"),
    "currency": ("number", "number"),
    "date": ("date", "date"),
    "datetime": ("datetime", "date"),
    "boolean": ("bool", "booleancheckbox"),
    "phone": ("string", "phonenumber"),
    "picklist": ("enumeration", "select"),
    "multipicklist": ("enumeration", "checkbox"),
    "reference": ("enumeration", "select"),
    "textarea": ("string", "textarea"),
}
_OWNERS: Final = "owners"
"""Not an object of the portal: its users, whom an API of their own lists."""

_FILLED: Final = ("hs_additional_emails",)
_ACTIVITIES: Final = ("calls", "notes", "meetings", "tasks", "emails")
"""Objects that cannot hold sensitive data, whatever the file says."""


def portal_of(saved: Saved, typical: Mapping[str, Mapping[str, Property]]) -> dict[str, dict[str, Property]]:
    """Object -> property name -> definition, as in `portal`. typical: a portal whose own properties every portal has.

    HubSpot fills some properties by itself; they are there even if the file is only a part of what the portal has.
    """
    return {name: _object(name, own["fields"], typical.get(name, {})) for name, own in saved.items() if name != _OWNERS}


def _object(kind: str, saved: Mapping[str, Any], typical: Mapping[str, Property]) -> dict[str, Property]:
    filled = {own.name: own for own in (*READ_ONLY, *typical.values()) if own.read_only or own.name in _FILLED}
    made = {name: _property(name, attributes) for name, attributes in saved.items() if name not in filled}
    if kind in _ACTIVITIES:
        made = {name: replace(own, sensitivity="non_sensitive") for name, own in made.items()}
    return made | filled


def _property(name: str, saved: Mapping[str, Any]) -> Property:
    kind, field_type = _TYPES.get(saved["type"], ("string", "text"))
    options = tuple(option["value"] for option in saved.get("options", ()))
    return Property(
        name=name,
        type=kind,
        field_type=field_type,
        options=("true", "false") if kind == "bool" else options,
        unique=saved.get("unique", False),
        read_only=not saved.get("writable", True),
        sensitivity="sensitive" if saved.get("sensitive", False) else "non_sensitive",
        refers_to="OWNER" if saved["type"] == "reference" else "",
        required=saved.get("required", False),
    )
