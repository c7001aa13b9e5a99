"""backup and restored: copy the database while it is in use, and recover after restoring a copy."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path

import click

from connector.cli.options import json_option, moment, moment_text, opened_store, show_json, who
from connector.errors import StoreUnavailable
from connector.insight.gaps import what_is_missing, what_to_replay
from connector.running import backup as safe
from connector.running.config import read_process
from connector.running.state import open_state
from connector.running.witness import accept
from connector.settlement.gaps import Lost
from connector.store.restoring import Restore


@click.command()
@click.argument("target", metavar="FILE", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--made-otherwise", is_flag=True, help="Copy nothing: note that a backup was made in another way.")
def backup(target: Path | None, made_otherwise: bool) -> None:
    """Copy the SQLite database to a new file while the connector runs. For PostgreSQL, use pg_dump.

    When it was made is noted, for `connector status`, the console, metrics and alarms.
    """
    if made_otherwise is (target is not None):
        raise click.UsageError("name a FILE, or --made-otherwise after pg_dump or a snapshot")
    if target is None:
        with opened_store() as store:
            store.backups.note(who(), "made otherwise")
        click.echo("Noted.")
        return
    tenths: set[int] = set()

    def progress(part: float) -> None:
        if (tenth := int(part * 10)) not in tenths:
            tenths.add(tenth)
            click.echo(f"{tenth * 10}%", err=True)

    with opened_store() as store:
        safe.backup(store, target, progress)
        try:
            store.backups.note(who(), target.name)
        except StoreUnavailable as error:  # the copy is good all the same
            click.echo(f"When it was made could not be noted: the database {error.problem}.", err=True)
    click.echo(
        f"{target} is complete and verified.\n"
        "Its payloads can be decrypted only with the data key, which is NOT in it. Store CONNECTOR_DATA_KEY,\n"
        "or the file connector.key next to the database, in a different place."
    )


class _Restored(Restore):
    done: bool


@click.command()
@click.option("--since", callback=moment, default="", help="Deliver again what was delivered since then.")
@click.option("--plan", "only_plan", is_flag=True, help="Only show what would be done.")
@json_option(_Restored)
def restored(since: int, only_plan: bool, as_json: bool) -> None:
    """Tell the connector that the database was restored, or replaced by an older copy, even while it runs.

    It no longer assumes that the CRM still holds the values in the ledger, delivers again what was delivered since the
    database went back, and delivering goes on. It may be run at any time, and again.
    """
    with opened_store() as store:
        done = store.restoring.plan(since or None)
        if not only_plan:
            done = store.restoring.run(done, who())
            accept(store, open_state(read_process(os.environ).database_url, os.environ))
    if as_json:
        show_json({"done": not only_plan, **asdict(done)})
        return
    if done.gap:
        click.echo(what_is_missing(done.gap))
    would = "would be" if only_plan else "are"
    click.echo(
        f"{done.records} records {would} in doubt: each is written in full when its next event arrives.\n"
        f"{done.again} deliveries settled since {moment_text(done.since)} UTC {would} delivered again, "
        f"{done.opt_outs} opt-outs {would} checked in the CRM.\n"
        f"{_replay(done.gap)}"
    )


def _replay(gap: Lost | None) -> str:
    if gap is None:
        return "In careCycle's dashboard, replay every message since the backup was made."
    return what_to_replay(gap).partition(" Then run")[0]
