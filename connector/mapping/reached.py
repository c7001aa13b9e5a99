"""List the fields, enum values, table entries and cases that no test of a mapping reaches.

This works beside the compiled mapping, not inside it, so that delivering an event costs nothing extra.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import tzinfo

from connector.carecycle import catalogue
from connector.carecycle.catalogue import ABSENT
from connector.errors import UnreadableEvent
from connector.mapping import conditions, event_paths, values
from connector.mapping.bands import band_of
from connector.mapping.compiled import CompiledMapping
from connector.mapping.examples import ZONE, event_of
from connector.mapping.facts import zone_of
from connector.mapping.functions import Payload
from connector.mapping.load import Loaded
from connector.mapping.planning import plan
from connector.mapping.schema import File
from connector.mapping.schema_conditions import Condition
from connector.mapping.schema_sources import MappedField, Source
from connector.mapping.spots import Spot, Spots
from connector.mapping.steps.texts import text
from connector.mapping.tree import Loc
from connector.mapping.values import Setting
from connector.model import Event


def unreached(loaded: Loaded) -> list[Spot]:
    """List what a file defines and its tests do not reach, from top to bottom."""
    if loaded.mapping is None or loaded.written is None:
        return []
    file, tree = loaded.written
    spots = Spots(file, tree).all()
    tracer = _Tracer(file, loaded.mapping, ZONE)
    for example in loaded.mapping.tests:
        with suppress(UnreadableEvent):  # reported as a failed test
            for loc in tracer.reached(event_of(example)):
                spots.pop(loc, None)
    own = (spot for spot in spots.values() if spot.file == tree.place.file)
    return sorted(own, key=lambda spot: (spot.line, spot.col, spot.name))


def _holds(condition: Condition | None, setting: Setting, payload: Payload, zone: tzinfo) -> bool:
    return condition is None or conditions.compiled(condition, setting.event)(payload, zone)


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
            if event_paths.comes_with(field, event.type):
                yield from self._source(("records", name, "fields", target), field, setting, event.payload, zone)

    def _source(self, loc: Loc, source: Source, setting: Setting, payload: Payload, zone: tzinfo) -> Iterator[Loc]:
        if isinstance(source, MappedField) and not _holds(source.when, setting, payload, zone):
            return
        yield from self._cases(loc, source, setting, payload, zone)
        if source.table is not None:
            value = values.unmodified(source, setting)(payload, zone)
            for element in value if isinstance(value, list) else [value]:
                yield from self._entry(loc, source, setting, element)
        for name in band_of(values.unbanded(source, setting)(payload, zone), source.bands):
            yield (*loc, "bands", name)

    def _cases(self, loc: Loc, source: Source, setting: Setting, payload: Payload, zone: tzinfo) -> Iterator[Loc]:
        for number, case in enumerate(source.cases or ()):
            if _holds(case.when, setting, payload, zone):
                key, inner = ("then", case.then) if case.then else ("else", case.else_)
                yield (*loc, "cases", number)
                if inner is not None:
                    yield from self._source((*loc, "cases", number, key), inner, setting, payload, zone)
                break

    def _entry(self, loc: Loc, source: Source, setting: Setting, value: object) -> Iterator[Loc]:
        if value is None or value is ABSENT:
            return
        named = isinstance(source.table, str)
        table_loc: Loc = ("tables", str(source.table)) if named else (*loc, "table")
        table = setting.tables[source.table] if isinstance(source.table, str) else source.table or {}
        yield (*table_loc, word if (word := text(value)) in table and word != "else" else "else")
