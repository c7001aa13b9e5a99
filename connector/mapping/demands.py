"""Derive the CRM fields a mapping needs, each with its type, from what it sends. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from connector.carecycle.catalogue import Kind
from connector.mapping import event_paths, shapes
from connector.mapping.diagnostics import Report
from connector.mapping.schema import File, Record
from connector.mapping.schema_sources import Source
from connector.mapping.scope import Scope, events_of
from connector.mapping.shapes import LOOKED_UP, REFERENCE, Shape
from connector.mapping.target import Option, TargetField
from connector.mapping.tree import Node

LONGEST_TEXT: Final = 255
"""Characters an ordinary text field holds in either CRM."""

_TYPES: Final[Mapping[str, str]] = {
    Kind.BOOLEAN: "boolean",
    Kind.DATE: "date",
    Kind.DATETIME: "datetime",
    Kind.INTEGER: "int",
    "number": "double",
    LOOKED_UP: "reference",
    REFERENCE: "reference",
}
_CALLABLE: Final = frozenset({"e164", "national", "ten_digits"})


@dataclass(frozen=True, slots=True)
class Demand:
    """One field a mapping writes. wanted: the field it needs, in a schema's terms. line: its line in the mapping."""

    object: str
    field: str
    wanted: TargetField
    line: int


Demands = Mapping[str, Mapping[str, Demand]]
"""object -> field -> its demand."""


@dataclass(slots=True)
class _Asked:
    """What all records together need of one field. unique: it is a key of which the CRM allows each value once."""

    line: int
    shapes: list[Shape]
    key: bool = False
    unique: bool = False
    cut: bool = False
    sensitive: bool = False


def demands(file: File, tree: Node) -> Demands:
    """Derive every field a mapping needs, for every object it writes."""
    by_object: dict[str, dict[str, _Asked]] = {}
    for record, name, asked in _fields(file, Scope(file, tree, Report(), None)):
        known = by_object.setdefault(record.object, {}).setdefault(name, asked)
        if known is not asked:
            known.shapes += asked.shapes
            known.key, known.cut = known.key or asked.key, known.cut and asked.cut
            known.unique = known.unique or asked.unique
            known.sensitive = known.sensitive or asked.sensitive
    return {
        kind: {name: Demand(kind, name, _wanted(asked), asked.line) for name, asked in fields.items()}
        for kind, fields in by_object.items()
    }


def _fields(file: File, scope: Scope) -> Iterator[tuple[Record, str, _Asked]]:
    for record_name, record in file.records.items():
        here = scope.at("records", record_name).on(events_of(file, record_name))
        for name, key in record.key.items():
            at = here.at("key", name)
            source, accepted = key.as_source(), key.sensitive is not None
            asked = _Asked(*_sent(at, source), key=True, cut=key.cut, sensitive=_health(source, accepted))
            asked.unique = record.unique_key
            yield record, name, asked
        for name, field in record.fields.items():
            at, accepted = here.at("fields", name), field.sensitive is not None
            yield record, name, _Asked(*_sent(at, field), cut=field.cut, sensitive=_health(field, accepted))
    for flag, target in file.consent.flags.items():
        record_name, _, name = target.partition(".")
        line = scope.at("consent", "flags", flag).place.line
        yield file.records[record_name], name, _Asked(line, [Shape(Kind.BOOLEAN)])


def _sent(scope: Scope, source: Source) -> tuple[int, list[Shape]]:
    return scope.key_place.line, shapes.of_source(scope, source)


def _health(source: Source, accepted: bool) -> bool:
    return not accepted and bool(event_paths.health_information(event_paths.of_source(source)))


def _wanted(asked: _Asked) -> TargetField:
    kind = _kind(asked.shapes)
    offered = _offered(asked.shapes) if kind == "string" and not asked.key else ()
    if offered:
        options = tuple(Option(value=value) for value in offered)
        return TargetField(type="picklist", options=options, sensitive=asked.sensitive)
    length = _length(asked) if kind == "string" else None
    return TargetField(type=kind, length=length, unique=asked.unique, sensitive=asked.sensitive)


def _kind(shapes: Sequence[Shape]) -> str:
    kinds = {_TYPES.get(shape.kind, "string") for shape in shapes}
    if kinds == {"int", "double"}:
        return "double"
    if len(kinds) == 1 and kinds != {"string"}:
        return kinds.pop()
    return "phone" if shapes and all(shape.format in _CALLABLE for shape in shapes) else "string"


def _offered(shapes: Sequence[Shape]) -> list[str]:
    """List the values of a field that only ever gets fixed ones; a single value is no choice."""
    if not all(shape.fixed and shape.values for shape in shapes):
        return []
    values = list(dict.fromkeys(value for shape in shapes for value in shape.values or ()))
    return values if len(values) > 1 else []


def _length(asked: _Asked) -> int:
    """Choose a length in characters: a key's own, an ordinary text field's, or more if longer values can come."""
    lengths = [shape.length if shape.length is not None else LONGEST_TEXT for shape in asked.shapes]
    longest = max(lengths, default=LONGEST_TEXT)
    if asked.key:
        return min(longest, LONGEST_TEXT)
    return LONGEST_TEXT if asked.cut else max(longest, LONGEST_TEXT)
