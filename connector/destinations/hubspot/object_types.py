"""The type ids of HubSpot's objects, which replace names in API paths and record URLs.

HubSpot guarantees names in paths for a few objects only, and type ids for all.

https://developers.hubspot.com/docs/guides/api/crm/understanding-the-crm#object-type-ids
"""

from __future__ import annotations

from typing import Final

_STANDARD: Final = {
    "contacts": "0-1",
    "companies": "0-2",
    "deals": "0-3",
    "tickets": "0-5",
    "communications": "0-18",
    "tasks": "0-27",
    "notes": "0-46",
    "meetings": "0-47",
    "calls": "0-48",
    "emails": "0-49",
}


_OF_CONTACTS: Final = frozenset({"contacts", "tasks", "notes", "meetings", "calls", "emails", "communications"})


def scope_noun(object: str) -> str:
    """What scopes call an object: activities have none of their own, and custom objects share one.

    >>> scope_noun("0-48"), scope_noun("deals"), scope_noun("2-1234"), scope_noun("p_policy")
    ('contacts', 'deals', 'custom', 'custom')
    """
    name = next((name for name, number in _STANDARD.items() if number == object), object)
    if name in _OF_CONTACTS:
        return "contacts"
    return name if name in _STANDARD else "custom"


def type_id(object: str) -> str:
    """The type id of a standard object; other names are unchanged, because custom objects go by their type id."""
    return _STANDARD.get(object, object)
