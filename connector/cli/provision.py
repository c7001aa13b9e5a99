"""provision: what a CRM account lacks for the running mapping, as a plan; and making it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from connector import mapping
from connector.cli.options import agency_option, json_option, quiet, show_json
from connector.delivery.deliver import Route
from connector.destinations.provision import Done, Provision, Provisioner, Step
from connector.errors import DestinationUnusable, FixConfiguration
from connector.mapping import Diagnostic, Severity
from connector.mapping.demands import Demands, demands
from connector.mapping.target import TargetObject, TargetSchema
from connector.running import bootstrap
from connector.running.config import AgencyFile, read_agencies


@dataclass(frozen=True, slots=True)
class _Asking:
    """One destination, and what its mapping asks for."""

    name: str
    path: Path
    route: Route
    provisioner: Provisioner
    demands: Demands


@dataclass(frozen=True, slots=True)
class _Look:
    """An account as it stands: what can be made, what cannot, and what would still not fit after that."""

    provision: Provision
    findings: tuple[Diagnostic, ...]
    texts: Mapping[str, str]

    @property
    def by_hand(self) -> bool:
        return bool(self.provision.obstacles or self.findings)


@dataclass(frozen=True, slots=True)
class _Told:
    """Everything there is to tell of one destination. files: those written."""

    asking: _Asking
    look: _Look
    done: Sequence[Done] = ()
    files: Sequence[Path] = ()

    @property
    def lacking(self) -> bool:
        unmade = bool(self.look.provision.steps) and not self.files
        return unmade or self.look.by_hand or any(one.problem for one in self.done)


@click.command()
@agency_option
@click.option("--destination", "only", help="Only this destination of the agency files.")
@click.option("--apply", "making", is_flag=True, help="Make what is lacking, in the CRM itself.")
@click.option(
    "--metadata",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Salesforce: write it as a folder to deploy, instead of touching the org.",
)
@json_option
def provision(paths: tuple[Path, ...], only: str | None, making: bool, folder: Path | None, as_json: bool) -> None:
    """Show what each CRM account lacks for its mapping: fields, keys, permissions. Makes nothing unless told to.

    Exit status 0: nothing is lacking, or all of it was made or written. 1: something is.
    """
    if making and folder:
        raise click.UsageError("--apply makes it, --metadata writes files instead: choose one")
    wanted = [
        (file, name)
        for file in read_agencies(paths, os.environ)
        for name in file.settings.destinations
        if only in (None, name)
    ]
    if not wanted:
        raise FixConfiguration("--destination", f"no agency file has a destination {only!r}")
    told = []
    with quiet():
        for file, name in wanted:
            told.append(_destination(file, name, making, folder if len(wanted) == 1 else _below(folder, name)))
    if as_json:
        show_json([_as_data(one) for one in told])
    else:
        click.echo("\n\n".join("\n".join(_as_text(one)) for one in told))
    raise SystemExit(1 if any(one.lacking for one in told) else 0)


def _below(folder: Path | None, name: str) -> Path | None:
    return folder / name if folder else None


def _destination(file: AgencyFile, name: str, making: bool, folder: Path | None) -> _Told:
    path = bootstrap.mapping_path(file, file.settings.destinations[name])
    written = mapping.load(path, shipped=mapping.shipped_folder()).written
    route = bootstrap.open_route(file, name)
    assert written is not None  # or open_route would have refused the mapping
    asking = _Asking(route.name, path, route, route.destination.provisioner(), demands(*written))
    try:
        look = _look(asking)
        if making and look.provision.steps:
            done = asking.provisioner.apply(look.provision.steps)
            return _Told(asking, _look(asking), done)
        return _Told(asking, look, files=_write(asking, look.provision.steps, folder) if folder else ())
    except DestinationUnusable as error:
        raise FixConfiguration(f"{file.path}: {name}", error.problem) from None
    finally:
        route.destination.close()


def _look(asking: _Asking) -> _Look:
    """The account now: what it lacks, and what `check --live` would find once that was made."""
    found = asking.provisioner.plan(asking.demands)
    schema = asking.route.destination.describe(asking.route.mapping.objects)
    loaded = mapping.load(asking.path, schema=_mended(schema, asking.demands, found), shipped=mapping.shipped_folder())
    errors = tuple(one for one in loaded.diagnostics if one.severity is Severity.ERROR)
    return _Look(found, errors, loaded.texts)


def _mended(schema: TargetSchema, asked: Demands, found: Provision) -> TargetSchema:
    """The account's schema as it would be with everything made that is told of already."""
    objects = {name: dict(known.fields) for name, known in schema.objects.items()}
    for one in found.obstacles:
        names = [one.field] if one.field else list(asked[one.object])
        objects.setdefault(one.object, {}).update({name: asked[one.object][name].wanted for name in names})
    for step in found.steps:
        objects.setdefault(step.demand.object, {})[step.demand.field] = step.demand.wanted
    return schema.model_copy(update={"objects": {name: TargetObject(fields=own) for name, own in objects.items()}})


def _write(asking: _Asking, steps: Sequence[Step], folder: Path) -> list[Path]:
    """Write the files to deploy. Raises FixConfiguration."""
    files = asking.provisioner.files(steps) if steps else {}
    if steps and not files:
        raise FixConfiguration("--metadata", f"{asking.name} is no Salesforce org", "use --apply, or --destination")
    for name, text in files.items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise FixConfiguration(str(path), f"cannot be written: {error.strerror}") from None
    return [folder / name for name in files]


def _as_text(told: _Told) -> Iterator[str]:
    found = told.look.provision
    made = [one for one in told.done if not one.problem]
    steps, failed = found.steps, {one.step.name: one.problem for one in told.done if one.problem}
    yield f"{told.asking.name}: " + ("something is lacking" if told.lacking else "nothing is lacking")
    yield from _rows("made", [(one.step.making, one.step.name, one.step.about) for one in made])
    yield from _rows("lacking", [(one.making, one.name, one.about) for one in steps])
    yield from (f"  refused: {name}: {problem}" for name, problem in failed.items())
    yield from (f"  by hand: {_named(one.object, one.field)} {one.problem}: {one.advice}" for one in found.obstacles)
    yield from (f"  not looked at: {doubt}" for doubt in found.doubts)
    if told.look.findings:
        yield "  by hand: what `connector check --live` would still say"
        yield from mapping.render(told.look.findings, told.look.texts).splitlines()
        yield f"  {told.asking.provisioner.fixed}"
    yield from (f"  written: {path}" for path in told.files)
    if steps and not (told.files or told.done):
        yield "  --apply makes it" + ("; --metadata DIR writes it to deploy" if _deploys(told) else "")


def _deploys(told: _Told) -> bool:
    return bool(told.asking.provisioner.files(told.look.provision.steps))


def _rows(title: str, rows: Sequence[tuple[str, str, str]]) -> Iterator[str]:
    widths = [max((len(row[column]) for row in rows), default=0) for column in (0, 1)]
    for making, name, about in rows:
        yield f"  {title}: {making:<{widths[0]}}  {name:<{widths[1]}}  {about}"


def _named(kind: str, field: str) -> str:
    return f"{kind}.{field}" if field else kind


def _as_data(told: _Told) -> dict[str, Any]:
    found = told.look.provision
    return {
        "destination": told.asking.name,
        "crm": told.asking.route.mapping.crm,
        "lacking": told.lacking,
        "to_make": [_step(one) for one in found.steps],
        "made": [_step(one.step) for one in told.done if not one.problem],
        "refused": [_step(one.step) | {"problem": one.problem} for one in told.done if one.problem],
        "by_hand": [
            {"object": one.object, "field": one.field, "problem": one.problem, "advice": one.advice}
            for one in found.obstacles
        ],
        "findings": mapping.to_json(told.look.findings),
        "not_looked_at": list(found.doubts),
        "files": _texts(told.files),
    }


def _step(step: Step) -> dict[str, Any]:
    return {"making": step.making, "object": step.demand.object, "field": step.demand.field, "about": step.about}


def _texts(paths: Iterable[Path]) -> list[str]:
    return [str(path) for path in paths]
