"""Compile a checked file into programs, one for each event type."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from connector.carecycle import catalogue
from connector.mapping import conditions, counting, event_paths, persons, untranslated, values
from connector.mapping.checks_withheld import never_erased
from connector.mapping.compiled import (
    Clock,
    CompiledMapping,
    EventProgram,
    Example,
    FactProgram,
    FieldProgram,
    Line,
    RecordProgram,
)
from connector.mapping.field_reader import Reading, reader
from connector.mapping.functions import Get
from connector.mapping.links import in_order, points_at
from connector.mapping.rules import OVER_OURS
from connector.mapping.schema import File, Record
from connector.mapping.schema_sources import Key, MappedField
from connector.mapping.scope import events_of
from connector.mapping.target import TargetField, TargetSchema
from connector.mapping.tree import Node, find
from connector.mapping.values import Setting
from connector.model import OLDEST, Cut, FieldWrite, Rule, Timing

_CLOCKS: Mapping[frozenset[str], Clock] = {
    frozenset(): Clock.OWN,
    frozenset({"customer"}): Clock.CUSTOMER,
    frozenset({"call"}): Clock.CALL,
    frozenset({"customer", "call"}): Clock.BOTH,
}
_TIMINGS: Mapping[Clock, Timing] = {
    Clock.OWN: Timing.EVENT,
    Clock.CUSTOMER: Timing.CUSTOMER,
    Clock.CALL: Timing.CALL,
    Clock.BOTH: Timing.BOTH,
    Clock.FIRST: Timing.FIRST,
}


def compiled(file: File, tree: Node, name: str, version: str, target: TargetSchema | None) -> CompiledMapping:
    """Compile a file without errors. target: the CRM's schema, if known."""
    maker = _Maker(file, lambda loc: find(tree, loc).place.line, target)
    examples = ((test, find(tree, ("tests", number, "name")).place) for number, test in enumerate(file.tests))
    return CompiledMapping(
        name=name,
        version=version,
        crm=file.crm,
        reads=frozenset(_reads(file)),
        writes=_writes(file),
        looks_up=frozenset(_looks_up(file)),
        records=tuple(file.records),
        flags={flag: _split(place) for flag, place in file.consent.flags.items()},
        tests=tuple(Example(test, *place) for test, place in examples),
        test_customers=file.test_customers == "allow",
        programs={event: maker.event(event) for event in file.events or catalogue.EVENTS},
    )


def _split(place: str) -> tuple[str, str]:
    record, _, field = place.partition(".")
    return record, field


def _reads(file: File) -> Iterator[str]:
    consent = file.consent
    yield from conditions.reads(file.filter)
    for flags in (consent.flags, consent.withhold, consent.skip):
        yield from (f"customer.{flag}" for flag in flags)
    for rule in consent.raise_.values():
        yield from conditions.reads(rule.when)
    for record in file.records.values():
        yield from conditions.reads(record.when)
        for field in record.fields.values():
            yield from event_paths.of_source(field)
        for key in _keys(record):
            yield from event_paths.of_source(key.as_source())


def _keys(record: Record) -> Iterator[Key]:
    yield from record.key.values()
    for entry in record.also_match:
        yield from entry.values()


def _writes(file: File) -> dict[str, frozenset[str]]:
    written: dict[str, set[str]] = {}
    for name, record in file.records.items():
        flag_fields = (field for _, field in _flags(file, name))
        written.setdefault(record.object, set()).update(record.key, record.fields, flag_fields)
    return {name: frozenset(fields) for name, fields in written.items()}


def _flags(file: File, record: str) -> Iterator[tuple[str, str]]:
    """List the flags a record carries, each with its target field."""
    for flag, place in file.consent.flags.items():
        owner, field = _split(place)
        if owner == record:
            yield flag, field


def _shared(file: File, object: str) -> Iterator[str]:
    """List the fields of an object that people may edit too."""
    alike = (record for record in file.records.values() if record.object == object)
    for record in alike:
        yield from (target for target, field in record.fields.items() if field.write in OVER_OURS)


def _looks_up(file: File) -> Iterator[str]:
    fields = (field for record in file.records.values() for field in record.fields.values())
    sources = (source for field in fields for source in field.nested())
    yield from (step.object for source in sources if source.lookup for _, step in source.lookup.steps())


def _falls_back(field: MappedField) -> bool:
    """Whether a look-up has an `else:`."""
    return any(own.lookup is not None and own.lookup.else_ is not None for own in field.nested())


class _Maker:
    """Compiles the programs of one file."""

    def __init__(self, file: File, line: Line, target: TargetSchema | None) -> None:
        self.file, self.line, self.target = file, line, target
        self.ranks = _ranks(file)

    def event(self, event: str) -> EventProgram:
        runs = (name for name in self.file.records if event in events_of(self.file, name))
        condition = self.file.filter
        return EventProgram(
            filter=conditions.compiled(condition, event) if condition else None,
            records=tuple(self._record(event, name, self.file.records[name]) for name in runs),
            raises=tuple(
                (flag, conditions.compiled(rule.when, event, loose=True))
                for flag, rule in self.file.consent.raise_.items()
            ),
        )

    def _record(self, event: str, name: str, record: Record) -> RecordProgram:
        ((key_field, key),) = record.key.items()
        consent = self.file.consent
        flags = tuple(_flags(self.file, name))
        written = dict(_made_of(record, event))
        fields = tuple(self._field(event, name, target, field) for target, field in written.items())
        clock = self._clock(name)
        readings = _readings(fields, written, clock, event)
        return RecordProgram(
            name=name,
            object=record.object,
            mode=record.mode,
            when=conditions.compiled(record.when, event) if record.when else None,
            key_field=key_field,
            key=self._identity(event, key),
            clock=clock,
            fields=fields,
            readings=readings,
            read=reader(readings),
            decided=_decided(readings),
            flags=flags,
            guards=tuple(flag for flag, records in consent.skip.items() if name in records),
            links=tuple(record.associate),
            also_match=tuple(self._match(event, step) for step in record.also_match),
            person=persons.compiled(record, self._setting(event, None)),
            unsubscribe=frozenset(consent.unsubscribe) & {flag for flag, _ in flags},
            address=self._address(event, record),
            rank=self.ranks[name],
            erases=tuple(field for field in fields if field.guards and self._erased(name, field.target)),
            unique=record.unique_key,
            required=_required(fields),
            shared=frozenset(_shared(self.file, record.object)),
            counting=tuple(self._field(event, name, target, own) for target, own in record.fields.items() if own.count),
            mapped={target: own.write for target, own in record.fields.items()},
        )

    def _clock(self, record: str) -> Clock:
        (key,) = self.file.records[record].key.values()
        return _clock(event_paths.of_source(key.as_source()))

    def _match(self, event: str, step: Mapping[str, Key]) -> tuple[FactProgram, ...]:
        return tuple(
            FactProgram(target, self._identity(event, key), persons.kind_of(key)) for target, key in step.items()
        )

    def _erased(self, name: str, target: str) -> bool:
        return self.file.consent.withheld == "clear" and not never_erased(self.file, name, target)

    def _identity(self, event: str, key: Key) -> Get:
        return values.compiled(key.as_source(), self._setting(event, None))

    def _setting(self, event: str, target: TargetField | None) -> Setting:
        return Setting(event, self.file.tables, self.file.crm, target)

    def _field(self, event: str, name: str, target: str, field: MappedField) -> FieldProgram:
        withheld = f"{name}.{target}"
        setting = self._setting(event, self._target(name, target))
        paths, falls_back = frozenset(event_paths.of_source(field)), _falls_back(field)
        program = FieldProgram(
            target=target,
            get=values.compiled(field, setting),
            clears=field.if_null == "clear",
            rule=field.write,
            guards=tuple(flag for flag, fields in self.file.consent.withhold.items() if withheld in fields),
            clock=_clock_of(field, paths),
            line=self.line(("records", name, "fields", target)),
            missed=untranslated.compiled(field, setting),
            required=field.required,
            cut=self._cut(name, field),
            flags=frozenset(flag for flag in catalogue.FLAGS if f"customer.{flag}" in paths),
            default=field.default,
            falls_back=falls_back,
            bare=values.compiled(field, replace(setting, bare=True))
            if falls_back or field.default is not None
            else None,
            order=tuple(field.order or ()),
            when=conditions.compiled(field.when, event) if field.when and not field.count else None,
            timing=_timing(field, _clock_of(field, paths) or self._clock(name)),
            pieced=len(paths) > 1 or field.when is not None or field.cases is not None,
        )
        return counting.compiled(field, event, program)

    def _cut(self, name: str, field: MappedField) -> Cut:
        """Whether the field's length is known: an object's description has every field that may be written."""
        if not field.cut:
            return Cut.NO
        is_described = self.target is not None and self.file.records[name].object in self.target.objects
        return Cut.FITS if is_described or self.file.crm.longest_text else Cut.UNKNOWN

    def _target(self, name: str, field: str) -> TargetField | None:
        target = self.target.objects.get(self.file.records[name].object) if self.target else None
        return target.fields.get(field) if target else None

    def _address(self, event: str, record: Record) -> Get:
        """Compile the address to opt out: the record's e-mail field, even when it is not sent; else the customer's."""
        gets = [
            values.compiled(field.model_copy(update={"when": None}), self._setting(event, None))
            for field in record.fields.values()
            if field.from_ and "customer.email" in field.from_ and field.table is None and field.keeps
        ]
        return values.first([*gets, values.path("customer.email", event)])


def _made_of(record: Record, event: str) -> Iterator[tuple[str, MappedField]]:
    """List the fields that an event decides: one without a call leaves alone what is made of calls."""
    return ((target, field) for target, field in record.fields.items() if event_paths.comes_with(field, event))


def _required(fields: Iterable[FieldProgram]) -> tuple[FieldProgram, ...]:
    return tuple(program for program in fields if program.required)


def _reading(program: FieldProgram, clock: Clock, field: MappedField, event: str) -> Reading:
    """How a field is read. clock: of its record."""
    is_decided = program.guards or program.order or program.bare or program.cut is not Cut.NO
    points = any(own.ref is not None for own in field.nested())
    how = FieldWrite(None, OLDEST, program.rule, (), program.line, required=program.required, timing=program.timing)
    usual, key = None if is_decided or points else how[2:], values.own_key(program.get, field, event)
    return Reading(program.target, key, program.get, int(program.clock or clock), usual, program.clears)


def _readings(
    fields: Iterable[FieldProgram], written: Mapping[str, MappedField], clock: Clock, event: str
) -> tuple[Reading, ...]:
    return tuple(_reading(program, clock, written[program.target], event) for program in fields)


def _decided(readings: Iterable[Reading]) -> tuple[int, ...]:
    """The numbers of the fields of which each event decides how they are written."""
    return tuple(number for number, reading in enumerate(readings) if reading.usual is None)


def _clock_of(field: MappedField, paths: Iterable[str]) -> Clock:
    if field.first is not None or field.last is not None:  # whenever its customer changed
        return Clock.CALL if field.first is None else Clock.FIRST
    return Clock.BOTH if event_paths.is_timed(field) else _clock(iter(paths))


def _timing(field: MappedField, clock: Clock) -> Timing:
    return Timing.FORWARD if field.write is Rule.FORWARD else _TIMINGS[clock]


def _clock(paths: Iterator[str]) -> Clock:
    heads = {path.split(".", 1)[0] for path in paths}
    about = {"call" if head == "campaign" else head for head in heads if head != "event"}
    return _CLOCKS[frozenset(about)]


def _ranks(file: File) -> dict[str, int]:
    """Rank the records: 0 if a record points at none, else one more than the highest rank it points at."""
    links = {name: points_at(record) for name, record in file.records.items()}
    ranks: dict[str, int] = {}
    for name in in_order(links):
        ranks[name] = max((ranks[other] + 1 for other in links[name]), default=0)
    return ranks
