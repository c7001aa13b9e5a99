"""The JSON Schema of mapping files for editors: the format's own, with the catalogue's words and one CRM account's.

https://github.com/redhat-developer/yaml-language-server reads it. It is there to complete and to explain while
somebody types; what a mapping must hold is for the checks to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from connector.carecycle import catalogue
from connector.carecycle.catalogue import FIELDS, FLAGS, Kind
from connector.mapping.conditions import TAKES
from connector.mapping.schema import json_schema
from connector.mapping.target import TargetField, TargetObject, TargetSchema

Schema = dict[str, Any]

_EVENT_FIELD: Final[Schema] = {"$ref": "#/$defs/EventField"}
_FIELD: Final[Schema] = {"$ref": "#/$defs/MappedField"}
_KEY: Final[Schema] = {"$ref": "#/$defs/Key"}
_CONDITION: Final[Schema] = {"$ref": "#/$defs/Condition"}
_NAMES: Final[Schema] = {"type": "array", "items": {"type": "string"}}
_REMOVE: Final[Schema] = _NAMES | {"description": "what is inherited and not wanted: drops it"}
_SOURCES: Final = ("Source", "MappedField", "Key")
_SEVERAL: Final = ("in", "not_in")
_ABOUT: Final[Mapping[str, str]] = {
    "when": "a condition: otherwise it is not sent, or not made",
    "table": "translates the value; a name under tables:, or a block in place",
    "format": "writes the value another way",
    "default": "fixed content where there is no value",
    "cut": "true: shortens a text to what the CRM's field holds",
    "if_null": "keep (default) leaves the CRM's value where careCycle holds none; clear erases it",
    "write": "when to write over what the CRM holds",
    "sensitive": "accepted: this is health information and the field may hold it",
    "value": "always this: text, a number, true or false",
    "template": "text with fields in it: {path}, {path|format}; [ ] vanishes when a field inside has no value",
    "join": "those that have a value, put together by with:",
    "lookup": "a value found in the CRM, for instance an owner's id",
    "ref": "the id of another record of this file",
    "cases": "the first case that holds",
    "key": "one unique CRM field and what identifies the record: nothing is written twice",
    "unique_key": "false where HubSpot offers no unique property: the connector remembers each record's id",
    "also_match": "adopts a record people made by hand: tried in order, once",
    "mode": "upsert (default), create (never touch one that exists), update (never make one)",
    "associate": "HubSpot: the records of this file to link it with",
}
_JSON_TYPES: Final[Mapping[Kind, str]] = {Kind.BOOLEAN: "boolean", Kind.INTEGER: "number"}


def schema(target: TargetSchema | None) -> Schema:
    """The schema for every mapping file; target: what the CRM offers, where known."""
    made: Schema = _plain(json_schema())
    defs = made.pop("$defs")
    objects = target.objects if target else {}
    _describe_sources(defs, objects)
    for properties in (defs["Record"]["properties"], *(defs[name]["anyOf"][1]["properties"] for name in _SOURCES)):
        properties |= {name: one | {"description": _ABOUT[name]} for name, one in properties.items() if name in _ABOUT}
    defs["EventField"] = {
        "enum": [*FIELDS],
        "enumDescriptions": [_about_event(field) for field in FIELDS.values()],
        "properties": {},  # means nothing for a text; without it the server's hover takes this for another schema
    }
    defs["Condition"] = _condition()
    defs["Consent"]["properties"] |= _consent()
    defs["Test"]["properties"]["given"] = {"type": "object", "properties": _given()}
    defs["Record"] = _record(defs["Record"], objects)
    if target is not None:
        made["properties"]["crm"] = {"const": target.crm}
    defs["File"] = made
    defs["InheritedRecord"] = _inherited_record(defs["Record"], objects)
    defs["InheritingFile"] = _inheriting(made)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "if": {"required": ["extends"]},
        "then": {"$ref": "#/$defs/InheritingFile"},
        "else": {"$ref": "#/$defs/File"},
        "$defs": defs,
    }


def _plain(node: Any) -> Any:
    """Without what only tells programs how the model was made: titles, defaults, and null for "left out"."""
    match node:
        case {"anyOf": [one, {"type": "null"}], **rest}:
            return _plain(one | {key: value for key, value in rest.items() if key not in ("title", "default")})
        case {"properties": properties, **rest}:
            return _plain(rest) | {"properties": {name: _plain(one) for name, one in properties.items()}}
        case dict():
            return {key: _plain(value) for key, value in node.items() if key not in ("title", "default")}
        case list():
            return [_plain(one) for one in node]
        case _:
            return node


def _about_event(field: catalogue.Field) -> str:
    about = f"{field.kind}, {field.privacy}" + (f": {field.about}" if field.about else "")
    values = f"; one of {', '.join(field.options)}" if field.options else ""
    carried = catalogue.carried_by(field.path)
    events = "" if len(carried) == len(catalogue.EVENTS) else f"; only in {', '.join(sorted(carried))}"
    return about + values + events


def _describe_sources(defs: Schema, objects: Mapping[str, TargetObject]) -> None:
    """A bare word is a field of the event, wherever a source may stand."""
    paths = {"type": "array", "items": _EVENT_FIELD}
    for name in _SOURCES:
        block = defs[name]["anyOf"][1]
        del block["description"]  # a hover shows one description: the CRM field's own
        block["properties"] |= {"from": {"anyOf": [_EVENT_FIELD, paths]}, "join": paths}
        defs[name] = {"anyOf": [_EVENT_FIELD, block]}
    lookup = defs["Lookup"]
    lookup["properties"]["match"] = {"type": "object", "maxProperties": 1, "additionalProperties": _EVENT_FIELD}
    if objects:
        lookup["properties"]["object"] = {"enum": [*objects]}
        lookup["allOf"] = [
            _where(
                name,
                {"match": _fields(one.fields, _EVENT_FIELD), "return": {"enum": sorted({"id", "Id", *one.fields})}},
            )
            for name, one in objects.items()
        ]


def _where(object: str, properties: Schema) -> Schema:
    """What holds in a block about one object."""
    about = {"properties": {"object": {"const": object}}, "required": ["object"]}
    return {"if": about, "then": {"properties": properties}}


def _about(field: TargetField) -> str:
    """A CRM field in a few words."""
    facts = [field.type]
    facts += [f"at most {field.length} characters"] if field.length else []
    marks = ("required", "unique", "sensitive")
    facts += [mark for mark in marks if getattr(field, mark)]
    options = f"; offers {', '.join(option.value for option in field.options)}" if field.options else ""
    return ", ".join(facts) + options


def _fields(fields: Mapping[str, TargetField], value: Schema) -> Schema:
    """A block of these fields and no other."""
    known = {name: _target(field, value) for name, field in fields.items()}
    return {"type": "object", "properties": known, "additionalProperties": False}


def _target(field: TargetField, value: Schema) -> Schema:
    made = value | {"description": _about(field)}
    if value is not _FIELD or not field.options:
        return made
    offered: Schema = {"enum": [option.value for option in field.options]}
    fixed = offered if field.restricted else {"anyOf": [offered, {"type": "string"}]}
    return {"allOf": [value, {"properties": {"value": fixed}}], "description": _about(field)}


def _record(base: Schema, objects: Mapping[str, TargetObject]) -> Schema:
    if not objects:
        return base
    base["properties"]["object"] = {"enum": [*objects]}
    return base | {"allOf": [_where(name, _about_object(one.fields, {})) for name, one in objects.items()]}


def _about_object(fields: Mapping[str, TargetField], more: Schema) -> Schema:
    writable = {name: field for name, field in fields.items() if field.writable}
    unique = {name: field for name, field in writable.items() if field.unique}
    mapped = _fields(writable, _FIELD)
    mapped["properties"] |= more
    return {"fields": mapped, "key": _fields(unique, _KEY), "also_match": {"items": _fields(fields, _KEY)}}


def _inherited_record(record: Schema, objects: Mapping[str, TargetObject]) -> Schema:
    """A record of which the rest is inherited, perhaps its object too: then any object's field may be meant."""
    remove = {"remove": _REMOVE}
    loose = {key: value for key, value in record.items() if key not in ("required", "allOf")}
    fields = record["properties"]["fields"] | {"properties": remove}
    loose["properties"] = record["properties"] | remove | {"fields": fields}
    every: dict[str, TargetField] = {}
    for one in objects.values():
        every |= {name: field for name, field in one.fields.items() if field.writable}
    if every:
        known = {name: _target(field, _FIELD) for name, field in every.items()}
        inherited = {"if": {"not": {"required": ["object"]}}, "then": {"properties": {"fields": {"properties": known}}}}
        own = [_where(name, _about_object(one.fields, remove)) for name, one in objects.items()]
        loose["allOf"] = [*own, inherited]
    return loose


def _inheriting(file: Schema) -> Schema:
    records = {
        "type": "object",
        "properties": {"remove": _REMOVE},
        "additionalProperties": {"$ref": "#/$defs/InheritedRecord"},
    }
    loose = {key: value for key, value in file.items() if key != "required"}
    return loose | {"properties": file["properties"] | {"records": records, "remove": _REMOVE}}


def _condition() -> Schema:
    several = {"type": "array", "items": _CONDITION}
    inner = {"any": several, "all": several, "not": _CONDITION}
    compared = {path: _comparison(field) for path, field in FIELDS.items()}
    return {"type": "object", "properties": inner | compared, "additionalProperties": False}


def _comparison(field: catalogue.Field) -> Schema:
    """What a field may be compared with: a value, a list of values, or a block of comparisons."""
    one = _value(field)
    short = [one, {"type": "array", "items": one}] if field.kind in TAKES["is"] else []
    operators = [name for name, kinds in TAKES.items() if field.kind in kinds and name != "exists"]
    block: Schema = {name: {"type": "array", "items": one} if name in _SEVERAL else one for name in operators}
    block["exists"] = {"type": "boolean", "description": "true: it has a value; false: it has none"}
    whole = {"type": "object", "properties": block, "additionalProperties": False}
    return {"anyOf": [*short, whole], "description": _about_event(field)}


def _value(field: catalogue.Field) -> Schema:
    if field.options:
        return {"enum": [*field.options]}
    return {"type": _JSON_TYPES.get(field.kind, "string")}


def _consent() -> Schema:
    flag = {"enum": [*FLAGS]}
    flags = {"type": "array", "items": flag}
    target = {"type": "string", "description": "record.Field: true is written there; false never lowers it"}
    lists = dict.fromkeys(FLAGS, _NAMES)
    block = {"type": "object", "additionalProperties": False}
    return {
        "flags": block | {"properties": dict.fromkeys(FLAGS, target)},
        "withhold": block | {"properties": lists, "description": "while the flag is true or unknown: not sent"},
        "withheld": {
            "enum": ["leave", "clear"],
            "description": "leave (default): what the CRM holds of withheld fields stays; clear: it is erased",
        },
        "skip": block | {"properties": lists, "description": "while the flag is true or unknown: not made"},
        "unsubscribe": flags | {"description": "HubSpot: also opt the address out"},
        "waive": flags | {"description": "flags this agency's CRM does not carry, on purpose"},
    }


def _given() -> Schema:
    given = {path: field for path, field in FIELDS.items() if path != "event.type"}
    return {
        path: (_value(field) if field.options else {}) | {"description": _about_event(field)}
        for path, field in given.items()
    }
