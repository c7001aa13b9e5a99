"""What Salesforce's refusal of a query means: for one value, or for the field that is searched by."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace
from typing import Final

from connector.destinations.base import Outcome, Verdict
from connector.destinations.salesforce import errors
from connector.destinations.salesforce.api_error import ApiError, named
from connector.destinations.salesforce.rule import REJECTING, Kind, Rule
from connector.settlement import Refusal

UNQUERYABLE: Final = "UNQUERYABLE"
"""The code of a record that cannot be written because Salesforce cannot be searched for one of its values."""

_OTHERWISE: Final = "look up or match by another field in the mapping, then replay"
_CORRECT: Final = "correct the value in careCycle, which sends a new event, or the mapping, then replay"
_CANNOT: Final = "{fields} cannot be searched in Salesforce: it is encrypted or a long text"

RULES: Final = (
    Rule("INVALID_FIELD", Kind.REJECTED, _CANNOT, _OTHERWISE, "can not be filtered", every=True),
    Rule(
        "INVALID_FIELD INVALID_TYPE NOT_FOUND",
        Kind.REJECTED,
        "the search for {fields} names a field or an object that is missing or hidden from the connector's user",
        "make it visible in the connector's permission set, or remove it from the mapping, then replay",
        every=True,
    ),
    Rule(
        "URI_TOO_LONG HTTP_414 HTTP_431",
        Kind.REJECTED,
        "the value is too long to search {fields} for",
        _CORRECT,
    ),
    Rule(
        "INVALID_QUERY_LOCATOR",
        Kind.SMALLER,
        "Salesforce lost its place in a long answer",
        "replay: the search is repeated",
    ),
)
_OF_VALUE: Final = Rule("", Kind.REJECTED, "Salesforce cannot search {fields} for this value", _CORRECT)


def rule_for(error: ApiError) -> Rule:
    """The first rule that matches; a rejection without one concerns a single value."""
    for rule in RULES:
        if error.code in rule.codes.split() and re.search(rule.says, error.message, re.I):
            return rule
    rule = errors.rule_for(error)
    return _OF_VALUE if rule.kind in REJECTING else replace(rule, every=False)


def outcome(error: ApiError, rule: Rule, names: Collection[str], searched: str) -> Outcome:
    """The outcome of a record that needs the answer. names: the query's fields; searched: the one it searches by."""
    if rule.kind not in REJECTING:
        return errors.outcome(error, rule, names, "")
    return _refused(rule, named(error, names) or (searched,), f" ({error.code})")


def unsearchable(field: str) -> Outcome:
    """The outcome of a record that needs a search by a field whose description says that it cannot be searched."""
    return _refused(RULES[0], (field,))


def missing(object: str, field: str) -> Outcome:
    """The outcome of a record that needs a search by a field that its object does not have."""
    cause = f"'{object}.{field}' is missing or hidden from the connector's user"
    action = "make it visible in the connector's permission set, or correct the mapping, then replay"
    return Outcome(Verdict.REJECTED, refusal=Refusal(UNQUERYABLE, cause, action, (field,)))


def _refused(rule: Rule, fields: tuple[str, ...], suffix: str = "") -> Outcome:
    refusal = Refusal.of(UNQUERYABLE, rule.cause + suffix, rule.action, fields)
    return Outcome(Verdict.REJECTED, refusal=refusal)
