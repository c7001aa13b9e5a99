"""The fields of a payload as people see them: operational values are shown, all others are masked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from connector.carecycle import catalogue
from connector.carecycle.catalogue import ABSENT, Privacy

MASK: Final = "•••"
UNKNOWN: Final = "unknown"
"""The privacy class of a field that this version's catalogue does not contain."""


@dataclass(frozen=True, slots=True)
class ShownField:
    """One field of a payload as people see it: the value may be masked."""

    path: str
    privacy: str
    value: str


def masked(payload: Mapping[str, Any], event_type: str) -> list[ShownField]:
    """List a payload's non-empty fields: path, privacy class, and the value if its class is operational.

    Fields that the catalogue does not know are only counted: even their names stay hidden.
    """
    shown = [
        field if field.privacy == Privacy.OPERATIONAL else replace(field, value=MASK)
        for field in _known(payload, event_type)
    ]
    if beyond := len(catalogue.unknown_fields(payload, event_type)):
        path = f"{beyond} field{'s' if beyond > 1 else ''} this version does not know"
        shown.append(ShownField(path, UNKNOWN, MASK))
    return shown


def revealed(payload: Mapping[str, Any], event_type: str) -> list[ShownField]:
    """List a payload's fields with every value, including fields the catalogue does not know."""
    beyond = catalogue.unknown_fields(payload, event_type)
    return [
        *_known(payload, event_type),
        *(ShownField(path, UNKNOWN, _text(value)) for path, value in beyond.items()),
    ]


def _known(payload: Mapping[str, Any], event_type: str) -> list[ShownField]:
    if event_type not in catalogue.EVENTS:
        return []
    shown = []
    for path, field in catalogue.FIELDS.items():
        if event_type not in catalogue.carried_by(path) or field.kind is catalogue.Kind.OBJECT:
            continue
        value = catalogue.reader(path, event_type)(payload)
        if value is not None and value is not ABSENT:
            shown.append(ShownField(path, str(field.privacy), _text(value)))
    return shown


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
