"""What somebody must be told of at once, in words that say what to do. Pure: seen goes in, alarms come out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any, Final

from connector.backoff import DAY, HOUR, SECOND
from connector.errors import PauseReason

MINUTE: Final = 60 * SECOND
LATE_OPT_OUT: Final = 5 * MINUTE
MANY_DEAD: Final = 5
"""Dead letters of one cause within an hour. Fewer can wait until somebody looks at the console."""

FAILED_OFTEN: Final = 4
LONG_PAUSE: Final = MINUTE
SILENT_GAPS: Final = 4
LEAST_SILENCE: Final = 30 * MINUTE
RENEW_AHEAD: Final = 14
GIVES_UP: Final = DAY
"""About how long careCycle sends a message again: Svix's default schedule ends after 27 hours and a half."""

_REPLAY: Final = (
    "What careCycle could not deliver it gives up after about a day: once the connector answers again, open the "
    "endpoint in careCycle's dashboard and replay what failed since {since}. Duplicates change nothing."
)


@dataclass(frozen=True, slots=True)
class Silence:
    """When the newest event came (epoch ms), how long ago (ms), and the usual gap (ms), None where too few came."""

    at: int
    ms: int
    usual_ms: int | None

    @property
    def unusual(self) -> bool:
        """Whether nothing came for four times the usual gap, and for half an hour at least."""
        return self.usual_ms is not None and self.ms > max(SILENT_GAPS * self.usual_ms, LEAST_SILENCE)


def silence(arrivals: Iterable[int], now: int) -> Silence | None:
    """The silence since the newest of an agency's arrivals (epoch ms, in any order); None when nothing ever came.

    Usual is the longest gap but one in a hundred, so nights are usual.
    """
    times = sorted(arrivals)
    gaps = sorted(later - earlier for earlier, later in pairwise(times))
    usual = gaps[-1 - len(gaps) // 100] if len(gaps) >= 20 else None
    return Silence(times[-1], max(0, now - times[-1]), usual) if times else None


@dataclass(frozen=True, slots=True)
class Seen:
    """One agency's state. Times in epoch ms, ages in ms.

    lanes: rows of Desk.lanes(). opt_outs: rows of OptOuts.standing(). dead: {destination, code, count} of the last
    hour. mappings: rows of Mappings.all(). looked_at: when somebody last looked; 0: never. renewals: (what, by when).
    """

    now: int
    lanes: Sequence[Mapping[str, Any]] = ()
    opt_outs: Sequence[Mapping[str, Any]] = ()
    dead: Sequence[Mapping[str, Any]] = ()
    mappings: Sequence[Mapping[str, Any]] = ()
    silence: Silence | None = None
    looked_at: int = 0
    renewals: Sequence[tuple[str, date]] = ()


@dataclass(frozen=True, slots=True)
class Alarm:
    """One thing that is wrong, and what to do."""

    kind: str
    thing: str
    text: str

    @property
    def key(self) -> str:
        """What makes it the same alarm as a minute ago."""
        return f"{self.kind} {self.thing}"


def raised(seen: Seen) -> list[Alarm]:
    """Everything that is wrong now."""
    found = [_down(seen), _silence(seen), *_lanes(seen), *_opt_outs(seen), *_dead(seen), *_mappings(seen)]
    found += _renewals(seen)
    return [one for one in found if one is not None]


def _down(seen: Seen) -> Alarm | None:
    if not seen.looked_at or seen.now - seen.looked_at < HOUR:
        return None
    text = f"The connector did not work from {when(seen.looked_at)} to {when(seen.now)}."
    if seen.now - seen.looked_at > GIVES_UP * 0.8:
        text += " " + _REPLAY.format(since=when(seen.looked_at))
    return Alarm("was down", "connector", text)


def _silence(seen: Seen) -> Alarm | None:
    if seen.silence is None or not seen.silence.unusual:
        return None
    text = (
        f"No event since {when(seen.silence.at)}, more than {SILENT_GAPS} times the usual gap. Look in careCycle's "
        "dashboard whether it still sends to this endpoint, and whether the endpoint can be reached from outside."
    )
    if seen.silence.ms > GIVES_UP * 0.8:
        text += " " + _REPLAY.format(since=when(seen.silence.at))
    return Alarm("silence", "events", text)


def _lanes(seen: Seen) -> Iterator[Alarm]:
    for lane in seen.lanes:
        left = lane["paused_until"] - seen.now
        if (
            lane["pause_code"] != PauseReason.OPERATOR
            and left > 0
            and (lane["failures"] >= FAILED_OFTEN or left > LONG_PAUSE)
        ):
            text = (
                f"{lane['pause_reason']} ({lane['pause_code']}). {lane['ready']} deliveries wait, none is lost; "
                "it tries again by itself. docs/operating.md, 'Why a lane pauses', says what to do."
            )
            yield Alarm("lane paused", lane["name"], text)


def _opt_outs(seen: Seen) -> Iterator[Alarm]:
    for lane in seen.opt_outs:
        if lane["oldest_ms"] > LATE_OPT_OUT:
            text = (
                f"{lane['waiting'] + lane['dead']} opt-outs are not in the CRM, the oldest for "
                f"{lane['oldest_ms'] // MINUTE} minutes. Until they are, people who opted out look callable there."
            )
            if lane["waiting"]:
                text += f" {lane['waiting']} wait: `connector lanes list` says what holds the lane."
            if lane["dead"]:
                text += f" {lane['dead']} were refused: `connector problems` says why; mend that and replay them."
            yield Alarm("opt-outs late", lane["name"], text)


def _dead(seen: Seen) -> Iterator[Alarm]:
    for group in seen.dead:
        if group["count"] >= MANY_DEAD:
            text = (
                f"{group['count']} deliveries were refused within an hour ({group['code']}). The console's page "
                "Problems says why and what to do; after that, replay them there."
            )
            yield Alarm("dead letters", f"{group['destination']} {group['code']}", text)


def _mappings(seen: Seen) -> Iterator[Alarm]:
    for one in seen.mappings:
        if one["problem"]:
            text = (
                "The mapping as it stands now does not fit, because it was edited or the CRM's fields changed. The "
                "last good one runs on, until a restart. `connector check -c agency.yaml --live` shows line and column."
            )
            yield Alarm("mapping refused", one["destination"], text)


def _renewals(seen: Seen) -> Iterator[Alarm]:
    today = datetime.fromtimestamp(seen.now / SECOND, UTC).date()
    for thing, by in seen.renewals:
        if (by - today).days <= RENEW_AHEAD:
            yield Alarm("renew", thing, f"Its credentials are to be renewed by {by}: then change `renew_by`, too.")


def when(moment: int) -> str:
    """A moment (epoch ms) for a reader of mail."""
    return f"{datetime.fromtimestamp(moment / SECOND, UTC):%Y-%m-%d %H:%M} UTC"


Told = Mapping[str, Mapping[str, Any]]
"""What was told before: key -> {kind, thing, at (epoch ms), on}. It is kept as JSON."""


@dataclass(frozen=True, slots=True)
class News:
    """What to tell now, and what has been told once that is done."""

    raised: Sequence[Alarm]
    over: Sequence[str]
    told: Told

    def __bool__(self) -> bool:
        return bool(self.raised or self.over)


def news(current: Iterable[Alarm], told: Told, now: int, window: int) -> News:
    """Each alarm at most once a window (ms), even when it comes and goes; each end once."""
    alarms = {one.key: one for one in current}
    fresh = [one for key, one in alarms.items() if key not in told or now - told[key]["at"] >= window]
    over = [key for key, one in told.items() if one["on"] and key not in alarms]
    kept = {key: {**one, "on": key in alarms} for key, one in told.items() if key in alarms or now - one["at"] < window}
    said = {one.key: {"at": now, "on": True} for one in fresh}
    return News(fresh, over, {**kept, **said})


def written(agency: str, told: News) -> tuple[str, str]:
    """The subject and the body of a message."""
    lines = [f"{one.kind}: {one.thing}\n{one.text}\n" for one in told.raised]
    lines += [f"over: {key}\n" for key in told.over]
    first = told.raised[0].key if told.raised else f"over: {told.over[0]}"
    more = len(told.raised) + len(told.over) - 1
    return f"[{agency}] {first}" + (f" and {more} more" if more else ""), "\n".join(lines)
