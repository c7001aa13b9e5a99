"""How things are, in one true sentence. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from connector.insight.facts import Facts, by_hand, is_held
from connector.insight.failing import how_it_fails
from connector.insight.needs import RANK, Need, Trouble
from connector.insight.words import counted
from connector.settlement import DeliveryState
from connector.settlement.listings import LaneStatus


def headline(facts: Facts, listed: Sequence[Need]) -> str:
    """Say how things are. listed: what needs a person, the worst first."""
    if not listed:
        stopped = _worst(facts)
        return _stopped(facts, stopped, listed) if stopped else _well(facts)
    first = listed[0]
    held = {lane.name: lane for lane in facts.lanes if is_held(lane)}
    stopped = held.get(first.thing) or (_worst(facts) if first.rank >= RANK[Trouble.LANE] else None)
    if stopped:
        return _stopped(facts, stopped, listed)
    waiting = "" if first.trouble is Trouble.LATE else _waiting(facts)
    return f"{first.say}{waiting}{_more(len(listed) - 1)}."


def _stopped(facts: Facts, lane: LaneStatus, listed: Sequence[Need]) -> str:
    others = sum(need.thing != lane.name for need in listed)
    said = how_it_fails(lane, facts.title(lane.destination), facts.now)
    return f"{said}{_waiting(facts, lane)}{_more(others)}."


def _worst(facts: Facts) -> LaneStatus | None:
    """The lane through which nothing gets and that holds the most: one that fails before one paused by hand."""
    held = [lane for lane in facts.lanes if is_held(lane) and not facts.lost]
    return max(held, key=lambda lane: (lane.opt_outs, not by_hand(lane), lane.ready), default=None)


def _waiting(facts: Facts, lane: LaneStatus | None = None) -> str:
    """What waits: for this lane's account, if any."""
    lanes = [own for own in facts.lanes if lane is None or own.destination == lane.destination]
    if opt_outs := sum(own.opt_outs for own in lanes):
        return f"; {counted(opt_outs, 'opt-out waits', 'opt-outs wait')}"
    ready = sum(own.ready for own in lanes) if lane else 0
    return f"; {counted(ready, 'delivery waits', 'deliveries wait')}" if ready else ""


def _more(count: int) -> str:
    return f"; {counted(count, 'more thing needs', 'more things need')} a person" if count > 0 else ""


def _well(facts: Facts) -> str:
    if not facts.lanes:
        return "Nothing is set up yet: lanes appear once a worker has started with an agency file."
    day = facts.day
    muted = sum(cause.muted for cause in facts.dead)
    well = f"All is well except {counted(muted, 'muted problem')}" if muted else "All is well"
    opt_outs = f", {counted(facts.open_opt_outs, 'opt-out')} on the way" if facts.open_opt_outs else ""
    if not day.events:
        return f"{well}: no events yet today{opt_outs}."
    return f"{well}: {counted(day.events, 'event')} today, {_done(facts)}{opt_outs}."


def _done(facts: Facts) -> str:
    day = facts.day
    if waiting := day.count(DeliveryState.READY):
        return f"{counted(waiting, 'delivery', 'deliveries')} on the way"
    if dead := day.count(DeliveryState.DEAD):
        return f"all but {counted(dead, 'delivery', 'deliveries')} delivered or skipped"
    skipped = day.count(DeliveryState.SKIPPED) + day.count(DeliveryState.IGNORED)
    return "all delivered or skipped" if skipped else "all delivered"
