"""status: the current status on one screen."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from connector.cli.options import json_option, opened_store, plain, show_json, width
from connector.cli.tables import fitted
from connector.insight.alarms import Silence
from connector.insight.clocks import about_clock, about_deletion
from connector.insight.complete import faults
from connector.insight.gaps import what_is_missing, what_to_replay
from connector.insight.overview import Overview, overview
from connector.insight.unserved import unserved, works
from connector.settlement import DeliveryState
from connector.settlement.listings import LaneStatus
from connector.store import Store
from connector.web.complete_words import crm_words, source_words
from connector.web.words import (
    STATES,
    age,
    counted,
    forecast,
    held_by_hand,
    lane_state,
    lowered_words,
    stamp,
    state_word,
    why_paused,
)

CAUSES: Final = 5
"""How many causes of dead letters are shown, the most common."""
_EVERY: Final = 2.0


class _Lane(LaneStatus):
    state: str
    hours_left: float | None


class _Silence(Silence):
    unusual: bool


class _Status(Overview):
    dead: int
    open_items: int
    opt_outs: int
    oldest_opt_out_ms: int
    opt_outs_lowered: int
    unserved: list[str]
    damage: str
    lanes: Sequence[_Lane]
    silences: Mapping[str, _Silence]


@click.command()
@click.option("--watch", "watching", is_flag=True, help="Refresh every two seconds until Ctrl-C.")
@json_option(_Status)
def status(watching: bool, as_json: bool) -> None:
    """Show the current status: today's events, lanes, opt-outs, dead letters, silence, API calls."""
    if watching and as_json:
        raise click.UsageError("--watch and --json exclude each other")
    with opened_store() as store:
        if as_json:
            show_json({**_as_data(overview(store, store.database.moment())), "damage": store.database.damage.known()})
        elif watching:
            watch(store, Console(), lambda: time.sleep(_EVERY))
        else:
            Console(width=width()).print(_screen(store, width()), crop=False)


def watch(store: Store, console: Console, rest: Callable[[], None]) -> None:
    """Refresh the screen after each rest, until Ctrl-C."""
    try:
        first = _screen(store, console.width)
        with Live(first, console=console, auto_refresh=False, screen=console.is_terminal) as live:
            while True:
                rest()
                live.update(_screen(store, console.width), refresh=True)
    except KeyboardInterrupt:
        return


def _screen(store: Store, width: int) -> RenderableType:
    return Group(*_damage(store), *_parts(overview(store, store.database.moment()), width))


def _damage(store: Store) -> Iterator[Text]:
    if known := store.database.damage.known():
        yield Text(f"The database {known}. See docs/operating.md: A damaged database.", "red")


def _parts(view: Overview, width: int) -> Iterator[RenderableType]:
    yield Text(f"{stamp(view.now)} UTC", "bold")
    if view.lost:
        yield Text(what_is_missing(view.lost), "bold red")
        yield Text(what_to_replay(view.lost), "red")
    yield from _came(view)
    yield from _compared(view)
    yield from _in_crm(view)
    yield from _clocks(view)
    yield Text(_backup(view))
    yield from _opt_outs(view)
    yield from _waiting(view, width)
    yield from _dead(view, width)
    if view.open_items:
        left_out = f"{counted(view.open_items, 'field')} left out of records otherwise written"
        yield Text(f"{left_out}; connector problems shows what to do.")
    if view.questions:
        waiting = counted(view.questions, "question waits", "questions wait")
        yield Text(f"{waiting} for you to decide who is who; connector identity list shows them.")
    for name, calls in view.calls.items():
        if calls and calls.limit:
            yield Text(f"API calls today, {name}: {calls.used:,} of {calls.limit:,} used")
    for mapping in view.mappings:
        if mapping.problem:
            warning = "The last good version keeps running, until a restart."
            at = f" {stamp(mapping.refused_at)} UTC" if mapping.refused_at else ""
            yield Text(f"Mapping rejected{at}: {mapping.destination}. {warning}", "red")
            yield Text(plain(f"  {mapping.problem}"), "red")
            yield Text("  connector check -c agency.yaml --live shows line and column")


def _waiting(view: Overview, width: int) -> Iterator[RenderableType]:
    yield _lanes(view, width) if view.lanes else Text("No lanes yet: start the connector first.")
    for why in unserved(view.lanes, view.mappings, view.processes):
        yield Text(why, "red")


def _came(view: Overview) -> Iterator[Text]:
    yield Text(f"Today (UTC): {counted(view.came_today, 'event')}. Deliveries: {_states(view.today) or 'none'}.")
    yield Text("No events yet." if view.last_ms is None else f"The last event arrived {age(view.last_ms)} ago.")
    for agency, silence in view.silences.items():
        if silence.unusual:
            usual = f"normally 99% of events arrive within {age(silence.usual_ms)} of the previous one"
            yield Text(f"Unusually silent: {agency}, for {age(silence.ms)}; {usual}.", "red")


def _compared(view: Overview) -> Iterator[Text]:
    for agency, known in view.compared.items():
        if known.done:
            when = age(view.now - known.ended_at)
            text = f"Compared with careCycle {when} ago: {agency}: {source_words(known.done)}."
            yield Text(text, "red" if known.done.left else "")
        if known.problem:
            yield Text(f"careCycle cannot be asked whether everybody is here: {agency}: {known.problem}.", "red")


def _in_crm(view: Overview) -> Iterator[Text]:
    for own in view.in_crm:
        text = f"Compared with the CRM, {own.destination}: {crm_words(own, view.now)}."
        yield Text(text, "red" if faults(own) else "")


def _backup(view: Overview) -> str:
    if view.backup_at is None:
        return "Last backup: none is noted."
    return f"Last backup: {age(view.now - view.backup_at)} ago."


def _clocks(view: Overview) -> Iterator[Text]:
    for process in view.processes:
        if text := about_clock(process):
            yield Text(f"Clock wrong: {process.role} on {process.name}. {text}", "red")
    if view.hold.matters:
        yield Text(about_deletion(view.hold), "red")


def _states(today: Mapping[str, int]) -> str:
    counts = {state: today[state] for state in STATES if state in today}
    return ", ".join(
        counted(count, "dead letter") if state is DeliveryState.DEAD else f"{count:,} {state_word(state)}"
        for state, count in counts.items()
    )


def _unread(view: Overview) -> Iterator[Text]:
    if view.unread:
        yield Text(f"{counted(view.unread, 'message')} could not be read: opt-outs in them may be missing.", "red")
    if view.odd_flags:
        odd = f"{counted(view.odd_flags, 'event')} had a customer or consent flag that could not be read"
        yield Text(f"{odd}: connector problems says which.", "red")


def _opt_outs(view: Overview) -> Iterator[Text]:
    yield from _unread(view)
    if view.no_record:
        yield Text(f"{counted(view.no_record, 'opt-out')} of customers the CRM has no record of: set once it has one.")
    if view.not_mapped:
        yield Text(
            f"{counted(view.not_mapped, 'opt-out')} not written: the mapping waives the flag or skips the customer."
        )
    if view.lowered:
        yield Text(lowered_words(view.lowered, max(row.lowered_at for row in view.consent)), "red")
    if not view.opt_outs:
        yield _all_there(view)
        return
    oldest = f"{counted(view.opt_outs, 'opt-out')} not yet in the CRM, the oldest for {age(view.oldest_opt_out)}:"
    yield Text(oldest, "red" if view.late else "")
    for row in view.consent:
        if row.waiting or row.refused:
            yield Text(f"  {row.destination}: {row.waiting:,} waiting, {row.refused:,} refused by the CRM")
    yield Text("  connector consent report --since DATE lists them, each with its reason")


def _all_there(view: Overview) -> Text:
    if view.lost:
        return Text("Whether the opt-outs that are missing reached the CRM is not known.", "red")
    known = "Every other opt-out we know of" if view.uncertain else "Every opt-out"
    return Text(f"{known} is in the CRM.")


def _lanes(view: Overview, width: int) -> RenderableType:
    columns = ("lane", "state", "waiting", "why it is paused, when it will be empty")
    states = [lane_state(lane) for lane in view.lanes]
    rows = [
        [plain(lane.name), state, f"{lane.ready:,}", plain(_outlook(lane, view))]
        for lane, state in zip(view.lanes, states, strict=True)
    ]
    return fitted(columns, rows, width, ["red" if state == "paused" else "" for state in states])


def _outlook(lane: LaneStatus, view: Overview) -> str:
    paused = why_paused(lane)
    paused += f" It paused at {lane.paused_at}." if lane.paused_at else ""
    by_hand = "Until someone resumes it." if held_by_hand(lane) else ""
    empty = forecast(lane, view.paces.get(lane.name), view.now) if works(view.processes) or lane.paused else ""
    return " ".join(part for part in (paused, by_hand, empty) if part)


def _dead(view: Overview, width: int) -> Iterator[RenderableType]:
    if not view.causes:
        yield Text("No dead letters.")
        return
    yield Text(f"{counted(view.dead, 'dead letter')}; connector problems shows what to do:", "red")
    causes = view.causes[:CAUSES]
    rows = [[f"{own.count:,}", *map(plain, (own.destination, own.code, own.reason))] for own in causes]
    yield fitted(("dead", "destination", "code", "why"), rows, width)
    if len(view.causes) > CAUSES:
        yield Text(f"and {counted(len(view.causes) - CAUSES, 'cause')} more")


def _as_data(view: Overview) -> dict[str, Any]:
    """The overview as JSON data, with the figures calculated from it."""
    lanes = [{**asdict(lane), "state": lane_state(lane), "hours_left": _hours_left(lane, view)} for lane in view.lanes]
    silences = {name: {**asdict(silence), "unusual": silence.unusual} for name, silence in view.silences.items()}
    calculated = {
        "dead": view.dead,
        "open_items": view.open_items,
        "opt_outs": view.opt_outs,
        "oldest_opt_out_ms": view.oldest_opt_out,
        "opt_outs_lowered": view.lowered,
        "unserved": unserved(view.lanes, view.mappings, view.processes),
    }
    lists = {
        "lanes": lanes,
        "silences": silences,
        "causes": view.causes[:CAUSES],
        "left_out": view.left_out[:CAUSES],
    }
    return {**asdict(view), **calculated, **lists}


def _hours_left(lane: LaneStatus, view: Overview) -> float | None:
    pace = view.paces.get(lane.name)
    return pace.hours_left(lane.ready) if pace and not lane.paused else None
