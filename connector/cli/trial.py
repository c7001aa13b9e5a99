"""trial: first contact with a CRM account, on purpose, with a made-up person."""

from __future__ import annotations

import os
import secrets
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from connector.cli.options import agency_option, chosen, json_option, quiet, show_json, show_table
from connector.errors import DestinationUnusable
from connector.insight.trial.run import Trial
from connector.insight.trial.verdict import KEPT, Left, Result, Tried, fails, unusable
from connector.running import trials
from connector.running.config import AgencyFile, read_agencies
from connector.running.trial_report import reported
from connector.running.trials import Contact

_ABOUT = """\
{name}: this writes two made-up people and their calls to {title}
  account    {account}
  marked     their last name begins with Carecycle-tr, their address is at example.com
  others     no other record is written, changed or deleted
  automation workflows, flows and assignment rules of the account run as for any record
"""


@dataclass(frozen=True, slots=True)
class _Finished:
    """The result for one destination."""

    destination: str
    tried: Sequence[Tried]
    left: Sequence[Left]
    interrupted: bool
    report: str

    @property
    def works(self) -> bool:
        is_kept = all(left.why == KEPT for left in self.left)
        return is_kept and not self.interrupted and all(line.result is not Result.FAILS for line in self.tried)


class _FinishedData(_Finished):
    works: bool


@click.command()
@agency_option
@click.option("--destination", "only", help="Only this destination from the agency files.")
@click.option("--keep", is_flag=True, help="Delete nothing afterwards, so that you can look at it in the CRM.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option(
    "--report",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder for the report. Default: that of the agency file.",
)
@json_option(list[_FinishedData])
def trial(paths: tuple[Path, ...], only: str | None, keep: bool, yes: bool, folder: Path | None, as_json: bool) -> None:
    """Try a CRM account: write a made-up person and call, read them back, opt out, change, and delete them again.

    The events go through the agency's own mapping, but not through its queue. A report of all requests and replies,
    with every value replaced, is written next to the agency file. Exit status 0: all of it works. 1: something does
    not, or is left in the CRM.
    """
    _clean_up_however_it_ends()
    if not yes and not sys.stdin.isatty():
        raise click.UsageError("a trial writes to the CRM: confirm it with --yes, or run it in a terminal")
    finished: list[_Finished] = []
    for file, name in chosen(read_agencies(paths, os.environ), only):
        finished.append(_destination(file, name, keep, yes, folder))
        if not as_json:
            _show(finished[-1])
        if finished[-1].interrupted:
            break
    if as_json:
        show_json([{"works": done.works, **asdict(done)} for done in finished])
    raise SystemExit(0 if all(done.works for done in finished) else 1)


def _clean_up_however_it_ends() -> None:
    """Take the end of the terminal's session for Ctrl-C, too, unless it is ignored, as nohup does."""
    for ending in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(ending) is not signal.SIG_IGN:
            signal.signal(ending, signal.default_int_handler)


def _destination(file: AgencyFile, name: str, keep: bool, yes: bool, folder: Path | None) -> _Finished:
    path = (folder or file.path.parent) / f"{file.settings.agency}-{name}.trial.jsonl"
    with quiet(), trials.opened(file, name) as route, reported(path, route.mapping) as report:
        try:
            met = trials.contact(file, name, route)
        except DestinationUnusable as error:
            return _Finished(route.name, [unusable("reach the account", error)], [], False, str(path))
        _confirm(met, yes)
        tried = _trial(met, keep)
        tried.start()
        if report.problem:
            tried.tried.append(fails("write the report", report.problem, "make room, or choose another folder"))
        return _Finished(route.name, tried.tried, tried.left, tried.interrupted, str(path))


def _confirm(met: Contact, yes: bool) -> None:
    crm, name = met.route.mapping.crm, met.route.name
    account = f"{crm.account} {met.account}" if met.account else f"a {crm.account} that does not say which it is"
    click.echo(_ABOUT.format(name=name, title=crm.title, account=account), err=True)
    if not yes:
        click.confirm("Go on?", abort=True, err=True)


def _trial(met: Contact, keep: bool) -> Trial:
    def on_made(object: str, crm_id: str) -> None:
        click.echo(f"made {object} {crm_id} {met.link(object, crm_id)}".rstrip(), err=True)

    run = f"tr{secrets.token_hex(4)}"
    begun = Trial(met.route, met.schema, run, datetime.now(UTC), met.link, on_made, met.sources, keep)
    if met.misfits:
        do = "connector check --live lists them, and connector provision creates what is missing"
        begun.tried.append(fails("fit the mapping to the account", f"problems: {met.misfits}", do))
    return begun


def _show(done: _Finished) -> None:
    rows = [
        (line.what, line.result.value, "\n".join(filter(None, (line.seen, line.do and f"→ {line.do}"))))
        for line in done.tried
    ]
    show_table(done.destination, ("tried", "result", "seen, and what to do"), rows, "nothing was tried")
    for line in done.tried:
        if line.lines:
            click.echo(f"\nFor your mapping:\n\n{line.lines}")
    if done.interrupted:
        click.echo("\nThe trial was interrupted.")
    if done.left:
        click.echo("\nStill in the CRM:")
    for left in done.left:
        click.echo("  " + " ".join(filter(None, (left.object, left.id, left.link, f"({left.why})"))))
    click.echo(f"\nReport, safe to send to the makers of the connector: {done.report}")
