"""Wrap a compiled source in its modifiers: table, default, cut and when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import tzinfo
from typing import Any

from connector.carecycle.catalogue import ABSENT
from connector.mapping.functions import Get, Holds, Payload
from connector.mapping.steps.lengths import cut
from connector.mapping.steps.texts import text
from connector.model import Lookup, fold_key


def tabled(get: Get, table: Mapping[str, Any]) -> Get:
    """Translate the value with a table; of a list, each element by itself."""
    entries = {key: value for key, value in table.items() if key != "else"}
    otherwise = table.get("else", ABSENT)

    def translate(payload: Payload, zone: tzinfo) -> Any:
        value = get(payload, zone)
        if type(value) is str:
            return entries.get(value, otherwise)
        if value is None or value is ABSENT:
            return value
        if type(value) is list:
            return _elements(entries.get(element, otherwise) for element in value)
        return entries.get(text(value), otherwise)

    return translate


def _elements(translated: Iterable[Any]) -> list[str]:
    """A list of what its elements became: without those that became nothing, and each once."""
    return list(dict.fromkeys(text(value) for value in translated if value is not None and value is not ABSENT))


def defaulted(get: Get, default: Any) -> Get:
    """Give a fixed value in place of none, also where a look-up finds none."""

    def fill(payload: Payload, zone: tzinfo) -> Any:
        value = get(payload, zone)
        if value is None or value is ABSENT:
            return default
        return replace(value, default=default) if type(value) is Lookup else value

    return fill


def shortened(get: Get, limit: int) -> Get:
    """Cut texts that are longer than the target holds. limit: UTF-16 code units."""

    def shorten(payload: Payload, zone: tzinfo) -> Any:
        value = get(payload, zone)
        return cut(value, limit) if isinstance(value, str) else value

    return shorten


def listed(get: Get, order: Sequence[Any]) -> Get:
    """Give the value as a list spells it, and none that is not on it."""
    spelled = {fold_key(text(known)): known for known in order}

    def find(payload: Payload, zone: tzinfo) -> Any:
        value = get(payload, zone)
        return value if value is None or value is ABSENT else spelled.get(fold_key(text(value)), ABSENT)

    return find


def guarded(get: Get, holds: Holds) -> Get:
    """Give nothing unless a condition holds."""
    return lambda payload, zone: get(payload, zone) if holds(payload, zone) else ABSENT
