"""alarms: whether people would be told."""

from __future__ import annotations

import os
from pathlib import Path

import click

from connector.cli.options import agency_option
from connector.errors import NotTold
from connector.running import bootstrap
from connector.running.config import read_agencies


@click.group()
def alarms() -> None:
    """Try how people are told of what is wrong."""


@alarms.command()
@agency_option
def test(paths: tuple[Path, ...]) -> None:
    """Send a message every way the agency file names. Exit status 1 when one did not work."""
    failed = 0
    for one in map(bootstrap.subscriber, read_agencies(paths, os.environ)):
        if not one.ways:
            click.echo(f"{one.agency}: nobody is told: its file has no alarms")
        for way in one.ways:
            try:
                way(f"[{one.agency}] a test", "The connector can reach you. Nothing is wrong.\n")
                click.echo(f"{one.agency}: sent")
            except NotTold as error:
                failed += 1
                click.echo(f"{one.agency}: error[{error.code}] {error}", err=True)
    raise SystemExit(1 if failed else 0)
