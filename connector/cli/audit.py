"""audit: list, check and export what people did."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final, TypedDict

import click

from connector.cli.audit_texts import entry_lines, fault_text, verdict
from connector.cli.known import require_known
from connector.cli.options import json_option, moment, opened_store, show_json, width
from connector.running.config import read_process
from connector.running.state import open_state
from connector.running.witness import witnessed
from connector.settlement.auditing import AuditEntry, AuditFilter, Fault, Head
from connector.store import Store
from connector.store.audit import PAGE
from connector.store.audit_check import check
from connector.web.log_export import csv_lines, json_lines

_HEAD: Final = re.compile(r"(\d{1,18})-([0-9a-f]{32})")
_SHOWN: Final = 20
"""How many faults are listed."""


class _ListsByDefault(click.Group):
    """Lists when no subcommand is named, as `connector audit --limit 5`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `list` before options of its own."""
        own = args and (args[0] in self.commands or args[0] in ctx.help_option_names)
        return super().parse_args(ctx, args if own else ["list", *args])


@click.group(cls=_ListsByDefault)
def audit() -> None:
    """List who did what, when and why; check that nobody changed it; export it."""


def _filtered(command: Any) -> Any:
    for name, what in (("until", "before"), ("since", "at or after")):
        about = f"Only what was done {what} this day or time: 2026-06-18, 2026-06-18T12:00Z."
        command = click.option(f"--{name}", default="", metavar="TIME", callback=moment, help=about)(command)
    thing = "Only entries whose thing or reason contains this text, or about this customer or CRM record."
    command = click.option("--thing", "text", default="", metavar="TEXT", help=thing)(command)
    for name, about in (("agency", "about this agency"), ("action", "of this action"), ("who", "by this person")):
        command = click.option(f"--{name}", default="", help=f"Only entries {about}.")(command)
    return command


def _filter(store: Store, wanted: dict[str, Any]) -> AuditFilter:
    """Read the options. Raises FixConfiguration for a name that does not occur."""
    known = store.audit.known()
    for name in ("who", "action", "agency"):
        require_known(f"--{name}", wanted[name], known[name])
    action = wanted.pop("action")
    return AuditFilter(actions=(action,) if action else (), **wanted)


@audit.command("list")
@_filtered
@click.option("--limit", default=PAGE, show_default=True, type=click.IntRange(1, 1000), help="How many, newest first.")
@json_option(list[AuditEntry])
def list_entries(limit: int, as_json: bool, **wanted: Any) -> None:
    """List who did what, when and why, newest first. This is also what `connector audit` alone does."""
    with opened_store() as store:
        entries = store.audit.page(_filter(store, wanted), limit)
    if as_json:
        show_json(entries)
        return
    click.echo("\n".join(line for entry in entries for line in entry_lines(entry, width())) or "Nothing yet.")


@audit.command()
@_filtered
@click.option(
    "--format", "kind", default="csv", show_default=True, type=click.Choice(["csv", "jsonl"]), help="Of rows."
)
def export(kind: str, **wanted: Any) -> None:
    """Print every entry that the filters choose, newest first, for a spreadsheet (csv) or a program (jsonl)."""
    with opened_store() as store:
        entries = store.audit.walk(_filter(store, wanted))
        for line in csv_lines(entries) if kind == "csv" else json_lines(entries):
            click.echo(line, nl=False)


class _Checked(TypedDict):
    entries: int
    head: str
    faults: list[Fault]
    earlier: int
    begun_at: int


def _head(ctx: click.Context, param: click.Parameter, values: Sequence[str]) -> tuple[Head, ...]:
    heads = []
    for value in values:
        if not (read := _HEAD.fullmatch(value.strip())):
            raise click.BadParameter(f"{value!r} is not the last line of an earlier check, like 17-3f9a...")
        heads.append(Head(int(read[1]), read[2]))
    return tuple(heads)


@audit.command()
@click.option("--head", "noted", multiple=True, callback=_head, help="A head written down earlier. Repeatable.")
@json_option(_Checked)
def verify(noted: tuple[Head, ...], as_json: bool) -> None:
    """Check that no entry was changed, removed, added or moved since it was written.

    Each entry has a digest that covers it and the one before, with a key derived from the data key. The last line is
    the head, which covers the whole log: write it down elsewhere, and give it to a later check with --head. What
    the connector's processes on this machine last saw is compared as well. Exit status 1 if anything is wrong.
    """
    with opened_store() as store:
        state = open_state(read_process(os.environ).database_url, os.environ)
        checked = check(store.database, *noted, *witnessed(store, state))
    if as_json:
        show_json({**asdict(checked), "head": str(checked.head or "")})
    else:
        for fault in checked.faults[:_SHOWN]:
            click.echo(fault_text(fault))
        if len(checked.faults) > _SHOWN:
            click.echo(f"and {len(checked.faults) - _SHOWN:,} more")
        click.echo(verdict(checked))
    raise SystemExit(1 if checked.faults else 0)
