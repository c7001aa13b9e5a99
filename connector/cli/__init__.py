"""The command line. Each subcommand is imported when it is run, as click's manual does it, to keep --help fast."""

from __future__ import annotations

import atexit
import importlib
import os
import shutil
import tempfile
from typing import Any, Final

import click

from connector.errors import ConnectorError, FixConfiguration, FixMapping

_COMMANDS: Final = {
    "alarms": ("alarms", "Try how people are told of what is wrong."),
    "audit": ("desk", "List what operators did, and why."),
    "backup": ("backup", "Copy the SQLite database to a file, while the connector runs."),
    "check": ("check", "Check agency files or mappings before any event comes."),
    "completion": ("completion", "Print what completes this command in your shell."),
    "consent": ("consent", "Tell which opt-outs are in the CRM, and why others are not."),
    "console": ("roles", "Serve the operators' console on the admin port."),
    "demo": ("demo", "Watch sample webhooks become records in two CRM sandboxes on this machine."),
    "doctor": ("doctor", "Find what is wrong with this installation."),
    "events": ("desk", "List, show, replay or discard events."),
    "forget": ("forget", "Forget one person; say what stays in the CRMs."),
    "keys": ("keys", "List the data keys in use; seal everything with the newest."),
    "lanes": ("desk", "List, pause or resume lanes."),
    "map": ("map", "Print the records a mapping would make of one event."),
    "problems": ("problems", "Tell what the CRMs refuse, by cause, and what to do."),
    "plan": ("plan", "Say what an edited mapping would write otherwise, from the events stored."),
    "provision": ("provision", "Show what the CRM lacks for the mapping, and make it."),
    "receive": ("roles", "Receive webhooks."),
    "restored": ("backup", "Say that an older copy took the database's place."),
    "run": ("roles", "Receive, work and serve the console: all roles in one container."),
    "sandbox": ("sandbox", "Serve a Salesforce and a HubSpot sandbox on this machine."),
    "schema": ("schema", "Save the CRM's own schema; write the schema for your editor."),
    "send": ("send", "Send a signed sample event to a hook."),
    "status": ("status", "Tell how things stand, on one screen."),
    "test": ("check", "Run the tests inside mappings."),
    "why": ("problems", "Tell why the CRM holds what it holds, field by field."),
    "work": ("roles", "Deliver what was received."),
}
_ROLES: Final = frozenset({"console", "receive", "run", "work"})


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        if cmd_name in _ROLES:
            _share_metrics()
        module = importlib.import_module(f"connector.cli.{_COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name.replace("map", "map_"))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in sorted(_COMMANDS.items())])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ConnectorError as error:
            click.echo(f"error[{error.code}] {error}", err=True)
            ctx.exit(2 if isinstance(error, FixConfiguration | FixMapping) else 1)


def _share_metrics() -> None:
    """Let the roles of one container count together: prometheus_client decides how when it is first imported."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        folder = os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="connector-metrics-")
        atexit.register(_remove, folder, os.getpid())


def _remove(folder: str, owner: int) -> None:
    """Take the folder away at the end of its owner, not of a role made from it."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="carecycle-crm-connector")
def cli() -> None:
    """The bridge from careCycle's webhooks to Salesforce and HubSpot."""


def main() -> None:
    """Run the command. Exit status: 0 fine, 1 problems found or deliveries failed, 2 wrong usage or configuration."""
    cli()
