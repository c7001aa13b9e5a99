"""URLs of a portal's records, made of the portal's number (Hub ID) and the object's type id."""

from __future__ import annotations

import re
from typing import Final

from connector.destinations.hubspot.object_types import type_id

_TYPE_ID: Final = re.compile(r"[02]-\d+")


def record_address(portal: int | None, object: str, crm_id: str) -> str:
    """The URL of a record's page; empty if the portal or the object's type is unknown."""
    kind = type_id(object)
    if portal is None or not _TYPE_ID.fullmatch(kind) or not crm_id.isdigit():
        return ""
    return f"https://app.hubspot.com/contacts/{portal}/record/{kind}/{crm_id}"
