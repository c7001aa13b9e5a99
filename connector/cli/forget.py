"""forget: remove everything held about one person."""

from __future__ import annotations

from dataclasses import asdict

import click

from connector.cli.desk import who
from connector.cli.options import json_option, opened_store, show_json, show_table, told_moment
from connector.store.forget import Held


@click.command()
@click.argument("customer_id")
@click.option("--plan", is_flag=True, help="Only show what would be forgotten.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def forget(customer_id: str, plan: bool, yes: bool, as_json: bool) -> None:
    """Forget one person: everything held about the customer with this id in careCycle."""
    with opened_store() as store:
        held = store.forget.plan(customer_id)
        if not as_json:
            _show(held)
        sure = not plan and held.anything and (yes or click.confirm("Forget all of it for good?", abort=True, err=True))
        if sure:
            held = store.forget.run(customer_id, who())
    if as_json:
        show_json({"forgotten": sure, **asdict(held)})
    elif sure:
        click.echo(
            "\nForgotten. "
            + (
                "A worker was writing to this person just now: look in the CRM for what was sent meanwhile."
                if held.writing
                else ""
            )
        )


def _show(held: Held) -> None:
    if held.forgotten_at is not None:
        click.echo(f"This customer was forgotten before, at {told_moment(held.forgotten_at)} UTC.")
    if not held.anything:
        click.echo("Nothing is held about this customer.")
        return
    rows = [
        ("events, with their payloads", held.events),
        ("deliveries", held.deliveries),
        ("of them not yet written: they will not be", held.waiting),
        ("attempts", held.attempts),
        ("ledger entries", held.ledger),
    ]
    show_table("Held here, and forgotten", ("what", "how many"), rows, "")
    click.echo("The ids of the messages stay, so that a message sent again is not taken in again.")
    if held.opt_outs:
        told = ", ".join(f"{flag} ({destination})" for destination, flag in held.opt_outs)
        click.echo(f"Opt-outs stay in force, under a keyed digest instead of the id: {told}")
    show_table("Stays in the CRMs: delete it there", ("destination", "object", "CRM id"), held.crm_records, "")
    click.echo("Delete the customer in careCycle first: whatever it sends from now on is taken in anew.")
