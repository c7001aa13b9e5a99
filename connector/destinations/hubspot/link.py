"""Where people find a record of a portal, by the portal's number (Hub ID) and the object's type id.

https://developers.hubspot.com/docs/guides/api/crm/understanding-the-crm#object-type-ids
"""

from __future__ import annotations

import re
from typing import Final

_TYPES: Final = {
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
_CUSTOM: Final = re.compile(r"[02]-\d+")


def record_address(portal: int | None, object: str, crm_id: str) -> str:
    """The address of one record; empty where the portal or the object's type is not known."""
    kind = _TYPES.get(object, object)
    if portal is None or not _CUSTOM.fullmatch(kind) or not crm_id.isdigit():
        return ""
    return f"https://app.hubspot.com/contacts/{portal}/record/{kind}/{crm_id}"
