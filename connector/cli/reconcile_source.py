"""reconcile source: is everybody from careCycle here, as careCycle knows them now?"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, TypedDict

import click

from connector.cli.options import agency_option, json_option, moment, opened_store, quiet, show_json, who
from connector.cli.progress import Show, progress, stoppable
from connector.errors import FixConfiguration, SourceUnusable
from connector.insight.completeness import Completeness, Wanted
from connector.insight.source_report import summary
from connector.running.bootstrap import open_agencies
from connector.running.config import AgencyFile, read_agencies
from connector.running.fetching import keep_fetched
from connector.running.source import open_source
from connector.settlement.source import Comparison, Counted
from connector.store import Store
from connector.store.runs import SOURCE, Run

_KEPT: Final = "stopped: what was fetched is kept, and the same command goes on"
_PLANNED: Final = "stopped: a plan stores nothing, so the same command begins again"


@dataclass(frozen=True, slots=True)
class _Result:
    """What one agency's comparison came to. problem: why it did not reach its end; empty if it did."""

    agency: str
    comparison: Comparison
    problem: str
    left_out: Sequence[str]

    @property
    def fine(self) -> bool:
        passed_over = (Counted.SHRUNK, Counted.UNANSWERED, Counted.UNREADABLE)
        return not (self.problem or self.comparison.left or any(self.comparison[what] for what in passed_over))


class _ResultData(TypedDict):
    """What one agency's comparison came to. left: what is missing still. left_out: what could not be compared."""

    agency: str
    counts: dict[Counted, int]
    missing: int
    left: int
    problem: str
    left_out: list[str]


@click.command()
@agency_option
@click.option("--calls", is_flag=True, help="Compare everybody's calls too: one request for each customer.")
@click.option("--since", callback=moment, default="", metavar="DATE", help="Only customers that changed since then.")
@click.option("--plan", is_flag=True, help="Only compare; fetch nothing.")
@json_option(list[_ResultData])
def source(paths: tuple[Path, ...], calls: bool, since: int, plan: bool, as_json: bool) -> None:
    """Compare careCycle's customers with what is here, and fetch what is missing.

    Interrupted, the same command goes on where it was.
    """
    files = [file for file in read_agencies(paths) if file.settings.carecycle is not None]
    if not files:
        raise FixConfiguration("carecycle", "no agency file has it", "carecycle: { api_key: ${NAME} }")
    with opened_store(make=not plan) as store, quiet():
        results = [_compare(store, file, Wanted(not plan, calls, since), as_json=as_json) for file in files]
    if as_json:
        show_json([_as_data(result) for result in results])
    else:
        for result in results:
            _show(result, plan=plan)
    if not all(result.fine for result in results):
        raise SystemExit(1)


def _compare(store: Store, file: AgencyFile, wanted: Wanted, *, as_json: bool) -> _Result:
    agency = open_agencies([file])[file.settings.agency]
    opened = open_source(file, store)
    assert opened is not None
    run = _begun(store, agency.name, wanted) if wanted.fetch else None
    if run is not None and run.cursor and not as_json:
        click.echo(f"{agency.name}: going on with the comparison that was interrupted")
    with closing(opened) as api, progress(f"{agency.name}: comparing", 5000, lambda: None) as show:
        keep = partial(keep_fetched, store, agency, run.id if run else "")
        check = Completeness(store, agency.name, api, keep, run, wanted)
        problem = _problem_of(check, show, store, run)
    _write_down(store, agency.name, run, check.comparison)
    left_out = [why for why in (check.no_details, check.no_calls) if why]
    return _Result(agency.name, check.comparison, problem, left_out)


def _problem_of(check: Completeness, show: Show, store: Store, run: Run | None) -> str:
    """Compare, and return what stopped it; nothing if nothing did."""
    try:
        with stoppable(_PLANNED if run is None else _KEPT):
            check.run(show)
    except SourceUnusable as error:
        if run is not None:
            store.runs.stopped(run.id, error.problem)
        return str(error)
    return ""


def _begun(store: Store, agency: str, wanted: Wanted) -> Run:
    asked, kind = f"calls={wanted.all_calls} since={wanted.since}", f"{SOURCE} in part" if wanted.since else SOURCE
    return store.runs.begin(secrets.token_hex(8), agency, kind, asked, whole=not wanted.since)


def _write_down(store: Store, agency: str, run: Run | None, comparison: Comparison) -> None:
    """Note in the audit log what was fetched."""
    customers, calls = comparison[Counted.FETCHED_CUSTOMERS], comparison[Counted.FETCHED_CALLS]
    if run and (customers or calls):
        store.audit.note(who(), SOURCE, f"{agency}: {customers} customers and {calls} calls fetched: run {run.id}")


def _as_data(result: _Result) -> _ResultData:
    compared = result.comparison
    return {
        "agency": result.agency,
        "counts": {what: compared[what] for what in Counted},
        "missing": compared.missing,
        "left": compared.left,
        "problem": result.problem,
        "left_out": list(result.left_out),
    }


def _show(result: _Result, *, plan: bool) -> None:
    for sentence in summary(result.comparison, complete=not result.problem):
        click.echo(f"{result.agency}: {sentence}")
    for why in result.left_out:
        click.echo(f"{result.agency}: left out: {why}")
    if result.comparison.left and plan:
        click.echo(f"{result.agency}: without --plan they are fetched and delivered like any event.")
    if result.problem:
        click.echo(f"{result.agency}: not compared to the end: {result.problem}. The same command goes on.", err=True)
