"""The editor's schema of records, filled with the objects and fields of one CRM account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from connector.mapping.editor_events import NAMES, Schema
from connector.mapping.target import TargetField, TargetObject

_FIELD: Final[Schema] = {"$ref": "#/$defs/MappedField"}
_KEY: Final[Schema] = {"$ref": "#/$defs/Key"}
REMOVE: Final[Schema] = NAMES | {"description": "inherited entries to drop"}


def for_object(object: str, properties: Schema) -> Schema:
    """Apply these properties to blocks about one object."""
    about = {"properties": {"object": {"const": object}}, "required": ["object"]}
    return {"if": about, "then": {"properties": properties}}


def _about(field: TargetField) -> str:
    """Describe a CRM field in a few words."""
    facts = [field.type]
    facts += [f"at most {field.length} characters"] if field.length else []
    marks = ("required", "unique", "sensitive")
    facts += [mark for mark in marks if getattr(field, mark)]
    options = f"; offers {', '.join(option.value for option in field.options)}" if field.options else ""
    return ", ".join(facts) + options


def block_of(fields: Mapping[str, TargetField], value: Schema) -> Schema:
    """Build the schema of a block with these fields and no others."""
    known = {name: _target(field, value) for name, field in fields.items()}
    return {"type": "object", "properties": known, "additionalProperties": False}


def fixed_of(fields: Mapping[str, TargetField]) -> Schema:
    """Build the schema of a block of fixed values for these fields."""
    kinds = {name: {"type": "boolean"} if field.type == "boolean" else _fixed(field) for name, field in fields.items()}
    known = {name: kinds[name] | {"description": _about(field)} for name, field in fields.items()}
    return {"type": "object", "properties": known, "additionalProperties": False}


def _fixed(field: TargetField) -> Schema:
    """Build the schema of a fixed value for a field, which offers its options."""
    anything: Schema = {"type": ["string", "number"]}
    offered: Schema = {"enum": [option.value for option in field.options]}
    if not field.options:
        return anything
    return offered if field.restricted else {"anyOf": [offered, anything]}


def _target(field: TargetField, value: Schema) -> Schema:
    if value is not _FIELD or not field.options:
        return value | {"description": _about(field)}
    offered = {"value": _fixed(field), "order": {"items": _fixed(field)}}
    return {"allOf": [value, {"properties": offered}], "description": _about(field)}


def record(base: Schema, objects: Mapping[str, TargetObject]) -> Schema:
    """Build the schema of a record from the format's own."""
    if not objects:
        return base
    base["properties"]["object"] = {"enum": [*objects]}
    return base | {"allOf": [for_object(name, _record_keys(known.fields, {})) for name, known in objects.items()]}


def _record_keys(fields: Mapping[str, TargetField], more: Schema) -> Schema:
    writable = {name: field for name, field in fields.items() if field.writable}
    unique = {name: field for name, field in writable.items() if field.unique}
    mapped = block_of(writable, _FIELD)
    mapped["properties"] |= more
    return {"fields": mapped, "key": block_of(unique, _KEY), "also_match": {"items": block_of(fields, _KEY)}}


def inherited_record(record: Schema, objects: Mapping[str, TargetObject]) -> Schema:
    """Build the schema of a record that is partly inherited. Without its object, a field of any object is allowed."""
    remove = {"remove": REMOVE}
    loose = {key: value for key, value in record.items() if key not in ("required", "allOf")}
    fields = record["properties"]["fields"] | {"properties": remove}
    loose["properties"] = record["properties"] | remove | {"fields": fields}
    writable: dict[str, TargetField] = {}
    for known in objects.values():
        writable |= {name: field for name, field in known.fields.items() if field.writable}
    if writable:
        any_field = {"properties": {name: _target(field, _FIELD) for name, field in writable.items()}}
        inherited = {"if": {"not": {"required": ["object"]}}, "then": {"properties": {"fields": any_field}}}
        own = [for_object(name, _record_keys(known.fields, remove)) for name, known in objects.items()]
        loose["allOf"] = [*own, inherited]
    return loose
