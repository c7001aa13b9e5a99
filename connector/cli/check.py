"""check: find the problems of agency files and mappings before you use them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from connector import mapping
from connector.cli import leaving, seen
from connector.cli.live import Live
from connector.cli.options import json_option, mappings_argument, schema_option, show_json
from connector.destinations import vendor_of
from connector.mapping import Loaded, Severity, pairing, target
from connector.running import bootstrap, whose
from connector.running.bootstrap import saved_path
from connector.running.config import AgencyFile, read_agencies, read_process
from connector.source.recording import FIELD


@click.command()
@mappings_argument
@click.option(
    "-c", "--config", "paths", multiple=True, type=click.Path(path_type=Path), help="An agency file or folder."
)
@click.option("--live", is_flag=True, help="Check against the CRM itself. Needs its credentials.")
@schema_option
@json_option(list[mapping.Diagnostic] | dict[str, dict[str, list[str]]])
@click.option("--sarif", "as_sarif", is_flag=True, help="Print a SARIF 2.1.0 log, for code hosts and editors.")
@click.option("--classes", is_flag=True, help="Print only which classes of data are sent, and to which fields.")
def check(
    mappings: tuple[Path, ...],
    paths: tuple[Path, ...],
    live: bool,
    schema: Path | None,
    as_json: bool,
    as_sarif: bool,
    classes: bool,
) -> None:
    """Check agency files with their mappings, or mappings alone. Lists every problem, and which data is sent.

    An agency's mappings are checked against the CRM schema that `schema pull` saved next to its file, if there is one.
    """
    _check_usage(mappings, paths, live, as_json and as_sarif)
    asking = Live(whose.known_accounts(read_process(os.environ).database_url)) if live else None
    checked = _checked(mappings, paths, target.load(schema) if schema else None, asking)
    problems = _problems(checked.values())
    if as_sarif:
        show_json(mapping.to_sarif(problems))
    elif as_json:
        show_json(leaving.classes(checked) if classes else mapping.to_json(problems))
    else:
        click.echo("\n".join(([] if classes else [_findings(problems, checked.values())]) + leaving.lines(checked)))
    raise SystemExit(max(asking.status if asking else 0, _status(problems)))


def _check_usage(mappings: Sequence[Path], paths: Sequence[Path], live: bool, two_formats: bool) -> None:
    if bool(mappings) == bool(paths):
        raise click.UsageError("name either mapping files, or agency files with -c")
    if live and not paths:
        raise click.UsageError("--live needs an agency file: name it with -c")
    if two_formats:
        raise click.UsageError("--json and --sarif exclude each other")


def _checked(
    mappings: Iterable[Path], paths: Sequence[Path], schema: target.TargetSchema | None, live: Live | None
) -> dict[str, Loaded]:
    """Load the mappings named, or those of the agency files, by the name they are reported under."""
    checked = {str(path): bootstrap.read_mapping(path, schema) for path in mappings}
    for file in read_agencies(paths, os.environ) if paths else ():
        checked |= _check_agency(file, schema, live)
    return checked


def _problems(checked: Iterable[Loaded]) -> list[mapping.Diagnostic]:
    """What the checks found, then the failures of the mappings' own tests."""
    results = list(checked)
    problems = [diagnostic for loaded in results for diagnostic in loaded.diagnostics]
    for loaded in results:
        if loaded.mapping is not None:
            problems += mapping.failures(mapping.run_examples(loaded.mapping))
    return problems


def _status(problems: Iterable[mapping.Diagnostic]) -> int:
    return 1 if any(problem.severity is Severity.ERROR for problem in problems) else 0


def _findings(problems: Sequence[mapping.Diagnostic], checked: Iterable[Loaded]) -> str:
    texts = {name: text for loaded in checked for name, text in loaded.texts.items()}
    names = ", ".join(dict.fromkeys(str(loaded.files[0]) for loaded in checked))
    return mapping.render(problems, texts) if problems else f"{names}: no problems"


def _check_agency(file: AgencyFile, schema: target.TargetSchema | None, live: Live | None) -> dict[str, Loaded]:
    """Load the mapping of each destination, under agency/destination."""
    bootstrap.open_agencies([file])  # raises for a malformed signing secret
    for where, notice in bootstrap.notices(file, datetime.now(UTC).date()):
        click.echo(f"{file.path}: {where}: warning: {notice}", err=True)
    results = {}
    for name, settings in file.settings.destinations.items():
        path = bootstrap.mapping_path(file, settings)
        known = None if live else schema or _saved(file, name)
        full_name = f"{file.settings.agency}/{name}"
        loaded = pairing.paired(bootstrap.read_mapping(path, known), full_name, vendor_of(settings))
        if loaded.mapping and file.settings.carecycle is None and FIELD in loaded.mapping.reads:
            click.echo(f"{path}: warning: {FIELD} is always absent without carecycle.api_key in {file.path}", err=True)
        checked = live.check(file, name, loaded) if live and loaded.mapping else loaded
        results[full_name] = seen.noted(file, checked)
    return results


def _saved(file: AgencyFile, name: str) -> target.TargetSchema | None:
    path = saved_path(file, name)
    return target.load(path) if path.is_file() else None
