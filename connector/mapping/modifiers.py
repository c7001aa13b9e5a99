"""Wrap a compiled source in its modifiers: table, format, default, cut and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import tzinfo
from typing import Any

from connector.carecycle.catalogue import ABSENT
from connector.mapping.compiled import Get, Payload
from connector.mapping.conditions import Holds
from connector.mapping.formats import Format, text
from connector.model import Lookup


def tabled(get: Get, table: Mapping[str, Any]) -> Get:
    """Translate the value with a table."""
    entries = {key: value for key, value in table.items() if key != "else"}
    otherwise = table.get("else", ABSENT)

    def translate(payload: Payload, zone: tzinfo) -> Any:
        value = get(payload, zone)
        if value is None or value is ABSENT:
            return value
        return entries.get(value if type(value) is str else text(value), otherwise)

    return translate


def formatted(get: Get, format: Format) -> Get:
    """Write the value in a format."""
    apply, zoned = format.apply, format.zoned

    def reformat(payload: Payload, zone: tzinfo) -> Any:
        value = get(payload, zone)
        if value is None or value is ABSENT:
            return value
        result = apply(value, zone) if zoned else apply(value)
        return None if result == "" else result

    return reformat


def defaulted(get: Get, default: Any) -> Get:
    """Give a fixed value in place of none, also where a look-up finds none."""

    def fill(payload: Payload, zone: tzinfo) -> Any:
        value = get(payload, zone)
        if value is None or value is ABSENT:
            return default
        return replace(value, default=default) if type(value) is Lookup else value

    return fill


def cut(value: str, limit: int) -> str:
    """Shorten a text to at most `limit` UTF-16 code units, never splitting a character.

    >>> cut("Mesa", 3), cut("a\U0001f600b", 2)
    ('Mes', 'a')
    """
    if len(value) * 2 <= limit or len(units := value.encode("utf-16-le", "surrogatepass")) <= limit * 2:
        return value
    return units[: limit * 2].decode("utf-16-le", "ignore")


def shortened(get: Get, limit: int) -> Get:
    """Cut texts that are longer than the target holds. limit: UTF-16 code units."""

    def shorten(payload: Payload, zone: tzinfo) -> Any:
        value = get(payload, zone)
        return cut(value, limit) if isinstance(value, str) else value

    return shorten


def guarded(get: Get, holds: Holds) -> Get:
    """Give nothing unless a condition holds."""
    return lambda payload, zone: get(payload, zone) if holds(payload) else ABSENT
