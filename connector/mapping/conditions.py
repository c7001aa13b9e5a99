"""Compile conditions. A comparison with null is false; only `exists: false` matches null."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, tzinfo
from typing import Any, Final

from connector.carecycle import catalogue
from connector.carecycle.catalogue import ABSENT, Kind
from connector.mapping.applying import formatted, happened
from connector.mapping.functions import Get, Holds, Payload
from connector.mapping.schema_conditions import Comparison, Condition, OtherField, Within
from connector.mapping.steps.calendar import day_at, day_of
from connector.mapping.steps.step import Format

_Test = Callable[[Any], bool]
_WORDS: Final = frozenset({Kind.TEXT, Kind.ENUM, Kind.LIST})


# Convert before comparing: times compare as moments, not as text.
COMPARED_AS: Final[Mapping[str, Callable[[Any], Any]]] = {
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
    for path, comparison in condition.paths.items():
        yield path
        if isinstance(comparison.contains, OtherField):
            yield comparison.contains.field
    for inner in (*(condition.any or ()), *(condition.all or ()), condition.not_):
        yield from reads(inner)


def is_timed(condition: Condition | None) -> bool:
    """Whether a condition holds or not as time passes."""
    if condition is None:
        return False
    inner = (*(condition.any or ()), *(condition.all or ()), condition.not_)
    return any(_is_timed(comparison) for comparison in condition.paths.values()) or any(map(is_timed, inner))


def _is_timed(comparison: Comparison) -> bool:
    return comparison.within is not None or any(step.timed for step in comparison.format or ())


def compiled(condition: Condition, event: str, *, loose: bool = False) -> Holds:
    """Compile a condition for one event type. A field the event does not carry reads as absent.

    loose: compare texts whatever their case, spaces and punctuation.
    """
    parts: list[Holds] = []
    for path, comparison in condition.paths.items():
        parts += _compared(path, comparison, event, loose=loose)
    if condition.any is not None:
        parts.append(_any_of([compiled(part, event, loose=loose) for part in condition.any]))
    if condition.all is not None:
        parts += [compiled(part, event, loose=loose) for part in condition.all]
    if condition.not_ is not None:
        parts.append(_none_of(compiled(condition.not_, event, loose=loose)))
    return parts[0] if len(parts) == 1 else _all_of(parts)


def _any_of(parts: list[Holds]) -> Holds:
    return lambda payload, zone: any(holds(payload, zone) for holds in parts)


def _all_of(parts: list[Holds]) -> Holds:
    return lambda payload, zone: all(holds(payload, zone) for holds in parts)


def _none_of(holds: Holds) -> Holds:
    return lambda payload, zone: not holds(payload, zone)


def _compared(path: str, comparison: Comparison, event: str, *, loose: bool) -> Iterator[Holds]:
    """Compile the comparisons of one field, each of its value after its formats."""
    get, kind = _reader(path, event), kind_after(catalogue.FIELDS[path].kind, comparison.format or ())
    for step in comparison.format or ():
        get = formatted(get, step, event)
    for operator, other in comparison.tests():
        if operator == "within":
            yield _within(get, other, event)
        elif operator == "exists":
            yield _exists(get, other)
        else:
            convert = _loosened if loose and kind in _WORDS else COMPARED_AS.get(kind)
            yield (
                _contains(get, _reader(other.field, event), convert)
                if isinstance(other, OtherField)
                else _holds(get, operator, other, convert)
            )


def _reader(path: str, event: str) -> Get:
    if event not in catalogue.carried_by(path):
        return lambda payload, zone: ABSENT
    match catalogue.steps(path, event):
        case (key,):  # most fields of a customer: a call less for each comparison
            return lambda payload, zone: payload.get(key, ABSENT)
        case _:
            read = catalogue.reader(path, event)
            return lambda payload, zone: read(payload)


def kind_after(kind: str, steps: Iterable[Format]) -> str:
    """The kind of a value after these steps."""
    for step in steps:
        kind = step.gives or kind
    return kind


def _exists(get: Get, wanted: bool) -> Holds:
    return lambda payload, zone: _has_value(get(payload, zone)) is wanted


def _holds(get: Get, operator: str, other: Any, convert: Callable[[Any], Any] | None) -> Holds:
    if convert is None and operator == "is" and other != "":
        return lambda payload, zone: other == get(payload, zone)  # null equals nothing a condition may name
    if convert is None:
        test = _OPERATORS[operator](other)
        return lambda payload, zone: _has_value(value := get(payload, zone)) and test(value)
    converted = [convert(value) for value in other] if isinstance(other, list) else convert(other)
    test = _OPERATORS[operator](converted)
    return lambda payload, zone: _has_value(value := get(payload, zone)) and test(convert(value))


def _contains(get: Get, other: Get, convert: Callable[[Any], Any] | None) -> Holds:
    """Whether a text or a list contains the value of another field; a blank one is in none."""

    def holds(payload: Payload, zone: tzinfo) -> bool:
        value, part = get(payload, zone), other(payload, zone)
        if not _has_value(value) or not _has_value(part) or part.isspace():
            return False
        return convert(part) in convert(value) if convert else part in value

    return holds


def _within(get: Get, within: Within, event: str) -> Holds:
    """Whether a day is at most so far from that of the event, which counts too."""
    when = happened(event)

    def holds(payload: Payload, zone: tzinfo) -> bool:
        value, moment = get(payload, zone), when(payload)
        day = day_of(value, zone) if _has_value(value) else None
        today = day_at(moment, zone) if moment else None
        return day is not None and today is not None and within.holds(day, today)

    return holds


def _loosened(value: Any) -> Any:
    return [_letters(element) for element in value] if isinstance(value, list) else _letters(value)


def _letters(text: object) -> str:
    """
    >>> _letters("DO_NOT-Call. "), _letters("?")
    ('donotcall', '?')
    """
    return "".join(letter for letter in str(text).casefold() if letter.isalnum()) or str(text)


def _has_value(value: Any) -> bool:
    """Whether there is a value: empty text counts as null."""
    return value is not None and value is not ABSENT and value != ""
