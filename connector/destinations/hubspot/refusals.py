"""Read HubSpot's refusals. Its own texts repeat values, so they are read here and not passed on.

https://developers.hubspot.com/docs/api-reference/error-handling
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from connector.destinations.base import Outcome
from connector.destinations.hubspot.errors import (
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
from connector.destinations.hubspot.replies import ErrorBody, Reply, error_body
from connector.settlement import Refusal

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
class RecordError:
    """HubSpot's error for one record, without values. existing: the id of the record it conflicts with."""

    code: str
    fields: tuple[str, ...] = ()
    existing: str = ""


def trouble(reply: Reply) -> Trouble | None:
    """Why this reply means that the account cannot be used now; None if it can."""
    if reply.ok or _concerns_rows(reply):
        return None
    cause = _with_hints(_known(reply), reply)
    pause = _seconds(reply.headers.get("retry-after", ""))
    if pause is None:
        return cause
    return cause._replace(wait=pause if cause.wait is not None and pause <= PATIENCE else None, grows=False, park=pause)


def _concerns_rows(reply: Reply) -> bool:
    """Whether the error is about what was sent. A 404 without HubSpot's own message means a wrong address."""
    return reply.status in FOR_ROWS and (reply.status != 404 or error_body(reply).message != "")


def _known(reply: Reply) -> Trouble:
    if reply.status == 429:
        return POLICIES.get(_policy(error_body(reply)), TROUBLES[429])
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
    if body.policy:
        return body.policy
    words = body.message.lower()
    return "DAILY" if "daily" in words else "SECONDLY" if " secondly" in words else "TEN_SECONDLY_ROLLING"


def _with_hints(cause: Trouble, reply: Reply) -> Trouble:
    """The trouble with the missing scopes, or with the wait that the reply's headers give."""
    if reply.status == 403 and (scopes := _scopes(error_body(reply))):
        return cause._replace(problem=f"{cause.problem} ({', '.join(scopes)})")
    interval = _seconds(reply.headers.get("x-hubspot-ratelimit-interval-milliseconds", ""))
    if cause is TROUBLES[429] and interval and interval / 1000 <= PATIENCE:
        return cause._replace(wait=interval / 1000)
    return cause


def used_up(reply: Reply) -> float:
    """Seconds until HubSpot accepts requests again, if this success was the last of its interval; otherwise 0."""
    interval = _seconds(reply.headers.get("x-hubspot-ratelimit-interval-milliseconds", ""))
    last = reply.ok and reply.headers.get("x-hubspot-ratelimit-remaining") == "0"
    return min(interval / 1000, PATIENCE) + 0.5 if last and interval else 0.0  # 0.5 s for network latency


def _scopes(body: ErrorBody) -> list[str]:
    scopes = [scope for detail in body.errors for scope in _listed(detail.context.get("requiredGranularScopes"))]
    return [scope for scope in scopes if _SCOPE.fullmatch(scope)]


def _seconds(text: str) -> float | None:
    return float(text) if re.fullmatch(r"\d{1,7}(\.\d+)?", text.strip()) else None


def refusal(body: ErrorBody, status: int = 400) -> RecordError:
    """Our code for an error, and the properties it names."""
    problems = list(_property_problems(body.message))
    codes = [detail.code for detail in body.errors] + [str(problem.get("error", "")) for problem in problems]
    names = [name for detail in body.errors for name in _listed(detail.context.get("propertyName"))]
    names += [*_listed(body.context.get("properties")), *(str(problem.get("name", "")) for problem in problems)]
    fields = tuple(dict.fromkeys(name for name in names if _NAME.fullmatch(name)))
    existing = _existing(body)
    if body.category == "CONFLICT":
        return RecordError("CONFLICT", fields or ("email",), existing)
    return RecordError(_code(body, codes, status), fields, existing)


def reply_refusal(reply: Reply) -> RecordError:
    """The error of a rejected request."""
    return refusal(error_body(reply), reply.status)


def _code(body: ErrorBody, codes: list[str], status: int) -> str:
    known = next((code for code in codes if _CODE.fullmatch(code)), "")
    sign = next((code for sign, code in _SIGNS if sign in body.message.lower()), "")
    category = body.category if _CODE.fullmatch(body.category) else ""
    return known or sign or category or f"HTTP_{status}"


def _property_problems(message: str) -> Iterator[Mapping[str, Any]]:
    """The JSON list after the colon of "Property values were not valid: [...]"."""
    start = message.find("[{")
    try:
        problems = json.loads(message[start:]) if start >= 0 else []
    except ValueError:
        return
    yield from (problem for problem in problems if isinstance(problem, dict))


def _existing(body: ErrorBody) -> str:
    """The id of the record that already has the value; empty if the error does not name it."""
    ids = _listed(body.context.get("existingId"))
    if ids and ids[0].isdigit():
        return ids[0]
    match = _EXISTING.search(body.message)
    return match[1] if match else ""


def _listed(value: list[str] | str | None) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())


def outcome(error: RecordError, request_id: str = "") -> Outcome:
    """The outcome of a row with this error."""
    problem = PROBLEMS.get(error.code, OTHER)
    why = Refusal.of(error.code, problem.cause, problem.action, error.fields, a_field="a property")
    if error.existing:
        why = replace(why, cause=f"{why.cause} (HubSpot record {error.existing})")
    return Outcome(problem.verdict, refusal=why, request_id=request_id, of_fields=problem.of_fields)


def traces(body: ErrorBody) -> list[str]:
    """The trace ids that a batch error names."""
    return _listed(body.context.get("objectWriteTraceId"))


def named_ids(body: ErrorBody) -> list[str]:
    """The record ids that an error names, in lower case."""
    return [identity.lower() for identity in _listed(body.context.get("ids"))]
