"""Infer what a source can give before any event arrives (type, values, length), and report what cannot work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from connector.carecycle.catalogue import Kind
from connector.mapping import checks_conditions, checks_tables, templates
from connector.mapping.formats import FORMATS, Format
from connector.mapping.schema_sources import MappedField, Source
from connector.mapping.scope import Scope, event_field, listed

LOOKED_UP: Final = "id of a looked-up record"  # what a lookup gives
REFERENCE: Final = "reference"  # what a ref gives
_LENGTHS: Final[Mapping[str, int]] = {Kind.DATE: 10, Kind.INTEGER: 17, Kind.BOOLEAN: 5}


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of value a source can give. values: every possible value, if known. length: at most, if known."""

    kind: str
    values: tuple[str, ...] | None = None
    length: int | None = None
    fixed: bool = False
    format: str = ""


def of_path(scope: Scope, path: str) -> Iterator[Shape]:
    """Infer what an event field gives; report a field that does not exist."""
    field = event_field(scope, path)
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
            yield Shape(Kind.INTEGER if isinstance(value, int) else "number", (str(value),), fixed=True)
        case _:
            yield Shape(Kind.TEXT, (value,), len(value), fixed=True)


def of_source(scope: Scope, source: Source) -> list[Shape]:
    """Infer everything a source can give; anything wrong with it is reported and left out."""
    (kind,) = source.sources()
    shapes = list(_BY_KIND[kind](scope.at(kind), source))
    if source.table is not None:
        shapes = list(_of_table(scope.at("table"), source.table, shapes))
    if source.format is not None:
        here, chosen = scope.at("format"), FORMATS[source.format]
        shapes = [formatted for shape in shapes for formatted in _formatted(here, chosen, shape)]
    if isinstance(source, MappedField):
        shapes += of_value(source.default)
    return shapes


def _of_from(scope: Scope, source: Source) -> Iterator[Shape]:
    for number, path in enumerate(source.from_ or ()):
        yield from of_path(scope.at(number), path)


def _of_constant(_: Scope, source: Source) -> Iterator[Shape]:
    yield from of_value(source.value)


def _of_lookup(scope: Scope, source: Source) -> Iterator[Shape]:
    for target, path in source.lookup.match.items() if source.lookup else ():
        if list(of_path(scope.at("match", target), path)):
            yield Shape(LOOKED_UP)


def _of_ref(_: Scope, __: Source) -> Iterator[Shape]:
    yield Shape(REFERENCE)


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
        scope.add("M120", f"in this template: {problem}", "write \\{ or \\[ for the character itself")
        return
    slots = list(templates.slots(parts))
    shapes = [shape for slot in slots for shape in _of_slot(scope, slot)]
    if len(shapes) == len(slots):
        yield Shape(Kind.TEXT, length=_total(shapes, _literal(parts)))


def _of_slot(scope: Scope, slot: templates.Slot) -> Iterator[Shape]:
    shapes = list(_texts(scope, slot.path))
    if not slot.format:
        yield from shapes
    elif slot.format not in FORMATS:
        scope.add("M121", f"unknown format '{slot.format[:40]}'", scope.suggest(slot.format, FORMATS))
    else:
        for shape in shapes:
            yield from _formatted(scope, FORMATS[slot.format], shape)


def _literal(parts: Iterable[templates.Part]) -> int:
    """Count the characters that do not come from a field."""
    return sum(
        len(part) if isinstance(part, str) else _literal(part.parts) if isinstance(part, templates.Optional) else 0
        for part in parts
    )


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
    values = shape.values
    if values is not None:  # those of a number are its text, which no format of numbers takes
        is_known = not format.zoned and shape.kind not in (Kind.INTEGER, "number")
        values = tuple(str(format.apply(value)) for value in values) if is_known else None
    never_longer = format.gives is Kind.TEXT and format.name not in ("national", "e164", "list")
    length = format.length or (shape.length if never_longer else None)
    yield replace(shape, kind=format.gives, values=values, length=length, format=format.name)


def _of_table(scope: Scope, table: checks_tables.Table, shapes: list[Shape]) -> Iterator[Shape]:
    entries = checks_tables.entries_of(scope, table)
    if entries is None:
        return
    for shape in shapes:
        possible = ("true", "false") if shape.kind == Kind.BOOLEAN else shape.values
        checks_tables.check_coverage(scope, entries, possible)
        if len(shapes) == 1 and possible is not None:
            checks_tables.check_entries(scope, table, entries, possible)
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
}
