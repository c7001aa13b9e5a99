"""Everything in a mapping file that a test can reach, by location."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from connector.carecycle import catalogue
from connector.mapping import conditions, event_paths
from connector.mapping.diagnostics import Place
from connector.mapping.schema import File
from connector.mapping.schema_sources import Source
from connector.mapping.tree import Loc, Node, find, find_key


@dataclass(frozen=True, slots=True)
class Spot:
    """Something a test can reach, and its place. kind: field, value, entry or case."""

    kind: str
    name: str
    file: str
    line: int
    col: int


class Spots:
    """Everything in a file that a test can reach, by location; an enum's value by ("value", path, value)."""

    def __init__(self, file: File, tree: Node) -> None:
        self.file, self.tree = file, tree

    def all(self) -> dict[Loc, Spot]:
        spots = dict(self._fields())
        for name, table in self.file.tables.items():
            spots |= self._entries(("tables", name), name, table)
        for path, loc in self._enums():
            for option in catalogue.FIELDS[path].options:
                key: Loc = ("value", path, option)
                if key not in spots or spots[key].file != self.tree.place.file:
                    spots[key] = _spot("value", f"{path} = {option}", find_key(self.tree, loc).place)
        return spots

    def _fields(self) -> Iterator[tuple[Loc, Spot]]:
        for flag, target in self.file.consent.flags.items():
            yield self._keyed("field", target, ("consent", "flags", flag))
        for name, record in self.file.records.items():
            for target, field in record.fields.items():
                loc: Loc = ("records", name, "fields", target)
                yield self._keyed("field", f"{name}.{target}", loc)
                yield from self._inside(loc, f"{name}.{target}", field)

    def _inside(self, loc: Loc, name: str, source: Source) -> Iterator[tuple[Loc, Spot]]:
        if isinstance(source.table, dict):
            yield from self._entries((*loc, "table"), name, source.table).items()
        if source.bands is not None:
            yield from self._entries((*loc, "bands"), name, source.bands).items()
        for number, case in enumerate(source.cases or ()):
            here = (*loc, "cases", number)
            yield here, _spot("case", f"{name}: case {number + 1}", find(self.tree, here).place)
            for key, inner in (("then", case.then), ("else", case.else_)):
                if inner is not None:
                    yield from self._inside((*here, key), name, inner)

    def _entries(self, loc: Loc, name: str, table: Mapping[str, object]) -> dict[Loc, Spot]:
        return dict(self._keyed("entry", f"{name}: {entry}", (*loc, entry)) for entry in table)

    def _keyed(self, kind: str, name: str, loc: Loc) -> tuple[Loc, Spot]:
        return loc, _spot(kind, name, find_key(self.tree, loc).place)

    def _enums(self) -> Iterator[tuple[str, Loc]]:
        """List every enum the file reads, with each location that reads it."""
        for path, loc in self._reads():
            if path in catalogue.FIELDS and catalogue.FIELDS[path].options:
                yield path, loc

    def _reads(self) -> Iterator[tuple[str, Loc]]:
        yield from ((path, ("filter",)) for path in conditions.reads(self.file.filter))
        for flag, rule in self.file.consent.raise_.items():
            yield from ((path, ("consent", "raise", flag)) for path in conditions.reads(rule.when))
        for name, record in self.file.records.items():
            yield from ((path, ("records", name, "when")) for path in conditions.reads(record.when))
            for target, key in record.key.items():
                yield from ((path, ("records", name, "key", target)) for path in event_paths.of_source(key.as_source()))
            for target, field in record.fields.items():
                yield from ((path, ("records", name, "fields", target)) for path in event_paths.of_source(field))


def _spot(kind: str, name: str, place: Place) -> Spot:
    return Spot(kind, name, *place)
