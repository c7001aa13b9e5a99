"""undo: restore what the CRM had before a version of the mapping wrote to it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import click

from connector.cli.options import agency_option, chosen, json_option, opened_store, quiet, who
from connector.cli.undo_report import (
    Done,
    Report,
    ReportData,
    VersionData,
    destination_of,
    exit_status,
    show,
    show_versions,
    summary,
)
from connector.delivery.route import Route
from connector.delivery.undoing import What
from connector.errors import ConnectorError, FixConfiguration, StoreUnavailable
from connector.insight.accounts import named, no_link
from connector.running import bootstrap, undos
from connector.running.config import AgencyFile, read_agencies
from connector.running.undo_deleting import delete_created
from connector.settlement.previous import KeptVersion
from connector.store import Store
from connector.store.previous import Whose

_Wanted = Sequence[tuple[AgencyFile, str]]


@click.command()
@agency_option
@click.option("--mapping", "version", default="", help="The version to undo. Left out: list what is kept.")
@click.option("--run", "run", default="", help="Instead: what a backfill wrote, by the id of its run.")
@click.option("--destination", "only", help="Only this destination from the agency files.")
@click.option("--plan", is_flag=True, help="Only show what would be restored; nothing is written.")
@click.option("--delete-created", is_flag=True, help="Also delete the records it created that nothing else touched.")
@click.option("--yes", is_flag=True, help="With --delete-created: do not ask for confirmation.")
@click.option("--anyway", is_flag=True, help="Undo a version that still runs.")
@json_option(list[VersionData] | ReportData)
def undo(
    paths: tuple[Path, ...],
    version: str,
    run: str,
    only: str | None,
    plan: bool,
    delete_created: bool,
    yes: bool,
    anyway: bool,
    as_json: bool,
) -> None:
    """Restore what the CRM had before a version of the mapping wrote to it, where nobody has changed it since.

    With --run, only what one backfill wrote.

    What a person or a newer event changed is kept. Opt-outs are never lowered. No record is deleted without
    --delete-created, and then only those it created that nothing else has happened to: people can restore them in the
    CRM. Change the mapping first: one that still runs would write its values again with the next event. It can be run
    again at any time, and goes on where it was stopped. Exit status 1 if the CRM refused something or did not answer.
    """
    wanted = chosen(read_agencies(paths, os.environ), only)
    whose = _whose(version, run, delete_created=delete_created)
    with opened_store() as store, quiet():
        kept = store.lanes.previous.versions([destination_of(*pair) for pair in wanted])
        if whose is None:
            show_versions(wanted, kept, _running(store, wanted), as_json)
            return
        report = Report(whose, plan, deletes=delete_created, sure=yes)
        _work(store, _keeping(kept, wanted, report), report, anyway=anyway)
    show(report, as_json)
    _raise_last([done.problem for done in report.done if done.problem])
    raise SystemExit(exit_status(report))


def _whose(version: str, run: str, *, delete_created: bool) -> Whose | None:
    """Return what is to be undone; None if nothing was named. Raises UsageError."""
    if version and run:
        raise click.UsageError("name a version (--mapping) or a run (--run), not both")
    if version or run:
        return Whose(version, run)
    if delete_created:
        raise click.UsageError("--delete-created needs --mapping or --run")
    return None


def _work(store: Store, wanted: _Wanted, report: Report, *, anyway: bool) -> None:
    """Undo in every destination, unless one of them refuses it. Raises FixConfiguration, FixMapping."""
    with ExitStack() as opened:
        routes = [_opened(opened, *pair) for pair in wanted]
        report.refusals = [error for route in routes for error in _refusals(store, route, report.whose)]
        if not (report.plan or anyway):
            _raise_last(report.refusals)
        _confirm(routes, report)
        for (file, name), route in zip(wanted, routes, strict=True):
            report.done.append(_undone(store, file, name, route, report))


def _confirm(routes: Sequence[Route], report: Report) -> None:
    """Ask before anything is deleted."""
    if report.deletes and not (report.plan or report.sure):
        where = ", ".join(
            f"{route.name} (they can be restored {route.destination.bench().restorable})" for route in routes
        )
        click.confirm(f"Delete what it created and nothing else has touched in {where}?", abort=True, err=True)


def _running(store: Store, wanted: _Wanted) -> Callable[[KeptVersion], bool]:
    configured = {destination_of(file, name): _configured(file, name) for file, name in wanted}
    return lambda own: _still_runs(store, own.destination, configured[own.destination], own.version)


def _configured(file: AgencyFile, name: str) -> str:
    try:
        path = bootstrap.mapping_path(file, file.settings.destinations[name])
        loaded = bootstrap.read_mapping(path)
    except ConnectorError:
        return ""
    return loaded.mapping.version if loaded.mapping else ""


def _keeping(kept: Sequence[KeptVersion], wanted: _Wanted, report: Report) -> list[tuple[AgencyFile, str]]:
    """Return the destinations of which something is kept. Raises FixConfiguration."""
    whose = report.whose
    mine = [own for own in kept if (own.run == whose.run if whose.run else own.version == whose.version)]
    if not mine:
        hint = "connector undo -c agency.yaml lists what can be undone"
        raise FixConfiguration(whose.run or whose.version, "nothing is kept of this version or run", hint)
    report.earlier = sum(own.restored for own in mine)
    return [pair for pair in wanted if destination_of(*pair) in {own.destination for own in mine}]


def _opened(opened: ExitStack, file: AgencyFile, name: str) -> Route:
    route = bootstrap.open_route(file, name)
    opened.enter_context(closing(route.destination))
    return route


def _undone(store: Store, file: AgencyFile, name: str, route: Route, report: Report) -> Done:
    """Undo in one destination. Whatever stops it, what was done until then is reported, and the others go on."""
    account = named(bootstrap.open_accounts([file], store.accounts.of), route.name)
    done = Done(route.name, account.link if account else no_link)
    try:
        partitions = file.settings.destinations[name].partitions
        for ends in undos.undo(store, route, partitions, report.whose, plan=report.plan):
            done.ends += [end for end in ends if not (report.deletes and end.what is What.CREATED)]
        for ends in delete_created(store, route, partitions, report.whose, plan=report.plan) if report.deletes else ():
            done.ends += ends
        done.finished = True
    except ConnectorError as error:
        done.problem = error
    finally:
        if not report.plan:
            with suppress(StoreUnavailable):  # what was done is shown in any case
                store.audit.note(who(), "undo", summary(done, report.whose))
    return done


def _raise_last(errors: Sequence[ConnectorError]) -> None:
    """Raise the last of these, after the others were shown."""
    for error in errors[:-1]:
        click.echo(f"error[{error.code}] {error}", err=True)
    if errors:
        raise errors[-1]


def _refusals(store: Store, route: Route, whose: Whose) -> Iterator[ConnectorError]:
    """Say where what is to be undone would be written again, or goes on being written."""
    if whose.run and (left := store.lanes.previous.waiting(route.name, whose.run)):
        problem = f"{left} of its deliveries to {route.name} still wait to be written"
        yield FixConfiguration(whose.run, problem, "wait for them, or give --anyway and run this again later")
    if not whose.run and _still_runs(store, route.name, route.mapping.version, whose.version):
        problem = f"is the mapping that runs for {route.name}: it would write its values again with the next event"
        yield FixConfiguration(whose.version, problem, "change the mapping first, or give --anyway")


def _still_runs(store: Store, destination: str, configured: str, version: str) -> bool:
    running = {row.version for row in store.mappings.all() if row.destination == destination}
    return version in {configured, *running}
