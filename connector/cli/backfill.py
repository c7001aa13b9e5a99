"""backfill: bring customers from a file into the inbox."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import click

from connector.cli.backfill_report import columns_as_data, exit_status, result_of, show_columns, show_result
from connector.cli.options import agency_option, chosen, json_option, moment, opened_store, quiet, show_json, who
from connector.cli.progress import progress
from connector.errors import FixConfiguration, StateChanged
from connector.receive import Fetch
from connector.running import bootstrap
from connector.running.backfill import Backfill, Keep, Tally
from connector.running.backfill_plan import Plan
from connector.running.backfill_sources import Source, file_source
from connector.running.config import AgencyFile, read_agencies, read_process
from connector.running.file_lock import FileLock
from connector.running.state import open_state
from connector.source.steps import Step
from connector.store import Store

KIND: Final = "backfill"
_SHOWN_EVERY: Final = 5000


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for."""

    source: Path
    since: int
    destination: str
    encoding: str


@click.command()
@agency_option
@click.option("--from", "source", required=True, type=click.Path(path_type=Path), metavar="FILE", help="From where.")
@click.option("--since", default="", metavar="TIME", callback=moment, help="Leave out what was last updated before.")
@click.option("--destination", default="", help="Only for this destination: a name from the agency file.")
@click.option("--plan", "planning", is_flag=True, help="Store nothing: show what would happen.")
@click.option(
    "--encoding", default="utf-8", show_default=True, type=click.Choice(["utf-8", "cp1252"]), help="Of the file."
)
@json_option
def backfill(paths: tuple[Path, ...], planning: bool, as_json: bool, **given: Any) -> None:
    """Bring customers into the inbox from a file: CSV, or NDJSON with one object a line.

    They are delivered like events, after everything that careCycle sends, and replace nothing that is newer. The same
    command again changes nothing; one that was stopped goes on from there.

    Exit status 1 if something could not be read, else 0.
    """
    wanted = Wanted(**given)
    file = _only(read_agencies(paths, os.environ))
    chosen([file], wanted.destination or None)
    with opened_store() as store, quiet(), _alone(file.settings.agency):
        source = file_source(wanted.source, wanted.encoding, store)
        if not as_json:
            show_columns(source.columns)
        result = (_plan if planning else _run)(file, store, source, wanted)
    if as_json:
        show_json({**result, "columns": columns_as_data(source.columns)})
    else:
        show_result(result)
    raise SystemExit(exit_status(result))


def _only(files: Sequence[AgencyFile]) -> AgencyFile:
    if len(files) != 1:
        raise FixConfiguration("-c", f"names {len(files)} agencies", "name the file of one agency")
    return files[0]


@contextmanager
def _alone(agency: str) -> Iterator[None]:
    """Be the only backfill of this agency on this machine. Raises StateChanged.

    On two machines the same is done twice: what is fetched a second time changes nothing.
    """
    state = open_state(read_process(os.environ).database_url, os.environ)
    lock = FileLock(state.path(f"{KIND}-{agency}").with_suffix(".lock"))
    if not lock.acquire():
        raise StateChanged(agency, "another backfill of this agency is running", "wait for it, or stop it")
    try:
        yield
    finally:
        lock.release()


def _plan(file: AgencyFile, store: Store, source: Source, wanted: Wanted) -> dict[str, Any]:
    with ExitStack() as opened:
        routes = [bootstrap.open_route(file, name) for file, name in chosen([file], wanted.destination or None)]
        for route in routes:
            opened.enter_context(closing(route.destination))
        plan, tally = Plan(store, routes), Tally()
        _through(_work(file, store, source, wanted, "", plan.keep, tally), source, "", lambda step: None)
    return {**result_of(file.settings.agency, tally), "plan": plan.as_data()}


def _run(file: AgencyFile, store: Store, source: Source, wanted: Wanted) -> dict[str, Any]:
    agency = file.settings.agency
    asked = json.dumps([source.content, wanted.since, wanted.destination])
    run = store.runs.begin(secrets.token_hex(8), agency, KIND, asked)
    tally = Tally.after(run.counts)
    if run.cursor:
        click.echo(f"goes on after {source.unit} {run.cursor}, where run {run.id} was stopped", err=True)
    store.desk.note(who(), KIND, f"{agency} from {source.origin}: run {run.id}")
    work = _work(file, store, source, wanted, run.id, store.fetched.accept, tally)
    try:
        _through(work, source, run.cursor, lambda step: store.runs.note(run.id, step.cursor, tally.counts))
    except KeyboardInterrupt:
        click.echo("stopped: what was read is kept, and the same command goes on from there", err=True)
        raise SystemExit(1) from None
    store.runs.note(run.id, "", tally.counts, ended=True)
    return {**result_of(agency, tally), "run": run.id}


def _work(
    file: AgencyFile, store: Store, source: Source, wanted: Wanted, run: str, keep: Keep, tally: Tally
) -> Backfill:
    agency = bootstrap.open_agencies([file])[file.settings.agency]
    how = Fetch(source.origin, run, partial(store.database.digest, size=16), wanted.destination)
    return Backfill(store, agency, how, keep, tally, wanted.since)


def _through(work: Backfill, source: Source, cursor: str, note: Callable[[Step], None]) -> None:
    """Bring in a whole source. note: called after each step."""
    with progress("reading", _SHOWN_EVERY, lambda: source.total) as show:
        for step in source.steps(cursor):
            work.take(step)
            note(step)
            show(step.reached)
