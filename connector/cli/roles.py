"""run, receive, work, console: the roles of the connector."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

import click

from connector import telemetry
from connector.cli.options import agency_option
from connector.errors import FixConfiguration
from connector.running.config import AgencyFile, Process, read_agencies, read_process
from connector.running.roles import serve_web, serve_work
from connector.running.supervisor import supervise
from connector.store import preload
from connector.telemetry import tracing
from connector.web.session import hash_password

_SHORTEST_PASSWORD: Final = 8


def _start(paths: Sequence[Path]) -> tuple[Process, list[AgencyFile]]:
    process = read_process(os.environ)
    telemetry.configure(process.log_level)
    return process, read_agencies(paths, os.environ)


def _leave() -> NoReturn:
    """Exit at once, everything being closed: a granian thread that wakes during Python's shutdown aborts it."""
    atexit._run_exitfuncs()
    sys.stderr.flush()
    os._exit(0)


@click.command()
@agency_option
def run(paths: tuple[Path, ...]) -> None:
    """Receive, deliver and serve the console: all roles in one container, until SIGTERM."""
    process, files = _start(paths)  # before the fork, so that an unreadable file is reported once
    preload(process.database_url)
    match supervise(["receive", "work"]):
        case "receive":
            tracing.configure(os.environ)  # its thread would not survive the fork
            serve_web(process, files, hooks=True, console=True)
            _leave()
        case "work":
            tracing.configure(os.environ)
            serve_work(process.model_copy(update={"admin_listen": None}), files)
            _leave()
        case status:
            raise SystemExit(status)


@click.command()
@agency_option
@click.option("--console", "with_console", is_flag=True, help="Also serve the console on the admin port.")
def receive(paths: tuple[Path, ...], with_console: bool) -> None:
    """Receive webhooks on CONNECTOR_LISTEN, until SIGTERM."""
    process, files = _start(paths)
    tracing.configure(os.environ)
    serve_web(process, files, hooks=True, console=with_console)
    _leave()


@click.command()
@agency_option
def work(paths: tuple[Path, ...]) -> None:
    """Deliver the received events to the CRMs, until SIGTERM."""
    process, files = _start(paths)
    tracing.configure(os.environ)
    serve_work(process, files)
    _leave()


@click.group(invoke_without_command=True)
@click.option("-c", "--config", "paths", multiple=True, type=click.Path(path_type=Path), help="An agency file.")
@click.pass_context
def console(ctx: click.Context, paths: tuple[Path, ...]) -> None:
    """Serve the operators' console on CONNECTOR_ADMIN_LISTEN, until SIGTERM."""
    if ctx.invoked_subcommand is not None:
        return
    process, files = _start(paths)
    tracing.configure(os.environ)
    no_password = process.console_password_hash is None and process.console_viewer_password_hash is None
    if no_password or process.admin_listen is None:
        hint = "make one with connector console password"
        raise FixConfiguration("CONNECTOR_CONSOLE_PASSWORD_HASH", "is not set", hint)
    serve_web(process, files, hooks=False, console=True)
    _leave()


@console.command()
@click.password_option(prompt="Password for the console")
def password(password: str) -> None:
    """Ask for a password and print its hash.

    Set CONNECTOR_CONSOLE_PASSWORD_HASH or CONNECTOR_CONSOLE_VIEWER_PASSWORD_HASH to it.
    """
    if len(password) < _SHORTEST_PASSWORD:
        raise click.UsageError(f"The password is too short: use at least {_SHORTEST_PASSWORD} characters.")
    click.echo(hash_password(password))
