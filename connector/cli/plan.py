"""plan, and replay --plan: preview what would happen to stored events."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict

import click

from connector.cli.options import agency_option, json_option, opened_store, quiet, show_json, show_table
from connector.delivery.route import Route, Running
from connector.errors import FixConfiguration
from connector.insight.comparison import Comparison
from connector.insight.rehearse import Expected, Tally, rehearse
from connector.mapping import Mapping as CompiledMapping
from connector.running import bootstrap
from connector.running.config import AgencyFile, read_agencies
from connector.store import Store
from connector.store.desk import Filter
from connector.web.words import counted

_WORDS = {
    Expected.WRITE: "would be written",
    Expected.UNCHANGED: "unchanged: the CRM already holds all of it",
    Expected.SUPERSEDED: "superseded: later events already set all its fields",
    Expected.SKIPPED: "skipped: the mapping or consent leaves nothing to write",
    Expected.IGNORED: "ignored: a type of event this version does not know",
    Expected.REFUSED: "would be rejected",
    Expected.PURGED: "cannot be replayed: the payload has been purged",
}


class Spot(TypedDict):
    """A line of the mapping that would be rejected."""

    code: str
    record: str
    field: str
    line: int
    deliveries: int


class Reason(TypedDict):
    """Why some deliveries would not be written. coming: what would happen to them."""

    coming: Expected
    code: str
    reason: str
    deliveries: int


class FieldCount(TypedDict):
    """A field that would be written, and for how many deliveries."""

    record: str
    field: str
    deliveries: int


class TallyData(TypedDict):
    """What would happen to the deliveries of a destination."""

    destination: str
    deliveries: int
    write: int
    unchanged: int
    superseded: int
    skipped: int
    ignored: int
    refused: int
    purged: int
    fields: list[FieldCount]
    reasons: list[Reason]
    refused_at: list[Spot]
    refused_before_by_this_mapping: dict[str, int]
    only_the_crm_can_tell: dict[str, int]


class _Fails(TypedDict):
    code: str
    reason: str
    events: int


class _Change(TypedDict):
    record: str
    field: str
    kind: str
    line: int | None
    events: int


class _Comparison(TypedDict):
    destination: str
    events: int
    payloads_purged: int
    different: int
    would_newly_fail: list[_Fails]
    changes: list[_Change]


@contextmanager
def _routes(paths: Sequence[Path], destination: str) -> Iterator[list[Route]]:
    """Open the routes of the agency files, or of one destination: `name` or `agency/name`."""
    files = read_agencies(paths, os.environ)
    chosen = [
        (file, name)
        for file, name in _destinations(files)
        if destination in ("", name, f"{file.settings.agency}/{name}")
    ]
    if not chosen:
        names = ", ".join(sorted(f"{file.settings.agency}/{name}" for file, name in _destinations(files)))
        raise FixConfiguration(destination, "is not a destination in these agency files", f"known are {names}")
    routes = [bootstrap.open_route(file, name) for file, name in chosen]
    try:
        with quiet():
            yield routes
    finally:
        for route in routes:
            route.destination.close()


def _destinations(files: Sequence[AgencyFile]) -> list[tuple[AgencyFile, str]]:
    return [(file, name) for file in files for name in file.settings.destinations]


@click.command()
@click.argument("mapping_file", metavar="MAPPING", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@agency_option
@click.option("--destination", default="", help="Use this destination's events: a name from the agency file.")
@click.option(
    "--last", default=1000, show_default=True, type=click.IntRange(1), help="How many of the newest events to compare."
)
@json_option(_Comparison)
def plan(mapping_file: Path, paths: tuple[Path, ...], destination: str, last: int, as_json: bool) -> None:
    """Show what an edited mapping would change, using stored events. Writes nothing.

    Exit status 1 if anything differs or an event would newly fail, else 0.
    """
    edited = bootstrap.load_mapping(mapping_file)
    with opened_store() as store, _routes(paths, destination) as routes:
        fitting = [route for route in routes if route.mapping.crm == edited.crm]
        if len(fitting) != 1:
            raise FixConfiguration(
                str(mapping_file), f"could be for {len(fitting)} destinations", "choose one with --destination"
            )
        comparison = Comparison(store, fitting[0], edited, last)
        for _ in comparison:
            continue
    result = comparison.as_data()
    if as_json:
        show_json(result)
    else:
        _show_comparison(result, mapping_file)
    raise SystemExit(1 if comparison.different else 0)


def _show_comparison(result: Mapping[str, Any], mapping_file: Path) -> None:
    purged = result["payloads_purged"]
    click.echo(
        f"{counted(result['events'], 'event')} for {result['destination']} compared, {result['different']} differ"
        + (f", {purged} left out because their payload has been purged" if purged else "")
    )
    _table(f"What {mapping_file} would change", result["changes"], "record", "field", "kind", "line", "events")
    _table("Would newly fail", result["would_newly_fail"], "code", "reason", "events")


def _table(title: str, rows: Sequence[Mapping[str, Any]], *columns: str) -> None:
    """Print a table of the named columns, if there are rows."""
    if rows:
        show_table(title, columns, [[row[column] for column in columns] for row in rows], "")


def preview(paths: Sequence[Path], wanted: Filter, mapping: Path | None, *, live: bool, as_json: bool) -> int:
    """Print what a replay would do; the exit status is 1 if something would be rejected."""
    other = bootstrap.load_mapping(mapping) if mapping else None
    with opened_store() as store, _routes(paths, wanted.destination) as routes:
        tallies = {route.name: _rehearsed(store, route, wanted, live) for route in _with(other, routes)}
    results = [{"destination": name, **tally.as_data()} for name, tally in tallies.items()]
    if as_json:
        show_json(results)
    else:
        for result in results:
            show_tally(result, "if replayed now", live=live)
    return 1 if any(result[Expected.REFUSED] for result in results) else 0


def _with(mapping: CompiledMapping | None, routes: Sequence[Route]) -> list[Route]:
    """Return the routes, or with a mapping, those for its CRM as if they ran it."""
    if mapping is None:
        return list(routes)
    return [replace(route, running=Running(mapping)) for route in routes if route.mapping.crm == mapping.crm]


def _rehearsed(store: Store, route: Route, wanted: Filter, live: bool) -> Tally:
    tally = Tally()
    for rehearsal in rehearse(store, route, wanted, ask=live):
        tally.add(rehearsal)
    return tally


def show_tally(result: Mapping[str, Any], when: str, *, live: bool) -> None:
    """Print what would happen to deliveries. when: what has to happen first."""
    name = result["destination"]
    rows = [(result[expected], words) for expected, words in _WORDS.items() if result[expected]]
    title = f"{name}: {counted(result['deliveries'], 'delivery', 'deliveries')}, {when}"
    show_table(title, ("deliveries", "what would happen"), rows, f"{name}: nothing to deliver")
    _table("Fields that would be written", result["fields"], "record", "field", "deliveries")
    _table("Why the others would not be written", result["reasons"], "coming", "code", "reason", "deliveries")
    _table("Mapping lines that are rejected", result["refused_at"], "code", "record", "field", "line", "deliveries")
    for code, count in result["refused_before_by_this_mapping"].items():
        click.echo(f"{count} were rejected with {code} under this same mapping: they pass only if the CRM has changed")
    if result["only_the_crm_can_tell"] and not live:
        names = ", ".join(result["only_the_crm_can_tell"])
        click.echo(f"Only the CRM can tell whether these would be written (--live asks it): {names}")
