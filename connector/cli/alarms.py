"""alarms: test whether alarms reach people."""

from __future__ import annotations

import os
from pathlib import Path

import click

from connector.cli.options import agency_option
from connector.errors import AlarmNotSent
from connector.running import bootstrap
from connector.running.config import read_agencies


@click.group()
def alarms() -> None:
    """Send a test alarm."""


@alarms.command()
@agency_option
def test(paths: tuple[Path, ...]) -> None:
    """Send a test alarm to every address in the agency file. Exit status 1 if one could not be sent."""
    failed = 0
    for subscriber in map(bootstrap.subscriber, read_agencies(paths, os.environ)):
        if not subscriber.ways:
            click.echo(f"{subscriber.agency}: no one is alerted: its file has no alarms")
        for way in subscriber.ways:
            try:
                way(f"[{subscriber.agency}] a test", "The connector can reach you. Nothing is wrong.\n")
                click.echo(f"{subscriber.agency}: sent")
            except AlarmNotSent as error:
                failed += 1
                click.echo(f"{subscriber.agency}: error[{error.code}] {error}", err=True)
    raise SystemExit(1 if failed else 0)
