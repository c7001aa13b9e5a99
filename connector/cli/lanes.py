"""lanes: list, pause or resume lanes."""

from __future__ import annotations

import click

from connector.cli.options import json_option, opened_store, reason_option, show_json, show_table, who
from connector.settlement.listings import LaneStatus
from connector.web.words import held_by_hand, lane_state, why_paused


@click.group()
def lanes() -> None:
    """List, pause or resume lanes."""


@lanes.command("list")
@json_option(list[LaneStatus])
def list_lanes(as_json: bool) -> None:
    """List lanes, their waiting deliveries, and why any is paused."""
    with opened_store() as store:
        rows = store.desk.lanes()
    if as_json:
        show_json(rows)
        return
    columns = ("lane", "state", "waiting", "opt-outs", "why it is paused", "where it paused")
    cells = [
        [lane.name, lane_state(lane), f"{lane.ready:,}", f"{lane.opt_outs:,}", why_paused(lane), _paused_at(lane)]
        for lane in rows
    ]
    show_table("Lanes", columns, cells, "No lanes yet: start the connector first.")


def _paused_at(lane: LaneStatus) -> str:
    if not lane.paused or held_by_hand(lane):
        return ""
    return str(lane.paused_at or "no single event is known to cause it")


@lanes.command()
@click.argument("lane")
@reason_option
def pause(lane: str, reason: str) -> None:
    """Pause a lane until it is resumed."""
    with opened_store() as store:
        store.desk.pause(lane, who(), reason)
    click.echo(f"{lane} is paused")


@lanes.command()
@click.argument("lane")
@reason_option
def resume(lane: str, reason: str) -> None:
    """Resume a paused lane."""
    with opened_store() as store:
        store.desk.resume(lane, who(), reason)
    click.echo(f"{lane} is resumed")
