"""audit: list what operators did."""

from __future__ import annotations

import click

from connector.cli.options import json_option, moment_text, opened_store, show_json, show_table
from connector.store.desk import PAGE


@click.command()
@click.option("--limit", default=PAGE, show_default=True, type=click.IntRange(1, 1000), help="How many, newest first.")
@json_option
def audit(limit: int, as_json: bool) -> None:
    """List what operators did: who, when, what, and the reason if one was required."""
    with opened_store() as store:
        rows = store.desk.audit(limit)
    if as_json:
        show_json(rows)
        return
    entries = [(moment_text(row.at), row.who, row.action, row.thing) for row in rows]
    show_table("What operators did", ("when (UTC)", "who", "action", "what"), entries, "Nothing yet.")
