"""Check and compile conditions. A comparison with null is false; only `exists: false` matches null."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any, Final

from connector.carecycle import catalogue
from connector.carecycle.catalogue import ABSENT, Kind
from connector.mapping.diagnostics import Severity
from connector.mapping.schema_conditions import Comparison, Condition
from connector.mapping.scope import Scope, event_field, listed

Holds = Callable[[Mapping[str, Any]], bool]
_Test = Callable[[Any], bool]

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

# Convert before comparing: times compare as moments, not as text.
_COMPARED_AS: Final[Mapping[Kind, Callable[[Any], Any]]] = {
    Kind.DATE: date.fromisoformat,
    Kind.DATETIME: catalogue.epoch_ms,
}


def _not_in(others: list[Any]) -> _Test:
    refused = frozenset(others)
    return lambda value: value not in refused


_OPERATORS: Final[Mapping[str, Callable[[Any], _Test]]] = {
    "is": lambda other: lambda value: bool(value == other),
    "not": lambda other: lambda value: bool(value != other),
    "in": lambda others: frozenset(others).__contains__,
    "not_in": _not_in,
    "more_than": lambda other: lambda value: bool(value > other),
    "at_least": lambda other: lambda value: bool(value >= other),
    "less_than": lambda other: lambda value: bool(value < other),
    "at_most": lambda other: lambda value: bool(value <= other),
    "contains": lambda other: lambda value: other in value,
    "starts_with": lambda other: lambda value: bool(value.startswith(other)),
    "ends_with": lambda other: lambda value: bool(value.endswith(other)),
}


def reads(condition: Condition | None) -> Iterator[str]:
    """List every event field a condition reads."""
    if condition is None:
        return
    yield from condition.paths
    for inner in (*(condition.any or ()), *(condition.all or ()), condition.not_):
        yield from reads(inner)


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
        _COMPARED_AS[kind](value)
    except ValueError:
        return False
    return True


def _a(kind: Kind) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _shown(value: Any) -> str:
    return f"'{value}'" if isinstance(value, str) else str(value).lower()


def compiled(condition: Condition, event: str) -> Holds:
    """Compile a condition for one event type. A field the event does not carry reads as absent."""
    parts: list[Holds] = []
    for path, comparison in condition.paths.items():
        read = catalogue.reader(path, event) if event in catalogue.carried_by(path) else _absent
        parts += [_holds(read, path, operator, other) for operator, other in comparison.tests()]
    if condition.any is not None:
        parts.append(_any_of([compiled(part, event) for part in condition.any]))
    if condition.all is not None:
        parts += [compiled(part, event) for part in condition.all]
    if condition.not_ is not None:
        parts.append(_none_of(compiled(condition.not_, event)))
    return parts[0] if len(parts) == 1 else _all_of(parts)


def _any_of(parts: list[Holds]) -> Holds:
    return lambda payload: any(holds(payload) for holds in parts)


def _all_of(parts: list[Holds]) -> Holds:
    return lambda payload: all(holds(payload) for holds in parts)


def _none_of(holds: Holds) -> Holds:
    return lambda payload: not holds(payload)


def _absent(_: Mapping[str, Any]) -> Any:
    return ABSENT


def _holds(read: catalogue.Reader, path: str, operator: str, other: Any) -> Holds:
    if operator == "exists":
        return lambda payload: _has_value(read(payload)) is other
    convert = _COMPARED_AS.get(catalogue.FIELDS[path].kind)
    if convert is None and operator == "is" and other != "":
        return lambda payload: bool(read(payload) == other)  # null equals nothing a condition may name
    if convert is None:
        test = _OPERATORS[operator](other)
        return lambda payload: _has_value(value := read(payload)) and test(value)
    converted = [convert(value) for value in other] if isinstance(other, list) else convert(other)
    test = _OPERATORS[operator](converted)
    return lambda payload: _has_value(value := read(payload)) and test(convert(value))


def _has_value(value: Any) -> bool:
    """Whether there is a value: empty text counts as null."""
    return value is not None and value is not ABSENT and value != ""
