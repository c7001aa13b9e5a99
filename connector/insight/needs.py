"""What needs a person, worst first, each with the way to its fix. Pure: facts in, entries out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from connector.errors import ACCOUNT_WIDE
from connector.insight.alarms import FAILED_OFTEN, LATE_OPT_OUT, Alarm, Seen, raised
from connector.insight.disk import LITTLE_SPACE, space_words
from connector.insight.facts import DeadFact, Facts, by_hand, is_held
from connector.insight.failing import how_it_fails
from connector.insight.links import anchor
from connector.insight.oddities import hides_an_opt_out, what_comes
from connector.insight.unserved import unserved
from connector.insight.words import age, counted
from connector.settlement.listings import LaneOptOuts, LaneStatus
from connector.store.agencies import NOTICE_DAYS

_OPT_OUT: Final = 1_000_000
"""One weighs more than any number of other things."""


class Trouble(StrEnum):
    """What may need a person, the worst first. Those that are sent as alarms have the alarms' names."""

    LATE = "opt-outs late"
    LOWERED = "opt-outs lowered"
    HISTORY = "history went back"
    UNREAD = "messages not read"
    ODD_FLAG = "odd flags"
    UNSERVED = "no worker"
    LANE = "lane paused"
    DOWN = "was down"
    DISK = "disk nearly full"
    MAPPING = "mapping refused"
    DEAD = "dead letters"
    EXPIRING = "dead letters expire"
    SILENCE = "silence"
    NOT_HERE = "not everybody here"
    NOT_ASKED = "careCycle not asked"
    MISSING = "records missing"
    QUESTIONS = "questions"
    UNTRANSLATED = "values not translated"
    ODD = "odd fields"
    LEFT_OUT = "fields left out"
    CLOCK = "clock wrong"
    DELETION = "deletion waits"
    RENEW = "renew"
    BACKUP = "backup late"
    VERSION = "API version ends"
    OTHER = "other"


RANK: Final[Mapping[Trouble, int]] = {trouble: rank for rank, trouble in enumerate(Trouble)}


class Page(StrEnum):
    """The pages of the console that a fix may be on."""

    CAUSE = "cause"
    PROBLEMS = "problems"
    LANE = "lane"
    MAPPING = "mapping"
    IDENTITY = "identity"
    COMPLETE = "complete"
    CONSENT = "consent"


@dataclass(frozen=True, slots=True)
class Fix:
    """Where a fix is: a page, about which cause, lane or destination; or a command. label: of the button.

    Where the page does not exist, the command serves.
    """

    label: str
    page: Page | None = None
    about: str = ""
    command: str = ""


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that needs a person. say: in a few words; more: what follows and what to do. keys: of its alarms.

    weight: how many opt-outs, people or events it is about.
    """

    trouble: Trouble
    thing: str
    say: str
    more: str
    fix: Fix
    weight: int = 0
    keys: tuple[str, ...] = ()

    @property
    def rank(self) -> int:
        """How bad it is: 0 is the worst."""
        return RANK[self.trouble]

    @property
    def anchors(self) -> tuple[str, ...]:
        """Its places on the page."""
        return tuple(dict.fromkeys(anchor(key) for key in (f"{self.trouble} {self.thing}", *self.keys)))


def needs(facts: Facts) -> list[Need]:
    """List everything that needs a person, the worst first, each thing once."""
    listed: dict[str, Need] = {}
    for seen in facts.seen.values():
        for need in (*_opt_outs(facts, seen), *_lanes(facts, seen), *_raised(facts, seen)):
            listed.setdefault(need.anchors[0], need)
    for need in (*_unserved(facts), *_dead(facts), *_expiring(facts), *_to_decide(facts), *_upkeep(facts)):
        listed.setdefault(need.anchors[0], need)
    spoken = {place for need in listed.values() for place in need.anchors}
    for key in facts.lingering:
        if anchor(key) not in spoken:
            listed[anchor(key)] = _lingering(key)
    return sorted(listed.values(), key=lambda need: (need.rank, -need.weight, need.thing))


def _opt_outs(facts: Facts, seen: Seen) -> Iterator[Need]:
    held = {lane.name for lane in seen.lanes if needs_a_person(lane, seen.now) and lane.pause_code in ACCOUNT_WIDE}
    for lane in seen.opt_outs:
        if lane.oldest_ms > LATE_OPT_OUT and lane.name not in held:
            count = lane.waiting + lane.refused
            have = "opt-out has" if count == 1 else "opt-outs have"
            say = f"{count:,} {have} not reached {facts.title(lane.destination)} for {age(lane.oldest_ms)}"
            yield Need(Trouble.LATE, lane.name, say, _exposed(lane), _fix_of_opt_outs(lane), count)


def _exposed(lane: LaneOptOuts) -> str:
    refused = f" The CRM refused {lane.refused:,} of them; they are retried." if lane.refused else ""
    return f"Until then, people who opted out look callable there.{refused}"


def _fix_of_opt_outs(lane: LaneOptOuts) -> Fix:
    if lane.refused:
        return Fix("See whose", Page.CONSENT, lane.destination, "connector consent report")
    if lane.paused:
        return Fix("Try again now…", Page.LANE, lane.name)
    return Fix("", command="connector lanes list")


def needs_a_person(lane: LaneStatus, now: int) -> bool:
    """Whether a lane does not go on soon by itself."""
    return by_hand(lane) or lane.failures >= FAILED_OFTEN or lane.paused_until - now > LATE_OPT_OUT


def _lanes(facts: Facts, seen: Seen) -> Iterator[Need]:
    if seen.lost:
        return
    sent = {alarm.thing for alarm in raised(seen) if alarm.kind == Trouble.LANE}
    late = {lane.name: lane for lane in seen.opt_outs if lane.oldest_ms > LATE_OPT_OUT}
    for lane in seen.lanes:
        if lane.name in sent or (is_held(lane) and needs_a_person(lane, seen.now)):
            yield _stopped(facts, lane, late.get(lane.name) if lane.pause_code in ACCOUNT_WIDE else None)


def _stopped(facts: Facts, lane: LaneStatus, late: LaneOptOuts | None) -> Need:
    """A lane through which nothing gets. late: its opt-outs, if they are late because of that."""
    why = lane.pause_reason[:1].upper() + lane.pause_reason[1:]
    more = f"{_waits(lane)} Nothing is lost. {why} ({lane.pause_code})."
    keys: tuple[str, ...] = (f"{Trouble.LANE} {lane.name}",)
    if late:
        more, keys = f"{more} {_exposed(late)}", (*keys, f"{Trouble.LATE} {lane.name}")
    fix = Fix("Resume…" if by_hand(lane) else "Try again now…", Page.LANE, lane.name)
    say = how_it_fails(lane, facts.title(lane.destination), facts.now)
    weight = lane.opt_outs * _OPT_OUT + lane.ready
    return Need(Trouble.LATE if late else Trouble.LANE, lane.name, say, more, fix, weight, keys)


def _waits(lane: LaneStatus) -> str:
    waiting = counted(lane.ready, "delivery waits", "deliveries wait")
    opt_outs = f", and {counted(lane.opt_outs, 'opt-out')}" if lane.opt_outs else ""
    return f"{waiting}{opt_outs}."


def _raised(facts: Facts, seen: Seen) -> Iterator[Need]:
    """Those alarms whose text says all there is to say."""
    hides = {oddity.field: oddity for oddity in seen.odd if hides_an_opt_out(oddity)}
    for alarm in raised(seen):
        trouble = Trouble(alarm.kind)
        if trouble in (Trouble.LATE, Trouble.LANE, Trouble.DEAD):
            continue
        say = _SAY.get(trouble, alarm.kind.capitalize()).format(thing=facts.title(alarm.thing), name=alarm.thing)
        if trouble is Trouble.ODD and alarm.thing in hides:
            say = what_comes(hides[alarm.thing]).rstrip(".")
            yield Need(Trouble.ODD_FLAG, alarm.thing, say, alarm.text, _FIXES[Trouble.ODD], keys=(alarm.key,))
        else:
            yield Need(trouble, alarm.thing, say, alarm.text, _fix(alarm, trouble))


_SAY: Final = {
    Trouble.LOWERED: "Opt-outs are no longer in {thing}",
    Trouble.HISTORY: "The database lacks what was acknowledged",
    Trouble.DOWN: "The connector was not running",
    Trouble.MAPPING: "The edited mapping of {thing} is refused",
    Trouble.SILENCE: "No event has arrived for unusually long",
    Trouble.NOT_HERE: "careCycle had what no event had brought",
    Trouble.NOT_ASKED: "careCycle cannot be asked whether everybody is here",
    Trouble.MISSING: "Records were deleted in {thing}",
    Trouble.UNTRANSLATED: "Nothing translates a value for {name}",
    Trouble.ODD: "careCycle sends {name} in another form",
    Trouble.CLOCK: "The clock of {name} is wrong",
    Trouble.DELETION: "Nothing is deleted for now",
    Trouble.RENEW: "The credentials of {thing} must be renewed",
    Trouble.BACKUP: "The last backup is too old",
}

_REPAIR: Final = "connector reconcile crm -c agency.yaml --all --repair"
_FIXES: Final = {
    Trouble.LOWERED: Fix("See whose", Page.PROBLEMS, "lowered", _REPAIR),
    Trouble.HISTORY: Fix("", command="connector restored"),
    Trouble.SILENCE: Fix("", command="connector doctor -c agency.yaml --url https://your-address"),
    Trouble.NOT_HERE: Fix("See what is complete", Page.COMPLETE),
    Trouble.NOT_ASKED: Fix("", command="connector doctor -c agency.yaml"),
    Trouble.MISSING: Fix("See what is complete", Page.COMPLETE),
    Trouble.UNTRANSLATED: Fix("See the problem", Page.PROBLEMS, "oddities"),
    Trouble.ODD: Fix("See the problem", Page.PROBLEMS, "oddities"),
    Trouble.DELETION: Fix("", command="connector retention resume"),
    Trouble.RENEW: Fix("", command="connector check -c agency.yaml --live"),
    Trouble.BACKUP: Fix("", command="connector backup FILE"),
}
_LOOK: Final = Fix("", command="connector doctor -c agency.yaml")


def _fix(alarm: Alarm, trouble: Trouble) -> Fix:
    if trouble is Trouble.MAPPING:
        return Fix("Open the mapping", Page.MAPPING, alarm.thing)
    return _FIXES.get(trouble, _LOOK)


def _unserved(facts: Facts) -> Iterator[Need]:
    mappings = [mapping for seen in facts.seen.values() for mapping in seen.mappings]
    for why in unserved(facts.lanes, mappings, facts.processes):
        say, _, more = why.partition(". " if "No worker" not in why else ": ")
        weight = sum(lane.ready + lane.opt_outs for lane in facts.lanes)
        fix = Fix("", command="connector run -c agency.yaml")
        yield Need(Trouble.UNSERVED, say, say, f"{more[:1].upper()}{more[1:]}", fix, weight)


def _dead(facts: Facts) -> Iterator[Need]:
    """Every cause of dead letters that nobody has muted, and those that hold opt-outs."""
    keys = set[str]()
    for cause in facts.dead:
        if cause.muted and not cause.opt_outs:
            continue
        key = f"{Trouble.DEAD} {cause.destination} {cause.code}"
        trouble = Trouble.UNREAD if cause.unread else Trouble.DEAD
        fix = Fix("Open the problem", Page.CAUSE, cause.id)
        weight = cause.opt_outs * _OPT_OUT + (cause.customers or cause.count)
        own = () if key in keys else (key,)
        yield Need(trouble, cause.id, cause.what.rstrip("."), _whom(facts, cause), fix, weight, own)
        keys.add(key)


def _whom(facts: Facts, cause: DeadFact) -> str:
    whom = f"{counted(cause.count, 'delivery', 'deliveries')} to {facts.title(cause.destination)} waits for a replay."
    whom = whom if cause.count == 1 else whom.replace("waits for", "wait for")
    if cause.unread:
        return f"{whom} Opt-outs in what could not be read may be missing."
    if not cause.opt_outs:
        return whom
    return f"{whom} {counted(cause.opt_outs, 'opt-out is', 'opt-outs are')} not in the CRM because of it."


def _expiring(facts: Facts) -> Iterator[Need]:
    for agency, count in facts.expiring.items():
        if count:
            say = f"{counted(count, 'dead letter')} will be discarded within {NOTICE_DAYS} days"
            more = f"{agency}: with them, the content of their events is purged. Replay or discard them before."
            yield Need(Trouble.EXPIRING, agency, say, more, Fix("See the problems", Page.PROBLEMS), count)


def _to_decide(facts: Facts) -> Iterator[Need]:
    if facts.questions:
        say = f"{counted(facts.questions, 'question waits', 'questions wait')} for somebody to say who is who"
        more = "Until then, these customers have a record of their own."
        yield Need(Trouble.QUESTIONS, "identity", say, more, Fix("Decide", Page.IDENTITY), facts.questions)
    if facts.left_out:
        say = f"{counted(facts.left_out, 'field is', 'fields are')} left out of records"
        more = "The CRM rejects them, or a lookup found nothing; everything else in these records was written."
        fix = Fix("See the problem", Page.PROBLEMS, "left-out")
        yield Need(Trouble.LEFT_OUT, "fields", say, more, fix, facts.left_out)


def _upkeep(facts: Facts) -> Iterator[Need]:
    """What `connector doctor` finds without asking anybody."""
    if facts.space is not None and facts.space < LITTLE_SPACE:
        more = "Once it is full, no event can be stored. Free some space, or move the database to a larger disk."
        say = f"Only {space_words(facts.space)}"
        yield Need(Trouble.DISK, "database", say, more, _LOOK)
    for destination, notice in facts.ending.items():
        say = f"The version of {facts.title(destination)}'s API that is used ends"
        yield Need(Trouble.VERSION, destination, say, f"{notice}.", _LOOK)


def _lingering(key: str) -> Need:
    say = f"An alarm that was sent has not been reported as over: {key}"
    return Need(Trouble.OTHER, key, say, "Its message says what to do.", _LOOK, keys=(key,))
