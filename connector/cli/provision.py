"""provision: plan what a CRM account is missing for its mapping, and create it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import click

from connector import mapping
from connector.cli.options import agency_option, chosen, json_option, quiet, show_json
from connector.delivery.route import Route
from connector.destinations.provision import Done, Provision, Provisioner, Step, completed
from connector.errors import DestinationUnusable, FixConfiguration
from connector.mapping import Diagnostic, Severity
from connector.mapping.demands import Demands, demands
from connector.running import bootstrap
from connector.running.config import AgencyFile, read_agencies


@dataclass(frozen=True, slots=True)
class _Account:
    """One destination, and what its mapping needs."""

    name: str
    path: Path
    route: Route
    provisioner: Provisioner
    demands: Demands


@dataclass(frozen=True, slots=True)
class _Survey:
    """The account's state: what can be created, what cannot, and what would still be wrong after that."""

    provision: Provision
    findings: tuple[Diagnostic, ...]
    texts: Mapping[str, str]

    @property
    def by_hand(self) -> bool:
        return bool(self.provision.obstacles or self.findings)


@dataclass(frozen=True, slots=True)
class _Report:
    """The result for one destination. files: those written."""

    account: _Account
    survey: _Survey
    done: Sequence[Done] = ()
    files: Sequence[Path] = ()

    @property
    def lacking(self) -> bool:
        missing = bool(self.survey.provision.steps) and not self.files
        return missing or self.survey.by_hand or any(step.problem for step in self.done)


class _StepData(TypedDict):
    making: str
    object: str
    field: str
    about: str


class _RefusedStep(_StepData):
    problem: str


class _ByHand(TypedDict):
    object: str
    field: str
    problem: str
    advice: str


class _ReportData(TypedDict):
    destination: str
    crm: str
    lacking: bool
    to_make: list[_StepData]
    made: list[_StepData]
    refused: list[_RefusedStep]
    by_hand: list[_ByHand]
    findings: list[mapping.Diagnostic]
    not_looked_at: list[str]
    files: list[str]


@click.command()
@agency_option
@click.option("--destination", "only", help="Only this destination from the agency files.")
@click.option("--apply", "making", is_flag=True, help="Create what is missing in the CRM.")
@click.option(
    "--metadata",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write a folder to deploy instead of changing the account, where the CRM deploys files.",
)
@json_option(list[_ReportData])
def provision(paths: tuple[Path, ...], only: str | None, making: bool, folder: Path | None, as_json: bool) -> None:
    """Show what each CRM account is missing for its mapping: fields, keys, permissions.

    Changes nothing without --apply. Exit status 0: nothing is missing, or all of it was created or written. 1:
    something is missing.
    """
    if making and folder:
        raise click.UsageError("choose either --apply, which changes the CRM, or --metadata, which writes files")
    wanted = chosen(read_agencies(paths, os.environ), only)
    with quiet():
        reports = _provisioned(wanted, making, folder)
    if as_json:
        show_json([_as_data(report) for report in reports])
    else:
        click.echo("\n\n".join("\n".join(_as_text(report)) for report in reports))
    raise SystemExit(1 if any(report.lacking for report in reports) else 0)


def _provisioned(wanted: Sequence[tuple[AgencyFile, str]], making: bool, folder: Path | None) -> list[_Report]:
    """Handle each destination; several get a folder each for their files."""
    several = len(wanted) > 1
    return [_destination(file, name, making, folder / name if folder and several else folder) for file, name in wanted]


def _destination(file: AgencyFile, name: str, making: bool, folder: Path | None) -> _Report:
    path = bootstrap.mapping_path(file, file.settings.destinations[name])
    written = bootstrap.read_mapping(path).written
    route = bootstrap.open_route(file, name)
    assert written is not None  # open_route raises for a mapping that does not load
    account = _Account(route.name, path, route, route.destination.provisioner(), demands(*written))
    try:
        survey = _survey(account)
        if making and survey.provision.steps:
            done = account.provisioner.apply(survey.provision.steps)
            return _Report(account, _survey(account), done)
        return _Report(account, survey, files=_write(account, survey.provision.steps, folder) if folder else ())
    except DestinationUnusable as error:
        raise FixConfiguration(f"{file.path}: {name}", error.problem) from None
    finally:
        route.destination.close()


def _survey(account: _Account) -> _Survey:
    """Find what the account is missing, and what `check --live` would still report once that was created."""
    planned = account.provisioner.plan(account.demands)
    schema = account.route.destination.describe(account.route.mapping.objects)
    loaded = bootstrap.read_mapping(account.path, completed(schema, account.demands, planned))
    errors = tuple(problem for problem in loaded.diagnostics if problem.severity is Severity.ERROR)
    return _Survey(planned, errors, loaded.texts)


def _write(account: _Account, steps: Sequence[Step], folder: Path) -> list[Path]:
    """Write the files to deploy. Raises FixConfiguration."""
    files = account.provisioner.files(steps) if steps else {}
    if steps and not files:
        title = account.route.mapping.crm.title
        problem = f"{account.name} is in {title}, which deploys no files"
        raise FixConfiguration("--metadata", problem, "use --apply, or choose another --destination")
    for name, text in files.items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise FixConfiguration(str(path), f"cannot be written: {error.strerror}") from None
    return [folder / name for name in files]


def _as_text(report: _Report) -> Iterator[str]:
    planned = report.survey.provision
    yield f"{report.account.name}: {'something' if report.lacking else 'nothing'} is missing"
    yield from _rows("created", [done.step for done in report.done if not done.problem])
    yield from _rows("missing", planned.steps)
    yield from (f"  rejected: {done.step.name}: {done.problem}" for done in report.done if done.problem)
    yield from _by_hand(report)
    yield from (f"  written: {path}" for path in report.files)
    if planned.steps and not (report.files or report.done):
        yield "  --apply creates it" + ("; --metadata DIR writes it to deploy" if _deploys(report) else "")


def _by_hand(report: _Report) -> Iterator[str]:
    for obstacle in report.survey.provision.obstacles:
        yield f"  by hand: {_named(obstacle.object, obstacle.field)} {obstacle.problem}: {obstacle.advice}"
    yield from (f"  not checked: {doubt}" for doubt in report.survey.provision.doubts)
    if report.survey.findings:
        yield "  by hand: what `connector check --live` would still report"
        yield from mapping.render(report.survey.findings, report.survey.texts).splitlines()
        yield f"  {report.account.provisioner.fixed}"


def _deploys(report: _Report) -> bool:
    return bool(report.account.provisioner.files(report.survey.provision.steps))


def _rows(title: str, steps: Sequence[Step]) -> Iterator[str]:
    making_width = max((len(step.making) for step in steps), default=0)
    name_width = max((len(step.name) for step in steps), default=0)
    for step in steps:
        yield f"  {title}: {step.making:<{making_width}}  {step.name:<{name_width}}  {step.about}"


def _named(kind: str, field: str) -> str:
    return f"{kind}.{field}" if field else kind


def _as_data(report: _Report) -> _ReportData:
    planned = report.survey.provision
    return {
        "destination": report.account.name,
        "crm": report.account.route.mapping.crm.name,
        "lacking": bool(report.lacking),
        "to_make": [_step(step) for step in planned.steps],
        "made": [_step(done.step) for done in report.done if not done.problem],
        "refused": [{**_step(done.step), "problem": done.problem} for done in report.done if done.problem],
        "by_hand": [
            {
                "object": obstacle.object,
                "field": obstacle.field,
                "problem": obstacle.problem,
                "advice": obstacle.advice,
            }
            for obstacle in planned.obstacles
        ],
        "findings": list(report.survey.findings),
        "not_looked_at": list(planned.doubts),
        "files": _texts(report.files),
    }


def _step(step: Step) -> _StepData:
    return {"making": step.making, "object": step.demand.object, "field": step.demand.field, "about": step.about}


def _texts(paths: Iterable[Path]) -> list[str]:
    return [str(path) for path in paths]
