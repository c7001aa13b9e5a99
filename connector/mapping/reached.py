"""List the fields, enum values, table entries and cases that no test of a mapping reaches.

This works beside the compiled mapping, not inside it, so that delivering an event costs nothing extra.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import tzinfo

from connector.carecycle import catalogue
from connector.carecycle.catalogue import ABSENT
from connector.errors import UnreadableEvent
from connector.mapping import conditions, event_paths, values
from connector.mapping.compiled import CompiledMapping, Payload
from connector.mapping.diagnostics import Place
from connector.mapping.examples import event_of
from connector.mapping.facts import zone_of
from connector.mapping.formats import text
from connector.mapping.load import Loaded
from connector.mapping.planning import plan
from connector.mapping.schema import File
from connector.mapping.schema_conditions import Condition
from connector.mapping.schema_sources import MappedField, Source
from connector.mapping.tree import Loc, Node, find, find_key
from connector.mapping.values import Setting
from connector.model import Event


@dataclass(frozen=True, slots=True)
class Spot:
    """Something a test can reach, and its place. kind: field, value, entry or case."""

    kind: str
    name: str
    file: str
    line: int
    col: int


def unreached(loaded: Loaded, *, timezone: str) -> list[Spot]:
    """List what a file defines and its tests do not reach, from top to bottom. timezone: the agency's."""
    if loaded.mapping is None or loaded.written is None:
        return []
    file, tree = loaded.written
    spots = _Spots(file, tree).all()
    tracer = _Tracer(file, loaded.mapping, timezone)
    for example in loaded.mapping.tests:
        with suppress(UnreadableEvent):  # reported as a failed test
            for loc in tracer.reached(event_of(example)):
                spots.pop(loc, None)
    own = (spot for spot in spots.values() if spot.file == tree.place.file)
    return sorted(own, key=lambda spot: (spot.line, spot.col, spot.name))


class _Spots:
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


def _holds(condition: Condition | None, setting: Setting, payload: Payload) -> bool:
    return condition is None or conditions.compiled(condition, setting.event)(payload)


def _spot(kind: str, name: str, place: Place) -> Spot:
    return Spot(kind, name, *place)


class _Tracer:
    """Traces events through a file."""

    def __init__(self, file: File, mapping: CompiledMapping, timezone: str) -> None:
        self.file, self.mapping, self.timezone = file, mapping, timezone

    def reached(self, event: Event) -> Iterator[Loc]:
        """List the locations one event reaches."""
        planned = plan(event, self.mapping, timezone=self.timezone)
        if event.type not in self.mapping.programs or planned.reason == "test customer":
            return
        yield from self._values(event)
        zone = zone_of(event, self.timezone)
        for write in planned.writes:
            yield from (("consent", "flags", flag) for flag in write.flags)
            yield from (("records", write.name, "fields", target) for target in write.fields)
            if write.fields or not write.flags:  # otherwise only a raised flag is written
                yield from self._record(write.name, event, zone)

    def _values(self, event: Event) -> Iterator[Loc]:
        for path in self.mapping.reads:
            if catalogue.FIELDS[path].options and event.type in catalogue.carried_by(path):
                yield ("value", path, text(catalogue.reader(path, event.type)(event.payload)))

    def _record(self, name: str, event: Event, zone: tzinfo) -> Iterator[Loc]:
        setting = Setting(event.type, self.file.tables, self.file.crm)
        for target, field in self.file.records[name].fields.items():
            yield from self._source(("records", name, "fields", target), field, setting, event.payload, zone)

    def _source(self, loc: Loc, source: Source, setting: Setting, payload: Payload, zone: tzinfo) -> Iterator[Loc]:
        if isinstance(source, MappedField) and not _holds(source.when, setting, payload):
            return
        for number, case in enumerate(source.cases or ()):
            if _holds(case.when, setting, payload):
                key, inner = ("then", case.then) if case.then else ("else", case.else_)
                yield (*loc, "cases", number)
                if inner is not None:
                    yield from self._source((*loc, "cases", number, key), inner, setting, payload, zone)
                break
        if source.table is not None:
            yield from self._entry(loc, source, setting, values.untranslated(source, setting)(payload, zone))

    def _entry(self, loc: Loc, source: Source, setting: Setting, value: object) -> Iterator[Loc]:
        if value is None or value is ABSENT:
            return
        named = isinstance(source.table, str)
        table_loc: Loc = ("tables", str(source.table)) if named else (*loc, "table")
        table = setting.tables[source.table] if isinstance(source.table, str) else source.table or {}
        yield (*table_loc, word if (word := text(value)) in table and word != "else" else "else")
