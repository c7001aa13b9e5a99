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


def consent_standing(store: Store) -> list[dict[str, Any]]:
    """Every destination with its opt-outs that are not in its CRM yet, and why the lanes that are paused are."""
    found: dict[str, dict[str, Any]] = {}
    for lane in store.opt_outs.standing():
        blank = {"destination": lane["destination"], "waiting": 0, "dead": 0, "oldest_ms": 0, "paused": ""}
        one = found.setdefault(lane["destination"], blank)
        one["waiting"] += lane["waiting"]
        one["dead"] += lane["dead"]
        one["oldest_ms"] = max(one["oldest_ms"], lane["oldest_ms"])
        if lane["paused"]:
            one["paused"] = f"{lane['pause_code']}: {lane['pause_reason']}"
    return list(found.values())


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
