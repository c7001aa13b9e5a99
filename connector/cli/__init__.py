"""The command line. Each subcommand is imported only when it runs (as in click's manual), so that --help is fast."""

from __future__ import annotations

import atexit
import gc
import importlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Final, cast

import click

from connector.cli.output import written_out
from connector.errors import ConnectorError, FixConfiguration, FixMapping

_COMMANDS: Final = {
    "alarms": ("alarms", "Send a test alarm."),
    "audit": ("audit", "List what operators did, and why."),
    "backfill": ("backfill", "Bring customers from careCycle's API or a file into the inbox."),
    "backup": ("backup", "Back up the SQLite database while the connector runs."),
    "check": ("check", "Check agency files and mappings before you use them."),
    "completion": ("completion", "Print a completion script for your shell."),
    "consent": ("consent", "Show which opt-outs are in the CRM and why others are not, or lower one."),
    "console": ("roles", "Serve the operators' console on the admin port."),
    "demo": ("demo", "Watch sample webhooks become records in two CRM sandboxes on this machine."),
    "doctor": ("doctor", "Find out what is wrong with this installation."),
    "events": ("events", "List, show, replay, discard or set aside events."),
    "forget": ("forget", "Delete everything stored about one person; list what stays in the CRMs."),
    "identity": ("identity", "List CRM records that may be a customer's, and decide whether they are."),
    "keys": ("keys", "List the data keys, or re-encrypt everything with the newest."),
    "lanes": ("lanes", "List, pause or resume lanes."),
    "map": ("map", "Print the records a mapping makes from one event."),
    "people": ("people", "Find a person by an id, a link, a phone number or an e-mail address."),
    "problems": ("problems", "List what the CRMs reject and what cannot be read, and what to do."),
    "plan": ("plan", "Show what an edited mapping would change, using stored events."),
    "provision": ("provision", "Show what the CRM is missing for the mapping, and create it."),
    "reapply": ("reapply", "Apply the mapping to everybody, or show what that would change."),
    "rebind": ("rebind", "Move a destination to another account of its CRM."),
    "receive": ("roles", "Receive webhooks."),
    "reconcile": ("reconcile", "Find what careCycle has and we have not, or what the CRM lacks; repair it."),
    "restored": ("backup", "Tell the connector that the database was restored from a backup."),
    "retention": ("retention", "Show whether deletion waits for you, or let it go on."),
    "run": ("roles", "Receive, deliver and serve the console: all roles in one container."),
    "sandbox": ("sandbox", "Run a sandbox of each CRM on this machine."),
    "schema": ("schema", "Save the CRM's schema, or write the mapping schema for your editor."),
    "send": ("send", "Send signed events to a hook."),
    "setup": ("setup", "Walk through what each CRM needs, checked against the account."),
    "status": ("status", "Show the current status on one screen."),
    "test": ("test", "Run the tests inside mappings."),
    "trial": ("trial", "Try a CRM account with a made-up person, and delete it again."),
    "undo": ("undo", "Restore what the CRM had before a version of the mapping wrote to it."),
    "why": ("why", "Explain each field of a CRM record."),
    "work": ("roles", "Deliver the received events to the CRMs."),
}
_ROLES: Final = frozenset({"console", "receive", "run", "work"})


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        with _collecting_no_garbage():
            module = importlib.import_module(f"connector.cli.{_COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name.replace("map", "map_"))
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] in _ROLES:  # that is run, and not only looked at
            _share_metrics()
            _do_without_rich()
            _load_no_plugins()
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in sorted(_COMMANDS.items())])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ConnectorError as error:
            click.echo(f"error[{error.code}] {error}", err=True)
            ctx.exit(2 if isinstance(error, FixConfiguration | FixMapping) else 1)


@contextmanager
def _collecting_no_garbage() -> Iterator[None]:
    """What is imported stays: looking among it for garbage, again and again, would take a tenth of the time."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _do_without_rich() -> None:
    """Import structlog without what it formats errors with for terminals: a role prints JSON, and starts sooner."""
    if "rich" not in sys.modules:
        sys.modules["rich"] = cast(ModuleType, None)  # which makes an import fail, so that structlog does without
        try:
            importlib.import_module("structlog")
        finally:
            del sys.modules["rich"]


def _load_no_plugins() -> None:
    """Pydantic would look through every installed package for plugins, and let them see what it reads: our settings."""
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


def _share_metrics() -> None:
    """Let the roles of one container add up their metrics; prometheus_client reads this when first imported."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        folder = os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="connector-metrics-")
        atexit.register(_remove, folder, os.getpid())


def _remove(folder: str, owner: int) -> None:
    """Remove the folder when the process that made it ends, not when a forked role does."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="carecycle-crm-connector")
def cli() -> None:
    """Deliver careCycle's webhooks to your CRM."""


def main() -> None:
    """Run the command. Exit status: 0 fine, 1 problems found or deliveries failed, 2 wrong usage or configuration."""
    with written_out():
        cli()
