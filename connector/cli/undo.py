"""undo: restore what the CRM had before a version of the mapping wrote to it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import click

from connector.backoff import DAY
from connector.cli.options import (
    agency_option,
    chosen,
    json_option,
    moment_text,
    opened_store,
    quiet,
    show_json,
    show_table,
)
from connector.delivery.undoing import End, What
from connector.errors import ConnectorError, FixConfiguration
from connector.running import bootstrap, undos
from connector.running.config import AgencyFile, read_agencies
from connector.settlement.previous import KeptVersion
from connector.store import Store
from connector.store.previous import Whose

_LISTED: Final = 20
"""Records named for people, of each thing that did not go as wanted."""


@click.command()
@agency_option
@click.option("--mapping", "version", default="", help="The version to undo. Left out: list what is kept.")
@click.option("--run", "run", default="", help="Instead: what a backfill wrote, by the id of its run.")
@click.option("--destination", "only", help="Only this destination from the agency files.")
@click.option("--plan", is_flag=True, help="Only show what would be restored; nothing is written.")
@click.option("--anyway", is_flag=True, help="Undo a version that still runs.")
@json_option
def undo(
    paths: tuple[Path, ...], version: str, run: str, only: str | None, plan: bool, anyway: bool, as_json: bool
) -> None:
    """Restore what the CRM had before a version of the mapping wrote to it, where nobody has changed it since.

    With --run, only what one backfill wrote.

    What a person or a newer event changed is kept. Opt-outs are never lowered, and no record is deleted. Change the
    mapping first: one that still runs would write its values again with the next event. It can be run again at any
    time, and goes on where it was stopped. Exit status 1 if the CRM refused something or did not answer.
    """
    wanted = chosen(read_agencies(paths, os.environ), only)
    if version and run:
        raise click.UsageError("name a version (--mapping) or a run (--run), not both")
    with opened_store() as store, quiet():
        kept = store.lanes.previous.versions([_full_name(file, name) for file, name in wanted])
        if not (version or run):
            _show_versions(store, wanted, kept, as_json)
            return
        whose = Whose(version, run)
        pairs = _keeping(kept, wanted, whose)
        ends = list(_undone(store, pairs, whose, plan=plan, anyway=anyway))
    _show(ends, plan, as_json)


def _keeping(
    kept: Sequence[KeptVersion], wanted: Sequence[tuple[AgencyFile, str]], whose: Whose
) -> list[tuple[AgencyFile, str]]:
    """Return the destinations of which something is kept. Raises FixConfiguration."""
    mine = {own.destination for own in kept if (own.run == whose.run if whose.run else own.version == whose.version)}
    if not mine:
        hint = "connector undo -c agency.yaml lists what can be undone"
        raise FixConfiguration(whose.run or whose.version, "nothing is kept of this version or run", hint)
    return [pair for pair in wanted if _full_name(*pair) in mine]


def _full_name(file: AgencyFile, name: str) -> str:
    return f"{file.settings.agency}/{name}"


def _undone(
    store: Store, wanted: Sequence[tuple[AgencyFile, str]], whose: Whose, *, plan: bool, anyway: bool
) -> Iterator[End]:
    for file, name in wanted:
        route = bootstrap.open_route(file, name)
        try:
            if not (plan or anyway):
                _refuse_what_goes_on(store, route.name, route.mapping.version, whose)
            for ends in undos.undo(store, route, file.settings.destinations[name].partitions, whose, plan=plan):
                yield from ends
        finally:
            route.destination.close()


def _refuse_what_goes_on(store: Store, destination: str, configured: str, whose: Whose) -> None:
    """Raise FixConfiguration where what is to be undone would be written again, or goes on being written."""
    if whose.run and (left := store.lanes.previous.waiting(destination, whose.run)):
        problem = f"{left} of its deliveries still wait to be written"
        raise FixConfiguration(whose.run, problem, "wait for them, or give --anyway and run this again later")
    if not whose.run and _still_runs(store, destination, configured, whose.version):
        problem = "is the mapping that runs: it would write its values again with the next event"
        raise FixConfiguration(whose.version, problem, "change the mapping first, or give --anyway")


def _still_runs(store: Store, destination: str, configured: str, version: str) -> bool:
    running = {row.version for row in store.mappings.all() if row.destination == destination}
    return version in {configured, *running}


def _show(ends: Sequence[End], plan: bool, as_json: bool) -> None:
    counts = Counter(end.what.value for end in ends)
    if as_json:
        show_json({"plan": plan, "counts": counts, "fields": [end._asdict() for end in ends]})
    else:
        _show_ends(ends, "What would become of it" if plan else "What became of it")
    raise SystemExit(1 if counts[What.REFUSED.value] or counts[What.WAITS.value] else 0)


def _show_ends(ends: Sequence[End], title: str) -> None:
    by_field = Counter((end.what.value, end.why, end.object, end.field) for end in ends)
    rows = [(*what, count) for what, count in sorted(by_field.items())]
    show_table(title, ("what", "why", "object", "field", "records"), rows, "Nothing is left to undo.")
    not_restored = [end for end in ends if end.what in (What.KEPT, What.REFUSED, What.WAITS)]
    for end in not_restored[:_LISTED]:
        click.echo(f"{end.what.value}: {end.object} {end.crm_id} {end.field}".rstrip())
    if len(not_restored) > _LISTED:
        click.echo(f"... and {len(not_restored) - _LISTED} more: --json lists all")


def _show_versions(
    store: Store, wanted: Sequence[tuple[AgencyFile, str]], kept: Sequence[KeptVersion], as_json: bool
) -> None:
    days = {_full_name(file, name): file.settings.retention.undo for file, name in wanted}
    configured = {_full_name(file, name): _configured(file, name) for file, name in wanted}
    rows = []
    for own in kept:
        runs = _still_runs(store, own.destination, configured[own.destination], own.version)
        until = own.until + days[own.destination] * DAY
        rows.append((own, runs, until))
    if as_json:
        shown = [
            {field: getattr(own, field) for field in own.__dataclass_fields__} | {"in_use": runs, "kept_until": until}
            for own, runs, until in rows
        ]
        show_json(shown)
        return
    columns = ("destination", "version", "run", "in use", "records", "created", "fields", "first write", "kept until")
    cells = [
        (
            o.destination,
            o.version,
            o.run,
            "yes" if runs else "",
            o.records,
            o.created,
            o.fields,
            moment_text(o.since),
            moment_text(until),
        )
        for o, runs, until in rows
    ]
    show_table("Versions of the mapping that can be undone (UTC)", columns, cells, "Nothing is kept to be undone.")


def _configured(file: AgencyFile, name: str) -> str:
    try:
        path = bootstrap.mapping_path(file, file.settings.destinations[name])
        loaded = bootstrap.read_mapping(path)
    except ConnectorError:
        return ""
    return loaded.mapping.version if loaded.mapping else ""
