"""Which other values plainly mean the same as a value in the catalogue's own form."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from connector.carecycle.catalogue import Field, Kind, epoch_ms
from connector.carecycle.kinds import LARGEST, PLAIN, WORD, parses

_WHOLE_NUMBER: Final = re.compile(r"[+-]?\d{1,15}(\.0*)?\Z", re.ASCII)
_WRITTEN_TIME: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:T| +)(\d\d:\d\d)(:\d\d)?(\.\d{1,9})? ?(?:Z|UTC|GMT|([+-]\d\d)(?::?(\d\d))?)?\Z", re.ASCII
)


def _as_text(value: Any) -> str | None:
    """A number as text. An NPN or a postal code that careCycle sends as a number has no decimals.

    >>> [_as_text(value) for value in ("a", 8419302, 85204.0, 0.5, True, ["a"])]
    ['a', '8419302', '85204', '0.5', None, None]
    """
    match value:
        case str():
            return value
        case bool():
            return None
        case int() if abs(value) < LARGEST:
            return str(value)
        case float() if abs(value) < LARGEST:  # neither NaN nor infinite
            return str(int(value)) if value.is_integer() else str(value)
        case _:
            return None


def as_id(value: Any) -> str | None:
    """An id, also where it is sent as a number."""
    text = _as_text(value)
    return text if text is not None and WORD.match(text) else None


def _as_date(value: Any) -> str | None:
    """The day of a date with a time, as written: a birthday has no time zone.

    >>> _as_date("1958-04-12T00:00:00.000Z"), _as_date(" 1958-04-12 "), _as_date("04/12/1958")
    ('1958-04-12', '1958-04-12', None)
    """
    text = value.strip() if isinstance(value, str) else ""
    day = text[:10]
    rest_is_time = len(text) == 10 or parses(epoch_ms, text)
    return day if rest_is_time and PLAIN[Kind.DATE](day) else None


def _as_time(value: Any) -> str | None:
    """A time in small letters, as databases write it, or without its offset: careCycle's own times are all UTC.

    >>> _as_time("2026-06-17t19:07:23z"), _as_time("2026-06-17 19:07 UTC"), _as_time("2026-06-17 19:07:23.5-07")
    ('2026-06-17T19:07:23Z', '2026-06-17T19:07:00Z', '2026-06-17T19:07:23.5-07:00')
    >>> _as_time("2026-06-17T19:07:23"), _as_time("2026-06-17")
    ('2026-06-17T19:07:23Z', None)
    """
    written = _WRITTEN_TIME.match(value.strip().upper() if isinstance(value, str) else "")
    if not written:
        return None
    day, clock, seconds, part, hours, minutes = written.groups()
    time = f"{day}T{clock}{seconds or ':00'}{part or ''}" + (f"{hours}:{minutes or '00'}" if hours else "Z")
    return time if parses(epoch_ms, time) else None


def _as_integer(value: Any) -> int | None:
    """A whole number written with a point or as text.

    >>> [_as_integer(value) for value in (42000.0, "42000", " 7 ", 148.5, "42k", True)]
    [42000, 42000, 7, None, None, None]
    """
    match value:
        case float() if abs(value) < LARGEST and value.is_integer():
            return int(value)
        case str() if _WHOLE_NUMBER.match(value.strip()):
            return int(value.strip().partition(".")[0])
        case _:
            return None


def as_boolean(value: Any) -> bool | None:
    """True or false, also as text. Any other value is neither: a flag is then unknown.

    >>> [as_boolean(value) for value in (True, "TRUE", "false", "yes", 1, None)]
    [True, True, False, None, None, None]
    """
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(value.strip().lower()) if isinstance(value, str) else None


def _as_list(value: Any) -> list[str] | None:
    """
    >>> _as_list(["AZ", 7, None]), _as_list("AZ"), _as_list(["AZ", {}])
    (['AZ', '7'], None, None)
    """
    items = [_as_text(item) for item in value if item is not None] if isinstance(value, list) else [None]
    return None if None in items else [item for item in items if item is not None]


def _as_object(value: Any) -> dict[str, Any] | None:
    """An object that is alone in a list, or that is JSON in a text.

    >>> _as_object([{"id": "x"}]), _as_object('{"id": "x"}'), _as_object([{}, {}]), _as_object("x")
    ({'id': 'x'}, {'id': 'x'}, None, None)
    """
    inner = value[0] if isinstance(value, list) and len(value) == 1 else value
    if isinstance(inner, str):
        try:
            inner = json.loads(inner)
        except (ValueError, RecursionError):
            return None
    return inner if type(inner) is dict else None


def _as_option(value: Any, options: tuple[str, ...]) -> str | None:
    """An option in careCycle's own letters. A value that is none of them is data of a later version, and stays.

    >>> _as_option("lead", ("Lead", "Active")), _as_option("Prospect", ("Lead",)), _as_option(True, ("Lead",))
    ('Lead', 'Prospect', None)
    """
    text = _as_text(value)
    return next((option for option in options if text is not None and option.lower() == text.lower()), text)


COERCIONS: Final[Mapping[Kind, Callable[[Any, Field], Any]]] = {
    Kind.TEXT: lambda value, _: _as_text(value),
    Kind.UUID: lambda value, _: as_id(value),
    Kind.ENUM: lambda value, field: _as_option(value, field.options),
    Kind.DATE: lambda value, _: _as_date(value),
    Kind.DATETIME: lambda value, _: _as_time(value),
    Kind.INTEGER: lambda value, _: _as_integer(value),
    Kind.BOOLEAN: lambda value, _: as_boolean(value),
    Kind.LIST: lambda value, _: _as_list(value),
    Kind.OBJECT: lambda value, _: _as_object(value),
}
"""A value of another type than the catalogue's -> the value it plainly means; None where it means none."""
