"""The JSON Schema of agency files, for editors: derived from the settings, with those of each CRM.

Whether a file can be used is for reading it to decide: a schema knows neither the environment nor the files beside it.
"""

from __future__ import annotations

from typing import Any, Final

from connector.destinations import VENDORS
from connector.running.config import AgencySettings
from connector.running.settings_problems import REFERENCE

Schema = dict[str, Any]

_REFERENCE: Final[Schema] = {
    "type": "string",
    "pattern": rf"^({REFERENCE.pattern.removesuffix(chr(92) + 'Z')}|file:.+)$",
    "description": "${NAME} reads it from the environment, file:NAME from a file beside this one",
}
_ABOUT: Final = {"description", "default"}
_BY_NAME: Final = {"properties", "patternProperties"}
_SCALARS: Final = ("string", "integer", "number", "boolean")
_LIMITS: Final = {"pattern", "enum", "format", "minimum", "maximum"}


def schema() -> Schema:
    """Build the schema of every agency file."""
    whole = AgencySettings.model_json_schema()
    defs = whole.pop("$defs")
    for vendor in VENDORS.values():
        own = vendor.settings.model_json_schema()
        defs |= own.pop("$defs") | {vendor.settings.__name__: own}
    defs["DestinationSettings"] = {"anyOf": [{"$ref": f"#/$defs/{v.settings.__name__}"} for v in VENDORS.values()]}
    del defs["BaseModel"]  # the credentials of no CRM in particular
    whole["properties"]["destinations"]["additionalProperties"] = False
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        **_written(whole),
        "$defs": {**{name: _written(inner) for name, inner in defs.items()}, "Reference": _REFERENCE},
    }


def _written(node: Any) -> Any:
    """As a file may have it: a reference in place of any value; without the titles that pydantic makes of names."""
    if isinstance(node, list):
        return [_written(item) for item in node]
    if not isinstance(node, dict):
        return node
    if node.get("type") in _SCALARS and "const" not in node:
        return _scalar(_without_titles(node))
    return {
        key: {name: _written(inner) for name, inner in value.items()} if key in _BY_NAME else _written(value)
        for key, value in _without_titles(node).items()
    }


def _without_titles(node: Schema) -> Schema:
    return {key: value for key, value in node.items() if key not in ("title", "writeOnly")}


def _scalar(value: Schema) -> Schema:
    """A text, number or switch. Any text may be a reference as it is; of the others, a reference is another choice."""
    if value["type"] == "string" and (not _LIMITS & value.keys() or value.get("format") == "password"):
        return {key: part for key, part in value.items() if key != "format"}
    about = {key: part for key, part in value.items() if key in _ABOUT}
    limits = {key: part for key, part in value.items() if key not in _ABOUT}
    return about | {"anyOf": [limits, {"$ref": "#/$defs/Reference"}]}
