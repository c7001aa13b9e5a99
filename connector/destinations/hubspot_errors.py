"""What HubSpot's refusals mean, as data. Its own texts echo values: they are read here and never leave.

https://developers.hubspot.com/docs/api-reference/error-handling
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from connector.destinations.base import Outcome, Verdict
from connector.destinations.hubspot_replies import ErrorBody, Reply, error_body

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
_SERVER = Trouble("outage", _OUTAGE, 1, True)
_REDIRECT = Trouble("reply", "HubSpot's address answers with a redirect: look at `endpoint` and at proxies in between")
_STRANGE = Trouble("reply", "HubSpot refused the request in a way its API does not describe")
UNREADABLE: Final = Trouble("reply", "the answer is not HubSpot's: a proxy or a maintenance page stands in between", 1)

FOR_ROWS: Final = frozenset({400, 404, 409, 413, 414, 422})
"""The statuses that speak of what was sent, not of the account."""


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
    "KEY_NOT_UNIQUE": Problem("the mapping's key is not a unique property: create one with unique values"),
    "OBJECT_TYPE_UNKNOWN": Problem("the portal has no object of this name: look at `object` in the mapping"),
    "OBJECT_NOT_FOUND": Problem("the record no longer exists in HubSpot"),
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
_OTHER = Problem("HubSpot does not accept the record: look at the properties' validation rules")

WHOLE: Final = frozenset({"KEY_NOT_UNIQUE", "OBJECT_TYPE_UNKNOWN", "HTTP_404"})
"""Codes that concern every row of the request alike."""
OF_PROPERTY: Final = frozenset({"PROPERTY_DOESNT_EXIST", "READ_ONLY_VALUE"})
"""Codes that concern every row carrying the named property, whatever its value."""

_SIGNS: Final = (
    ("by non-unique", "KEY_NOT_UNIQUE"),
    ("duplicate ids", "DUPLICATE_ID"),
    ("required properties were not set", "REQUIRED_PROPERTY_MISSING"),
    ("infer object type", "OBJECT_TYPE_UNKNOWN"),
    ("already has that value", "CONFLICTING_UNIQUE_VALUE"),
)
_CODE = re.compile(r"[A-Z][A-Z_]{2,50}")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,99}")
_EXISTING = re.compile(r"Existing ID: (\d+)")
_SCOPE = re.compile(r"[a-z_]+(\.[a-z_0-9-]+)+|[a-z_]{3,40}")


@dataclass(frozen=True, slots=True)
class Refusal:
    """What HubSpot said of one record, without a value in it. existing: the record that owns what we wanted."""

    code: str
    fields: tuple[str, ...] = ()
    existing: str = ""


def trouble(reply: Reply) -> Trouble | None:
    """Why this reply means that the account cannot be used now; None when it does not."""
    if reply.ok or reply.status in FOR_ROWS:
        return None
    found = _with_hints(_known(reply), reply)
    pause = _seconds(reply.headers.get("retry-after", ""))
    if pause is None:
        return found
    return found._replace(wait=pause if found.wait is not None and pause <= PATIENCE else None, grows=False, park=pause)


def _known(reply: Reply) -> Trouble:
    if reply.status == 429:
        return POLICIES.get(_policy(error_body(reply)), TROUBLES[429])
    if reply.status in TROUBLES:
        return TROUBLES[reply.status]
    match reply.status // 100:
        case 3:
            return _REDIRECT
        case 5:
            return _SERVER
        case _:
            return _STRANGE._replace(problem=f"{_STRANGE.problem} (HTTP {reply.status})")


def _policy(body: ErrorBody) -> str:
    if body.policy:
        return body.policy
    words = body.message.lower()
    return "DAILY" if "daily" in words else "SECONDLY" if " secondly" in words else "TEN_SECONDLY_ROLLING"


def _with_hints(found: Trouble, reply: Reply) -> Trouble:
    if reply.status == 403 and (scopes := _scopes(error_body(reply))):
        return found._replace(problem=f"{found.problem} ({', '.join(scopes)})")
    interval = _seconds(reply.headers.get("x-hubspot-ratelimit-interval-milliseconds", ""))
    if found is TROUBLES[429] and interval and interval / 1000 <= PATIENCE:
        return found._replace(wait=interval / 1000)
    return found


def _scopes(body: ErrorBody) -> list[str]:
    named = [one for detail in body.errors for one in _listed(detail.context.get("requiredGranularScopes"))]
    return [scope for scope in named if _SCOPE.fullmatch(scope)]


def _seconds(text: str) -> float | None:
    return float(text) if re.fullmatch(r"\d{1,7}(\.\d+)?", text.strip()) else None


def refusal(body: ErrorBody, status: int = 400) -> Refusal:
    """What an error says of a record: our code for it and the properties it names."""
    listed = list(_property_problems(body.message))
    codes = [detail.code for detail in body.errors] + [str(one.get("error", "")) for one in listed]
    names = [n for d in body.errors for n in _listed(d.context.get("propertyName"))]
    names += [*_listed(body.context.get("properties")), *(str(one.get("name", "")) for one in listed)]
    fields = tuple(dict.fromkeys(name for name in names if _NAME.fullmatch(name)))
    existing = _existing(body)
    if body.category == "CONFLICT":
        return Refusal("CONFLICT", fields or ("email",), existing)
    return Refusal(_code(body, codes, status), fields, existing)


def reply_refusal(reply: Reply) -> Refusal:
    """What a refused request says."""
    return refusal(error_body(reply), reply.status)


def _code(body: ErrorBody, codes: list[str], status: int) -> str:
    known = next((code for code in codes if _CODE.fullmatch(code)), "")
    sign = next((code for sign, code in _SIGNS if sign in body.message.lower()), "")
    category = body.category if _CODE.fullmatch(body.category) else ""
    return known or sign or category or f"HTTP_{status}"


def _property_problems(message: str) -> Iterator[Mapping[str, Any]]:
    """The JSON list HubSpot puts behind the colon of "Property values were not valid: [...]"."""
    start = message.find("[{")
    try:
        found = json.loads(message[start:]) if start >= 0 else []
    except ValueError:
        return
    yield from (one for one in found if isinstance(one, dict))


def _existing(body: ErrorBody) -> str:
    told = _listed(body.context.get("existingId"))
    if told and told[0].isdigit():
        return told[0]
    said = _EXISTING.search(body.message)
    return said[1] if said else ""


def _listed(value: list[str] | str | None) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())


def outcome(found: Refusal, request_id: str = "") -> Outcome:
    """The outcome of a row that was refused."""
    problem = PROBLEMS.get(found.code, _OTHER)
    owner = f" (HubSpot record {found.existing})" if found.existing else ""
    return Outcome(
        problem.verdict, code=found.code, problem=problem.text + owner, fields=found.fields, request_id=request_id
    )


def traces(body: ErrorBody) -> list[str]:
    """The trace ids an error of a batch names."""
    return _listed(body.context.get("objectWriteTraceId"))


def named_ids(body: ErrorBody) -> list[str]:
    """The record identities an error names, in lower case."""
    return [one.lower() for one in _listed(body.context.get("ids"))]
