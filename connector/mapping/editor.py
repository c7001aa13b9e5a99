"""The JSON Schema of mapping files for editors, with the catalogue's fields and those of one CRM account.

https://github.com/redhat-developer/yaml-language-server reads it to complete and explain while you type. Whether a
mapping is correct is for the checks to decide.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from connector.carecycle.catalogue import FIELDS
from connector.crm import Crm
from connector.mapping.editor_events import FORMATTED, Schema, about_event, condition, consent, given_values
from connector.mapping.editor_targets import REMOVE, block_of, fixed_of, for_object, inherited_record, record
from connector.mapping.schema import json_schema
from connector.mapping.shipped import short_name
from connector.mapping.target import TargetField, TargetObject, TargetSchema

_EVENT_FIELD: Final[Schema] = {"$ref": "#/$defs/EventField"}
_SOURCES: Final = ("Source", "MappedField", "Key")
_ABOUT: Final[Mapping[str, str]] = {
    "when": "a condition; unless it holds, the field is not sent or the record is not written",
    "table": "translates the value: the name of a table under tables:, or a table in place",
    "format": "writes the value in another format, or in several, one after another",
    "bands": "gives each number what is written for its band, named by its lowest number; else: below the lowest",
    "default": "a fixed value, used when there is none",
    "cut": "true: shortens text to the length of the CRM's field",
    "if_null": "when careCycle has no value: keep (default) leaves the CRM's value, clear erases it",
    "write": "when to overwrite the CRM's value",
    "order": "with write: forward: the values that the field moves along, the first one first",
    "required": "true: without this field the record is not written",
    "sensitive": "accepted: this is health information, and the field may hold it",
    "value": "a fixed value: text, a number, true or false",
    "template": "text with fields in it: {path}, {path|format}; [ ] is left out when a field inside has no value",
    "join": "joins the fields that have a value, separated by with:",
    "lookup": "a value looked up in the CRM, for example an owner's id",
    "first": "a field of the first of a customer's calls, of those for which when: holds",
    "last": "a field of the last of a customer's calls, of those for which when: holds",
    "ref": "the id of another record of this file",
    "cases": "the first case that holds",
    "key": "one unique CRM field and what identifies the record, so that nothing is written twice",
    "unique_key": "false if the CRM has no unique field here: the connector remembers each record's id",
    "also_match": "adopts a record created by hand, if the names agree; the steps are tried once, in order",
    "mode": "upsert (default), create (never change an existing record), update (never create one)",
    "associate": "the records of this file to associate it with, in a CRM with associations",
}
_OF_LOOKUP: Final[Mapping[str, str]] = {
    "where": "fields of the CRM that must hold a fixed value: text, a number, true or false",
    "else": "where there is no match: another lookup:, or a fixed value:",
    "missing": "where there is no match: keep (default), wait, or reject the record",
}


def schema(target: TargetSchema | None, crms: Mapping[str, Crm], shipped: Iterable[str] = ()) -> Schema:
    """Build the schema for every mapping file. target: the CRM's schema, if known; crms: by name.

    shipped: the names of shipped mappings and recipes.
    """
    file: Schema = _plain(json_schema())
    defs = file.pop("$defs")
    objects = target.objects if target else {}
    known_crm = crms.get(target.crm) if target else None
    _describe_sources(defs, objects, known_crm.id_field if known_crm else "id")
    for properties in (defs["Record"]["properties"], *(defs[name]["anyOf"][1]["properties"] for name in _SOURCES)):
        described = {name: inner for name, inner in properties.items() if name in _ABOUT}
        properties |= {name: inner | {"description": _ABOUT[name]} for name, inner in described.items()}
    defs["EventField"] = {
        "enum": [*FIELDS],
        "enumDescriptions": [about_event(field) for field in FIELDS.values()],
        "properties": {},  # means nothing for text, but without it the server's hover shows another schema
    }
    defs["Condition"], defs["Formatted"] = condition(), FORMATTED
    defs["Consent"]["properties"] |= consent()
    defs["Test"]["properties"]["given"] = {"type": "object", "properties": given_values()}
    defs["Record"] = record(defs["Record"], objects)
    file["properties"]["crm"] = {"const": target.crm} if target else {"enum": [*crms]}
    file["properties"]["extends"] = _extends(shipped)
    defs["File"] = file
    defs["InheritedRecord"] = inherited_record(defs["Record"], objects)
    defs["InheritingFile"] = _inheriting(file)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "if": {"required": ["extends"]},
        "then": {"$ref": "#/$defs/InheritingFile"},
        "else": {"$ref": "#/$defs/File"},
        "$defs": defs,
    }


def _plain(node: Any) -> Any:
    """Drop what an editor must not show: titles, defaults, and null as the value of an optional key."""
    match node:
        case {"anyOf": [inner, {"type": "null"}], **rest}:
            return _plain(inner | {key: value for key, value in rest.items() if key not in ("title", "default")})
        case {"properties": properties, **rest}:
            shown = {name: _plain(_without_null(inner)) for name, inner in properties.items()}
            return _plain(rest) | {"properties": shown}
        case dict():
            return {key: _plain(value) for key, value in node.items() if key not in ("title", "default")}
        case list():
            return [_plain(item) for item in node]
        case _:
            return node


def _without_null(key: Any) -> Any:
    """An optional key without null among what it may be. What a table gives may be null."""
    options = key.get("anyOf") if isinstance(key, dict) else None
    return key | {"anyOf": [own for own in options if own != {"type": "null"}]} if options else key


def _describe_sources(defs: Schema, objects: Mapping[str, TargetObject], id_field: str) -> None:
    """Accept a bare word as a field of the event wherever a source is allowed."""
    paths = {"type": "array", "items": _EVENT_FIELD}
    for name in _SOURCES:
        block = defs[name]["anyOf"][1]
        del block["description"]  # a hover shows one description: the CRM field's own
        block["properties"] |= {"from": {"anyOf": [_EVENT_FIELD, paths]}, "join": paths}
        block["properties"] |= {word: _EVENT_FIELD for word in ("first", "last") if word in block["properties"]}
        defs[name] = {"anyOf": [_EVENT_FIELD, block]}
    lookup = defs["Lookup"]
    lookup["properties"] |= {"match": {"type": "object", "additionalProperties": _EVENT_FIELD}} | {
        name: lookup["properties"][name] | {"description": about} for name, about in _OF_LOOKUP.items()
    }
    if objects:
        lookup["properties"]["object"] = {"enum": [*objects]}
        lookup["allOf"] = [for_object(name, _lookup_keys(known.fields, id_field)) for name, known in objects.items()]


def _lookup_keys(fields: Mapping[str, TargetField], id_field: str) -> Schema:
    return {
        "match": block_of(fields, _EVENT_FIELD),
        "where": fixed_of(fields),
        "return": {"enum": sorted({id_field, id_field.lower(), *fields})},
    }


def _extends(shipped: Iterable[str]) -> Schema:
    """Offer what is shipped; a file of one's own may be named as well."""
    offered = sorted({short_name(name) for name in shipped})
    name = {"anyOf": [*([{"enum": offered}] if offered else []), {"type": "string"}]}
    about = "the mapping this one is based on, or a list of it and of those that add to it"
    return {"anyOf": [*name["anyOf"], {"type": "array", "items": name, "minItems": 1}], "description": about}


def _inheriting(file: Schema) -> Schema:
    records = {
        "type": "object",
        "properties": {"remove": REMOVE},
        "additionalProperties": {"$ref": "#/$defs/InheritedRecord"},
    }
    loose = {key: value for key, value in file.items() if key != "required"}
    return loose | {"properties": file["properties"] | {"records": records, "remove": REMOVE}}
