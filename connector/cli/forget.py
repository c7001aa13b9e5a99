"""forget: delete everything stored about one person."""

from __future__ import annotations

from dataclasses import asdict

import click

from connector.cli.options import json_option, moment_text, opened_store, reason_option, show_json, show_table, who
from connector.store.forget import Held
from connector.web.words import counted


class _Forgotten(Held):
    forgotten: bool


@click.command()
@click.argument("customer_id")
@click.option("--plan", is_flag=True, help="Only show what would be deleted.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@reason_option
@json_option(_Forgotten)
def forget(customer_id: str, plan: bool, yes: bool, reason: str, as_json: bool) -> None:
    """Delete everything stored about the customer with this careCycle ID."""
    with opened_store() as store:
        held = store.forget.plan(customer_id)
        if not as_json:
            _show(held)
        sure = (
            not plan and held.anything and (yes or click.confirm("Delete all of it permanently?", abort=True, err=True))
        )
        if sure:
            held = store.forget.run(customer_id, who(), reason)
    if as_json:
        show_json({"forgotten": sure, **asdict(held)})
    elif sure:
        click.echo("\nDeleted.")
        if held.writing:
            click.echo("A worker was just writing to this person's records: check the CRM for what it sent.")


def _show(held: Held) -> None:
    if held.undecrypted:
        messages = counted(held.undecrypted, "unreadable message")
        click.echo(f"{messages} cannot be decrypted and may be about this customer: connector doctor names the keys.")
    if held.forgotten_at is not None:
        click.echo(f"This customer's data was already deleted at {moment_text(held.forgotten_at)} UTC.")
    if not held.anything:
        click.echo("Nothing is stored about this customer.")
        return
    rows = [
        ("events, with their payloads", held.events),
        ("deliveries", held.deliveries),
        ("of these, waiting: they will not be written", held.waiting),
        ("attempts", held.attempts),
        ("ledger entries", held.ledger),
        ("what the CRM had before, of records", held.previous),
    ]
    show_table("Stored here, to be deleted", ("what", "how many"), rows, "")
    click.echo("The message IDs are kept, so that a message careCycle sends again is not stored again.")
    if held.opt_outs:
        flags = ", ".join(f"{flag} ({destination})" for destination, flag in held.opt_outs)
        click.echo(f"Opt-outs stay in force, under a keyed digest instead of the ID: {flags}")
    if held.unwritten:
        flags = ", ".join(f"{flag} ({destination})" for destination, flag in held.unwritten)
        click.echo(f"Not in the CRM yet, and not written after this: set these there by hand, or wait: {flags}")
    show_table("Still in the CRMs: delete it there", ("destination", "object", "CRM id"), held.crm_records, "")
    click.echo("Delete the customer in careCycle first: anything it sends from now on is stored again.")
