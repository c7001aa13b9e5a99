"""URLs of an org's records: <My Domain>/<id> opens a record in Lightning and in Classic.

How the last three letters of an id come from the other fifteen:
https://help.salesforce.com/s/articleView?id=000383751&type=1
"""

from __future__ import annotations

import re
import string
from typing import Final
from urllib.parse import unquote

from connector.destinations.salesforce.auth import SHARED, Credentials, OpenSession
from connector.destinations.salesforce.hosts import host_of

_ID: Final = re.compile(r"(?<![A-Za-z0-9])[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?(?![A-Za-z0-9])")
_CHECKS: Final = string.ascii_uppercase + "012345"


def record_ids(text: str) -> tuple[str, ...]:
    """The ids in a text or URL, Lightning's or Classic's, in the 18 letters that the API has.

    >>> record_ids("003Hs00000ABCDE"), record_ids("003hs00000abcdeIA5")
    (('003Hs00000ABCDEIA5',), ('003hs00000abcdeIA5', '003Hs00000ABCDEIA5'))
    >>> record_ids("https://x.lightning.force.com/lightning/r/Contact/003Hs00000ABCDEIA5/view")
    ('003Hs00000ABCDEIA5',)
    >>> record_ids("https://x.my.salesforce.com/003Hs00000ABCDE?srPos=0"), record_ids("https://x.my.salesforce.com/")
    (('003Hs00000ABCDEIA5',), ())
    """
    named = (match for match in _ID.findall(unquote(text)) if any(letter.isdigit() for letter in match))
    return tuple(dict.fromkeys(crm_id for match in named for crm_id in _whole(match)))


def _whole(crm_id: str) -> tuple[str, ...]:
    """An id in 18 letters, also with the letter case that its last three say it has."""
    own, checks = crm_id[:15], crm_id[15:].upper()
    if not checks:
        return (own + "".join(_check(own[start : start + 5]) for start in (0, 5, 10)),)
    if not set(checks) <= set(_CHECKS):
        return (crm_id,)
    bits = [_CHECKS.index(check) >> place & 1 for check in checks for place in range(5)]
    restored = "".join(letter.upper() if bit else letter.lower() for letter, bit in zip(own, bits, strict=True))
    return crm_id, restored + checks


def _check(letters: str) -> str:
    return _CHECKS[sum(letter.isupper() << place for place, letter in enumerate(letters))]


def web_address(auth: Credentials) -> str:
    """The org's address in a browser; empty if only a shared login domain is known."""
    if isinstance(auth, OpenSession):
        return auth.instance_url
    return "" if auth.domain in SHARED else f"https://{host_of(auth.domain)}"


def record_address(auth: Credentials, object: str, crm_id: str) -> str:
    """The URL of a record's page; empty if unknown."""
    org = web_address(auth)
    return f"{org}/{crm_id}" if org and crm_id.isalnum() else ""
