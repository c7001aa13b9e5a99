"""Check conditions: fields that exist, values they can have, and comparisons that make sense for their type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from connector.carecycle import catalogue
from connector.carecycle.catalogue import Kind
from connector.mapping.conditions import COMPARED_AS, reads
from connector.mapping.diagnostics import Severity
from connector.mapping.schema_conditions import Comparison, Condition
from connector.mapping.scope import Scope, event_field, listed

_ORDERED: Final = frozenset({Kind.INTEGER, Kind.DATE, Kind.DATETIME})
_TEXTUAL: Final = frozenset({Kind.TEXT, Kind.UUID, Kind.ENUM})
_SINGLE: Final = _ORDERED | _TEXTUAL | {Kind.BOOLEAN}
TAKES: Final[Mapping[str, frozenset[Kind]]] = {
    "is": _SINGLE,
    "not": _SINGLE,
    "in": _SINGLE,
    "not_in": _SINGLE,
    "more_than": _ORDERED,
    "at_least": _ORDERED,
    "less_than": _ORDERED,
    "at_most": _ORDERED,
    "contains": _TEXTUAL | {Kind.LIST},
    "starts_with": _TEXTUAL,
    "ends_with": _TEXTUAL,
    "exists": frozenset(Kind),
}
_WHOLE: Final = frozenset({"is", "not", "in", "not_in"})  # these compare whole values, so enum values can be checked


def check(scope: Scope, condition: Condition | None) -> None:
    """Report unknown fields, values a field never has and comparisons that make no sense for its type."""
    if condition is None:
        return
    for path, comparison in condition.paths.items():
        field = event_field(scope.at(path), path, is_key=True)
        if field is not None:
            _check_comparison(scope.at(path), field, comparison)
    for name, inner in (("any", condition.any), ("all", condition.all)):
        for number, part in enumerate(inner or ()):
            check(scope.at(name, number), part)
    check(scope.at("not"), condition.not_)


def check_events(scope: Scope, condition: Condition | None, severity: Severity | None = None) -> None:
    """Report fields that none of the file's events carry; one that only some events lack reads as absent."""
    events = scope.file.events or catalogue.EVENTS
    for path in dict.fromkeys(reads(condition)):
        carried = catalogue.carried_by(path) if path in catalogue.FIELDS else frozenset(events)
        if not carried & set(events):
            only = " and ".join(sorted(carried))
            message = f"'{path}' comes only with {only}, and this file never runs on it"
            scope.at(path).add_at_key("M102", message, severity=severity)


def _check_comparison(scope: Scope, field: catalogue.Field, comparison: Comparison) -> None:
    for operator, other in comparison.tests():
        here = scope.at(operator)
        if field.kind not in TAKES[operator]:
            hint = {Kind.LIST: "use  contains:", Kind.OBJECT: "use  exists:"}.get(field.kind, "")
            here.add("M133", f"{field.path} is {_a(field.kind)}, which '{operator}' cannot compare", hint)
        elif operator != "exists":
            for number, value in enumerate(other if isinstance(other, list) else [other]):
                _check_value(here.at(number), field, operator, value)


def _check_value(scope: Scope, field: catalogue.Field, operator: str, value: Any) -> None:
    if value is None:
        scope.add("M133", "a comparison with null never holds", "to match a missing value write  { exists: false }")
    elif not _fits(field.kind, value):
        quote = f'quote it: "{value}"' if field.kind in _TEXTUAL and not isinstance(value, bool) else ""
        scope.add("M133", f"{field.path} is {_a(field.kind)}, never {_shown(value)}", quote)
    elif field.kind is Kind.ENUM and operator in _WHOLE and value not in field.options:
        hint = scope.suggest(value, field.options) or f"it is one of: {listed(field.options)}"
        scope.add("M133", f"{field.path} is never '{value}'", hint)


def _fits(kind: Kind, value: Any) -> bool:
    match kind:
        case Kind.BOOLEAN:
            return isinstance(value, bool)
        case Kind.INTEGER:
            return isinstance(value, int | float) and not isinstance(value, bool)
        case Kind.DATE | Kind.DATETIME:
            return isinstance(value, str) and _readable(kind, value)
        case _:
            return isinstance(value, str)


def _readable(kind: Kind, value: str) -> bool:
    try:
        COMPARED_AS[kind](value)
    except ValueError:
        return False
    return True


def _a(kind: Kind) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _shown(value: Any) -> str:
    return f"'{value}'" if isinstance(value, str) else str(value).lower()
