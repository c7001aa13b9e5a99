"""Infer what a source can give before any event arrives (type, values, length), and report what cannot work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from connector.carecycle.catalogue import Kind
from connector.mapping import checks_bands, checks_conditions, checks_tables, formulas, template_slips, templates
from connector.mapping.formats import FORMATS, UnknownFormatError, in_template
from connector.mapping.schema_sources import MappedField, Source
from connector.mapping.scope import Scope, event_field, listed
from connector.mapping.steps.step import NUMBER, NUMBERS, Format, WrongArgumentError
from connector.mapping.steps.texts import text

LOOKED_UP: Final = "id of a looked-up record"  # what a lookup gives
REFERENCE: Final = "reference"  # what a ref gives
_LENGTHS: Final[Mapping[str, int]] = {Kind.DATE: 10, Kind.INTEGER: 17, Kind.BOOLEAN: 5}


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of value a source can give. values: every possible value, if known. length: at most, if known.

    least: characters of fixed text, where the length is not known.
    """

    kind: str
    values: tuple[str, ...] | None = None
    length: int | None = None
    fixed: bool = False
    format: str = ""
    least: int = 0

    @property
    def several(self) -> bool:
        """Whether it is a list, or one that became a text: each of its elements has one of the values."""
        return self.kind == Kind.LIST or self.format == "list"


def of_path(scope: Scope, path: str, fixed: str = "") -> Iterator[Shape]:
    """Infer what an event field gives; report a field that does not exist. fixed: how fixed text is written here."""
    field = event_field(scope, path, fixed=fixed)
    if field is not None:
        yield Shape(field.kind, field.options or None, field.length or _LENGTHS.get(field.kind))


def of_value(value: Any) -> Iterator[Shape]:
    """Infer the shape of a fixed value; null has none."""
    match value:
        case None:
            return
        case bool():
            yield Shape(Kind.BOOLEAN, fixed=True)
        case int() | float():
            yield Shape(Kind.INTEGER if isinstance(value, int) else NUMBER, (str(value),), fixed=True)
        case _:
            yield Shape(Kind.TEXT, (value,), len(value), fixed=True)


def of_source(scope: Scope, source: Source) -> list[Shape]:
    """Infer everything a source can give; anything wrong with it is reported and left out."""
    (kind,) = source.sources()
    shapes = list(_BY_KIND[kind](scope.at(kind), source))
    if source.table is not None:
        shapes = list(_of_table(scope.at("table"), source, shapes))
    for number, step in enumerate(source.format or ()):
        here = scope.at("format", number)
        shapes = [formatted for shape in shapes for formatted in _formatted(here, step, shape)]
    if source.bands is not None:
        checks_bands.check(scope.at("bands"), source.bands, {shape.kind for shape in shapes})
        shapes = list(_of_entries(source.bands))
    if isinstance(source, MappedField):
        shapes += of_value(source.default)
    return shapes


def _of_from(scope: Scope, source: Source) -> Iterator[Shape]:
    for number, path in enumerate(source.from_ or ()):
        yield from of_path(scope.at(number), path)


def _of_calls(scope: Scope, source: Source) -> Iterator[Shape]:
    for path in source.read:
        yield from of_path(scope, path)


def _of_constant(_: Scope, source: Source) -> Iterator[Shape]:
    yield from of_value(source.value)


def _of_lookup(scope: Scope, source: Source) -> Iterator[Shape]:
    if source.lookup is None:
        return
    for place, step in source.lookup.steps():
        here = scope.at(*place, "match")
        matched = [
            list(of_path(here.at(name), path, f"where: {{ {name}: {path} }}")) for name, path in step.match.items()
        ]
        if all(matched):
            yield Shape(LOOKED_UP)
    yield from of_value(source.lookup.last)


def _of_ref(_: Scope, __: Source) -> Iterator[Shape]:
    yield Shape(REFERENCE)


def _of_count(_: Scope, __: Source) -> Iterator[Shape]:
    yield Shape(Kind.INTEGER, length=_LENGTHS[Kind.INTEGER])


def _of_cases(scope: Scope, source: Source) -> Iterator[Shape]:
    for number, case in enumerate(source.cases or ()):
        checks_conditions.check(scope.at(number, "when"), case.when)
        if case.then:
            yield from of_source(scope.at(number, "then"), case.then)
        if case.else_:
            yield from of_source(scope.at(number, "else"), case.else_)


def _of_join(scope: Scope, source: Source) -> Iterator[Shape]:
    paths = source.join or []
    shapes = [shape for number, path in enumerate(paths) for shape in _texts(scope.at(number), path)]
    if len(shapes) == len(paths):
        yield Shape(Kind.TEXT, length=_total(shapes, len(source.with_) * (len(paths) - 1)))


def _texts(scope: Scope, path: str) -> Iterator[Shape]:
    for shape in of_path(scope, path):
        if shape.kind == Kind.OBJECT:
            scope.add("M202", f"'{path}' is a group of fields, not a value", "name one of its fields")
        else:
            yield shape


def _of_template(scope: Scope, source: Source) -> Iterator[Shape]:
    try:
        parts = templates.parse(source.template or "")
    except templates.UnbalancedError as problem:
        right = template_slips.meant(source.template or "")
        hint = f"write  {formulas.quoted(right)}" if right else "write \\{ or \\[ for the character itself"
        scope.add("M120", f"in this template: {problem}", hint)
        return
    slots = list(templates.slots(parts))
    shapes = [shape for slot in slots for shape in _of_slot(scope, slot)]
    if len(shapes) == len(slots):
        yield Shape(Kind.TEXT, length=_total(shapes, _literal(parts)), least=_least(parts))


def _of_slot(scope: Scope, slot: templates.Slot) -> Iterator[Shape]:
    shapes = list(_texts(scope, slot.path))
    for written in slot.formats:
        try:
            step = in_template(written)
        except UnknownFormatError as unknown:
            scope.add("M121", str(unknown), unknown.hint or scope.suggest(unknown.name, FORMATS))
            return
        except WrongArgumentError as wrong:
            scope.add("M123", f"in this template: {wrong}", wrong.hint.removeprefix("for example  "))
            return
        shapes = [formatted for shape in shapes for formatted in _formatted(scope, step, shape)]
    yield from shapes


def _literal(parts: Iterable[templates.Part]) -> int:
    """Count the characters that do not come from a field."""
    return sum(
        len(part) if isinstance(part, str) else _literal(part.parts) if isinstance(part, templates.Optional) else 0
        for part in parts
    )


def _least(parts: Iterable[templates.Part]) -> int:
    """Count the characters of fixed text that can come together: of what may be left out, the longest."""
    whole = list(parts)
    optional = (_literal(part.parts) for part in whole if isinstance(part, templates.Optional))
    return sum(len(part) for part in whole if isinstance(part, str)) + max(optional, default=0)


def _total(shapes: Iterable[Shape], literal: int) -> int | None:
    total = literal
    for shape in shapes:
        if shape.length is None:
            return None
        total += shape.length
    return total


def _formatted(scope: Scope, format: Format, shape: Shape) -> Iterator[Shape]:
    if shape.kind not in format.takes:
        scope.add("M122", f"the format '{format.name}' takes {listed(format.takes)}, not {shape.kind}")
        return
    values = _values_after(format, shape)
    if values == ():
        scope.add("M122", f"the format '{format.name}' makes nothing of what comes here")
        return
    kind, length = format.gives or shape.kind, format.longest(shape.length)
    if shape.kind == Kind.LIST and shape.values is not None:
        length = len(format.apply(list(shape.values)))
    yield replace(shape, kind=kind, values=values, length=length, format=format.name, least=0)


def _values_after(format: Format, shape: Shape) -> tuple[str, ...] | None:
    """Every value after a format, if known. Those of a number are its text, which no format of numbers takes."""
    if shape.several:
        return shape.values if format.name == "list" else None
    if shape.values is None or format.zoned or shape.kind in NUMBERS:
        return None
    results = map(format.apply, shape.values)
    return tuple(str(result) for result in results if result is not None)


def _of_table(scope: Scope, source: Source, shapes: list[Shape]) -> Iterator[Shape]:
    table = source.table or {}
    entries = checks_tables.entries_of(scope, table)
    if entries is None:
        return
    kinds = frozenset(shape.kind for shape in shapes)
    if checks_bands.check_table(scope, source, entries, kinds):
        return
    for shape in shapes:
        _check_entries(scope, table, entries, shape, only=len(shapes) == 1)
    if kinds != {Kind.LIST}:
        yield from _of_entries(entries)
    if Kind.LIST in kinds:
        yield from _of_elements(entries)


def _check_entries(
    scope: Scope, table: checks_tables.Table, entries: Mapping[str, Any], shape: Shape, *, only: bool
) -> None:
    possible = ("true", "false") if shape.kind == Kind.BOOLEAN else shape.values
    checks_tables.check_coverage(scope, entries, possible)
    if only and possible is not None:
        checks_tables.check_entries(scope, table, entries, possible)


def _of_elements(entries: Mapping[str, Any]) -> Iterator[Shape]:
    """Infer what becomes of a list: each element has one of the entries."""
    elements = dict.fromkeys(text(value) for value in entries.values() if value is not None)
    if elements:
        yield Shape(Kind.LIST, tuple(elements))


def _of_entries(entries: Mapping[str, Any]) -> Iterator[Shape]:
    distinct = {(type(value), value): value for value in entries.values()}  # True equals 1
    for value in distinct.values():
        yield from of_value(value)


_BY_KIND: Final[Mapping[str, Callable[[Scope, Source], Iterator[Shape]]]] = {
    "from": _of_from,
    "value": _of_constant,
    "template": _of_template,
    "join": _of_join,
    "lookup": _of_lookup,
    "ref": _of_ref,
    "cases": _of_cases,
    "count": _of_count,
    "first": _of_calls,
    "last": _of_calls,
}
