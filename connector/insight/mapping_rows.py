"""A mapping as a table: each record, what identifies it, and where the value of each of its fields comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connector.insight.mapping_files import Home
from connector.mapping import Loaded
from connector.mapping.diagnostics import Place
from connector.mapping.schema import File
from connector.mapping.scope import events_of
from connector.mapping.target import TargetSchema
from connector.mapping.tree import Loc, Node, find, find_key, plain


@dataclass(frozen=True, slots=True)
class Origin:
    """Where something is written: the file as people name it, whether it is shipped, and the line."""

    file: str
    line: int
    shipped: bool


@dataclass(frozen=True, slots=True)
class FieldRow:
    """One field of a CRM record. label: the CRM's, if known. written: the mapping's own words for its value, as data.

    flag: the opt-out it holds instead. key: whether the record is identified by it. withheld_by, raised: consent flags.
    """

    target: str
    label: str
    written: Any
    origin: Origin
    flag: str = ""
    key: bool = False
    withheld_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RecordRows:
    """One record of a mapping. when: as data. skipped_by: the flags that keep it from being written."""

    name: str
    object: str
    label: str
    events: tuple[str, ...]
    all_events: bool
    when: Any
    creates_only: bool
    skipped_by: tuple[str, ...]
    links: tuple[str, ...]
    also_match: tuple[Any, ...]
    origin: Origin
    rows: tuple[FieldRow, ...]


@dataclass(frozen=True, slots=True)
class MappingTable:
    """A whole mapping. tables: those that fields name. filter, raised: conditions as data."""

    records: tuple[RecordRows, ...]
    tables: Mapping[str, Any]
    filter: Any
    raised: Mapping[str, Any]
    extends: tuple[str, ...]
    waived: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Reading:
    file: File
    tree: Node
    home: Home | None
    schema: TargetSchema | None

    def plain(self, *loc: str | int) -> Any:
        """What is written at a location, as data; None if nothing is."""
        node: Node | None = self.tree
        for part in loc:
            node = node.get(str(part)) if node else None
        return plain(node) if node else None

    def origin(self, *loc: str | int) -> Origin:
        return origin_of(self.home, find_key(self.tree, loc).place)

    def field_label(self, object: str, field: str) -> str:
        known = self.schema.objects.get(object) if self.schema else None
        own = known.fields.get(field) if known else None
        return own.label if own else ""


def origin_of(home: Home | None, place: Place) -> Origin:
    """Say where a place is, as people name its file."""
    path = Path(place.file)
    own = home.name(path) if home else None
    return Origin(own or path.name, place.line, shipped=home is not None and own is None)


def table_of(loaded: Loaded, home: Home | None, schema: TargetSchema | None) -> MappingTable | None:
    """Return a loaded mapping as a table; None if it has errors."""
    if loaded.written is None:
        return None
    file, tree = loaded.written
    read = _Reading(file, tree, home, schema)
    extends = file.extends or []
    return MappingTable(
        records=tuple(_record(read, name) for name in file.records),
        tables=read.plain("tables") or {},
        filter=read.plain("filter"),
        raised={flag: read.plain("consent", "raise", flag, "when") for flag in file.consent.raise_},
        extends=(extends,) if isinstance(extends, str) else tuple(extends),
        waived=tuple(file.consent.waive),
    )


def _record(read: _Reading, name: str) -> RecordRows:
    record, loc = read.file.records[name], ("records", name)
    events = events_of(read.file, name)
    return RecordRows(
        name=name,
        object=record.object,
        label="",
        events=events,
        all_events=not record.events and not read.file.events,
        when=read.plain(*loc, "when"),
        creates_only=record.mode == "create",
        skipped_by=tuple(flag for flag, names in read.file.consent.skip.items() if name in names),
        links=tuple(record.associate),
        also_match=tuple(read.plain(*loc, "also_match") or ()),
        origin=read.origin(*loc),
        rows=tuple(_rows(read, name)),
    )


def _rows(read: _Reading, name: str) -> Iterator[FieldRow]:
    record, loc, consent = read.file.records[name], ("records", name), read.file.consent
    for target in record.key:
        yield _row(read, name, target, (*loc, "key", target), key=True)
    for target in record.fields:
        withheld = tuple(flag for flag, fields in consent.withhold.items() if f"{name}.{target}" in fields)
        yield _row(read, name, target, (*loc, "fields", target), withheld_by=withheld)
    for flag, place in consent.flags.items():
        owner, _, target = place.partition(".")
        if owner == name:
            yield _row(read, name, target, ("consent", "flags", flag), flag=flag)


def _row(read: _Reading, name: str, target: str, loc: Loc, **more: Any) -> FieldRow:
    label = read.field_label(read.file.records[name].object, target)
    return FieldRow(target, label, plain(find(read.tree, loc)), read.origin(*loc), **more)
