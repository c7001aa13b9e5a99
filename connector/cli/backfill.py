"""backfill: bring customers from careCycle's API or a file into the inbox."""

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

from connector.backoff import DAY
from connector.cli.backfill_report import (
    DoneBackfill,
    PlannedBackfill,
    columns_as_data,
    exit_status,
    result_of,
    show_columns,
    show_result,
)
from connector.cli.options import agency_option, chosen, json_option, moment, opened_store, quiet, show_json, who
from connector.cli.progress import counting, progress, stoppable
from connector.errors import FixConfiguration, SourceUnusable, StateChanged
from connector.receive import Fetch
from connector.running import bootstrap
from connector.running.backfill import Backfill, Keep, Tally
from connector.running.backfill_plan import Plan
from connector.running.backfill_sources import Calls, Source, api_source, file_source, opened_api
from connector.running.config import AgencyFile, read_agencies, read_process
from connector.running.file_lock import FileLock
from connector.running.partitions import lanes_of, partitions_of
from connector.running.state import open_state
from connector.settlement.newest import Origin
from connector.source.steps import Step
from connector.store import Store
from connector.store.runs import Run

CARECYCLE: Final = "carecycle"
KIND: Final = "backfill"
_SHOWN_EVERY: Final = 5000
_KEPT: Final = "stopped: what was read is kept, and the same command goes on from there"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for."""

    source: str
    since: int
    destination: str
    calls: bool
    encoding: str


@click.command()
@agency_option
@click.option("--from", "source", default=CARECYCLE, metavar="carecycle|FILE", help="From where.  [default: carecycle]")
@click.option("--since", default="", metavar="TIME", callback=moment, help="Leave out what was last updated before.")
@click.option("--destination", default="", help="Only for this destination: a name from the agency file.")
@click.option("--calls", is_flag=True, help="Also each customer's calls that are not held yet: a request for each.")
@click.option("--plan", "planning", is_flag=True, help="Store nothing: show what would happen.")
@click.option(
    "--encoding", default="utf-8", show_default=True, type=click.Choice(["utf-8", "cp1252"]), help="Of the file."
)
@json_option(PlannedBackfill | DoneBackfill)
def backfill(paths: tuple[Path, ...], planning: bool, as_json: bool, **given: Any) -> None:
    """Bring customers into the inbox from careCycle's API, or from a file: CSV, or NDJSON with one object a line.

    They are delivered like events, after everything that careCycle sends, and replace nothing that is newer. The same
    command again changes nothing; one that was stopped goes on from there.

    Exit status 1 if something could not be read, else 0.
    """
    wanted = Wanted(**given)
    file = _only(read_agencies(paths, os.environ))
    chosen([file], wanted.destination or None)
    with opened_store(make=not planning) as store, quiet(), _alone(file.settings.agency), ExitStack() as opened:
        work = _open(file, store, wanted, opened)
        if not as_json:
            show_columns(work.source.columns)
        result = work.plan() if planning else work.run()
    if as_json:
        show_json({**result, "columns": columns_as_data(work.source.columns)})
    else:
        show_result(result, calls=wanted.calls)
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


def _open(file: AgencyFile, store: Store, wanted: Wanted, opened: ExitStack) -> _Work:
    """Open what is read from. Raises FixConfiguration."""
    from_api = wanted.source == CARECYCLE
    api = opened_api(file, store, opened) if from_api or wanted.calls else None
    if api is not None and from_api:
        source = api_source(api)
    else:
        source = file_source(Path(wanted.source), wanted.encoding, store)
    tally = Tally()
    return _Work(file, store, wanted, source, Calls(api, tally) if api and wanted.calls else None, tally)


@dataclass(frozen=True, slots=True)
class _Work:
    file: AgencyFile
    store: Store
    wanted: Wanted
    source: Source
    calls: Calls | None
    tally: Tally

    @property
    def agency(self) -> str:
        return self.file.settings.agency

    def plan(self) -> dict[str, Any]:
        """Read everything and store nothing."""
        names = chosen([self.file], self.wanted.destination or None)
        with ExitStack() as opened:
            routes = [bootstrap.open_route(file, name) for file, name in names]
            for route in routes:
                opened.enter_context(closing(route.destination))
            plan = Plan(self.store, routes)
            with stoppable("stopped: a plan stores nothing, so the same command begins again"):
                self._through(self._backfill("", plan.keep), "", lambda step: None)
        return {**result_of(self.agency, self.tally), "plan": plan.as_data()}

    def run(self) -> dict[str, Any]:
        """Bring everything in, or what a run that was stopped left over."""
        runs, asked = self.store.runs, [self.source.content, *self._asked()]
        whole = self.source.origin is Origin.CARECYCLE and not (self.wanted.since or self.wanted.destination)
        run = runs.begin(secrets.token_hex(8), self.agency, KIND, json.dumps(asked), whole=whole)
        self.store.lanes.open(lanes_of(partitions_of([self.file])))  # else nobody sees what waits in a new one
        cursor = self._cursor(run)
        self.tally.counts.update(run.counts if cursor else {})
        self.store.audit.note(who(), KIND, f"{self.agency} from {self.source.origin}: run {run.id}")
        work = self._backfill(run.id, self.store.fetched.accept)
        try:
            with stoppable(_KEPT):
                self._through(work, cursor, lambda step: runs.note(run.id, step.cursor, self.tally.counts))
        except SourceUnusable:
            click.echo(_KEPT, err=True)
            raise
        runs.note(run.id, "", self.tally.counts, ended=True)
        return {**result_of(self.agency, self.tally), "run": run.id}

    def _asked(self) -> list[Any]:
        return [self.wanted.since, self.wanted.destination, self.wanted.calls]

    def _cursor(self, run: Run) -> str:
        """Say where a run goes on. A list that changes is read from its beginning after a day: its first pages did."""
        if not run.cursor:
            return ""
        where = f"{self.source.unit} {run.cursor}, where run {run.id} was stopped"
        if self.source.changes and self.store.database.moment() - run.seen_at > DAY:
            click.echo(f"begins again: {where}, is more than a day ago", err=True)
            return ""
        click.echo(f"goes on after {where}", err=True)
        return run.cursor

    def _backfill(self, run: str, keep: Keep) -> Backfill:
        agency = bootstrap.open_agencies([self.file])[self.agency]
        database = self.store.database
        digest = partial(database.digest, size=16)
        how = Fetch(self.source.origin, run, digest, database.moment(), self.wanted.destination)
        calls_of = self.calls.of if self.calls else None
        return Backfill(self.store, agency, how, keep, self.tally, self.wanted.since, calls_of)

    def _through(self, work: Backfill, cursor: str, note: Callable[[Step], None]) -> None:
        """Bring in the source from there on. note: called after each step."""
        every = _SHOWN_EVERY if self.calls is None else _SHOWN_EVERY // 50  # each customer takes a request
        with progress("reading", every, lambda: self.source.total) as show:
            for step in self.source.steps(cursor):
                total = step.total or self.source.total
                work.take(step, counting(show, step.reached - len(step), total))
                note(step)
                show(step.reached, total)
