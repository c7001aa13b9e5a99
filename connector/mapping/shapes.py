"""What a source can give, inferred before any event: its type, its possible values, its length. Checks on the way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from connector.carecycle import catalogue
from connector.carecycle.catalogue import Kind
from connector.mapping import conditions, templates
from connector.mapping.formats import FORMATS, Format
from connector.mapping.schema import Case, MappedField, Source
from connector.mapping.scope import Scope, event_field, listed

FOUND: Final = "id of a record found"  # what a lookup gives
REFERENCE: Final = "reference"  # what a ref gives
_LENGTHS: Final[Mapping[str, int]] = {Kind.DATE: 10, Kind.INTEGER: 17, Kind.BOOLEAN: 5}
_TEXTUAL: Final = frozenset({Kind.TEXT, Kind.UUID, Kind.ENUM})


@dataclass(frozen=True, slots=True)
class Shape:
    """One thing a source can give. values: all it can be, where known. length: the most characters, where known."""

    kind: str
    values: tuple[str, ...] | None = None
    length: int | None = None
    fixed: bool = False
    format: str = ""


def of_path(scope: Scope, path: str) -> Iterator[Shape]:
    """What an event field gives, or nothing when there is no such field."""
    field = event_field(scope, path)
    if field is not None:
        yield Shape(field.kind, field.options or None, field.length or _LENGTHS.get(field.kind))


def of_value(value: Any) -> Iterator[Shape]:
    """What a fixed value is; null is nothing."""
    match value:
        case None:
            return
        case bool():
            yield Shape(Kind.BOOLEAN, fixed=True)
        case int() | float():
            yield Shape(Kind.INTEGER if isinstance(value, int) else "number", fixed=True)
        case _:
            yield Shape(Kind.TEXT, (value,), len(value), fixed=True)


def of_source(scope: Scope, source: Source) -> list[Shape]:
    """Everything a source can give; what is wrong with it is reported and gives nothing."""
    shapes = list(_of_bare_source(scope, source))
    if source.table is not None:
        shapes = list(_of_table(scope.at("table"), source.table, shapes))
    if source.format is not None:
        shapes = [made for shape in shapes for made in _formatted(scope.at("format"), FORMATS[source.format], shape)]
    if isinstance(source, MappedField):
        shapes += of_value(source.default)
    return shapes


def _of_bare_source(scope: Scope, source: Source) -> Iterator[Shape]:
    match source.sources():
        case ["from"]:
            for number, path in enumerate(source.from_ or ()):
                yield from of_path(scope.at("from", number), path)
        case ["value"]:
            yield from of_value(source.value)
        case ["template"]:
            yield from _of_template(scope.at("template"), source.template or "")
        case ["join"]:
            yield from _of_join(scope.at("join"), source)
        case ["lookup"] if source.lookup:
            for target, path in source.lookup.match.items():
                if list(of_path(scope.at("lookup", "match", target), path)):
                    yield Shape(FOUND)
        case ["ref"]:
            yield Shape(REFERENCE)
        case _:
            yield from _of_cases(scope.at("cases"), source.cases or [])


def _of_cases(scope: Scope, cases: Iterable[Case]) -> Iterator[Shape]:
    for number, case in enumerate(cases):
        conditions.check(scope.at(number, "when"), case.when)
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


def _of_template(scope: Scope, template: str) -> Iterator[Shape]:
    try:
        parts = templates.parse(template)
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
    """How many characters of a template are its own."""
    return sum(
        len(part) if isinstance(part, str) else _literal(part.parts) if isinstance(part, templates.Optional) else 0
        for part in parts
    )


def _total(shapes: Iterable[Shape], more: int) -> int | None:
    total = more
    for shape in shapes:
        if shape.length is None:
            return None
        total += shape.length
    return total


def _formatted(scope: Scope, made: Format, shape: Shape) -> Iterator[Shape]:
    if shape.kind not in made.takes:
        takes = listed(made.takes)
        scope.add("M122", f"the format '{made.name}' takes {takes}, not {shape.kind}")
        return
    values = shape.values
    if values is not None:
        values = None if made.zoned else tuple(str(made.apply(value)) for value in values)
    same = made.gives is Kind.TEXT and made.name not in ("national", "e164", "list")
    length = made.length or (shape.length if same else None)
    yield replace(shape, kind=made.gives, values=values, length=length, format=made.name)


def _of_table(scope: Scope, table: str | dict[str, Any], shapes: list[Shape]) -> Iterator[Shape]:
    entries = scope.file.tables.get(table) if isinstance(table, str) else table
    if entries is None and str(table) in replace(scope, loc=()).written("tables"):
        return  # reported already: what stands there is no table
    if entries is None:
        known = scope.file.tables
        hint = scope.suggest(str(table), known) or (f"there is: {listed(known)}" if known else "write it under tables:")
        scope.add("M150", f"there is no table '{table}'", hint)
        return
    for shape in shapes:
        _check_coverage(scope, entries, shape)
        if len(shapes) == 1:
            _check_entries(scope, table, entries, shape)
    for value in dict.fromkeys(map(_typed, entries.values())):
        yield from of_value(value[1])


def _typed(value: Any) -> tuple[type, Any]:
    return type(value), value


def _possible(shape: Shape) -> tuple[str, ...] | None:
    return ("true", "false") if shape.kind == Kind.BOOLEAN else shape.values


def _check_coverage(scope: Scope, entries: Mapping[str, Any], shape: Shape) -> None:
    if "else" in entries:
        return
    possible = _possible(shape)
    if possible is None:
        scope.add("M153", "this table reads free text and has no else:", "add  else: <value>")
        return
    missing = [f"'{value}'" for value in possible if value not in entries]
    if missing:
        scope.add("M151", f"this table has no entry for {', '.join(missing)}", "add them, or add  else: <value>")


def _check_entries(scope: Scope, table: str | dict[str, Any], entries: Mapping[str, Any], shape: Shape) -> None:
    possible = _possible(shape)
    if possible is None:
        return
    where = replace(scope, loc=("tables", table)) if isinstance(table, str) else scope
    for entry in entries:
        if entry != "else" and entry not in possible:
            hint = scope.suggest(entry, possible) or f"it is one of: {listed(possible)}"
            where.at(entry).add_at_key("M152", f"the value is never '{entry}'", hint)


def paths(source: Source) -> Iterator[str]:
    """Every event field that decides what a source gives; a template that cannot be read counts as none."""
    yield from source.from_ or ()
    yield from source.join or ()
    if source.template:
        yield from template_paths(source.template)
    if source.lookup:
        yield from source.lookup.match.values()
    for case in source.cases or ():
        yield from conditions.reads(case.when)
        for inner in (case.then, case.else_):
            if inner:
                yield from paths(inner)
    if isinstance(source, MappedField):
        yield from conditions.reads(source.when)


def template_paths(template: str) -> Iterator[str]:
    """The event fields a template reads."""
    try:
        yield from (slot.path for slot in templates.slots(templates.parse(template)))
    except templates.UnbalancedError:
        return


def health_information(used: Iterable[str]) -> list[str]:
    """Those event fields that are health information."""
    known = (catalogue.FIELDS[path] for path in dict.fromkeys(used) if path in catalogue.FIELDS)
    return [field.path for field in known if field.privacy in catalogue.HEALTH_INFORMATION]
