"""consent: what happened to every opt-out, for compliance."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypedDict

import click

from connector.backoff import DAY
from connector.carecycle.catalogue import FLAGS
from connector.cli.options import json_option, opened_store, show_json, show_table, who
from connector.insight import overview as operate
from connector.insight.consent_report import report_lines
from connector.insight.gaps import what_is_missing, what_to_replay
from connector.running.config import read_agencies
from connector.settlement.gaps import Lost
from connector.store.opt_outs import Period

_DAY = click.DateTime(["%Y-%m-%d"])
_COUNTS = ("destination", "waiting", "refused", "no_record", "not_mapped", "lowered")


class _OptOuts(TypedDict):
    """Opt-outs that are not in one CRM. lost: what the database lacks since its history went back."""

    destination: str
    paused: str
    waiting: int
    refused: int
    no_record: int
    not_mapped: int
    lowered: int
    lowered_at: int
    oldest_seconds: float
    lost: Lost | None


@click.group()
def consent() -> None:
    """Show which opt-outs are in the CRM, and why others are not."""


@consent.command()
@json_option(list[_OptOuts])
def status(as_json: bool) -> None:
    """Show how many opt-outs are not in each CRM, and for how long.

    Lowered are those that were in the CRM and were found lowered there since.
    """
    with opened_store() as store:
        standing, lost = operate.consent_standing(store), store.gaps.open()
    destinations = [
        {
            **{name: value for name, value in asdict(row).items() if name != "oldest_ms"},
            "oldest_seconds": row.oldest_ms / 1000,
            "lost": asdict(lost) if lost else None,
        }
        for row in standing
    ]
    if as_json:
        show_json(destinations)
    else:
        rows = [[*(row[name] for name in _COUNTS), _age(row["oldest_seconds"]), row["paused"]] for row in destinations]
        _warn(lost)
        columns = ("account", *(name.replace("_", " ") for name in _COUNTS[1:]), "oldest", "paused")
        show_table("Opt-outs not in the CRM", columns, rows, "No lanes yet: start the connector first.")


def _age(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds))) if seconds else ""


@consent.command()
@click.argument("customer")
@click.argument("flag", type=click.Choice(FLAGS))
@click.option("--reason", required=True, help="Why; recorded in the audit log, so do not include personal data.")
def lower(customer: str, flag: str, reason: str) -> None:
    """Lower an opt-out that a customer spoke in a call.

    Do so after they agreed to be contacted again.
    Only opt-outs raised by a mapping's `raise:` can be lowered here; careCycle's own flags are changed in careCycle.
    """
    with opened_store() as store:
        destinations = store.lowering.lower(customer, flag, who(), reason)
    click.echo(f"{flag} of {customer} no longer counts as raised in a call ({', '.join(destinations)}).")
    click.echo("The checkbox in the CRM stays set: clear it there.")


@consent.command()
@click.option("--since", required=True, type=_DAY, help="First day, YYYY-MM-DD, in UTC.")
@click.option("--until", type=_DAY, help="Last day, inclusive. Default: today.")
@click.option(
    "-c", "--config", "paths", multiple=True, type=click.Path(path_type=Path), help="Only the agencies in these files."
)
def report(since: datetime, until: datetime | None, paths: tuple[Path, ...]) -> None:
    """List every opt-out received in a period, as CSV.

    Each line says who, which, when, and its status in a CRM. Exit status 1 if events are missing from the database.
    """
    agencies = [file.settings.agency for file in read_agencies(paths, os.environ)] if paths else ()
    with opened_store() as store:
        last = _milliseconds(until.replace(tzinfo=UTC)) if until else store.database.time()
        period = Period(_milliseconds(since.replace(tzinfo=UTC)), last + DAY, agencies)
        for line in report_lines(store.opt_outs.report(period)):
            click.echo(line, nl=False)
        lost = store.gaps.open()
    if lost:
        _warn(lost)
        sys.exit(1)


def _warn(lost: Lost | None) -> None:
    """Say on standard error that opt-outs may be missing from what is printed."""
    if lost:
        click.echo(f"INCOMPLETE. {what_is_missing(lost)} {what_to_replay(lost)}", err=True)


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
