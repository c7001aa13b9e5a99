"""status: how things stand, on one screen."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any, Final

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Column, Table
from rich.text import Text

from connector.cli.options import json_option, opened_store, plain, show_json
from connector.insight.overview import Overview, overview
from connector.store import Store
from connector.web.words import STATES, age, counted, forecast, held_by_hand, lane_state, stamp, state_word

CAUSES: Final = 5
"""Causes of dead letters shown, the commonest."""
_EVERY: Final = 2.0


@click.command()
@click.option("--watch", "watching", is_flag=True, help="Draw it anew every two seconds, until Ctrl-C.")
@json_option
def status(watching: bool, as_json: bool) -> None:
    """Tell how things stand: today's events, lanes, opt-outs, dead letters, silence, API calls."""
    if watching and as_json:
        raise click.UsageError("--watch draws on a terminal; leave out --json")
    with opened_store() as store:
        if as_json:
            show_json(_as_data(overview(store, store.database.moment())))
        elif watching:
            watch(store, Console(), lambda: time.sleep(_EVERY))
        else:
            console = Console()
            (console if console.is_terminal else Console(width=160)).print(_screen(store))


def watch(store: Store, console: Console, rest: Callable[[], None]) -> None:
    """Draw it anew after each rest, until somebody presses Ctrl-C."""
    try:
        with Live(_screen(store), console=console, auto_refresh=False, screen=console.is_terminal) as live:
            while True:
                rest()
                live.update(_screen(store), refresh=True)
    except KeyboardInterrupt:
        return


def _screen(store: Store) -> RenderableType:
    return Group(*_parts(overview(store, store.database.moment())))


def _parts(view: Overview) -> Iterator[RenderableType]:
    yield Text(f"{stamp(view.now)} UTC", "bold")
    yield from _came(view)
    yield from _opt_outs(view)
    yield _lanes(view) if view.lanes else Text("No lanes yet: start the connector once.")
    yield from _dead(view)
    for name, told in view.calls.items():
        if told.get("limit"):
            yield Text(f"API calls of the day, {name}: {told['used']:,} of {told['limit']:,} used")
    for one in view.mappings:
        if one["problem"]:
            yield Text(f"Mapping refused: {one['destination']}. The last good one runs on, until a restart.", "red")
            yield Text("  connector check -c agency.yaml --live says line and column")


def _came(view: Overview) -> Iterator[Text]:
    yield Text(f"Today (UTC): {counted(view.came_today, 'event')}. Deliveries: {_states(view.today) or 'none'}.")
    yield Text("No event yet." if view.last_ms is None else f"The last event came {age(view.last_ms)} ago.")
    for agency, one in view.silences.items():
        if one.unusual:
            usual = f"ninety-nine of a hundred come within {age(one.usual_ms)} of the one before"
            yield Text(f"Unusually silent: {agency}, for {age(one.ms)}; {usual}.", "red")


def _states(today: Mapping[str, int]) -> str:
    found = {state: today[state] for state in STATES if state in today}
    return ", ".join(
        counted(count, "dead letter") if state == "dead" else f"{count:,} {state_word(state)}"
        for state, count in found.items()
    )


def _opt_outs(view: Overview) -> Iterator[Text]:
    if not view.opt_outs:
        yield Text("Every opt-out is in the CRM.")
        return
    oldest = f"{counted(view.opt_outs, 'opt-out')} not yet in the CRM, the oldest for {age(view.oldest_opt_out)}:"
    yield Text(oldest, "red" if view.late else "")
    for one in view.consent:
        if one["waiting"] or one["dead"]:
            yield Text(f"  {one['destination']}: {one['waiting']:,} wait, {one['dead']:,} held back by a dead letter")


def _lanes(view: Overview) -> Table:
    table = Table("lane", "state", "waiting", "what holds it, when it is empty")
    for lane in view.lanes:
        state = lane_state(lane)
        cells = (lane["name"], state, f"{lane['ready']:,}", _outlook(lane, view))
        table.add_row(*(Text(plain(cell)) for cell in cells), style="red" if state == "paused" else "")
    return table


def _outlook(lane: Mapping[str, Any], view: Overview) -> str:
    paused = f"{lane['pause_reason']} ({lane['pause_code']})." if lane["paused"] else ""
    by_hand = "Until somebody resumes it." if held_by_hand(lane) else ""
    told = forecast(lane, view.paces.get(lane["name"]), view.now)
    return " ".join(part for part in (paused, by_hand, told) if part)


def _dead(view: Overview) -> Iterator[RenderableType]:
    if not view.causes:
        yield Text("No dead letters.")
        return
    yield Text(f"{counted(view.dead, 'dead letter')}; connector problems says what to do:", "red")
    table = Table("dead", "destination", Column("code", overflow="fold"), "why")
    for one in view.causes[:CAUSES]:
        cells = (f"{one['count']:,}", one["destination"], one["code"], one["reason"])
        table.add_row(*(Text(plain(cell)) for cell in cells))
    yield table
    if len(view.causes) > CAUSES:
        yield Text(f"and {counted(len(view.causes) - CAUSES, 'cause')} more")


def _as_data(view: Overview) -> dict[str, Any]:
    """All of it, with what is reckoned from it."""
    lanes = [{**lane, "state": lane_state(lane), "hours_left": _hours_left(lane, view)} for lane in view.lanes]
    silences = {agency: {**asdict(one), "unusual": one.unusual} for agency, one in view.silences.items()}
    reckoned = {"dead": view.dead, "opt_outs": view.opt_outs, "oldest_opt_out_ms": view.oldest_opt_out}
    return {**asdict(view), **reckoned, "lanes": lanes, "silences": silences, "causes": view.causes[:CAUSES]}


def _hours_left(lane: Mapping[str, Any], view: Overview) -> float | None:
    pace = view.paces.get(lane["name"])
    return pace.hours_left(lane["ready"]) if pace and not lane["paused"] else None
