"""Read HubSpot's refusals. Its own texts repeat values, so they are read here and not passed on.

https://developers.hubspot.com/docs/api-reference/error-handling
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from connector.destinations.base import Outcome
from connector.destinations.hubspot.errors import (
    BLOCKED,
    FOR_ROWS,
    OTHER,
    PATIENCE,
    POLICIES,
    PROBLEMS,
    REDIRECT,
    SERVER,
    STRANGE,
    TROUBLES,
    Trouble,
)
from connector.destinations.hubspot.replies import Detail, ErrorBody, Reply, error_body
from connector.destinations.hubspot.texts import PROPERTY, holder, listed_problems, properties
from connector.errors import PauseReason
from connector.settlement import Refusal

ADDRESS: Final = "email"
HELD: Final = "ADDRESS_HELD"
"""Our code for an email address that another contact has, as its main or a further one."""
VALUE_HELD: Final = "CONFLICTING_UNIQUE_VALUE"

_CONFLICT: Final = "CONFLICT"
_SIGNS: Final = (
    ("by non-unique", "KEY_NOT_UNIQUE"),
    ("duplicate ids", "DUPLICATE_ID"),
    ("required properties were not set", "REQUIRED_PROPERTY_MISSING"),
    ("infer object type", "OBJECT_TYPE_UNKNOWN"),
    ("already has that value", VALUE_HELD),
    ("may be deleted or not exist", "OBJECT_NOT_FOUND"),
    ("already exists. existing id:", _CONFLICT),
)
_CODE = re.compile(r"[A-Z][A-Z_]{2,50}")
_SCOPE = re.compile(r"[a-z_]+(\.[a-z_0-9-]+)+|[a-z_-]{3,40}")
_PROPERTY_KEYS: Final = ("propertyName", "properties")
_SCOPE_KEYS: Final = ("requiredGranularScopes", "requiredScopes", "missingScopes")


@dataclass(frozen=True, slots=True)
class RecordError:
    """HubSpot's error for one record, without values. existing: the id of the record it conflicts with."""

    code: str
    fields: tuple[str, ...] = ()
    existing: str = ""


def trouble(reply: Reply, scope: str = "") -> Trouble | None:
    """Why this reply means that the account cannot be used now; None if it can. scope: what the call needs."""
    if reply.ok or _concerns_rows(reply):
        return None
    cause = _with_hints(_known(reply), reply, scope)
    pause = _seconds(reply.headers.get("retry-after", ""))
    if pause is None:
        return cause
    return cause._replace(wait=pause if cause.wait is not None and pause <= PATIENCE else None, grows=False, park=pause)


def _concerns_rows(reply: Reply) -> bool:
    """Whether the error is about what was sent. A 404 that is not one of HubSpot's errors means a wrong address."""
    return reply.status in FOR_ROWS and (reply.status != 404 or error_body(reply) != ErrorBody())


def _known(reply: Reply) -> Trouble:
    if reply.status == 429:
        return POLICIES.get(_policy(error_body(reply)), TROUBLES[429])
    if reply.status == 403 and reply.foreign:
        return BLOCKED
    if reply.broken:
        return TROUBLES[0]._replace(problem=f"HubSpot: {reply.broken}: check the network route to api.hubapi.com")
    if reply.status in TROUBLES:
        return TROUBLES[reply.status]
    match reply.status // 100:
        case 3:
            return REDIRECT
        case 5:
            return SERVER
        case _:
            return STRANGE._replace(problem=f"{STRANGE.problem} (HTTP {reply.status})")


def _policy(body: ErrorBody) -> str:
    if body.policy in POLICIES:
        return body.policy
    words = body.message.lower()
    return "DAILY" if "daily" in words else "SECONDLY" if " secondly" in words else "TEN_SECONDLY_ROLLING"


def _with_hints(cause: Trouble, reply: Reply, scope: str) -> Trouble:
    """The trouble with the missing scopes, or with the wait that the reply's headers give."""
    if cause.reason is PauseReason.PERMISSIONS:
        scopes = dict.fromkeys(filter(None, (*_scopes(error_body(reply)), scope)))
        return cause._replace(problem=f"{cause.problem} ({', '.join(scopes)})") if scopes else cause
    interval = _seconds(reply.headers.get("x-hubspot-ratelimit-interval-milliseconds", ""))
    if cause is TROUBLES[429] and interval and interval / 1000 <= PATIENCE:
        return cause._replace(wait=interval / 1000)
    return cause


def _scopes(body: ErrorBody) -> list[str]:
    """The scopes of which the error says that one is missing."""
    return [scope for scope in _listed(body, _SCOPE_KEYS) if _SCOPE.fullmatch(scope)]


def _seconds(text: str) -> float | None:
    return float(text) if re.fullmatch(r"\d{1,7}(\.\d+)?", text.strip()) else None


def refusal(body: ErrorBody, status: int = 400) -> RecordError:
    """Our code for an error, and the properties it names."""
    problems = listed_problems(body.message)
    codes = [*(detail.code for detail in body.errors), *_parts(problems, "error")]
    texts = [body.message, *(detail.message for detail in body.errors), *_parts(problems, "message")]
    listed = [*_listed(body, _PROPERTY_KEYS), *_parts(problems, "name")]
    fields = _names(listed) or _names(properties(texts)) or _names(_places(body))
    existing = next(filter(str.isdecimal, body.context.get("existingId", ())), "") or holder(texts)
    code = _code(body, [*codes, *map(_sign, texts)], status)
    if code == _CONFLICT:  # of a contact's address; its text names neither the property nor the address
        fields = fields or (ADDRESS,)
        return RecordError(HELD if fields == (ADDRESS,) else VALUE_HELD, fields, existing)
    return RecordError(code, fields, existing)


def _parts(problems: Iterable[Mapping[str, Any]], name: str) -> list[str]:
    return [str(problem.get(name, "")) for problem in problems]


def _names(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(PROPERTY.fullmatch, texts)))


def _places(body: ErrorBody) -> Iterator[str]:
    """Where in the record its errors are, such as "email" or "properties.email"."""
    places = (detail.within.rpartition(".")[2] for detail in body.errors)
    return (place for place in places if place != "properties")


def _listed(body: ErrorBody, keys: Sequence[str]) -> Iterator[str]:
    """What the contexts of an error list under these keys."""
    parts: list[ErrorBody | Detail] = [*body.errors, body]
    for part in parts:
        yield from (text for key in keys for text in part.context.get(key, ()))


def reply_refusal(reply: Reply) -> RecordError:
    """The error of a rejected request."""
    return refusal(error_body(reply), reply.status)


def _code(body: ErrorBody, codes: list[str], status: int) -> str:
    if body.category == _CONFLICT:
        return _CONFLICT
    category = body.category if _CODE.fullmatch(body.category) else ""
    lost = "OBJECT_NOT_FOUND" if status == 404 and named_ids(body) else ""
    return next(filter(_CODE.fullmatch, codes), "") or category or lost or f"HTTP_{status}"


def _sign(text: str) -> str:
    """The code of an error that only its text tells."""
    words = text.lower()
    return next((code for sign, code in _SIGNS if sign in words), "")


def outcome(error: RecordError, request_id: str = "") -> Outcome:
    """The outcome of a row with this error."""
    problem = PROBLEMS.get(error.code, OTHER)
    why = Refusal.of(error.code, problem.cause, problem.action, error.fields, a_field="a property")
    holder = error.existing if error.code in (HELD, VALUE_HELD) else None
    return Outcome(problem.verdict, refusal=why, request_id=request_id, of_fields=problem.of_fields, holder=holder)


def traces(body: ErrorBody) -> list[str]:
    """The trace ids that a batch error names."""
    return body.context.get("objectWriteTraceId", [])


def named_ids(body: ErrorBody) -> list[str]:
    """The ids, or values of the key, of the records that an error names, in lower case."""
    keys = (text.partition(":")[2] for text in body.context.get("missingObjectPropertyValueCoordinates", ()))
    ids = (identity for name in ("ids", "id") for identity in body.context.get(name, ()))
    return [identity.lower() for identity in (*ids, *keys) if identity]
