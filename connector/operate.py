"""What operators ask and do, for the commands and the console alike."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from connector import catalogue
from connector.catalogue import ABSENT, Privacy
from connector.store import Store

MASK: Final = "•••"


def masked(payload: Mapping[str, Any], event_type: str) -> list[dict[str, str]]:
    """Every field of a payload that holds something: its path, its class, and its value where that is operational."""
    if event_type not in catalogue.EVENTS:
        return [{"path": str(name), "privacy": "unknown", "value": MASK} for name in payload]
    shown = []
    for path, field in catalogue.FIELDS.items():
        if event_type not in catalogue.carried_by(path) or field.kind is catalogue.Kind.OBJECT:
            continue
        value = catalogue.reader(path, event_type)(payload)
        if value is None or value is ABSENT:
            continue
        text = json.dumps(value) if field.privacy is Privacy.OPERATIONAL else MASK
        shown.append({"path": path, "privacy": field.privacy, "value": text.strip('"')})
    return shown


def story(store: Store, message_id: str) -> dict[str, Any] | None:
    """One message's story: its masked payload, its deliveries and each attempt; None when it is not known."""
    deliveries = store.desk.story(message_id)
    if not deliveries:
        return None
    event_type = deliveries[0]["type"]
    return {
        "message_id": message_id,
        "type": event_type,
        "payload": masked(store.desk.payload(message_id), event_type),
        "deliveries": deliveries,
    }
