"""doctor: find out what is wrong with this installation."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import click

from connector.cli.options import agency_option, json_option, quiet, show_json
from connector.running.config import read_agencies, read_process
from connector.running.doctor import examine
from connector.running.findings import Finding, Health

_SIGNS = {Health.FINE: "ok      ", Health.DOUBTFUL: "doubtful", Health.WRONG: "WRONG   "}


@click.command()
@agency_option
@click.option("--url", default="", help="The address careCycle posts to: https://host. Sends it a few requests.")
@click.option("--repaired", is_flag=True, help="Forget that the database was damaged, if it is sound now.")
@json_option(list[Finding])
def doctor(paths: tuple[Path, ...], url: str, repaired: bool, as_json: bool) -> None:
    """Find out what is wrong with this installation: database, keys, clocks, disk, CRMs, careCycle's API, the endpoint.

    Exit status 1 if something is wrong.
    """
    results = []
    with quiet():
        process, files = read_process(os.environ), read_agencies(paths, os.environ)
        for result in examine(process, files, os.environ, lambda: datetime.now(UTC), url, repaired=repaired):
            results.append(result)
            if not as_json:
                action = f"\n         {result.do}" if result.do else ""
                click.echo(f"{_SIGNS[result.health]} {result.thing}: {result.found}{action}")
    if as_json:
        show_json(results)
    raise SystemExit(1 if any(result.health is Health.WRONG for result in results) else 0)
