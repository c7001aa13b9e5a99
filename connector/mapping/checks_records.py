"""Check records: their keys, fields and links."""

from __future__ import annotations

from collections.abc import Mapping

from connector.carecycle.catalogue import Kind
from connector.mapping import (
    checks_addresses,
    checks_conditions,
    checks_fields,
    checks_match,
    checks_pipelines,
    checks_search,
    checks_unique,
    event_paths,
    shapes,
)
from connector.mapping.checks_fields import Fields
from connector.mapping.checks_targets import check_sensitive, check_single_value, check_values
from connector.mapping.diagnostics import Severity
from connector.mapping.schema import Record
from connector.mapping.schema_sources import Key
from connector.mapping.scope import Scope, events_of, known_record, same_key, target_field, target_object
from connector.mapping.shapes import Shape
from connector.mapping.target import TargetField
from connector.model import Mode


def check(scope: Scope, name: str, record: Record) -> None:
    """Report everything wrong with one record."""
    here = scope.at("records", name).on(events_of(scope.file, name))
    _check_events(here, record)
    target = target_object(here.at("object"), record.object)
    fields = target.fields if target else None
    checks_conditions.check(here.at("when"), record.when)
    _check_key(here, record, fields)
    if not record.unique_key and scope.file.crm.keeps_keys_unique:
        message = f"unique_key: false does not apply to {scope.file.crm.title}"
        here.at("unique_key").add_at_key("M110", message, "use a unique field as the key")
    for number, entry in enumerate(record.also_match):
        _check_match(here.at("also_match", number), record, entry, fields)
    for field_name, field in record.fields.items():
        checks_fields.check(here.at("fields", field_name), record, field_name, field, fields)
    _check_once(here.at("fields"), name, record)
    if fields is not None:
        checks_addresses.check(here, name, record, fields)
        checks_pipelines.check(here, record, fields)
        if record.mode is not Mode.UPDATE:
            _check_required(here, name, record, fields)
    _check_associations(here.at("associate"), record)


def _check_events(scope: Scope, record: Record) -> None:
    allowed = scope.file.events
    for number, event in enumerate(record.events or ()):
        if allowed is not None and event not in allowed:
            hint = "the file's own events: come first"
            scope.at("events", number).add("M102", f"this file does not run on {event}", hint)


def _check_key(scope: Scope, record: Record, fields: Fields | None) -> None:
    if len(record.key) != 1:
        if not record.key and "key" in scope.written() and scope.at("key").node.value != {}:
            return  # reading has already reported a malformed key
        hint = "add  key: { <unique field>: customer.id }" if not record.key else "keep one; move others to also_match:"
        problem = "has no key" if not record.key else "has more than one key"
        scope.add_at_key("M231", f"this record {problem}", hint)
        return
    ((name, key),) = record.key.items()
    here = scope.at("key", name)
    _check_identity(here, key)
    _check_distinct(here, key)
    if fields is None:
        check_sensitive(here, key.as_source(), key.sensitive is not None, f"{record.object}.{name}", None)
    elif target := target_field(here, record.object, fields, name):
        _check_key_target(here, record, name, target, fields)
    elif record.unique_key:
        checks_unique.check_room(here, f"{record.object}.{name}", fields)


def _check_key_target(scope: Scope, record: Record, name: str, target: TargetField, fields: Fields) -> None:
    key, full = record.key[name], f"{record.object}.{name}"
    if record.unique_key and not target.unique:
        checks_unique.add(scope, record.object, name, fields)
    if not target.writable:
        scope.add_at_key("M203", f"{full} cannot be written")
    severity = None if record.mode is Mode.UPDATE else Severity.WARNING  # others are written by key without a search
    checks_search.check_searchable(scope, full, target, severity)
    sources = shapes.of_source(scope, key.as_source())
    if target.case_sensitive:
        _check_case(scope, full, sources)
    check_values(scope, full, target, [] if key.cut else sources)
    check_sensitive(scope, key.as_source(), key.sensitive is not None, full, target)


def _check_case(scope: Scope, full: str, sources: list[Shape]) -> None:
    """Warn where a case-sensitive field gets keys in both letter cases."""
    if not all(_has_one_case(shape) for shape in sources):
        message = f"{full} tells upper case from lower, and the connector does not"
        hint = "make the field case-insensitive in the CRM, or add  format: lower"
        scope.add_at_key("M230", message, hint, Severity.WARNING)


def _has_one_case(shape: Shape) -> bool:
    """Whether all keys of this shape are written in one letter case."""
    return shape.kind in (Kind.UUID, Kind.INTEGER) or shape.format in ("lower", "upper")


def _check_identity(scope: Scope, key: Key) -> None:
    """Report a key's source that is wrong or gives more than a single value."""
    check_single_value(scope, shapes.of_source(scope, key.as_source()))


def _check_distinct(scope: Scope, key: Key) -> None:
    """Report what could give two records the same key."""
    if key.cut:
        scope.at("cut").add("M232", "cutting a key could give two records the same key", "remove cut:")
    source = key.as_source()
    if not all(step.keeps for step in event_paths.steps_of(source.template or "")):
        scope.at("template").add("M232", "this format could give two records the same key", "remove it")
    if not source.keeps:
        scope.at("format").add("M232", "this format could give two records the same key", "remove it")
    elif event_paths.is_timed(key.as_source()):
        scope.add("M232", "this key would change as time passes, and the record be written twice", "use another format")


def _check_match(scope: Scope, record: Record, entry: Mapping[str, Key], fields: Fields | None) -> None:
    for name, key in entry.items():
        here = scope.at(name)
        _check_identity(here, key)
        if fields is not None:
            checks_search.check(here, record.object, fields, name)
    checks_match.check(scope, record, entry)


def _check_associations(scope: Scope, record: Record) -> None:
    if record.associate and not scope.file.crm.associates:
        message = f"associate: does not apply to {scope.file.crm.title}"
        scope.add_at_key("M110", message, "use a look-up field with  ref:")
    for number, other in enumerate(record.associate):
        known_record(scope.at(number), other)


def _check_once(scope: Scope, name: str, record: Record) -> None:
    """Report fields that an earlier record of the same key writes too."""
    names = list(scope.file.records)
    for other in same_key(scope.file, name):
        flags = {
            place.partition(".")[2] for place in scope.file.consent.flags.values() if place.startswith(f"{other}.")
        }
        both = record.fields.keys() & (scope.file.records[other].fields.keys() | flags)
        for field in both if names.index(other) < names.index(name) else both & flags:
            message = f"{record.object}.{field} is written twice: '{other}' writes it to the same record"
            scope.at(field).add_at_key("M222", message, "keep one of the two")


def _check_required(scope: Scope, name: str, record: Record, fields: Fields) -> None:
    consent = set(scope.file.consent.flags.values())
    beside = [
        other for other in same_key(scope.file, name) if set(scope.events or ()) <= {*events_of(scope.file, other)}
    ]
    written = scope.written("fields")
    elsewhere = {target for other in beside for target in scope.file.records[other].fields}
    for target, field in fields.items():
        mapped = target in written or target in elsewhere or target in record.key or f"{name}.{target}" in consent
        if field.required and field.writable and not mapped:
            scope.at("fields").add_at_key("M240", f"{record.object}.{target} is required and not mapped")
