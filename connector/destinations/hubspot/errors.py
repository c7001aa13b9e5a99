"""What HubSpot's refusals mean, as data, in words for the agency's admin.

https://developers.hubspot.com/docs/api-reference/error-handling
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from connector.destinations.base import LOST_ID, Verdict

PATIENCE: Final = 15.0
"""The longest wait, in seconds, spent inside one attempt."""


class Trouble(NamedTuple):
    """Why the whole account cannot be written. wait: seconds before the next try within the attempt (None: no use).
    grows: the wait doubles from try to try. park: seconds until the lane should ask again, None: as it sees fit."""

    reason: str
    problem: str
    wait: float | None = None
    grows: bool = False
    park: float | None = None


_OUTAGE = "HubSpot cannot answer at the moment"
_SUPPORT = "HubSpot cannot be reached behind its own front door: if this lasts, ask HubSpot's support"

TROUBLES: Final[Mapping[int, Trouble]] = {
    0: Trouble("network", "HubSpot did not answer: look at the network between here and api.hubapi.com", 1, True),
    401: Trouble("auth", "HubSpot does not accept the access token: put a valid one into the agency file"),
    403: Trouble("permissions", "the access token lacks a scope: grant it in HubSpot's settings of the app or key"),
    407: Trouble("network", "a proxy in front of HubSpot asks for a login"),
    408: Trouble("outage", _OUTAGE, 1, True),
    423: Trouble("locked", "HubSpot keeps the account's records locked", 2),
    425: Trouble("outage", _OUTAGE, 1, True),
    429: Trouble("rate", "HubSpot's limit of requests in ten seconds is used up", 10),
    477: Trouble("maintenance", "HubSpot is moving this account to another data centre", park=3600),
    522: Trouble("outage", _SUPPORT, 1, True),
    525: Trouble("outage", _SUPPORT, 1, True),
    526: Trouble("outage", _SUPPORT, 1, True),
    530: Trouble("auth", "HubSpot cannot read the access token: put a valid one into the agency file"),
}
POLICIES: Final[Mapping[str, Trouble]] = {
    "DAILY": Trouble("quota", "the account's daily limit of HubSpot API requests is used up", park=3600),
    "SECONDLY": Trouble("rate", "HubSpot's limit of requests in a second is used up", 1),
    "TEN_SECONDLY_ROLLING": TROUBLES[429],
}
SERVER: Final = Trouble("outage", _OUTAGE, 1, True)
REDIRECT: Final = Trouble(
    "reply", "HubSpot's address answers with a redirect: look at `endpoint` and at proxies in between"
)
STRANGE: Final = Trouble("reply", "HubSpot refused the request in a way its API does not describe")
UNREADABLE: Final = Trouble("reply", "the answer is not HubSpot's: a proxy or a maintenance page stands in between", 1)

FOR_ROWS: Final = frozenset({400, 404, 409, 413, 414, 422})
"""The statuses that speak of what was sent, not of the account."""

NOT_DONE: Final = frozenset({423, 429})
"""The statuses that pass and that say that nothing was written."""


class Problem(NamedTuple):
    """What a code means for one record, in words for the agency's admin."""

    text: str
    verdict: Verdict = Verdict.REJECTED


_LATER = Verdict.DEFERRED
PROBLEMS: Final[Mapping[str, Problem]] = {
    "PROPERTY_DOESNT_EXIST": Problem("the portal has no such property: create it, or take it out of the mapping"),
    "READ_ONLY_VALUE": Problem("HubSpot sets this property itself: take it out of the mapping"),
    "INVALID_OPTION": Problem("the value is none of the property's options: add the option, or map it with a table"),
    "INVALID_EMAIL": Problem("HubSpot does not take this for an e-mail address: correct it in careCycle"),
    "INVALID_INTEGER": Problem("the property holds whole numbers only"),
    "INVALID_LONG": Problem("the property holds numbers only"),
    "INVALID_DECIMAL": Problem("the property holds numbers only"),
    "INVALID_DATE": Problem("the property wants a date, or a time with its offset"),
    "PROPERTY_VALUE_TOO_LONG": Problem("the text is longer than the property holds: use `cut` in the mapping"),
    "REQUIRED_PROPERTY_MISSING": Problem("HubSpot needs this property to create the record: map it"),
    "CONFLICTING_UNIQUE_VALUE": Problem("another record already holds this unique value: merge the two in HubSpot"),
    "CONFLICT": Problem("the e-mail address belongs to another contact: merge the two in HubSpot"),
    "DUPLICATE_ID": Problem("two rows lead to one record: look for two careCycle customers on one HubSpot record"),
    "KEY_NOT_UNIQUE": Problem(
        "the mapping's key is not a unique property: create one with unique values, or write unique_key: false"
    ),
    "OBJECT_TYPE_UNKNOWN": Problem("the portal has no object of this name: look at `object` in the mapping"),
    "OBJECT_NOT_FOUND": Problem("the record no longer exists in HubSpot"),
    LOST_ID: Problem("the record was deleted in HubSpot: it is made again in full", _LATER),
    "HTTP_404": Problem("HubSpot knows no such object: look at `object` in the mapping"),
    "HTTP_413": Problem("the record is larger than HubSpot takes"),
    "RATE_LIMITS": Problem("HubSpot's rate limit met this record", _LATER),
    "INTERNAL_ERROR": Problem("HubSpot failed on this record", _LATER),
    "SERVICE_UNAVAILABLE": Problem("HubSpot failed on this record", _LATER),
    "TIMEOUT": Problem("HubSpot took too long over this record", _LATER),
    "LOCKED": Problem("HubSpot keeps this record locked", _LATER),
    "UNACCOUNTED": Problem("HubSpot reported success without telling of this record", _LATER),
    "ASSOCIATION": Problem("the record is written, but HubSpot did not link it", _LATER),
    "UNSUBSCRIBE": Problem("HubSpot did not opt the e-mail address out: check the address in careCycle"),
}
OTHER: Final = Problem("HubSpot does not accept the record: look at the properties' validation rules")

WHOLE: Final = frozenset({"KEY_NOT_UNIQUE", "OBJECT_TYPE_UNKNOWN", "HTTP_404"})
"""Codes that concern every row of the request alike."""
OF_PROPERTY: Final = frozenset({"PROPERTY_DOESNT_EXIST", "READ_ONLY_VALUE"})
"""Codes that concern every row carrying the named property, whatever its value."""
