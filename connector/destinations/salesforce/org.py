"""Which org a login leads to: its id, and whether it is a sandbox."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import Field, ValidationError

from connector.crm import AccountKind, CrmAccount
from connector.destinations.lenient import Lenient

_ORG_ID: Final = "00D[A-Za-z0-9]{12}"
# https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_using_openid.htm
_IDENTITY: Final = re.compile(rf"https://([^/]+)/id/({_ORG_ID})")
_TOKEN: Final = re.compile(rf"({_ORG_ID})!")
_CHECKSUM: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
QUESTION: Final = "SELECT Id, IsSandbox FROM Organization"


class _Org(Lenient):
    id: str = Field(alias="Id", pattern=_ORG_ID)
    is_sandbox: bool | None = Field(default=None, alias="IsSandbox")


class _Orgs(Lenient):
    records: list[_Org] = Field(min_length=1)


def of_login(identity: str, token: str, instance_url: str) -> CrmAccount | None:
    """The org that a login names, at no call: in the identity URL of the token reply, or in the token itself."""
    named, begun = _IDENTITY.match(identity), _TOKEN.match(token)
    if named:
        return CrmAccount(full_id(named[2]), _kind([named[1], urlsplit(instance_url).netloc]))
    return CrmAccount(full_id(begun[1]), _kind([urlsplit(instance_url).netloc])) if begun else None


def of_query(reply: Any) -> CrmAccount | None:
    """The org in the reply to `QUESTION`, asked where the login names none; None for any other reply."""
    try:
        org = _Orgs.model_validate(reply).records[0]
    except ValidationError:
        return None
    kinds = {True: AccountKind.SANDBOX, False: AccountKind.PRODUCTION, None: AccountKind.UNKNOWN}
    return CrmAccount(full_id(org.id), kinds[org.is_sandbox])


def full_id(org_id: str) -> str:
    """An id of 15 or 18 characters in its form with 18.

    >>> full_id("00Dxx0000000001")
    '00Dxx0000000001EAA'
    """
    short = org_id[:15]
    groups = (short[start : start + 5] for start in (0, 5, 10))
    return short + "".join(_CHECKSUM[sum(c.isupper() << place for place, c in enumerate(group))] for group in groups)


def _kind(hosts: Sequence[str]) -> AccountKind:
    """A sandbox logs in at test.salesforce.com, and its My Domain has its name: acme--uat.sandbox.my.salesforce.com."""
    is_sandbox = any(host == "test.salesforce.com" or "--" in host for host in hosts)
    return AccountKind.SANDBOX if is_sandbox else AccountKind.PRODUCTION
