"""Check the fields of a record: their sources, modifiers, lookups and targets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from connector.carecycle.catalogue import Kind
from connector.mapping import checks_conditions, checks_ids, checks_search, checks_stages, shapes
from connector.mapping.checks_targets import check_sensitive, check_single_value, check_values
from connector.mapping.schema import Record
from connector.mapping.schema_sources import Lookup, MappedField, Source
from connector.mapping.scope import Scope, known_record, target_field, target_object
from connector.mapping.target import TargetField
from connector.model import Rule

Fields = Mapping[str, TargetField]
_READING_RULES = frozenset({Rule.IF_BLANK, Rule.UNLESS_EDITED})


def check(scope: Scope, record: Record, name: str, field: MappedField, fields: Fields | None) -> None:
    checks_conditions.check(scope.at("when"), field.when)
    given = shapes.of_source(scope, field)
    check_single_value(scope, given)
    _check_pointer(scope, field)
    for here, source in _nested(scope, field):
        _check_source(here, source)
    if field.write in _READING_RULES:
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
        plain = [shape for shape in given if shape.kind not in (Kind.OBJECT, Kind.LIST)]
        uncut = [replace(shape, length=None) for shape in plain] if field.cut else plain
        check_values(scope, full, target, uncut)
        checks_ids.check_returned(scope, full, field, target)
        checks_stages.check(scope, record.object, name, field, target)
        check_sensitive(scope, field, field.sensitive is not None, full, target)


def _check_pointer(scope: Scope, source: Source) -> None:
    """Report modifiers on a lookup or ref: it gives an id, which cannot be translated, formatted or cut."""
    if source.lookup is None and source.ref is None:
        return
    for modifier, written in (("table", source.table), ("format", source.format), ("cut", getattr(source, "cut", 0))):
        if written:
            scope.at(modifier).add_at_key("M122", f"'{modifier}' does not apply to the id of a record", "remove it")


def _nested(scope: Scope, source: Source) -> Iterator[tuple[Scope, Source]]:
    """List a source and those inside its cases."""
    yield scope, source
    for number, case in enumerate(source.cases or ()):
        for key, inner in (("then", case.then), ("else", case.else_)):
            if inner is not None:
                yield from _nested(scope.at("cases", number, key), inner)


def _check_source(scope: Scope, source: Source) -> None:
    _check_pointer(scope, source)
    if source.lookup is not None:
        _check_lookup(scope.at("lookup"), source.lookup)
    if source.ref is not None:
        known_record(scope.at("ref"), source.ref)


def _check_lookup(scope: Scope, lookup: Lookup) -> None:
    target = target_object(scope.at("object"), lookup.object)
    if target is None:
        return
    for name in lookup.match:
        checks_search.check(scope.at("match", name), lookup.object, target.fields, name)
    returned = lookup.return_
    if returned and returned not in target.fields and not scope.file.crm.is_id(returned):
        message = f"{lookup.object} has no field '{returned}' in {scope.crm_name}"
        scope.at("return").add("M201", message, scope.suggest(returned, target.fields))
