"""Read Salesforce's errors. Its own texts repeat values, so they are read here and not passed on."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Final

from connector.destinations.base import Outcome, Verdict
from connector.destinations.salesforce.rules import RULES, UNKNOWN, UNKNOWN_FAULT, Kind, Rule
from connector.errors import DestinationUnusable, PauseReason
from connector.settlement import Refusal


@dataclass(frozen=True, slots=True)
class ApiError:
    """One error as Salesforce sent it, for a whole request or for one record."""

    status: int
    code: str
    message: str = field(default="", repr=False)
    fields: tuple[str, ...] = ()


_BY_CODE: Final[dict[str, list[Rule]]] = {}
for _rule in RULES:
    for _code in _rule.codes.split():
        _BY_CODE.setdefault(_code, []).append(_rule)

_CODE: Final = re.compile(r"[A-Z][A-Z0-9_]{2,79}|[a-z_]{3,79}")
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}")


def rule_for(error: ApiError, key_field: str = "") -> Rule:
    """The first rule that matches; an unknown code is a rejection, and an unknown server error an outage."""
    for rule in _BY_CODE.get(error.code, ()):
        if not rule.says or re.search(rule.says.replace("{key}", re.escape(key_field) or "(?!)"), error.message, re.I):
            return rule
    return UNKNOWN_FAULT if error.status >= 500 else UNKNOWN


def named(error: ApiError, ours: Collection[str]) -> tuple[str, ...]:
    """The fields an error names: those it lists, and those of `ours` that its text mentions."""
    listed = [name for name in error.fields if _NAME.fullmatch(name)]
    column = re.search(r"^No such column '(\w+)'", error.message)
    fields = re.search(r"^Unable to create/update fields: ([\w, ]+)", error.message)
    words = [column[1]] if column else re.split(r"[, ]+", fields[1]) if fields else []
    return tuple(dict.fromkeys([*listed, *(word for word in words if word in ours)]))


def described(error: ApiError, rule: Rule, ours: Collection[str] = ()) -> str:
    """The cause and the action in one text, in our words."""
    why = refusal(error, rule, ours)
    return f"{why.cause}: {why.action}"


def refusal(error: ApiError, rule: Rule, ours: Collection[str] = ()) -> Refusal:
    """The rule's cause and action for this error."""
    return Refusal.of(error.code, rule.cause, rule.action, named(error, ours), a_field="a field")


def outcome(error: ApiError, rule: Rule, ours: Collection[str], request_id: str) -> Outcome:
    """The outcome of a record with this error."""
    verdict = Verdict.REJECTED if rule.kind is Kind.REJECTED else Verdict.DEFERRED
    return Outcome(
        verdict,
        refusal=refusal(error, rule, ours),
        retry_after=rule.retry_after if verdict is Verdict.DEFERRED else None,
        request_id=request_id,
    )


def unusable(rule: Rule) -> DestinationUnusable:
    """The error that pauses the lane."""
    return DestinationUnusable(
        "Salesforce", rule.reason or PauseReason.OUTAGE, f"{rule.cause}: {rule.action}", retry_after=rule.retry_after
    )


def read(status: int, content: Any) -> ApiError:
    """The error in a reply's body: a list of errors, one error, or text that is not from Salesforce.

    A code that does not look like one is replaced with the HTTP status.
    """
    first = content[0] if isinstance(content, list) and content else content
    if not isinstance(first, dict):
        return ApiError(status, f"HTTP_{status}")
    code = str(first.get("errorCode") or first.get("statusCode") or first.get("error") or "")
    fields = first.get("fields")
    listed = tuple(str(name) for name in fields) if isinstance(fields, list) else ()
    return ApiError(
        status, code if _CODE.fullmatch(code) else f"HTTP_{status}", str(first.get("message") or ""), listed
    )


def hopeless(code: str) -> bool:
    """Whether this code means that no record of the object can be written."""
    return any(rule.every for rule in _BY_CODE.get(code, ()))
