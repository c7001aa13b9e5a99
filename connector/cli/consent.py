"""consent: what became of every opt-out, for whoever answers for it."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable
from dataclasses import astuple, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from connector.cli.options import json_option, opened_store, show_json, show_table
from connector.insight import overview as operate
from connector.running.config import read_agencies
from connector.store.evidence import OptOut
from connector.store.opt_outs import Period

_DAY = click.DateTime(["%Y-%m-%d"])
_TIMES = frozenset({"received_at", "applied_at"})
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet may take for a formula: https://owasp.org/www-community/attacks/CSV_Injection"""


@click.group()
def consent() -> None:
    """Tell which opt-outs are in the CRM, and why others are not."""


@consent.command()
@json_option
def status(as_json: bool) -> None:
    """Tell how many opt-outs are not in each destination's CRM yet, and for how long."""
    with opened_store() as store:
        found = operate.consent_standing(store)
    told = [
        {
            **{name: value for name, value in one.items() if name != "oldest_ms"},
            "oldest_seconds": one["oldest_ms"] / 1000,
        }
        for one in found
    ]
    if as_json:
        show_json(told)
    else:
        rows = [
            [one["destination"], one["waiting"], one["dead"], _age(one["oldest_seconds"]), one["paused"]]
            for one in told
        ]
        columns = ("destination", "waiting", "dead letters", "the oldest for", "paused")
        show_table("Opt-outs not yet in the CRM", columns, rows, "No lanes yet: start the connector once.")


def _age(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds))) if seconds else ""


@consent.command()
@click.option("--since", required=True, type=_DAY, help="The first day, YYYY-MM-DD, by UTC.")
@click.option("--until", type=_DAY, help="The last day, included; today when left out.")
@click.option(
    "-c", "--config", "paths", multiple=True, type=click.Path(path_type=Path), help="Only the agencies of these files."
)
def report(since: datetime, until: datetime | None, paths: tuple[Path, ...]) -> None:
    """List every opt-out received in a period as CSV: who, which, when, and what became of it in each CRM."""
    last = until.replace(tzinfo=UTC) if until else datetime.now(UTC)
    period = Period(
        since=_milliseconds(since.replace(tzinfo=UTC)),
        until=_milliseconds(last + timedelta(days=1)),
        agencies=[file.settings.agency for file in read_agencies(paths, os.environ)] if paths else (),
    )
    _print_line(field.name for field in fields(OptOut))
    with opened_store() as store:
        for one in store.opt_outs.report(period):
            _print_line(
                _moment(value) if field.name in _TIMES else _plain(value)
                for field, value in zip(fields(OptOut), astuple(one), strict=True)
            )


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _moment(at: int | None) -> str:
    if at is None:
        return ""
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _plain(text: str) -> str:
    """A cell no spreadsheet calculates."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _print_line(cells: Iterable[str]) -> None:
    """One record of RFC 4180."""
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    click.echo(line.getvalue(), nl=False)
