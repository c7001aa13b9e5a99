"""What the console and the commands show operators: the state of everything, and what happened to one message."""

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
"""The privacy class of a field that this version's catalogue does not contain."""


def masked(payload: Mapping[str, Any], event_type: str) -> list[dict[str, str]]:
    """List a payload's non-empty fields: path, privacy class, and the value if its class is operational.

    Fields that the catalogue does not know are only counted: even their names stay hidden.
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
    """List a payload's fields with every value, including fields the catalogue does not know."""
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


_COUNTS: Final = ("waiting", "refused", "no_record", "not_mapped")


def consent_standing(store: Store) -> list[dict[str, Any]]:
    """Every destination with its opt-outs that are not in its CRM yet, and why the lanes that are paused are."""
    found: dict[str, dict[str, Any]] = {}
    for lane in store.opt_outs.standing():
        blank = {"destination": lane["destination"], "oldest_ms": 0, "paused": "", **dict.fromkeys(_COUNTS, 0)}
        one = found.setdefault(lane["destination"], blank)
        for count in _COUNTS:
            one[count] += lane[count]
        one["oldest_ms"] = max(one["oldest_ms"], lane["oldest_ms"])
        if lane["paused"]:
            one["paused"] = f"{lane['pause_code']}: {lane['pause_reason']}"
    return list(found.values())


@dataclass(frozen=True, slots=True)
class Overview:
    """The current state, for the console's overview page and `connector status`. Times in epoch ms, UTC; ages in ms.

    came_today: events received; today: their deliveries by state. waiting: deliveries ready. lanes: rows of
    Desk.lanes(). paces: by lane. consent: of consent_standing(). causes: rows of Desk.dead(), largest first. calls:
    each destination's API calls today, empty where the CRM does not report them. mappings: rows of Mappings.all().
    silences: by agency, for those that ever received anything.
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
        """The agencies that have a lane, sorted."""
        return agencies_of(self.lanes)

    @property
    def dead(self) -> int:
        """The number of dead letters."""
        return sum(group["count"] for group in self.causes)

    @property
    def opt_outs(self) -> int:
        """Opt-outs that are not in their CRM yet, waiting or refused."""
        return sum(one["waiting"] + one["refused"] for one in self.consent)

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
        """How long ago the newest event arrived (ms); None if none ever did."""
        return min((silence.ms for silence in self.silences.values()), default=None)


def overview(store: Store, now: int) -> Overview:
    """Read the current state. now: epoch ms. Raises StoreUnavailable."""
    midnight, lanes = now - now % DAY, store.desk.lanes()
    usage = {row["destination"]: row for row in store.usage.all()}
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
        calls={name: usage.get(name, {}) for name in sorted({lane["destination"] for lane in lanes})},
        mappings=store.mappings.all(),
        silences={agency: quiet for agency, quiet in silences.items() if quiet},
    )


def agencies_of(lanes: Sequence[Mapping[str, Any]]) -> list[str]:
    """List the agencies of these lanes, sorted."""
    return sorted({lane["destination"].partition("/")[0] for lane in lanes})


def story(store: Store, message_id: str) -> dict[str, Any] | None:
    """Show one message: its masked payload, its deliveries and every attempt; None if the message is unknown."""
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
    """Show one message with every value, after recording who asked and why. Raises FixConfiguration."""
    shown = story(store, message_id)
    if shown is None:
        return None
    return {**shown, "payload": revealed(store.reveal.payload(message_id, who, reason), shown["type"])}
