"""Alarms: what needs somebody's attention now, and what to do about it. Pure: an agency's state in, alarms out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Final

from connector.backoff import DAY, HOUR, SECOND
from connector.errors import PauseReason
from connector.insight.clocks import about_clock, about_deletion
from connector.insight.gaps import what_is_missing, what_to_replay
from connector.insight.links import entry_link
from connector.insight.oddities import unused, what_comes, what_to_do
from connector.insight.source_report import missing
from connector.insight.words import WriteTime, counted, utc
from connector.settlement.clocks import STEADY, Hold, ProcessClock
from connector.settlement.gaps import Lost
from connector.settlement.listings import (
    LaneOptOuts,
    LaneStatus,
    MappingStatus,
    RecentDead,
    SentAlarm,
)
from connector.settlement.oddities import Oddity
from connector.settlement.source import Compared
from connector.settlement.verification import Difference, Standing

MINUTE: Final = 60 * SECOND
LATE_OPT_OUT: Final = 5 * MINUTE
MANY_DEAD: Final = 5
"""Dead letters with one code within an hour. Fewer can wait until somebody opens the console."""

FAILED_OFTEN: Final = 4
LONG_PAUSE: Final = MINUTE
SILENT_GAPS: Final = 4
LEAST_SILENCE: Final = 30 * MINUTE
RENEW_AHEAD: Final = 14
GIVES_UP: Final = DAY
"""About how long careCycle retries a message: Svix's default schedule ends after 27.5 hours."""

_REPLAY: Final = (
    "careCycle gives up on undelivered events after about a day. Once the connector is reachable again, open the "
    "endpoint in careCycle's dashboard and replay what failed since {since}. Duplicates do no harm."
)


_REPAIR: Final = "`connector reconcile crm -c agency.yaml --all` lists them, and `--repair` writes them again."


def to_replay(since: int, ms: int, write: WriteTime = utc) -> str:
    """What to do about events that did not arrive for so long; empty while careCycle still retries all of them."""
    return " " + _REPLAY.format(since=write(since)) if ms > GIVES_UP * 0.8 else ""


@dataclass(frozen=True, slots=True)
class Silence:
    """When the newest event arrived (epoch ms), how long ago (ms), and the usual gap (ms; None with too few events)."""

    at: int
    ms: int
    usual_ms: int | None

    @property
    def unusual(self) -> bool:
        """Whether nothing has arrived for four times the usual gap, and for at least half an hour."""
        return self.usual_ms is not None and self.ms > max(SILENT_GAPS * self.usual_ms, LEAST_SILENCE)


def silence(arrivals: Iterable[int], now: int, steady_since: int = 0) -> Silence | None:
    """Measure the silence since an agency's newest arrival (epoch ms, in any order); None if nothing ever arrived.

    The usual gap is the 99th percentile, so that quiet nights count as usual. steady_since: when the clock last jumped
    ahead; what seems to have passed before that is not counted.
    """
    times = sorted(arrivals)
    gaps = sorted(later - earlier for earlier, later in pairwise(times))
    usual = gaps[-1 - len(gaps) // 100] if len(gaps) >= 20 else None
    return Silence(times[-1], max(0, now - max(times[-1], steady_since)), usual) if times else None


@dataclass(frozen=True, slots=True)
class Seen:
    """One agency's state. Times in epoch ms, ages in ms.

    dead, odd: of the last hour. lost: what the database lacks. source: None where careCycle is not asked.
    renewals: (credentials, deadline). looked_at: the last check before this process's first; 0: never, or this is not
    its first. awake_at: since when it has been able to. write: how the texts of alarms write times.
    backup_at: when the last backup was made, if one is noted. backup_days: how old it may be; 0: as old as it likes.
    """

    now: int
    lanes: Sequence[LaneStatus] = ()
    opt_outs: Sequence[LaneOptOuts] = ()
    dead: Sequence[RecentDead] = ()
    mappings: Sequence[MappingStatus] = ()
    silence: Silence | None = None
    looked_at: int = 0
    awake_at: int = 0
    renewals: Sequence[tuple[str, date]] = ()
    odd: Sequence[Oddity] = ()
    processes: Sequence[ProcessClock] = ()
    hold: Hold = STEADY
    lost: Lost | None = None
    compared: Sequence[Standing] = ()
    source: Compared | None = None
    backup_at: int | None = None
    backup_days: int = 0
    write: WriteTime = utc


@dataclass(frozen=True, slots=True)
class Alarm:
    """One thing that is wrong, and what to do."""

    kind: str
    thing: str
    text: str

    @property
    def key(self) -> str:
        """Identifies the same alarm from one check to the next."""
        return f"{self.kind} {self.thing}"


def raised(seen: Seen) -> list[Alarm]:
    """List everything that is wrong now."""
    alarms = [_down(seen), _silence(seen), *_lanes(seen), *_opt_outs(seen), *_dead(seen), *_mappings(seen)]
    alarms += [*_renewals(seen), *_odd(seen), *_clocks(seen), _deletion(seen), _history(seen), *_compared(seen)]
    alarms += [*_missing(seen), _backup(seen)]
    return [alarm for alarm in alarms if alarm is not None]


def _down(seen: Seen) -> Alarm | None:
    until = seen.awake_at or seen.now
    if not seen.looked_at or until - seen.looked_at < HOUR:
        return None
    text = f"The connector was not running from {seen.write(seen.looked_at)} to {seen.write(until)}."
    text += to_replay(seen.looked_at, until - seen.looked_at, seen.write)
    return Alarm("was down", "connector", text)


def _history(seen: Seen) -> Alarm | None:
    if seen.lost is None:
        return None
    text = f"{what_is_missing(seen.lost, seen.write)} {what_to_replay(seen.lost, seen.write)}"
    return Alarm("history went back", "database", text)


def _compared(seen: Seen) -> Iterator[Alarm]:
    """What the CRM has lost, as far as records have been compared with it."""
    lowered = Counter[str]()
    for lane in seen.opt_outs:
        lowered[lane.destination] += lane.lowered
    for destination, count in (+lowered).items():
        gone = "1 opt-out is" if count == 1 else f"{count} opt-outs are"
        text = f"{gone} no longer in the CRM: people who opted out look callable there."
        yield Alarm("opt-outs lowered", destination, f"{text} {_REPAIR}")
    for own in seen.compared:
        if missing := own.differing[Difference.MISSING]:
            gone = "1 record was" if missing == 1 else f"{missing} records were"
            yield Alarm("records missing", own.destination, f"{gone} deleted in the CRM. {_REPAIR}")


def _silence(seen: Seen) -> Alarm | None:
    if seen.silence is None or not seen.silence.unusual:
        return None
    if seen.source and (seen.source.clears(seen.silence.at) or seen.source.is_asking(seen.now)):
        return None  # careCycle has nothing that we have not, or is about to say
    text = (
        f"No event since {seen.write(seen.silence.at)}, more than {SILENT_GAPS} times the usual gap. Check in "
        "careCycle's dashboard that it still sends to this endpoint, and that the endpoint is reachable from the "
        "internet."
    )
    text += to_replay(seen.silence.at, seen.silence.ms, seen.write)
    return Alarm("silence", "events", text)


def _missing(seen: Seen) -> Iterator[Alarm]:
    """What careCycle has and we have not, and that it cannot be asked."""
    compared = seen.source
    if compared is None:
        return
    if compared.done is not None and compared.done.missing:
        text = (
            f"careCycle had what no event had brought at {seen.write(compared.began_at)}: {missing(compared.done)}. "
            "Look at Message attempts in careCycle's dashboard: some may have failed, and an import sends no events."
        )
        healed = "All of it was fetched." if not compared.done.left else "connector reconcile source fetches it."
        yield Alarm("not everybody here", "careCycle", f"{text} {healed}")
    if compared.problem:
        text = f"careCycle cannot be asked whether everybody is here: {compared.problem}. It is tried again every hour."
        yield Alarm("careCycle not asked", "careCycle", text)


def _lanes(seen: Seen) -> Iterator[Alarm]:
    for lane in seen.lanes:
        left = lane.paused_until - seen.now
        if (
            lane.pause_code not in (PauseReason.OPERATOR, PauseReason.HISTORY)
            and left > 0
            and (lane.failures >= FAILED_OFTEN or left > LONG_PAUSE)
        ):
            event = f" It paused at {lane.paused_at}." if lane.paused_at else ""
            waiting = counted(lane.ready, "delivery is", "deliveries are")
            text = (
                f"{lane.pause_reason} ({lane.pause_code}).{event} {waiting} waiting; none "
                "are lost. The lane retries on its own. For what to do, see 'Why a lane pauses' in docs/operating.md."
            )
            yield Alarm("lane paused", lane.name, text)


def _opt_outs(seen: Seen) -> Iterator[Alarm]:
    for lane in seen.opt_outs:
        if lane.oldest_ms > LATE_OPT_OUT:
            text = (
                f"{counted(lane.waiting + lane.refused, 'opt-out is', 'opt-outs are')} not in the CRM, the oldest for "
                f"{lane.oldest_ms // MINUTE} minutes. Until they are, people who opted out look callable there."
            )
            if lane.waiting:
                text += f" {lane.waiting} wait: `connector lanes list` says what holds the lane."
            if lane.refused:
                text += f" {lane.refused} were refused and are retried: `connector consent report` says why."
            yield Alarm("opt-outs late", lane.name, text)


def _dead(seen: Seen) -> Iterator[Alarm]:
    for group in seen.dead:
        if group.count >= MANY_DEAD:
            text = (
                f"{group.count} deliveries were rejected within an hour ({group.code}). The Problems page of the "
                "console says why and what to do. Then replay them there."
            )
            yield Alarm("dead letters", f"{group.destination} {group.code}", text)


def _mappings(seen: Seen) -> Iterator[Alarm]:
    for mapping in seen.mappings:
        if mapping.problem:
            text = (
                "The mapping no longer fits, because it was edited or the CRM's fields changed. The last good version "
                "stays in use until a restart. The console's page Mapping shows the line, and so does "
                "`connector check -c agency.yaml --live`."
            )
            yield Alarm("mapping refused", mapping.destination, text)


def _backup(seen: Seen) -> Alarm | None:
    if not seen.backup_days or seen.now - (seen.backup_at or 0) <= seen.backup_days * DAY:
        return None
    last = f"the last one was made at {seen.write(seen.backup_at)}" if seen.backup_at else "none is noted"
    text = f"No backup of the database was made for {counted(seen.backup_days, 'day')}: {last}. Make one with "
    text += "`connector backup FILE`. One that was made otherwise is noted with `connector backup --made-otherwise`."
    return Alarm("backup late", "database", text)


def _renewals(seen: Seen) -> Iterator[Alarm]:
    today = datetime.fromtimestamp(seen.now / SECOND, UTC).date()
    for thing, by in seen.renewals:
        if (by - today).days <= RENEW_AHEAD:
            yield Alarm("renew", thing, f"Its credentials must be renewed by {by}. Then update `renew_by` as well.")


def _odd(seen: Seen) -> Iterator[Alarm]:
    """One alarm for each field, however many events it comes with, while it costs something."""
    for oddity in unused(seen.odd):
        kind = "values not translated" if oddity.destination else "odd fields"
        thing = f"{oddity.destination} {oddity.target}" if oddity.destination else oddity.field
        since = f"{counted(oddity.count, 'event')} since {seen.write(oddity.since)}"
        times = f"{since}, the newest at {seen.write(oddity.until)}"
        yield Alarm(kind, thing, f"{what_comes(oddity)} {times}. {what_to_do(oddity)}")


def _clocks(seen: Seen) -> Iterator[Alarm]:
    for process in seen.processes:
        if text := about_clock(process):
            yield Alarm("clock wrong", f"{process.role} on {process.name}", text)


def _deletion(seen: Seen) -> Alarm | None:
    return Alarm("deletion waits", "retention", about_deletion(seen.hold, seen.write)) if seen.hold.matters else None


Sent = Mapping[str, SentAlarm]
"""The alarms sent so far, by key."""


def steady(alarm: SentAlarm, now: int, age_ms: int | None) -> SentAlarm:
    """Return an alarm with the time it was sent by a clock that may have jumped since.

    age_ms: how long ago that was, by a clock that does not jump; None if that is not known.
    """
    at = now - (max(0, now - alarm.at) if age_ms is None else age_ms)
    return alarm if abs(at - alarm.at) < MINUTE else replace(alarm, at=at)


@dataclass(frozen=True, slots=True)
class News:
    """What to send now, and every alarm sent once that is done. over: keys of the alarms that have ended."""

    raised: Sequence[Alarm]
    over: Sequence[str]
    sent: Sent

    def __bool__(self) -> bool:
        return bool(self.raised or self.over)


def news(current: Iterable[Alarm], sent: Sent, now: int, window: int) -> News:
    """Decide what to send: each alarm at most once per window (ms), even if it comes and goes, and each end once."""
    alarms = {alarm.key: alarm for alarm in current}
    fresh = [alarm for key, alarm in alarms.items() if key not in sent or now - sent[key].at >= window]
    over = [key for key, state in sent.items() if state.on and key not in alarms]
    kept = {
        key: SentAlarm(state.at, key in alarms)
        for key, state in sent.items()
        if key in alarms or now - state.at < window
    }
    return News(fresh, over, kept | {alarm.key: SentAlarm(now, True) for alarm in fresh})


def written(agency: str, message: News, console_url: str = "") -> tuple[str, str]:
    """Write the subject and the body of a message. console_url: where the console is; empty where nobody has said."""
    lines = [_entry(alarm, entry_link(console_url, alarm.key)) for alarm in message.raised]
    lines += [f"over: {key}\n" for key in message.over]
    first = message.raised[0].key if message.raised else f"over: {message.over[0]}"
    more = len(message.raised) + len(message.over) - 1
    return f"[{agency}] {first}" + (f" and {more} more" if more else ""), "\n".join(lines)


def _entry(alarm: Alarm, link: str) -> str:
    return f"{alarm.kind}: {alarm.thing}\n{alarm.text}\n" + (f"{link}\n" if link else "")
