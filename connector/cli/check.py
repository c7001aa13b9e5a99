"""check, test: a mapping looked at before any event comes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import click

from connector import mapping
from connector.cli import leaving
from connector.cli.options import json_option, show_json
from connector.cli.schema import described
from connector.errors import FixMapping
from connector.mapping import Loaded, Severity, target
from connector.running import bootstrap
from connector.running.bootstrap import saved_path
from connector.running.config import AgencyFile, read_agencies

TIMEZONE = "America/New_York"
"""For dates of customers whose own time zone is unknown, where no agency file says otherwise."""

existing_file = click.Path(exists=True, dir_okay=False, path_type=Path)
_mappings = click.argument("mappings", nargs=-1, type=existing_file)
schema_option = click.option("--schema", type=existing_file, help="The CRM's own schema, as `schema pull` saves it.")


@click.command()
@_mappings
@click.option(
    "-c", "--config", "paths", multiple=True, type=click.Path(path_type=Path), help="An agency file or folder."
)
@click.option("--live", is_flag=True, help="Check against the CRM itself: needs its credentials.")
@schema_option
@json_option
@click.option("--sarif", "as_sarif", is_flag=True, help="Print a SARIF 2.1.0 log, for code hosts and editors.")
@click.option("--classes", is_flag=True, help="Print alone which classes of data leave, and for which fields.")
def check(
    mappings: tuple[Path, ...],
    paths: tuple[Path, ...],
    live: bool,
    schema: Path | None,
    as_json: bool,
    as_sarif: bool,
    classes: bool,
) -> None:
    """Check agency files with their mappings, or mappings alone. Shows every problem at once, and which data leaves.

    An agency's mappings are checked against the CRM's schema that `schema pull` saved beside its file, if it is there.
    """
    if bool(mappings) == bool(paths) or (live and not paths) or (as_json and as_sarif):
        raise click.UsageError("give mappings, or agency files by -c (and with them --live); --json or --sarif")
    known = target.load(schema) if schema else None
    checked = {str(path): mapping.load(path, schema=known, shipped=mapping.shipped_folder()) for path in mappings}
    for file in read_agencies(paths, os.environ) if paths else ():
        checked |= _check_agency(file, known, live)
    found = [one for result in checked.values() for one in result.diagnostics]
    for result in checked.values():
        found += mapping.failures(mapping.run_examples(result.mapping, timezone=TIMEZONE)) if result.mapping else []
    if as_sarif:
        show_json(mapping.to_sarif(found))
    elif as_json:
        show_json(leaving.classes(checked) if classes else mapping.to_json(found))
    else:
        click.echo("\n".join(([] if classes else [_findings(found, checked.values())]) + leaving.classes_told(checked)))
    raise SystemExit(1 if any(one.severity is Severity.ERROR for one in found) else 0)


def _findings(found: Sequence[mapping.Diagnostic], checked: Iterable[Loaded]) -> str:
    texts = {name: text for result in checked for name, text in result.texts.items()}
    names = ", ".join(dict.fromkeys(str(result.files[0]) for result in checked))
    return mapping.render(found, texts) if found else f"{names}: no problems"


def _check_agency(file: AgencyFile, schema: target.TargetSchema | None, live: bool) -> dict[str, Loaded]:
    """The mapping of each destination, under agency/destination."""
    bootstrap.open_agencies([file])  # the signing secrets are well made
    for where, notice in bootstrap.notices(file):
        click.echo(f"{file.path}: {where}: warning: {notice}", err=True)
    results = {}
    for name, settings in file.settings.destinations.items():
        path = bootstrap.mapping_path(file, settings)
        known = None if live else schema or _saved(file, name)
        loaded = mapping.load(path, schema=known, shipped=mapping.shipped_folder())
        if live and loaded.mapping is not None:
            loaded = mapping.load(path, schema=described(file, name), shipped=mapping.shipped_folder())
        results[f"{file.settings.agency}/{name}"] = loaded
    return results


def _saved(file: AgencyFile, name: str) -> target.TargetSchema | None:
    path = saved_path(file, name)
    return target.load(path) if path.is_file() else None


@click.command()
@_mappings
@schema_option
@json_option
def test(mappings: tuple[Path, ...], schema: Path | None, as_json: bool) -> None:
    """Run the tests inside mappings; tell what of a mapping no test reaches."""
    known = target.load(schema) if schema else None
    loaded = [_loaded(path, known) for path in mappings]
    results = [r for one in loaded if one.mapping for r in mapping.run_examples(one.mapping, timezone=TIMEZONE)]
    unreached = [spot for one in loaded for spot in mapping.unreached(one, timezone=TIMEZONE)]
    if as_json:
        show_json({"tests": [asdict(one) for one in results], "unreached": [asdict(one) for one in unreached]})
    else:
        click.echo("\n".join(_told(results, unreached)))
    raise SystemExit(0 if all(one.ok for one in results) else 1)


def _loaded(path: Path, schema: target.TargetSchema | None) -> Loaded:
    loaded = mapping.load(path, schema=schema, shipped=mapping.shipped_folder())
    if loaded.mapping is None:
        raise FixMapping(str(path), "does not load\n" + mapping.render(loaded.diagnostics, loaded.texts))
    return loaded


def _told(results: Sequence[mapping.Result], unreached: Sequence[mapping.Spot]) -> Iterator[str]:
    for one in results:
        yield f"{'ok    ' if one.ok else 'FAILED'} {one.file}:{one.line} {one.name}"
        for told in one.differences:
            yield from (
                f"         {told.what}",
                f"           expected {told.expected}",
                f"           got      {told.got}",
            )
    yield f"{sum(one.ok for one in results)} of {len(results)} tests pass"
    if unreached:
        yield "no test reaches"
        yield from (f"  {spot.file}:{spot.line}:{spot.col} {spot.kind} {spot.name}" for spot in unreached)
