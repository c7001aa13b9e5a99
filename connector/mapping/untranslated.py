"""Name the event field whose value nothing translates: no entry of a table, or no value that careCycle documents."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo

from connector.carecycle.catalogue import ABSENT, FIELDS, Kind
from connector.mapping import conditions, event_paths, values
from connector.mapping.compiled import Missed, Payload
from connector.mapping.schema_sources import MappedField, Source
from connector.mapping.values import Setting


def compiled(source: Source, setting: Setting) -> Missed | None:
    """Compile what is asked where a source gives nothing to send. None: it never lacks a translation."""
    missed = _missed(source, setting)
    if missed is None or not isinstance(source, MappedField):
        return missed
    if source.default is not None:
        return None
    if source.when is None:
        return missed
    holds = conditions.compiled(source.when, setting.event)
    return lambda payload, zone: missed(payload, zone) if holds(payload) else ""


def _missed(source: Source, setting: Setting) -> Missed | None:
    if source.table is not None:
        return _by_table(source, setting)
    if source.cases:
        return _by_cases(source, setting)
    closed = [name for name in source.from_ or () if FIELDS[name].kind is Kind.ENUM]
    return _filled(closed, setting) if closed and values.known_only(source, setting) else None


def _by_table(source: Source, setting: Setting) -> Missed | None:
    table = setting.tables[source.table] if isinstance(source.table, str) else source.table
    if table is None or "else" in table:
        return None
    get = values.unmodified(source, setting)
    filled = _filled(source.from_ or list(event_paths.of_source(source)), setting)

    def missed(payload: Payload, zone: tzinfo) -> str:
        value = get(payload, zone)
        return "" if value is None or value is ABSENT else filled(payload, zone)

    return missed


def _by_cases(source: Source, setting: Setting) -> Missed:
    branches = [
        (conditions.compiled(case.when, setting.event), compiled(case.then, setting))
        for case in source.cases or ()
        if case.when is not None and case.then is not None
    ]
    last = (source.cases or [])[-1].else_
    otherwise = compiled(last, setting) if last is not None else None

    def chosen(payload: Payload, zone: tzinfo) -> str:
        missed = next((missed for holds, missed in branches if holds(payload)), otherwise)
        return missed(payload, zone) if missed is not None else ""

    return chosen


def _filled(names: Sequence[str], setting: Setting) -> Missed:
    """Name the first of these event fields that has a value."""
    readers = [(name, values.path(name, setting.event)) for name in names]

    def first(payload: Payload, zone: tzinfo) -> str:
        return next((name for name, get in readers if get(payload, zone) not in (None, ABSENT)), "")

    return first
