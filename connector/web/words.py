"""How the console says things: times, ages, states and causes in plain words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any, Final

from markupsafe import Markup

from connector.errors import UnreadableEvent
from connector.operate import MASK
from connector.store.desk import FOREVER

STATES: Final[Mapping[str, tuple[str, str]]] = {
    "ready": ("waiting", "Accepted, not yet written to the CRM"),
    "delivered": ("delivered", "The CRM holds everything the event said"),
    "superseded": ("superseded", "A later event had said all of it anew"),
    "skipped": ("skipped", "The mapping, consent or an operator left nothing to write"),
    "ignored": ("ignored", "A type of event this connector does not know"),
    "dead": ("dead letter", "Refused: somebody has to mend the cause and replay it"),
}
"""Each state of a delivery: its word and what it means."""

_OUTCOMES: Final[Mapping[str, str]] = {
    "delivered": "written to the CRM",
    "unchanged": "nothing to write: the CRM holds all of it already",
    "superseded": "nothing to write: a later event had said all of it anew",
    "skipped": "nothing to write",
    "ignored": "nothing to write: a type of event this connector does not know",
    "deferred": "put off, to be tried again",
    "dead": "refused: it became a dead letter",
}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS: Final = (("day", 86_400_000), ("hour", 3_600_000), ("minute", 60_000), ("second", 1000))


def moment(at: int | None) -> Markup:
    """Epoch milliseconds as a time element in UTC."""
    if at is None:
        return Markup("&ndash;")
    when = _EPOCH + timedelta(milliseconds=at)
    return Markup('<time datetime="{}Z">{}</time>').format(
        when.replace(tzinfo=None).isoformat(timespec="seconds"), when.strftime("%Y-%m-%d %H:%M:%S")
    )


def age(milliseconds: int | None) -> str:
    """How long, in its largest whole unit: "3 minutes"."""
    for name, length in _UNITS:
        if milliseconds is not None and milliseconds >= length:
            return counted(milliseconds // length, name)
    return "under a second"


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun: "1 delivery", "2 deliveries"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def state_word(state: str) -> str:
    """A delivery's state in a word."""
    return STATES.get(state, (state, ""))[0]


def outcome_words(outcome: str) -> str:
    """What became of an attempt."""
    return _OUTCOMES.get(outcome, outcome)


def lane_state(lane: Mapping[str, Any]) -> str:
    """draining, waiting or paused."""
    return "paused" if lane["paused"] else "draining" if lane["leased"] else "waiting"


def held_by_hand(lane: Mapping[str, Any]) -> bool:
    """Whether only an operator resumes this lane."""
    return bool(lane["paused_until"] == FOREVER)


FILTERS: Final = (moment, age, counted, state_word, outcome_words, lane_state, held_by_hand)


@dataclass(frozen=True, slots=True)
class Cause:
    """The dead letters one replay frees: those of one destination and code. since: epoch ms of the oldest."""

    destination: str
    code: str
    count: int
    since: int | None
    reasons: Sequence[tuple[str, int]]

    @property
    def advice(self) -> str:
        """What to do."""
        if self.code == UnreadableEvent.code:
            return (
                "careCycle sent something this version cannot read. Replay once the connector is updated, or discard."
            )
        return "Mend the cause in careCycle, in the CRM or in the mapping, then replay: each is tried again afresh."


def causes(groups: Iterable[Mapping[str, Any]]) -> list[Cause]:
    """Dead letters by destination and code, the most first; the reasons told within each."""

    def where(group: Mapping[str, Any]) -> tuple[str, str]:
        return group["destination"], group["code"]

    found = [_cause(*key, list(rows)) for key, rows in groupby(sorted(groups, key=where), where)]
    return sorted(found, key=lambda cause: -cause.count)


def _cause(destination: str, code: str, rows: list[Mapping[str, Any]]) -> Cause:
    reasons = sorted(((row["reason"], row["count"]) for row in rows), key=lambda one: -one[1])
    since = min((row["since"] for row in rows if row["since"] is not None), default=None)
    return Cause(destination, code, sum(row["count"] for row in rows), since, reasons)


def by_privacy(fields: Sequence[Mapping[str, str]]) -> list[tuple[str, bool, list[Mapping[str, str]]]]:
    """A masked payload by class: the class, whether its values are masked, its fields; what is shown comes first."""
    classes = dict.fromkeys(field["privacy"] for field in fields)
    found = [(name, [field for field in fields if field["privacy"] == name]) for name in classes]
    told = [(str(name), all(field["value"] == MASK for field in own), own) for name, own in found]
    return sorted(told, key=lambda one: one[1])
