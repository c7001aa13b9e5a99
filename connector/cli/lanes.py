"""lanes: list, pause or resume lanes."""

from __future__ import annotations

import click

from connector.cli.options import columns_of, json_option, opened_store, show_json, show_table, who


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
    show_table("Lanes", columns, columns_of(rows, columns), "No lanes yet: start the connector first.")


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
