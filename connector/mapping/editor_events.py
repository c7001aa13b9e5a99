"""The editor's schema of event fields, conditions, consent and test values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from connector.carecycle import catalogue
from connector.carecycle.catalogue import FIELDS, FLAGS, Kind
from connector.mapping.checks_conditions import TAKES
from connector.mapping.formats import SCHEMA

Schema = dict[str, Any]
_CONDITION: Final[Schema] = {"$ref": "#/$defs/Condition"}
NAMES: Final[Schema] = {"type": "array", "items": {"type": "string"}}
_SEVERAL: Final = ("in", "not_in")
_SPAN: Final[Schema] = {"type": "string", "description": "for example 7 months, 30 days, 5 business days"}
_OTHERS: Final[Schema] = {
    "exists": {"type": "boolean", "description": "true: it has a value; false: it has none"},
    "within": {
        "type": "object",
        "properties": {"next": _SPAN, "last": _SPAN},
        "additionalProperties": False,
        "maxProperties": 1,
        "description": "how far from the day of the event it may be",
    },
}
_ANOTHER: Final[Schema] = {
    "type": "object",
    "properties": {"field": {"$ref": "#/$defs/EventField"}},
    "additionalProperties": False,
    "required": ["field"],
    "description": "the value of another field of the event",
}
FORMATTED: Final[Schema] = {
    "type": "object",
    "properties": {"format": SCHEMA} | {name: {} for name in TAKES} | _OTHERS,
    "additionalProperties": False,
    "required": ["format"],
}
"""A value that is compared after it went through formats: it is of another type than its field."""
_JSON_TYPES: Final[Mapping[Kind, str]] = {Kind.BOOLEAN: "boolean", Kind.INTEGER: "number"}


def about_event(field: catalogue.Field) -> str:
    """Describe an event field in a few words."""
    about = f"{field.kind}, {field.privacy}" + (f": {field.about}" if field.about else "")
    values = f"; one of {', '.join(field.options)}" if field.options else ""
    carried = catalogue.carried_by(field.path)
    events = "" if len(carried) == len(catalogue.EVENTS) else f"; only in {', '.join(sorted(carried))}"
    return about + values + events


def condition() -> Schema:
    """Build the schema of a condition."""
    several = {"type": "array", "items": _CONDITION}
    inner = {"any": several, "all": several, "not": _CONDITION}
    compared = {path: _comparison(field) for path, field in FIELDS.items()}
    return {"type": "object", "properties": inner | compared, "additionalProperties": False}


def _comparison(field: catalogue.Field) -> Schema:
    """Build the schema of what a field may be compared with: a value, a list of values, or a block of comparisons."""
    value = _value(field)
    values = {"type": "array", "items": value}
    short = [value, values] if field.kind in TAKES["is"] else []
    operators = [name for name, kinds in TAKES.items() if field.kind in kinds and name not in _OTHERS]
    block: Schema = {name: values if name in _SEVERAL else value for name in operators} | _OTHERS
    if field.kind not in TAKES["within"]:
        del block["within"]
    if "contains" in block:
        block["contains"] = {"anyOf": [value, _ANOTHER]}
    whole = {"type": "object", "properties": block, "additionalProperties": False}
    return {"anyOf": [*short, whole, {"$ref": "#/$defs/Formatted"}], "description": about_event(field)}


def _value(field: catalogue.Field) -> Schema:
    if field.options:
        return {"enum": [*field.options]}
    return {"type": _JSON_TYPES.get(field.kind, "string")}


def consent() -> Schema:
    """Build the schema of the keys of the consent section."""
    flag = {"enum": [*FLAGS]}
    flags = {"type": "array", "items": flag}
    target = {"type": "string", "description": "record.Field: true is written there; false never overwrites it"}
    lists = dict.fromkeys(FLAGS, NAMES)
    block = {"type": "object", "additionalProperties": False}
    return {
        "flags": block | {"properties": dict.fromkeys(FLAGS, target)},
        "withhold": block | {"properties": lists, "description": "while the flag is true or unknown: not sent"},
        "withheld": {
            "enum": ["leave", "clear"],
            "description": "leave (default): the CRM's values of withheld fields stay; clear: they are erased",
        },
        "skip": block | {"properties": lists, "description": "while the flag is true or unknown: not written"},
        "unsubscribe": flags | {"description": "also opt the e-mail address out, in a CRM with a subscription service"},
        "raise": block
        | {
            "properties": dict.fromkeys(FLAGS, _when()),
            "description": "an event that meets the condition raises the flag, whatever the customer's own flag says",
        },
        "waive": flags | {"description": "flags this agency's CRM deliberately does not carry"},
    }


def _when() -> Schema:
    return {"type": "object", "properties": {"when": _CONDITION}, "required": ["when"], "additionalProperties": False}


def given_values() -> Schema:
    """Build the schema of the event fields a test can set."""
    given = {path: field for path, field in FIELDS.items() if path != "event.type"}
    return {
        path: (_value(field) if field.options else {}) | {"description": about_event(field)}
        for path, field in given.items()
    }
