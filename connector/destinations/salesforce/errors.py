"""What Salesforce's errors mean, in our words."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from connector.destinations.base import Outcome, Verdict
from connector.destinations.salesforce.api_error import ApiError, holder, named
from connector.destinations.salesforce.rule import REJECTING, Kind, Rule
from connector.destinations.salesforce.rules import RULES, UNKNOWN, UNKNOWN_FAULT, UNKNOWN_REPLY
from connector.errors import DestinationUnusable, PauseReason
from connector.settlement import Refusal

_BY_CODE: Final[dict[str, list[Rule]]] = {}
for _rule in RULES:
    for _code in _rule.codes.split():
        _BY_CODE.setdefault(_code, []).append(_rule)


def rule_for(error: ApiError, key_field: str = "") -> Rule:
    """The first rule that matches; an unknown code is a rejection, an unknown server error an outage."""
    if error.is_unnamed:
        return UNKNOWN
    for rule in _BY_CODE.get(error.code, ()):
        if _applies(rule, error, key_field):
            return rule
    if error.status >= 500:
        return UNKNOWN_FAULT
    return UNKNOWN_REPLY if error.status >= 400 and error.code == f"HTTP_{error.status}" else UNKNOWN


def _applies(rule: Rule, error: ApiError, key_field: str) -> bool:
    if rule.listed and all(name.lower() == "id" for name in error.fields):
        return False
    text = " ".join((error.message, *error.fields))
    return bool(re.search(rule.says.replace("{key}", re.escape(key_field) or "(?!)"), text, re.I))


def described(error: ApiError, rule: Rule, ours: Collection[str] = ()) -> str:
    """The cause and the action in one text, in our words."""
    why = refusal(error, rule, ours)
    return f"{why.cause}: {why.action}"


def refusal(error: ApiError, rule: Rule, ours: Collection[str] = ()) -> Refusal:
    """The rule's cause and action for this error."""
    fields = named(error, ours) or tuple(name for name in ours if name == rule.field)
    return Refusal.of(rule.code or error.code, rule.cause, rule.action, fields, a_field="a field")


def outcome(error: ApiError, rule: Rule, ours: Collection[str], request_id: str) -> Outcome:
    """The outcome of a record with this error."""
    verdict = Verdict.REJECTED if rule.kind in REJECTING else Verdict.DEFERRED
    why = refusal(error, rule, ours)
    return Outcome(
        verdict,
        refusal=why,
        retry_after=rule.retry_after if verdict is Verdict.DEFERRED else None,
        patient=rule.patient and verdict is Verdict.DEFERRED,
        request_id=request_id,
        of_fields=rule.kind in (Kind.FIELDS, Kind.ONCE_MORE) or (rule is UNKNOWN and bool(why.fields)),
        holder=holder(error) if error.code == "DUPLICATE_VALUE" and verdict is Verdict.REJECTED else None,
    )


def unusable(rule: Rule) -> DestinationUnusable:
    """The error that pauses the lane."""
    return DestinationUnusable(
        "Salesforce", rule.reason or PauseReason.OUTAGE, f"{rule.cause}: {rule.action}", retry_after=rule.retry_after
    )


def hopeless(code: str) -> bool:
    """Whether this code means that no record of the object can be written."""
    return any(rule.every for rule in _BY_CODE.get(code, ()))
