"""plan, and replay's --plan: what would come of stored events, told beforehand."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from connector.cli.options import agency_option, columns_of, json_option, opened_store, quiet, show_json, show_table
from connector.delivery.deliver import Route
from connector.errors import FixConfiguration
from connector.insight.comparison import Comparison
from connector.insight.rehearse import Coming, Tally, rehearse
from connector.running import bootstrap
from connector.running.config import AgencyFile, read_agencies
from connector.store.desk import Filter

_WORDS = {
    Coming.WRITE: "would be written",
    Coming.UNCHANGED: "unchanged: the CRM holds all of it already",
    Coming.SUPERSEDED: "superseded: a later event said all of it anew",
    Coming.SKIPPED: "skipped: the mapping or consent leaves nothing to write",
    Coming.IGNORED: "ignored: a type of event this version does not know",
    Coming.REFUSED: "would be refused",
    Coming.PURGED: "payload purged: nothing can be said, and nothing done",
}


@contextmanager
def _routes(paths: Sequence[Path], destination: str) -> Iterator[list[Route]]:
    """The routes of the agency files, of one destination if it is named: `name` or `agency/name`."""
    files = read_agencies(paths, os.environ)
    chosen = [
        pair for pair in _destinations(files) if destination in ("", pair[1], f"{pair[0].settings.agency}/{pair[1]}")
    ]
    if not chosen:
        raise FixConfiguration(destination, "is no destination of these agency files")
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
@click.option("--destination", default="", help="Which destination's events: a name of the agency file.")
@click.option("--last", default=1000, show_default=True, type=click.IntRange(1), help="So many of the newest events.")
@json_option
def plan(mapping_file: Path, paths: tuple[Path, ...], destination: str, last: int, as_json: bool) -> None:
    """Say what an edited mapping would write otherwise than the present one, from the events stored. Writes nothing.

    Exit status 1 when anything differs or an event would newly fail, else 0.
    """
    would_be = bootstrap.load_mapping(mapping_file)
    with opened_store() as store, _routes(paths, destination) as routes:
        fitting = [route for route in routes if route.mapping.crm == would_be.crm]
        if len(fitting) != 1:
            raise FixConfiguration(
                str(mapping_file), f"could stand for {len(fitting)} destinations", "--destination names one"
            )
        comparison = Comparison(store, fitting[0], would_be, last)
        for _ in comparison:
            continue
    told = comparison.as_data()
    if as_json:
        show_json(told)
    else:
        _show_comparison(told, mapping_file)
    raise SystemExit(1 if comparison.different else 0)


def _show_comparison(told: Mapping[str, Any], mapping_file: Path) -> None:
    click.echo(
        f"{told['events']} events of {told['destination']} compared, {told['different']} differ"
        + (f", {told['payloads_purged']} left out: their payload is purged" if told["payloads_purged"] else "")
    )
    _table(f"What {mapping_file} would say otherwise", told["changes"], "record", "field", "kind", "line", "events")
    _table("Would newly fail", told["would_newly_fail"], "code", "reason", "events")


def _table(title: str, rows: Sequence[Mapping[str, Any]], *columns: str) -> None:
    """Print a table of the named columns; nothing where there are no rows."""
    if rows:
        show_table(title, columns, columns_of(rows, columns), "")


def foretell(paths: Sequence[Path], wanted: Filter, mapping: Path | None, *, live: bool, as_json: bool) -> int:
    """Print what a replay would do; the exit status: 1 when something would be refused."""
    results = []
    other = bootstrap.load_mapping(mapping) if mapping else None
    with opened_store() as store, _routes(paths, wanted.destination) as routes:
        for route in routes:
            if other is not None and other.crm != route.mapping.crm:
                continue
            tally = Tally()
            there = replace(route, mapping=other) if other else route
            for one in rehearse(store, there, wanted, ask=live):
                tally.add(one)
            results.append({"destination": route.name, **tally.as_data()})
    if as_json:
        show_json(results)
    else:
        for result in results:
            _show_tally(result, live)
    return 1 if any(result[Coming.REFUSED] for result in results) else 0


def _show_tally(told: Mapping[str, Any], live: bool) -> None:
    rows = [(told[coming], words) for coming, words in _WORDS.items() if told[coming]]
    title = f"{told['destination']}: {told['deliveries']} deliveries, were they replayed now"
    show_table(title, ("deliveries", "what would come of them"), rows, f"{told['destination']}: nothing to replay")
    _table("Fields that would be written", told["fields"], "record", "field", "deliveries")
    _table("Why the others would not", told["reasons"], "coming", "code", "reason", "deliveries")
    _table("Where the mapping is refused", told["refused_at"], "code", "record", "field", "line", "deliveries")
    for code, count in told["refused_before_by_this_mapping"].items():
        click.echo(f"{count} were refused with {code} under this very mapping: they pass only if the CRM has changed")
    if told["only_the_crm_can_tell"] and not live:
        names = ", ".join(told["only_the_crm_can_tell"])
        click.echo(f"Whether these are written only the CRM can tell, --live asks it: {names}")
