"""Which portal an access token belongs to.

https://developers.hubspot.com/docs/api-reference/account-account-info-v3/guide
"""

from __future__ import annotations

from typing import Final

from pydantic import Field

from connector.crm import AccountKind, CrmAccount
from connector.destinations.hubspot.calls import DETAILS, ME, Calls
from connector.destinations.hubspot.lenient import Id
from connector.destinations.hubspot.link import is_page_host
from connector.destinations.hubspot.replies import parse
from connector.destinations.lenient import Lenient
from connector.errors import DestinationUnusable, PauseReason

_KINDS: Final = {
    "STANDARD": AccountKind.PRODUCTION,
    "SANDBOX": AccountKind.SANDBOX,
    "DEVELOPER_TEST": AccountKind.SANDBOX,
    "APP_DEVELOPER": AccountKind.SANDBOX,
}


class Details(Lenient):
    """What HubSpot says of a portal."""

    portal: Id = Field(alias="portalId")
    type: str = Field(default="", alias="accountType")
    pages: str = Field(default="", alias="uiDomain")


def portal_of(calls: Calls) -> CrmAccount | None:
    """The portal of the access token; None where the token may not ask. Raises DestinationUnusable."""
    for path in (DETAILS, ME):
        try:
            reply = calls.ask(path)
        except DestinationUnusable as error:
            if error.reason is not PauseReason.PERMISSIONS:
                raise
            continue
        if reply.ok and (details := parse(Details, reply)):
            kind = _KINDS.get(details.type, AccountKind.UNKNOWN)
            return CrmAccount(details.portal, kind, details.pages if is_page_host(details.pages) else "")
    return None
