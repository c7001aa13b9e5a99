"""How the console says things: times, ages, states and causes in plain words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from markupsafe import Markup

from connector.insight.explain import Said
from connector.insight.overview import MASK
from connector.store.desk import FOREVER
from connector.store.figures import Pace

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
    return Markup('<time datetime="{}">{}</time>').format(iso(at), stamp(at))


def iso(at: int) -> str:
    """Epoch milliseconds as machines read a time."""
    return f"{_EPOCH + timedelta(milliseconds=at):%Y-%m-%dT%H:%M:%SZ}"


def moment_of(text: str) -> int:
    """A time as a form sends it, in UTC, as epoch ms; 0 for none."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return 0
    return max(0, int((when.replace(tzinfo=when.tzinfo or UTC) - _EPOCH) / timedelta(milliseconds=1)))


def forecast(lane: Mapping[str, Any], pace: Pace | None, now: int) -> str:
    """When a lane will be empty, as far as its pace tells."""
    if not lane["ready"]:
        return ""
    if lane["paused"]:
        return "" if held_by_hand(lane) else f"It goes on by itself in {age(max(0, lane['paused_until'] - now))}."
    if pace is None:
        return "Nothing was written in the last ten minutes: there is no pace to reckon with."
    hours = pace.hours_left(lane["ready"])
    speed = f"{round(pace.per_hour):,} an hour"
    if hours is None:
        return f"It does not get shorter: {speed} are written, {round(pace.given_per_hour):,} an hour come in."
    return f"At its pace ({speed}) it is empty in about {age(round(hours * 3_600_000))}."


def stamp(at: int) -> str:
    """Epoch milliseconds as text, in UTC."""
    return f"{_EPOCH + timedelta(milliseconds=at):%Y-%m-%d %H:%M:%S}"


def age(milliseconds: int | None) -> str:
    """How long, in its largest whole unit: "3 minutes"."""
    for name, length in _UNITS:
        if milliseconds is not None and milliseconds >= length:
            return counted(milliseconds // length, name)
    return "under a second"


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun: "1 delivery", "2 deliveries"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def since(at: int, now: int) -> str:
    """Since when, as one says it: "since 14:03", "since Tuesday", "since 3 June" (UTC)."""
    when, today = (_EPOCH + timedelta(milliseconds=one) for one in (at, now))
    days = (today.date() - when.date()).days
    if days == 0:
        return f"since {when:%H:%M}"
    if 0 < days < 7:
        return f"since {when:%A}"
    return f"since {when.day} {when:%B}" + ("" if when.year == today.year else f" {when.year}")


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


_SAID: Final[Mapping[str, str]] = {
    "wrote": "wrote it",
    "repeated": "said the same as the CRM held already",
    "superseded": "superseded: a later event said it anew",
    "withheld": "withheld by consent",
    "kept": "left as the CRM has it: the field's write rule says so",
    "refused": "refused by the CRM",
    "waiting": "not written yet: it waits",
    "unmapped": "not written then: the mapping that ran was another",
}


def said_words(said: Said) -> str:
    """What an event meant for a field."""
    words = _SAID[said.verdict]
    if said.verdict == "repeated":
        return f"{words}, written by {said.by}" if said.by and said.by != said.message_id else words
    if said.verdict == "wrote":
        return f"{words}, with mapping {said.mapping_version}"
    return f"{words} ({said.by})" if said.by else words


def others_words(others: Sequence[Said]) -> str:
    """Many events in a line: how many, and what most of them meant."""
    most, count = Counter(one.verdict for one in others).most_common(1)[0]
    words = _SAID[most].partition(":")[0]
    return f"{counted(len(others), 'event')}, {'all' if count == len(others) else f'{count:,} of them'} {words}"


FILTERS: Final = (
    moment,
    iso,
    stamp,
    age,
    counted,
    state_word,
    outcome_words,
    lane_state,
    held_by_hand,
    since,
    said_words,
    others_words,
    forecast,
)


def by_privacy(fields: Sequence[Mapping[str, str]]) -> list[tuple[str, bool, list[Mapping[str, str]]]]:
    """A masked payload by class: the class, whether its values are masked, its fields; what is shown comes first."""
    classes = dict.fromkeys(field["privacy"] for field in fields)
    found = [(name, [field for field in fields if field["privacy"] == name]) for name in classes]
    told = [(str(name), all(field["value"] == MASK for field in own), own) for name, own in found]
    return sorted(told, key=lambda one: one[1])
