"""Check the fields of a record: their sources, modifiers, lookups and targets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from connector.carecycle.catalogue import Kind
from connector.mapping import (
    checks_calls,
    checks_conditions,
    checks_counts,
    checks_forward,
    checks_ids,
    checks_lookups,
    checks_slips,
    checks_stages,
    event_paths,
    shapes,
)
from connector.mapping.checks_targets import check_sensitive, check_single_value, check_values
from connector.mapping.rules import READING
from connector.mapping.schema import Record
from connector.mapping.schema_sources import MappedField, Source
from connector.mapping.scope import Scope, known_record, target_field
from connector.mapping.shapes import Shape
from connector.mapping.target import TargetField

Fields = Mapping[str, TargetField]


def check(scope: Scope, record: Record, name: str, field: MappedField, fields: Fields | None) -> None:
    if checks_slips.is_path(name):
        checks_slips.report_turned(scope, name, field)
        return
    checks_counts.check(scope, record, field)
    scope = _where_made(scope, field)
    checks_conditions.check(scope.at("when"), field.when)
    given = shapes.of_source(scope, field)
    check_single_value(scope, given)
    _check_pointer(scope, field)
    for here, source in placed(scope, field):
        _check_source(here, source)
    checks_calls.check(scope, record, field)
    checks_forward.check(scope, field, given)
    if field.write in READING:
        scope.at("write").add("M161", f"'{field.write}' costs one read of the record before each write")
    full = f"{record.object}.{name}"
    if name in record.key:
        scope.add_at_key("M222", f"{full} is the key, which is always written", "remove the field")
    if fields is None:
        check_sensitive(scope, field, field.sensitive is not None, full, None)
    elif target := target_field(scope, record.object, fields, name):
        if not target.writable:
            scope.add_at_key("M203", f"{full} cannot be written")
            return
        check_values(scope, full, target, _written(field, given))
        _check_returned(scope, full, field, target)
        checks_forward.check_offered(scope, field, full, target, given)
        checks_stages.check(scope, record.object, name, field, target)
        check_sensitive(scope, field, field.sensitive is not None, full, target)


def _where_made(scope: Scope, field: MappedField) -> Scope:
    """Leave out the events that do not carry what the field is made of, if it may do without them.

    Health information that is not marked as sensitive may not: more likely it was meant for the call's own record.
    """
    events = scope.events or ()
    made = tuple(event for event in events if event_paths.comes_with(field, event))
    admitted = field.sensitive or not event_paths.health_information(event_paths.of_source(field))
    return replace(scope, events=made) if made and admitted and not field.required else scope


def _written(field: MappedField, given: Iterable[Shape]) -> list[Shape]:
    """What can be written of what a source gives."""
    single = [shape for shape in given if shape.kind not in (Kind.OBJECT, Kind.LIST)]
    return [replace(shape, length=None, least=0) for shape in single] if field.cut else single


def _check_returned(scope: Scope, full: str, field: MappedField, target: TargetField) -> None:
    for here, source in placed(scope, field):
        checks_ids.check_returned(here, full, source, target)


def _check_pointer(scope: Scope, source: Source) -> None:
    """Report modifiers on a lookup or ref: it gives an id, which cannot be translated, formatted or cut."""
    if source.lookup is None and source.ref is None:
        return
    for modifier in ("table", "format", "bands", "cut"):
        if getattr(source, modifier, None):
            scope.at(modifier).add_at_key("M122", f"'{modifier}' does not apply to the id of a record", "remove it")


def placed(scope: Scope, source: Source) -> Iterator[tuple[Scope, Source]]:
    """List a source and those inside its cases."""
    yield scope, source
    for number, case in enumerate(source.cases or ()):
        for key, inner in (("then", case.then), ("else", case.else_)):
            if inner is not None:
                yield from placed(scope.at("cases", number, key), inner)


def _check_source(scope: Scope, source: Source) -> None:
    _check_pointer(scope, source)
    checks_slips.check(scope, source)
    if source.lookup is not None:
        checks_lookups.check(scope.at("lookup"), source.lookup)
    if source.ref is not None:
        known_record(scope.at("ref"), source.ref)
