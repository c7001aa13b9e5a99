"""run, receive, work, console: the roles of the connector."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import click

from connector import telemetry
from connector.cli.options import agency_option
from connector.cli.person import ask_password, good_enough, person
from connector.errors import FixConfiguration
from connector.running import bootstrap
from connector.running.config import AgencyFile, Process, read_agencies, read_process
from connector.running.console_check import people_of
from connector.running.roles import Listeners, open_listeners, serve_web, serve_work
from connector.running.supervisor import Ahead, supervise
from connector.telemetry import tracing
from connector.web.passwords import hash_password

_allow_option = click.option(
    "--allow-failing-tests",
    is_flag=True,
    help="Also run mappings whose own tests fail (CONNECTOR_ALLOW_FAILING_TESTS).",
)


def _start(paths: Sequence[Path], *, allow_failing_tests: bool = False) -> tuple[Process, list[AgencyFile]]:
    process = read_process(os.environ)
    if allow_failing_tests:
        process = process.model_copy(update={"allow_failing_tests": True})
    telemetry.configure(process.log_level)
    return process, read_agencies(paths, os.environ)


def _make_database(process: Process, listeners: Listeners) -> None:
    """Bring the tables up to date ahead of the roles, which then have no need of Alembic."""
    listeners.close()
    bootstrap.open_process_store(process, os.environ).close()


def _leave() -> NoReturn:
    """Exit at once, everything being closed: a granian thread that wakes during Python's shutdown aborts it."""
    atexit._run_exitfuncs()
    sys.stderr.flush()
    os._exit(0)


@click.command()
@agency_option
@_allow_option
def run(paths: tuple[Path, ...], allow_failing_tests: bool) -> None:
    """Receive, deliver and serve the console: all roles in one container, until SIGTERM."""
    process, files = _start(
        paths, allow_failing_tests=allow_failing_tests
    )  # before the fork, so that an unreadable file is reported once
    listeners = open_listeners(process, hooks=True)  # before anything is made or recorded in the database
    ahead = Ahead(lambda: _make_database(process, listeners))
    bootstrap.preload(process, files)
    match supervise(["receive", "work"], listeners.close, ahead):
        case "receive":
            tracing.configure(os.environ)  # its thread would not survive the fork
            serve_web(process, files, listeners, hooks=True, console=True)
            _leave()
        case "work":
            listeners.close()
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
    serve_web(process, files, open_listeners(process, hooks=True), hooks=True, console=with_console)
    _leave()


@click.command()
@agency_option
@_allow_option
def work(paths: tuple[Path, ...], allow_failing_tests: bool) -> None:
    """Deliver the received events to the CRMs, until SIGTERM."""
    process, files = _start(paths, allow_failing_tests=allow_failing_tests)
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
    if not people_of(process) or process.admin_listen is None:
        hint = "make one with connector console password, or add somebody with connector console person add"
        raise FixConfiguration("CONNECTOR_CONSOLE_PASSWORD_HASH", "is not set, and there are no named people", hint)
    serve_web(process, files, open_listeners(process, hooks=False), hooks=False, console=True)
    _leave()


@console.command()
@click.option("--password", help="The password, for scripts: other users of the machine may see it.")
def password(password: str | None) -> None:
    """Ask for a shared password and print its hash.

    Set CONNECTOR_CONSOLE_PASSWORD_HASH or CONNECTOR_CONSOLE_VIEWER_PASSWORD_HASH to it.
    """
    click.echo(hash_password(ask_password() if password is None else good_enough(password)))


console.add_command(person)
