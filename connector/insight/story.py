"""One message as people see it: its payload, masked or revealed, and what became of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from connector.carecycle import catalogue
from connector.carecycle.catalogue import ABSENT, Privacy
from connector.settlement.listings import DeliveryStory
from connector.store import Store

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


@dataclass(frozen=True, slots=True)
class Story:
    """One message: its payload's fields, and its deliveries with every attempt."""

    message_id: str
    type: str
    payload: Sequence[ShownField]
    deliveries: Sequence[DeliveryStory]


def story(store: Store, message_id: str) -> Story | None:
    """Show one message: its masked payload, its deliveries and every attempt; None if the message is unknown."""
    deliveries = store.desk.story(message_id)
    if not deliveries:
        return None
    event_type = deliveries[0].type
    return Story(message_id, event_type, masked(store.desk.payload(message_id), event_type), deliveries)


def story_revealed(store: Store, message_id: str, who: str, reason: str) -> Story | None:
    """Show one message with every value, after recording who asked and why. Raises FixConfiguration."""
    shown = story(store, message_id)
    if shown is None:
        return None
    return replace(shown, payload=revealed(store.reveal.payload(message_id, who, reason), shown.type))
