"""retention: whether deletion waits, and let it go on."""

from __future__ import annotations

import click

from connector.cli.options import json_option, opened_store, show_json, who
from connector.insight.clocks import about_deletion
from connector.settlement.clocks import Hold


@click.group()
def retention() -> None:
    """Show whether deletion waits for you, or let it go on."""


@retention.command()
@json_option(Hold)
def show(as_json: bool) -> None:
    """Show whether the connector deletes what is older than the agency's retention. Exit status 1 if it waits."""
    with opened_store() as store:
        hold = store.retention.hold()
    if as_json:
        show_json(hold)
    else:
        click.echo(about_deletion(hold) or "Deletion does not wait.")
    raise SystemExit(1 if hold.left_ms else 0)


@retention.command()
def resume() -> None:
    """Delete at once what is older than the agency's retention, by the database's clock as it is now."""
    with opened_store() as store:
        store.retention.resume(who())
    click.echo("Deletion goes on within the hour.")
