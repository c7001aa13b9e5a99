"""HubSpot's objects by their type ids, which stand for a name in a path and in a record's address.

HubSpot promises names in paths only for a few objects, numbers for all.

https://developers.hubspot.com/docs/guides/api/crm/understanding-the-crm#object-type-ids
"""

from __future__ import annotations

from typing import Final

_STANDARD: Final = {
    "contacts": "0-1",
    "companies": "0-2",
    "deals": "0-3",
    "tickets": "0-5",
    "tasks": "0-27",
    "notes": "0-46",
    "meetings": "0-47",
    "calls": "0-48",
    "emails": "0-49",
}


def type_id(object: str) -> str:
    """The type id of a standard object; any other name as it is, as custom objects are named by theirs."""
    return _STANDARD.get(object, object)
