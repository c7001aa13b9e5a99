"""events and lanes: what happened, and what to do about it."""

from __future__ import annotations

import getpass
from dataclasses import replace
from typing import Any, cast

import click

from connector import operate
from connector.cli.options import columns_of, json_option, opened_store, show_json, show_table
from connector.errors import FixConfiguration
from connector.store.desk import PAGE, Filter


def _filter(wanted: dict[str, str]) -> Filter:
    return replace(Filter(), **cast(Any, wanted))


def _filtered(command: Any) -> Any:
    for name in ("customer-id", "message-id", "destination", "code", "type"):
        command = click.option(f"--{name}", default="", help=f"Only this {name.replace('-', ' ')}.")(command)
    return command


@click.group()
def events() -> None:
    """List, show, replay or discard events."""


@events.command("list")
@_filtered
@click.option("--state", default="", help="Only this state: ready, delivered, superseded, skipped, ignored, dead.")
@click.option("--limit", default=PAGE, show_default=True, type=click.IntRange(1, 1000), help="How many, newest first.")
@json_option
def list_events(limit: int, as_json: bool, **wanted: str) -> None:
    """List deliveries, newest first."""
    with opened_store() as store:
        rows = store.desk.deliveries(_filter(wanted), limit)
    if as_json:
        show_json(rows)
        return
    columns = ("message_id", "type", "customer_id", "destination", "state", "attempts", "code", "reason")
    show_table("Deliveries", columns, columns_of(rows, columns), "No events yet.")


@events.command()
@click.argument("message_id")
@json_option
def show(message_id: str, as_json: bool) -> None:
    """Tell one event's story: what came of it where, try by try. Values are masked."""
    with opened_store() as store:
        story = operate.story(store, message_id)
    if story is None:
        raise FixConfiguration(message_id, "is no message of this inbox", "connector events list")
    if as_json:
        show_json(story)
        return
    show_table(f"{story['type']} {message_id}", ("field", "class", "value"), [f.values() for f in story["payload"]], "")
    for delivery in story["deliveries"]:
        click.echo(f"\n{delivery['destination']}: {delivery['state']} {delivery['code']} {delivery['reason']}".rstrip())
        rows = [
            [one["outcome"], record["record"], record["object"], record["crm_id"], ", ".join(record["fields"])]
            for one in delivery["tries"]
            for record in one["records"]
        ]
        show_table("", ("outcome", "record", "object", "CRM id", "fields written"), rows, "no attempt yet")


@events.command()
@_filtered
@click.option("--all", "every", is_flag=True, help="All of them.")
def replay(every: bool, **wanted: str) -> None:
    """Try dead letters again."""
    if not (every or any(wanted.values())):
        raise click.UsageError("say which: --message-id, --code, --destination, ..., or --all")
    with opened_store() as store:
        click.echo(f"{store.desk.replay(_filter(wanted), _who())} deliveries are due again")


@events.command()
@_filtered
@click.option("--yes", is_flag=True, help="Do not ask.")
def discard(yes: bool, **wanted: str) -> None:
    """Give dead letters up for good."""
    if not any(wanted.values()):
        raise click.UsageError("say which: --message-id, --code, --destination, ...")
    if not yes:
        click.confirm("Give these dead letters up for good?", abort=True)
    with opened_store() as store:
        click.echo(f"{store.desk.discard(_filter(wanted), _who())} deliveries discarded")


@click.group()
def lanes() -> None:
    """List, pause or resume lanes."""


@lanes.command("list")
@json_option
def list_lanes(as_json: bool) -> None:
    """List lanes with their backlog and why they are paused."""
    with opened_store() as store:
        rows = store.desk.lanes()
    if as_json:
        show_json(rows)
        return
    columns = ("name", "ready", "opt_outs", "paused", "pause_code", "pause_reason")
    show_table("Lanes", columns, columns_of(rows, columns), "No lanes yet: start the connector once.")


@lanes.command()
@click.argument("lane")
def pause(lane: str) -> None:
    """Rest a lane until it is resumed."""
    with opened_store() as store:
        store.desk.pause(lane, _who())
    click.echo(f"{lane} is paused")


@lanes.command()
@click.argument("lane")
def resume(lane: str) -> None:
    """Let a paused lane go on."""
    with opened_store() as store:
        store.desk.resume(lane, _who())
    click.echo(f"{lane} goes on")


def _who() -> str:
    return f"cli:{getpass.getuser()}"
