"""The console's wording: ages, states and causes. Times of pages are written in times.py."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, assert_never

from connector.insight.effects import Effect, EffectVerdict
from connector.insight.identity import decided_words
from connector.insight.masking import MASK, ShownField
from connector.insight.undone import Undone
from connector.insight.words import age as age
from connector.insight.words import counted as counted
from connector.settlement import AttemptOutcome, DeliveryState
from connector.settlement.listings import LaneStatus
from connector.store.desk import FOREVER
from connector.store.evidence import FOUND_LOWERED, OptOut
from connector.store.figures import Pace

STATES: Final[Mapping[DeliveryState, tuple[str, str]]] = {
    DeliveryState.READY: ("waiting", "Accepted, not yet written to the CRM"),
    DeliveryState.DELIVERED: ("delivered", "Written to the CRM, or already there, except for fields it rejects"),
    DeliveryState.SUPERSEDED: ("superseded", "Later events already set all its fields"),
    DeliveryState.SKIPPED: (
        "skipped",
        "Nothing was written: because of the mapping, consent, a missing record or an operator",
    ),
    DeliveryState.IGNORED: ("ignored", "A type of event this connector does not know"),
    DeliveryState.DEAD: ("dead letter", "Not written: fix the cause, then replay"),
}
"""Each state of a delivery: its word and what it means."""
RAISED_AGAIN_BY: Final = "To raise again: connector reconcile crm -c agency.yaml --all --repair"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def iso(at: int) -> str:
    """Epoch milliseconds as an ISO 8601 time."""
    return f"{_EPOCH + timedelta(milliseconds=at):%Y-%m-%dT%H:%M:%SZ}"


def forecast(lane: LaneStatus, pace: Pace | None, now: int) -> str:
    """Say when a lane will be empty, judging by its pace."""
    if not lane.ready:
        return ""
    if lane.paused:
        return "" if held_by_hand(lane) else f"The next try is in {age(max(0, lane.paused_until - now))}."
    if lane.fails:
        return ""
    if pace is None:
        return "Nothing was written in the last ten minutes, so the time left cannot be estimated."
    hours = pace.hours_left(lane.ready)
    written = f"{round(pace.per_hour):,} per hour"
    if hours is None:
        arriving = f"{round(pace.given_per_hour):,} per hour"
        return f"The queue is not shrinking: {arriving} arrive, {written} are written."
    return f"At the current pace ({written}) it will be empty in about {age(round(hours * 3_600_000))}."


def stamp(at: int) -> str:
    """Epoch milliseconds as text, in UTC."""
    return f"{_EPOCH + timedelta(milliseconds=at):%Y-%m-%d %H:%M:%S}"


def since(at: int, now: int) -> str:
    """Format a start in UTC: "since 14:03", "since Tuesday", "since June 3", "since June 3, 2025"."""
    when, today = (_EPOCH + timedelta(milliseconds=epoch) for epoch in (at, now))
    days = (today.date() - when.date()).days
    if days == 0:
        return f"since {when:%H:%M}"
    if 0 < days < 7:
        return f"since {when:%A}"
    return f"since {when:%B} {when.day}" + ("" if when.year == today.year else f", {when.year}")


def state_word(state: str) -> str:
    """Name a delivery's state."""
    return STATES[DeliveryState(state)][0]


def outcome_words(name: str) -> str:
    """Say how an attempt ended."""
    outcome = AttemptOutcome(name)
    match outcome:
        case AttemptOutcome.DELIVERED:
            return "written to the CRM"
        case AttemptOutcome.UNCHANGED:
            return "nothing to write: the CRM already holds all of it"
        case AttemptOutcome.SUPERSEDED:
            return "nothing to write: later events already set all its fields"
        case AttemptOutcome.SKIPPED:
            return "something was left out: by the mapping, consent or a missing record"
        case AttemptOutcome.IGNORED:
            return "nothing to write: a type of event this connector does not know"
        case AttemptOutcome.DEFERRED:
            return "postponed, to be retried"
        case AttemptOutcome.DEAD:
            return "not written: it became a dead letter"
        case _:
            assert_never(outcome)


def lane_state(lane: LaneStatus) -> str:
    """Name a lane's state: paused, failing, draining, waiting for a worker, or idle."""
    if lane.paused:
        return "paused"
    if lane.fails:
        return "failing"
    return "draining" if lane.leased else "waiting" if lane.ready else "idle"


def why_paused(lane: LaneStatus) -> str:
    """Say why a lane is paused; empty if it is not."""
    return f"{lane.pause_reason} ({lane.pause_code})." if lane.paused else ""


def held_by_hand(lane: LaneStatus) -> bool:
    """Whether only an operator can resume this lane."""
    return bool(lane.paused_until == FOREVER)


_SAID: Final[Mapping[EffectVerdict, str]] = {
    EffectVerdict.WROTE: "wrote it",
    EffectVerdict.OPTED_OUT: "set it on its own, as an opt-out",
    EffectVerdict.REPEATED: "had the value the CRM already held",
    EffectVerdict.UNDONE: "undone: an operator restored what was there before",
    EffectVerdict.SUPERSEDED: "superseded: a later event set this field",
    EffectVerdict.WITHHELD: "withheld by consent",
    EffectVerdict.KEPT: "left unchanged in the CRM: the field's write rule says so",
    EffectVerdict.REFUSED: "rejected by the CRM",
    EffectVerdict.LEFT_OUT: "left out: the CRM rejects it; the rest was written",
    EffectVerdict.WAITING: "not written yet: waiting",
    EffectVerdict.UNMAPPED: "not written: a different mapping ran then",
}


def said_words(said: Effect) -> str:
    """Say what an event did to a field."""
    words = _SAID[said.verdict]
    if said.verdict is EffectVerdict.REPEATED:
        return f"{words}, written by {said.by}" if said.by and said.by != said.message_id else words
    if said.verdict is EffectVerdict.WROTE:
        return f"{words}, with mapping {said.mapping_version}"
    if said.verdict is EffectVerdict.UNDONE:
        return f"wrote it, with mapping {said.mapping_version}; {words}"
    return f"{words} ({said.by})" if said.by else words


def in_utc(at: int) -> str:
    """Epoch milliseconds as text, with the zone."""
    return f"{stamp(at)} UTC"


def opt_out_words(opt_out: OptOut, moment: Callable[[int], str] = in_utc) -> str:
    """Say where an opt-out of an event is, or why it is not in the CRM. moment: writes epoch ms."""
    if opt_out.crm_check == FOUND_LOWERED and opt_out.checked_at:
        seen = f"{opt_out.object} {opt_out.crm_id}, found lowered there at {moment(opt_out.checked_at)}"
        return f"is no longer in the CRM: {seen}. {RAISED_AGAIN_BY}"
    if opt_out.status == "applied":
        return f"is in the CRM: {opt_out.object} {opt_out.crm_id}".rstrip(": ")
    return f"is not in the CRM: {opt_out.status}" + (f", {opt_out.why}" if opt_out.why else "")


def lowered_words(count: int, at: int) -> str:
    """Say that opt-outs have been lowered in the CRM, and what raises them again. at: when that was found, epoch ms."""
    gone = counted(count, "opt-out is", "opt-outs are")
    return f"{gone} no longer in the CRM, found lowered there at {in_utc(at)}. {RAISED_AGAIN_BY}"


def undone_words(undone: Undone) -> str:
    """Say what of an event was undone."""
    fields = ", ".join(undone.fields)
    return f"undone since: {undone.object} {undone.crm_id} has again what was there before in {fields}"


def others_words(others: Sequence[Effect]) -> str:
    """Sum up several events in one line: how many, and what most of them did."""
    most, count = Counter(said.verdict for said in others).most_common(1)[0]
    words = _SAID[most].partition(":")[0]
    return f"{counted(len(others), 'event')}, {'all' if count == len(others) else f'{count:,} of them'} {words}"


FILTERS: Final = (
    iso,
    stamp,
    age,
    counted,
    state_word,
    outcome_words,
    lane_state,
    held_by_hand,
    said_words,
    others_words,
    undone_words,
    forecast,
    decided_words,
)


def by_privacy(fields: Sequence[ShownField]) -> list[tuple[str, bool, list[ShownField]]]:
    """Group a masked payload by privacy class: (class, whether masked, its fields), visible classes first."""
    classes: dict[str, list[ShownField]] = {}
    for field in fields:
        classes.setdefault(str(field.privacy), []).append(field)
    groups = [(name, all(field.value == MASK for field in members), members) for name, members in classes.items()]
    return sorted(groups, key=lambda group: group[1])
