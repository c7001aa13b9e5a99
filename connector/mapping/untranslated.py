"""Name the event field whose value cannot be written: in no table, not documented, or nothing a format can read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo

from connector.carecycle.catalogue import ABSENT, FIELDS, Kind
from connector.mapping import conditions, event_paths, templates, values
from connector.mapping.functions import Get, Missed, Payload
from connector.mapping.schema_sources import MappedField, Source
from connector.mapping.values import Setting


def compiled(source: Source, setting: Setting) -> Missed | None:
    """Compile what is asked where a source gives nothing to send. None: it never lacks a translation."""
    if isinstance(source, MappedField) and source.count:
        return None
    missed = _missed(source, setting)
    if missed is None or not isinstance(source, MappedField):
        return missed
    if source.default is not None:
        return None
    if source.when is None:
        return missed
    holds = conditions.compiled(source.when, setting.event)
    return lambda payload, zone: missed(payload, zone) if holds(payload, zone) else ""


def _missed(source: Source, setting: Setting) -> Missed | None:
    before, after = _before_formats(source, setting), _by_formats(source, setting)
    if before is None or after is None:
        return before or after
    return lambda payload, zone: before(payload, zone) or after(payload, zone)


def _before_formats(source: Source, setting: Setting) -> Missed | None:
    if source.table is not None:
        return _by_table(source, setting)
    if source.cases:
        return _by_cases(source, setting)
    closed = [name for name in source.read if FIELDS[name].kind is Kind.ENUM]
    return _filled(closed, setting) if closed and values.known_only(source, setting) else None


def _by_table(source: Source, setting: Setting) -> Missed | None:
    table = setting.tables[source.table] if isinstance(source.table, str) else source.table
    if table is None or "else" in table:
        return None
    return _where_valued(values.unmodified(source, setting), source, setting)


def _where_valued(get: Get, source: Source, setting: Setting) -> Missed:
    """Name the field of a value that was there before it was translated or formatted."""
    filled = _filled(source.read or list(event_paths.of_source(source)), setting)

    def missed(payload: Payload, zone: tzinfo) -> str:
        value = get(payload, zone)
        return "" if value is None or value is ABSENT else filled(payload, zone)

    return missed


def _by_formats(source: Source, setting: Setting) -> Missed | None:
    """Name a field with a value that a format makes nothing of: such a value is not sent."""
    if source.template is not None:
        return _by_slots(source.template, setting)
    if source.format is None:
        return None
    return _where_valued(values.translated(source, setting), source, setting)


def _by_slots(template: str, setting: Setting) -> Missed | None:
    slots = [slot for slot in templates.slots(templates.parse(template)) if slot.formats]
    readers = [(slot.path, values.path(slot.path, setting.event), values.part(slot, setting.event)) for slot in slots]

    def unfit(payload: Payload, zone: tzinfo) -> str:
        lost = (path for path, read, get in readers if read(payload, zone) and get(payload, zone) is ABSENT)
        return next(lost, "")

    return unfit if readers else None


def _by_cases(source: Source, setting: Setting) -> Missed:
    branches = [
        (conditions.compiled(case.when, setting.event), compiled(case.then, setting))
        for case in source.cases or ()
        if case.when is not None and case.then is not None
    ]
    last = (source.cases or [])[-1].else_
    otherwise = compiled(last, setting) if last is not None else None

    def chosen(payload: Payload, zone: tzinfo) -> str:
        missed = next((missed for holds, missed in branches if holds(payload, zone)), otherwise)
        return missed(payload, zone) if missed is not None else ""

    return chosen


def _filled(names: Sequence[str], setting: Setting) -> Missed:
    """Name the first of these event fields that has a value."""
    readers = [(name, values.path(name, setting.event)) for name in names]

    def first(payload: Payload, zone: tzinfo) -> str:
        return next((name for name, get in readers if get(payload, zone) not in (None, ABSENT)), "")

    return first
