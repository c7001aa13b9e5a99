"""Check conditions: fields that exist, values they can have, and comparisons that make sense for their type."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from connector.carecycle import catalogue
from connector.carecycle.catalogue import Kind
from connector.mapping import checks_slips, meant
from connector.mapping.conditions import COMPARED_AS, reads
from connector.mapping.diagnostics import Severity
from connector.mapping.schema_conditions import Comparison, Condition, OtherField, Within
from connector.mapping.scope import Scope, event_field, listed
from connector.mapping.steps.step import NUMBER, TIMES, Format

_ORDERED: Final = frozenset({Kind.INTEGER, NUMBER, Kind.DATE, Kind.DATETIME})
_TEXTUAL: Final = frozenset({Kind.TEXT, Kind.UUID, Kind.ENUM})
_SINGLE: Final = _ORDERED | _TEXTUAL | {Kind.BOOLEAN}
TAKES: Final[Mapping[str, frozenset[str]]] = {
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
    "exists": frozenset(Kind) | {NUMBER},
    "within": TIMES,
}
_INSTEAD: Final[Mapping[str, str]] = {Kind.LIST: "use  contains:", Kind.OBJECT: "use  exists:"}
_MEANT: Final[Mapping[str, Callable[[str], str]]] = {
    Kind.BOOLEAN: meant.boolean,
    Kind.INTEGER: lambda text: meant.number(text) or meant.milliseconds(text),  # the only length of time is a call's
    NUMBER: meant.number,
}
_OF_EMPTY_TEXT: Final[Mapping[bool, tuple[str, str]]] = {
    True: ("a comparison with empty text never holds", "write  { exists: false }"),
    False: ("every text there is fits this", "write  { exists: true }"),
}
"""Whether the text is to be equal -> what to report."""
_LETTERS: Final = frozenset({"lower", "upper"})
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


@dataclass(frozen=True, slots=True)
class _Compared:
    """What is compared: an event field's value, after its formats. options: every value it can have, if known.

    step: the last format.
    """

    path: str
    kind: str
    options: tuple[str, ...]
    is_raw: bool = True
    step: Format | None = None


def _check_comparison(scope: Scope, known: catalogue.Field, comparison: Comparison) -> None:
    field = _after_formats(scope, _Compared(known.path, known.kind, known.options), comparison.format or ())
    if field is None:
        return
    tests = list(comparison.tests())
    _check_some(scope, comparison, tests)
    for operator, other in tests:
        here = scope.at(operator)
        if field.kind not in TAKES[operator]:
            hint = _INSTEAD.get(field.kind, "")
            here.add("M133", f"{field.path} is {_a(field.kind)}, which '{operator}' cannot compare", hint)
        elif operator == "within" and other is not None:
            _check_within(here, field, other)
        elif operator != "exists" or other is None:
            _check_operand(here, field, operator, other)


def _check_some(scope: Scope, comparison: Comparison, tests: Sequence[object]) -> None:
    """Report a field that is compared with nothing."""
    if not tests and not scope.node.items.keys() - {"format"}:
        report = scope.at("format").add_at_key if comparison.format else scope.add
        report("M133", "nothing is compared with this", "add a comparison, such as  at_least: 65")


def _check_within(scope: Scope, field: _Compared, within: Within) -> None:
    """Report a date of birth that is to come: the birthday meant is one of those after it."""
    if field.path == "customer.dateOfBirth" and field.is_raw and within.next is not None:
        hint = "for the day somebody turns 65 write  format: [plus: 65 years]  before  within:"
        scope.add_at_key("M133", "nobody is born in the days to come", hint)


def _check_operand(scope: Scope, field: _Compared, operator: str, other: Any) -> None:
    if isinstance(other, OtherField):
        _check_other(scope.at("field"), other.field)
        return
    for number, value in enumerate(other if isinstance(other, list) else [other]):
        _check_value(scope.at(number), field, operator, value)


def _check_other(scope: Scope, path: str) -> None:
    """Report a field that is no text: neither a text nor a list contains it."""
    other = event_field(scope, path)
    if other is not None and other.kind not in _TEXTUAL:
        scope.add("M133", f"{path} is {_a(other.kind)}, which nothing contains", "name a field that is text")


def _after_formats(scope: Scope, field: _Compared, steps: Iterable[Format]) -> _Compared | None:
    """What is left to compare after formats; None if one does not take what comes before it."""
    for number, step in enumerate(steps):
        if field.kind not in step.takes:
            message = f"the format '{step.name}' takes {listed(step.takes)}, not {field.kind}"
            scope.at("format", number).add("M122", message)
            return None
        options = () if step.zoned else tuple(filter(None, map(step.apply, field.options)))
        field = _Compared(field.path, step.gives or field.kind, options, is_raw=False, step=step)
    return field


def _check_value(scope: Scope, field: _Compared, operator: str, value: Any) -> None:
    if value is None:
        scope.add("M133", "a comparison with null never holds", "to match a missing value write  { exists: false }")
    elif value == "":
        scope.add("M133", *_OF_EMPTY_TEXT[operator in ("is", "in")])
    elif not _fits(field.kind, value):
        scope.add("M133", f"{field.path} is {_a(field.kind)}, never {_shown(value)}", _written(field.kind, value))
    elif field.options and operator in _WHOLE and value not in field.options:
        hint = _several(value, field.options) or scope.suggest(value, field.options)
        hint = hint or f"it is one of: {listed(field.options)}"
        scope.add("M133", f"{field.path} is never '{value}'", hint)
    elif isinstance(value, str) and not _check_letters(scope, field.step, value):
        checks_slips.check_compared(scope, _as_it_is(field, operator), value, operator)


def _check_letters(scope: Scope, step: Format | None, value: str) -> bool:
    """Report a value in letters that the last format leaves none of; return whether it is one."""
    right = step.apply(value) if step is not None and step.name in _LETTERS else value
    if right != value:
        scope.add("M133", f"after the format '{step.name if step else ''}' there is no '{value}'", f"write  {right}")
    return right != value


def _several(value: Any, options: Sequence[str]) -> str:
    """How several values are written that somebody wrote as one text; empty if they are not that."""
    words = [meant.word(word, options) for word in re.split(r"\s+or\s+|\s*[,/;|]\s*", str(value)[:80])]
    return f"write  [{', '.join(words)}]" if len(words) > 1 and all(words) else ""


def _as_it_is(field: _Compared, operator: str) -> str:
    """The path of a field whose whole value is compared as the event has it; empty otherwise."""
    is_whole = operator in _WHOLE or field.kind == Kind.LIST  # of a list an entry is compared, and as a whole
    return field.path if field.is_raw and is_whole else ""


def _fits(kind: str, value: Any) -> bool:
    match kind:
        case Kind.BOOLEAN:
            return isinstance(value, bool)
        case Kind.INTEGER | "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case Kind.DATE | Kind.DATETIME:
            return isinstance(value, str) and _readable(kind, value)
        case _:
            return isinstance(value, str)


def _written(kind: str, value: Any) -> str:
    """How a value is written that was given in another way; empty if that is not clear."""
    match kind, value:
        case _, str() as text:
            right = _MEANT.get(kind, meant.day)(text)
            return f"write  {right}" if right else ""
        case _, bool():
            return ""
        case _ if kind in _TEXTUAL:
            return f'quote it: "{value}"'
    return ""


def _readable(kind: str, value: str) -> bool:
    try:
        COMPARED_AS[kind](value)
    except ValueError:
        return False
    return True


def _a(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _shown(value: Any) -> str:
    return f"'{value}'" if isinstance(value, str) else str(value).lower()
