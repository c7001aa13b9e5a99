"""Compile conditions. A comparison with null is false; only `exists: false` matches null."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any, Final

from connector.carecycle import catalogue
from connector.carecycle.catalogue import ABSENT, Kind
from connector.mapping.schema_conditions import Condition

Holds = Callable[[Mapping[str, Any]], bool]
_Test = Callable[[Any], bool]


# Convert before comparing: times compare as moments, not as text.
COMPARED_AS: Final[Mapping[Kind, Callable[[Any], Any]]] = {
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


def compiled(condition: Condition, event: str, *, loose: bool = False) -> Holds:
    """Compile a condition for one event type. A field the event does not carry reads as absent.

    loose: compare texts whatever their case, spaces and punctuation.
    """
    parts: list[Holds] = []
    for path, comparison in condition.paths.items():
        read = catalogue.reader(path, event) if event in catalogue.carried_by(path) else _absent
        parts += [_holds(read, path, operator, other, loose) for operator, other in comparison.tests()]
    if condition.any is not None:
        parts.append(_any_of([compiled(part, event, loose=loose) for part in condition.any]))
    if condition.all is not None:
        parts += [compiled(part, event, loose=loose) for part in condition.all]
    if condition.not_ is not None:
        parts.append(_none_of(compiled(condition.not_, event, loose=loose)))
    return parts[0] if len(parts) == 1 else _all_of(parts)


def _any_of(parts: list[Holds]) -> Holds:
    return lambda payload: any(holds(payload) for holds in parts)


def _all_of(parts: list[Holds]) -> Holds:
    return lambda payload: all(holds(payload) for holds in parts)


def _none_of(holds: Holds) -> Holds:
    return lambda payload: not holds(payload)


def _absent(_: Mapping[str, Any]) -> Any:
    return ABSENT


def _holds(read: catalogue.Reader, path: str, operator: str, other: Any, loose: bool) -> Holds:
    if operator == "exists":
        return lambda payload: _has_value(read(payload)) is other
    kind = catalogue.FIELDS[path].kind
    convert = _letters if loose and kind in (Kind.TEXT, Kind.ENUM) else COMPARED_AS.get(kind)
    if convert is None and operator == "is" and other != "":
        return lambda payload: bool(read(payload) == other)  # null equals nothing a condition may name
    if convert is None:
        test = _OPERATORS[operator](other)
        return lambda payload: _has_value(value := read(payload)) and test(value)
    converted = [convert(value) for value in other] if isinstance(other, list) else convert(other)
    test = _OPERATORS[operator](converted)
    return lambda payload: _has_value(value := read(payload)) and test(convert(value))


def _letters(text: object) -> str:
    """
    >>> _letters("DO_NOT-Call. "), _letters("?")
    ('donotcall', '?')
    """
    return "".join(letter for letter in str(text).casefold() if letter.isalnum()) or str(text)


def _has_value(value: Any) -> bool:
    """Whether there is a value: empty text counts as null."""
    return value is not None and value is not ABSENT and value != ""
