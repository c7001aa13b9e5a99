"""doctor: what is wrong with this installation."""

from __future__ import annotations

import os
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from connector.cli.options import agency_option, json_option, quiet, show_json
from connector.running.config import read_agencies, read_process
from connector.running.doctor import Health, examine

_SIGNS = {Health.FINE: "ok      ", Health.DOUBTFUL: "doubtful", Health.WRONG: "WRONG   "}


@click.command()
@agency_option
@click.option(
    "--url", default="", help="Where careCycle reaches this connector: https://host. Sends it one unsigned message."
)
@json_option
def doctor(paths: tuple[Path, ...], url: str, as_json: bool) -> None:
    """Find what is wrong with this installation: database, keys, clocks, disk, each CRM, the endpoint.

    Exit status 1 when something is wrong.
    """
    found = []
    with quiet():
        for one in examine(
            read_process(os.environ), read_agencies(paths, os.environ), os.environ, lambda: datetime.now(UTC), url
        ):
            found.append(one)
            if not as_json:
                click.echo(
                    f"{_SIGNS[one.health]} {one.thing}: {one.found}" + (f"\n         {one.do}" if one.do else "")
                )
    if as_json:
        show_json([asdict(one) for one in found])
    raise SystemExit(1 if any(one.health is Health.WRONG for one in found) else 0)
