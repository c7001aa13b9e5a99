"""What operators ask and do, for the commands and the console alike."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from connector.backoff import DAY
from connector.carecycle import catalogue
from connector.carecycle.catalogue import ABSENT, Privacy
from connector.insight.alarms import LATE_OPT_OUT, Silence, silence
from connector.store import Store
from connector.store.figures import Pace

MASK: Final = "•••"
UNKNOWN: Final = "unknown"
"""The class of what careCycle sent and this version's catalogue does not hold."""


def masked(payload: Mapping[str, Any], event_type: str) -> list[dict[str, str]]:
    """Every field of a payload that holds something: its path, its class, and its value where that is operational.

    Of what the catalogue does not know not even the name is told, only how much there is.
    """
    shown = [
        {**row, "value": row["value"] if row["privacy"] == Privacy.OPERATIONAL else MASK}
        for row in _known(payload, event_type)
    ]
    if beyond := len(catalogue.unknown_fields(payload, event_type)):
        path = f"{beyond} field{'s' if beyond > 1 else ''} this version does not know"
        shown.append({"path": path, "privacy": UNKNOWN, "value": MASK})
    return shown


def revealed(payload: Mapping[str, Any], event_type: str) -> list[dict[str, str]]:
    """The same with every value, and with every field the catalogue does not know."""
    beyond = catalogue.unknown_fields(payload, event_type)
    return [
        *_known(payload, event_type),
        *({"path": path, "privacy": UNKNOWN, "value": _text(value)} for path, value in beyond.items()),
    ]


def _known(payload: Mapping[str, Any], event_type: str) -> list[dict[str, str]]:
    if event_type not in catalogue.EVENTS:
        return []
    shown = []
    for path, field in catalogue.FIELDS.items():
        if event_type not in catalogue.carried_by(path) or field.kind is catalogue.Kind.OBJECT:
            continue
        value = catalogue.reader(path, event_type)(payload)
        if value is not None and value is not ABSENT:
            shown.append({"path": path, "privacy": str(field.privacy), "value": _text(value)})
    return shown


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


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


@dataclass(frozen=True, slots=True)
class Overview:
    """How things stand now, for the console's overview and `connector status`. Times in epoch ms, UTC; ages in ms.

    came_today: events; today: their deliveries by state. waiting: deliveries ready. lanes: rows of Desk.lanes().
    paces: by lane. consent: of consent_standing(). causes: rows of Desk.dead(), the most first. calls: each
    destination's API calls of the day, empty where the CRM never told them. mappings: rows of Mappings.all().
    silences: of each agency of which anything ever came.
    """

    now: int
    midnight: int
    came_today: int
    today: Mapping[str, int]
    waiting: int
    lanes: Sequence[Mapping[str, Any]]
    paces: Mapping[str, Pace]
    consent: Sequence[Mapping[str, Any]]
    causes: Sequence[Mapping[str, Any]]
    calls: Mapping[str, Mapping[str, Any]]
    mappings: Sequence[Mapping[str, Any]]
    silences: Mapping[str, Silence]

    @property
    def agencies(self) -> list[str]:
        """The agencies that have a lane."""
        return agencies_of(self.lanes)

    @property
    def dead(self) -> int:
        """Dead letters."""
        return sum(group["count"] for group in self.causes)

    @property
    def opt_outs(self) -> int:
        """Opt-outs that are in no CRM, waiting or dead letters."""
        return sum(one["waiting"] + one["dead"] for one in self.consent)

    @property
    def oldest_opt_out(self) -> int:
        """The age of the oldest of them; 0 when there is none."""
        return max((one["oldest_ms"] for one in self.consent), default=0)

    @property
    def late(self) -> bool:
        """Whether an opt-out waits for so long that people are told."""
        return self.oldest_opt_out > LATE_OPT_OUT

    @property
    def last_ms(self) -> int | None:
        """How long ago the newest event of all came; None when none ever did."""
        return min((one.ms for one in self.silences.values()), default=None)


def overview(store: Store, now: int) -> Overview:
    """How things stand. Raises StoreUnavailable."""
    midnight, lanes = now - now % DAY, store.desk.lanes()
    told = {one["destination"]: one for one in store.usage.all()}
    silences = {agency: silence(store.watches.arrivals(agency), now) for agency in agencies_of(lanes)}
    return Overview(
        now=now,
        midnight=midnight,
        came_today=store.figures.events_since(midnight),
        today=store.desk.states(midnight),
        waiting=store.desk.waiting(),
        lanes=lanes,
        paces=store.figures.paces(),
        consent=consent_standing(store),
        causes=store.desk.dead(),
        calls={name: told.get(name, {}) for name in sorted({lane["destination"] for lane in lanes})},
        mappings=store.mappings.all(),
        silences={agency: one for agency, one in silences.items() if one},
    )


def agencies_of(lanes: Sequence[Mapping[str, Any]]) -> list[str]:
    """The agencies whose lanes these are."""
    return sorted({lane["destination"].partition("/")[0] for lane in lanes})


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


def story_revealed(store: Store, message_id: str, who: str, reason: str) -> dict[str, Any] | None:
    """The same with every value shown, after it was written down who asked and why. Raises FixConfiguration."""
    told = story(store, message_id)
    if told is None:
        return None
    return {**told, "payload": revealed(store.reveal.payload(message_id, who, reason), told["type"])}
