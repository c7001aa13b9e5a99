"""URLs of a portal's records, made of the portal's number (Hub ID), its host and the object's type id."""

from __future__ import annotations

import re
from typing import Final

from connector.crm import CrmAccount
from connector.destinations.hubspot.object_types import type_id

_TYPE_ID: Final = re.compile(r"[02]-\d+")
_HOST: Final = re.compile(r"app(-[a-z0-9]+)?\.hubspot\.com")
_USUAL: Final = "app.hubspot.com"
_PAGE: Final = re.compile(r"(https?://)?app(-[a-z0-9]+)?\.hubspot\.com/")
_ID: Final = re.compile(r"\d{1,20}")
_OF_PARTS: Final = re.compile(r"/(?:record/[02]-\d+|contact|company|deal|ticket|task|call)/(\d+)")


def record_ids(text: str) -> tuple[str, ...]:
    """The id of a record, alone or in the URL of its page, whatever its object and region.

    >>> record_ids("https://app-eu1.hubspot.com/contacts/4711/record/0-1/12345?interaction=note")
    ('12345',)
    >>> record_ids("app.hubspot.com/contacts/4711/contact/12345/"), record_ids("12345")
    (('12345',), ('12345',))
    >>> record_ids("https://app.hubspot.com/contacts/4711/objects/0-1/views/all/list"), record_ids("003Hs00000ABCDE")
    ((), ())
    """
    if _ID.fullmatch(text):
        return (text,)
    return tuple(dict.fromkeys(_OF_PARTS.findall(text))) if _PAGE.match(text) else ()


def is_page_host(host: str) -> bool:
    """Whether records can be looked at here: portals of the European Union, for example, have a host of their own.

    >>> is_page_host("app-eu1.hubspot.com"), is_page_host("app.hubspot.com.example.org")
    (True, False)
    """
    return bool(_HOST.fullmatch(host))


def record_address(portal: int | None, account: CrmAccount | None, object: str, crm_id: str) -> str:
    """The URL of a record's page; empty if the portal or the object's type is unknown.

    portal: as the agency file has it. account: what HubSpot says, which counts more; None before it was asked.
    """
    kind, number, host = type_id(object), str(portal or ""), _USUAL
    if account:
        number, host = account.id, account.pages or _USUAL
    if not (number.isdigit() and _TYPE_ID.fullmatch(kind) and crm_id.isdigit()):
        return ""
    return f"https://{host}/contacts/{number}/record/{kind}/{crm_id}"
