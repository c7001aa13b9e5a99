"""reapply: write what an edited mapping makes of everybody."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, Final, TypedDict

import click

from connector.cli.options import agency_option, chosen, json_option, opened_store, quiet, show_json, show_table, who
from connector.cli.plan import Reason, Spot
from connector.cli.progress import progress
from connector.delivery.route import Route
from connector.insight.edited import Change, Fate
from connector.insight.unserved import unserved
from connector.running import bootstrap
from connector.running.config import AgencyFile, read_agencies
from connector.running.reapply import Reapply
from connector.running.source import open_source
from connector.source.client import CareCycle
from connector.store import Store
from connector.store.runs import REAPPLY
from connector.web.words import counted

_SHOWN_EVERY: Final = 5000
_RECORDS: Final = {
    Fate.CREATED: "created",
    Fate.CHANGED: "changed",
    Fate.DEPENDS: "up to the CRM",
    Fate.UNCHANGED: "unchanged",
}
_FIELDS: Final = {
    Change.WRITTEN: "written",
    Change.CLEARED: "cleared",
    Change.DEPENDS: "up to the CRM",
    Change.UNCHANGED: "unchanged",
    Change.SUPERSEDED: "superseded",
    Change.WITHHELD: "withheld",
    Change.KEPT: "kept",
    Change.LEFT_OUT: "left out",
    Change.NO_LONGER: "no longer written",
}


class _NotStored(TypedDict):
    customers: int
    calls: int


class _Fates(TypedDict):
    created: int
    changed: int
    depends_on_the_crm: int
    unchanged: int


class _RecordFates(_Fates):
    record: str


class _FieldChanges(TypedDict):
    record: str
    field: str
    written: int
    cleared: int
    depends_on_the_crm: int
    unchanged: int
    superseded: int
    withheld: int
    kept: int
    left_out: int
    no_longer_written: int


class _Second(TypedDict):
    object: str
    customers: int


class _ChangedField(TypedDict):
    record: str
    field: str
    records: int


class _Plan(TypedDict):
    destination: str
    mapping_version: str
    records: list[_RecordFates]
    fields: list[_FieldChanges]
    changed_by_people: list[_ChangedField]
    second_records: list[_Second]
    deliveries: int
    refused: int
    reasons: list[Reason]
    refused_at: list[Spot]
    refused_mapping: str


class _Version(TypedDict):
    destination: str
    version: str
    edited_meanwhile: bool


class _Known(TypedDict):
    agency: str
    customers: int
    from_calls_alone: int
    calls: int
    not_stored: _NotStored


class _Planned(_Known):
    plan: list[_Plan]


class _Applied(_Known):
    run: str
    due: int
    records: _Fates
    mappings: list[_Version]
    unserved: list[str]


@click.command()
@agency_option
@click.option("--destination", default="", help="Only this destination: a name from the agency file.")
@click.option("--plan", "planning", is_flag=True, help="Write nothing: count what would change, by field.")
@click.option("--create", is_flag=True, help="Go on where customers have a record under another key.")
@json_option(list[_Planned | _Applied])
def reapply(paths: tuple[Path, ...], destination: str, planning: bool, create: bool, as_json: bool) -> None:
    """Apply the mapping to everybody: the newest known state of each customer and each call.

    Only differences are written, nothing newer is replaced, and all that careCycle sends goes first. A destination
    added later gets everybody. The workers write it: this command makes it due, and goes on where it was stopped.

    Exit status 1 if something cannot be applied because it is no longer stored, or would be rejected, else 0.
    """
    files = _by_file(chosen(read_agencies(paths, os.environ), destination or None))
    with opened_store() as store, quiet():
        results = [_applied(store, file, names, planning=planning, create=create) for file, names in files]
    if as_json:
        show_json(results)
    else:
        for result in results:
            _show(result)
    raise SystemExit(1 if any(_is_lacking(result) for result in results) else 0)


def _by_file(destinations: Sequence[tuple[AgencyFile, str]]) -> list[tuple[AgencyFile, list[str]]]:
    by_path = {file.path: file for file, _ in destinations}
    return [(file, [name for own, name in destinations if own.path == path]) for path, file in by_path.items()]


def _applied(store: Store, file: AgencyFile, names: Sequence[str], *, planning: bool, create: bool) -> dict[str, Any]:
    with _routes(file, names) as routes, _source(file, store) as source:
        work = Reapply(store, file, routes, lambda text: click.echo(text, err=True), source)
        with progress("going through", _SHOWN_EVERY, work.known) as show:
            if planning:
                return {**_counts(work), "plan": work.plan(show), **_counts(work)}
            store.audit.note(who(), REAPPLY, ", ".join(route.name for route in routes))
            try:
                work.run(show, create=create)
            except KeyboardInterrupt:
                click.echo("stopped: the same command goes on from there", err=True)
                raise SystemExit(1) from None
        records = {fate.value: work.counts[fate.value] for fate in Fate}
        written = {
            "run": work.run_id,
            "due": work.counts["due"],
            "records": records,
            "mappings": _versions(file, routes),
        }
        return {**_counts(work), **written, "unserved": _unserved(store, {route.name for route in routes})}


@contextmanager
def _routes(file: AgencyFile, names: Sequence[str]) -> Iterator[list[Route]]:
    with ExitStack() as opened:
        routes = [bootstrap.open_route(file, name) for name in names]
        for route in routes:
            opened.enter_context(closing(route.destination))
        yield routes


@contextmanager
def _source(file: AgencyFile, store: Store) -> Iterator[CareCycle | None]:
    with ExitStack() as opened:
        source = open_source(file, store)
        yield opened.enter_context(closing(source)) if source else None


def _versions(file: AgencyFile, routes: Sequence[Route]) -> list[_Version]:
    """The version of each mapping, and whether its file was edited meanwhile: part was then applied before that."""
    versions: list[_Version] = []
    for route in routes:
        name = route.name.partition("/")[2]
        now = bootstrap.read_mapping(bootstrap.mapping_path(file, file.settings.destinations[name])).mapping
        edited = now is None or now.version != route.mapping.version
        versions.append({"destination": route.name, "version": route.mapping.version, "edited_meanwhile": edited})
    return versions


def _unserved(store: Store, destinations: Collection[str]) -> list[str]:
    lanes = [lane for lane in store.desk.lanes() if lane.destination in destinations]
    return unserved(lanes, store.mappings.all(), store.processes.all())


def _counts(work: Reapply) -> _Known:
    return {
        "agency": work.agency,
        "customers": work.counts["customer"],
        "from_calls_alone": work.counts["from calls alone"],
        "calls": work.counts["call"],
        "not_stored": {"customers": work.counts["customer not stored"], "calls": work.counts["call not stored"]},
    }


def _is_lacking(result: Mapping[str, Any]) -> bool:
    plans = result.get("plan", ())
    edited = any(own["edited_meanwhile"] for own in result.get("mappings", ()))
    failing = any(own["refused"] or own["second_records"] or own["refused_mapping"] for own in plans)
    return edited or failing or any(result["not_stored"].values())


def _show(result: Mapping[str, Any]) -> None:
    known = f"{counted(result['customers'], 'customer')} and {counted(result['calls'], 'call')}"
    if few := result["from_calls_alone"]:
        known += f" (with {counted(few, 'more customer')}, known from a call alone)"
    for own in result.get("plan", ()):
        _show_plan(own)
    if "due" in result:
        click.echo(f"{result['agency']}: {known} gone through, {counted(result['due'], 'delivery', 'deliveries')} due")
        click.echo(_what_differs(result["records"]))
        click.echo("connector run (or connector work) writes them, after all that careCycle sends: connector status")
        for why in result["unserved"]:
            click.echo(why)
        for own in result["mappings"]:
            edited = ": edited meanwhile, run this command again" if own["edited_meanwhile"] else ""
            click.echo(f"{own['destination']}: mapping version {own['version']}{edited}")
    else:
        click.echo(f"{result['agency']}: {known}; nothing is written")
    lost = result["not_stored"]
    if any(lost.values()):
        gone = f"{counted(lost['customers'], 'customer')} and {counted(lost['calls'], 'call')}"
        click.echo(f"Cannot be applied to {gone}: their content is no longer stored.")
        click.echo("connector backfill brings it back: from careCycle's API, or from a file.")


def _what_differs(records: Mapping[str, int]) -> str:
    if not any(records[fate.value] for fate in Fate if fate is not Fate.UNCHANGED):
        return "Nothing differs from what was written: they change nothing."
    return "Records: " + ", ".join(f"{records[fate.value]:,} {word}" for fate, word in _RECORDS.items())


def _show_plan(own: Mapping[str, Any]) -> None:
    name, version = own["destination"], own["mapping_version"]
    rows = [[row["record"], *(row[fate.value] for fate in _RECORDS)] for row in own["records"]]
    show_table(
        f"{name}, mapping version {version}: records", ("record", *_RECORDS.values()), rows, f"{name}: nobody is known"
    )
    some = [change for change in Change if any(row[change.value] for row in own["fields"])]
    rows = [[row["record"], row["field"], *(row[change.value] for change in some)] for row in own["fields"]]
    if rows:
        show_table("Fields, by number of records", ("record", "field", *(_FIELDS[change] for change in some)), rows, "")
    _show_refused(own)
    _explain(own, some)


def _explain(own: Mapping[str, Any], some: Sequence[Change]) -> None:
    if own["refused_mapping"]:
        text = f"the workers refuse its mapping and run the one before: {own['refused_mapping']}"
        click.echo(f"{own['destination']}: {text}", err=True)
    for second in own["second_records"]:
        have = f"{counted(second['customers'], 'customer')} would get a second {second['object']} under another key"
        click.echo(f"{own['destination']}: {have}. Only --create does that.")
    for over in own["changed_by_people"]:
        where = f"{over['record']}.{over['field']} of {counted(over['records'], 'record')}"
        click.echo(f"{where} was changed in the CRM since (connector reconcile crm): it is written over.")
    if Change.NO_LONGER in some:
        click.echo("No longer written: the CRM keeps the value that was written last.")
    if Change.DEPENDS in some:
        click.echo(
            "Up to the CRM: if_blank, unless_edited, forward (write only where it allows); look-ups (not asked)."
        )


def _show_refused(own: Mapping[str, Any]) -> None:
    refused = [[row["code"], row["reason"], row["deliveries"]] for row in own["reasons"] if row["coming"] == "refused"]
    if refused:
        show_table("Would be rejected", ("code", "reason", "deliveries"), refused, "")
