"""What a value of each kind of field looks like, in the catalogue's own form."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Final

from connector.carecycle.catalogue import Field, Kind, parse_time

WORD: Final = re.compile(r"[\w.:-]{1,64}\Z", re.ASCII)
"""What an id and an event type look like: they are kept in columns and shown in links."""

_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d\Z", re.ASCII)
LARGEST: Final = 2**53
"""Beyond it, careCycle's own numbers (JavaScript's) are no longer exact."""


class Unclear(dict[str, Any]):
    """A value that cannot be used whatever its field. what: how it came."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self.what = what


EXPECTED: Final[Mapping[Kind, str]] = {
    Kind.TEXT: "text",
    Kind.UUID: "an id",
    Kind.ENUM: "text",
    Kind.DATE: "a date (YYYY-MM-DD)",
    Kind.DATETIME: "a time (ISO 8601)",
    Kind.INTEGER: "a whole number",
    Kind.BOOLEAN: "true or false",
    Kind.LIST: "a list of texts",
    Kind.OBJECT: "an object",
}

_WRITTEN: Final = frozenset({Kind.UUID, Kind.DATE, Kind.DATETIME})
"""Kinds whose values are texts of a certain form."""


def is_plain(field: Field) -> Callable[[Any], bool]:
    """Return the test that a value of this field is as the catalogue has it."""
    options = frozenset(field.options)
    return PLAIN[field.kind] if not options else lambda value: isinstance(value, str) and value in options


def json_type(value: Any, kind: Kind) -> str:
    """Name the JSON type of a value that is not as this kind of field has it."""
    match value:
        case Unclear():
            return value.what
        case bool():
            return "true or false"
        case int():
            return "a number"
        case float():
            return "a number with decimals"
        case str():
            return "text of another form" if kind in _WRITTEN else "text"
        case list():
            return "a list of other things" if kind is Kind.LIST else "a list"
        case _:
            return "an object"


def parses(parse: Callable[[str], Any], text: str) -> bool:
    """Whether a parser accepts the text."""
    try:
        parse(text)
    except (ValueError, OverflowError):
        return False
    return True


PLAIN: Final[Mapping[Kind, Callable[[Any], bool]]] = {
    Kind.TEXT: lambda value: isinstance(value, str),
    Kind.UUID: lambda value: isinstance(value, str) and WORD.match(value) is not None,
    Kind.ENUM: lambda value: isinstance(value, str),
    Kind.DATE: lambda value: (
        isinstance(value, str) and _DAY.match(value) is not None and parses(date.fromisoformat, value)
    ),
    Kind.DATETIME: lambda value: isinstance(value, str) and parses(parse_time, value),
    Kind.INTEGER: lambda value: isinstance(value, int) and not isinstance(value, bool) and abs(value) < LARGEST,
    Kind.BOOLEAN: lambda value: isinstance(value, bool),
    Kind.LIST: lambda value: isinstance(value, list) and all(isinstance(item, str) for item in value),
    Kind.OBJECT: lambda value: isinstance(value, Mapping) and not isinstance(value, Unclear),
}
