"""alarms: test whether alarms reach people."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click

from connector.cli.options import agency_option
from connector.errors import AlarmNotSent
from connector.insight.sending import Subscriber
from connector.running import bootstrap
from connector.running.config import read_agencies


@click.group()
def alarms() -> None:
    """Send a test alarm."""


@alarms.command()
@agency_option
def test(paths: tuple[Path, ...]) -> None:
    """Send a test alarm each way in the agency file, and a heartbeat. Exit status 1 if one could not be sent."""
    failed = 0
    for subscriber in map(bootstrap.subscriber, read_agencies(paths, os.environ)):
        if not subscriber.ways:
            click.echo(f"{subscriber.agency}: no one is alerted: its file has no alarms")
        for name, send in _tests(subscriber).items():
            try:
                send()
                click.echo(f"{subscriber.agency}: {name} sent")
            except AlarmNotSent as error:
                failed += 1
                click.echo(f"{subscriber.agency}: error[{error.code}] {error}", err=True)
    raise SystemExit(1 if failed else 0)


def _tests(subscriber: Subscriber) -> dict[str, Callable[[], None]]:
    letter = f"[{subscriber.agency}] a test", "The connector can reach you. Nothing is wrong.\n"
    tests: dict[str, Callable[[], None]] = {name: partial(way, *letter) for name, way in subscriber.ways.items()}
    return tests | ({"heartbeat": subscriber.heartbeat} if subscriber.heartbeat else {})
