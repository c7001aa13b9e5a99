"""The JSON Schema of what `--json` prints, derived from the types that the results are made of."""

from __future__ import annotations

import json
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import is_dataclass
from enum import EnumType
from pathlib import Path
from typing import Any, Final, Union, get_args, get_origin, get_type_hints, is_typeddict
from urllib.parse import quote

import click

from connector.cli.json_output import is_time
from connector.settlement import RecordNote

VERSION: Final = 1
"""Of the output of all commands together. docs/operating.md says which changes need another."""

_WIDTH: Final = 110
_ALWAYS: Final[Mapping[Any, dict[str, Any]]] = {
    Any: {},
    object: {},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    str: {"type": "string"},
    Path: {"type": "string"},
    types.NoneType: {"type": "null"},
}
_TIME: Final = {"type": ["string", "null"], "format": "date-time"}
_UNIONS: Final = (Union, types.UnionType)


class JsonOption(click.Option):
    """The option `--json`, with the type of what it prints. Of a dataclass or TypedDict every field is printed."""

    def __init__(self, *args: Any, shape: Any, **given: Any) -> None:
        super().__init__(*args, **given)
        self.shape = shape


def output_schema(root: click.Command, command: str = "") -> dict[str, Any]:
    """Describe what every command prints, under its words. command: whose output the schema is for, if any."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:carecycle-crm-connector:json-output:{VERSION}",
        "title": "What the commands of carecycle-crm-connector print with --json",
        "version": VERSION,
        **({"$ref": f"#/$defs/{quote(command)}"} if command else {}),
        "$defs": {words: _schema_of(shape) for words, shape in printed(root)},
    }


def printed(command: click.Command, words: str = "") -> Iterator[tuple[str, Any]]:
    """Each command that has `--json`, by its words, with the type of what it prints."""
    for option in command.params:
        if isinstance(option, JsonOption):
            yield words, option.shape
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            if own := command.get_command(context, name):
                yield from printed(own, f"{words} {name}".strip())


def _schema_of(kind: Any, name: str = "") -> dict[str, Any]:
    """Describe a type as `as_data` prints it. name: of the field it is in.

    Raises TypeError for a type that has no form in JSON.
    """
    if kind is int and is_time(name):
        return _TIME
    if kind in _ALWAYS:
        return _ALWAYS[kind]
    if origin := get_origin(kind):
        return _parametrised(origin, get_args(kind), name)
    if isinstance(kind, EnumType):
        values: Iterable[object] = kind
        return {"enum": [str(value) for value in values]}
    if is_dataclass(kind) or is_typeddict(kind):
        return _object(kind)
    raise TypeError(f"{name or 'the output'}: {kind} has no form in JSON")


def _parametrised(origin: Any, args: tuple[Any, ...], name: str) -> dict[str, Any]:
    if origin in _UNIONS:
        return _any_of([_schema_of(each, name) for each in args])
    if issubclass(origin, Mapping):
        names = {} if args[0] is str else {"propertyNames": _schema_of(args[0])}
        return {"type": "object", **names, "additionalProperties": _schema_of(args[1])}
    if issubclass(origin, tuple) and args[1:] != (...,):
        each = [_schema_of(own) for own in args]
        return {"type": "array", "prefixItems": each, "minItems": len(each), "maxItems": len(each)}
    if issubclass(origin, Sequence | Set):
        return {"type": "array", "items": _schema_of(args[0], name)}
    raise TypeError(f"{name or 'the output'}: {origin} has no form in JSON")


def _object(kind: Any) -> dict[str, Any]:
    printed_kind = get_type_hints(RecordNote.as_data)["return"] if kind is RecordNote else kind
    properties = {name: _schema_of(own, name) for name, own in get_type_hints(printed_kind).items()}
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _any_of(kinds: list[dict[str, Any]]) -> dict[str, Any]:
    """One of these; of plain types, and of a time that may be missing, without nesting."""
    plain = [kind for kind in kinds if kind.keys() <= {"type", "format"}]
    if len(plain) != len(kinds):
        return {"anyOf": kinds}
    names = [name for kind in plain for name in ([kind["type"]] if isinstance(kind["type"], str) else kind["type"])]
    formats = {key: value for kind in plain for key, value in kind.items() if key == "format"}
    return {"type": list(dict.fromkeys(names)), **formats}


def laid_out(content: Any, indent: str = "") -> str:
    """JSON text with whatever fits on one line on one line."""
    flat = json.dumps(content, ensure_ascii=False)
    if len(indent + flat) <= _WIDTH or not content or not isinstance(content, dict | list):
        return flat
    inner = f"{indent} "
    if isinstance(content, dict):
        parts = [f"{json.dumps(name)}: {laid_out(each, inner)}" for name, each in content.items()]
    else:
        parts = [laid_out(each, inner) for each in content]
    first, last = "{}" if isinstance(content, dict) else "[]"
    return "\n".join([first, ",\n".join(inner + part for part in parts), indent + last])
