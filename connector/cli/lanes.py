"""lanes: list, pause or resume lanes."""

from __future__ import annotations

import click

from connector.cli.options import columns_of, json_option, opened_store, show_json, show_table, who
from connector.settlement.listings import LaneStatus
from connector.web.words import held_by_hand


@click.group()
def lanes() -> None:
    """List, pause or resume lanes."""


@lanes.command("list")
@json_option
def list_lanes(as_json: bool) -> None:
    """List lanes, their waiting deliveries, and why any is paused."""
    with opened_store() as store:
        rows = store.desk.lanes()
    if as_json:
        show_json(rows)
        return
    columns = ("name", "ready", "opt_outs", "paused", "pause_code", "pause_reason")
    cells = [[*own, _paused_at(lane)] for own, lane in zip(columns_of(rows, columns), rows, strict=True)]
    show_table("Lanes", (*columns, "paused at"), cells, "No lanes yet: start the connector first.")


def _paused_at(lane: LaneStatus) -> str:
    if not lane.paused or held_by_hand(lane):
        return ""
    return str(lane.paused_at or "no single event is known to cause it")


@lanes.command()
@click.argument("lane")
def pause(lane: str) -> None:
    """Pause a lane until it is resumed."""
    with opened_store() as store:
        store.desk.pause(lane, who())
    click.echo(f"{lane} is paused")


@lanes.command()
@click.argument("lane")
def resume(lane: str) -> None:
    """Resume a paused lane."""
    with opened_store() as store:
        store.desk.resume(lane, who())
    click.echo(f"{lane} is resumed")
