"""schema: the CRM's own schema, saved to a file, and the mapping language's schema for editors."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import click

from connector.cli.options import agency_option, quiet
from connector.errors import DestinationUnusable, FixConfiguration
from connector.mapping import editor, target
from connector.running import bootstrap
from connector.running.bootstrap import saved_path
from connector.running.config import AgencyFile, read_agencies

_out = click.Path(path_type=Path)


def described(file: AgencyFile, name: str) -> target.TargetSchema:
    """What the CRM itself says of every object a mapping has to do with. Raises FixConfiguration, FixMapping."""
    route = bootstrap.open_route(file, name)
    try:
        with quiet():
            return route.destination.describe(route.mapping.objects)
    except DestinationUnusable as error:
        raise FixConfiguration(f"{file.path}: {name}", error.problem) from None
    finally:
        route.destination.close()


@click.group()
def schema() -> None:
    """Save the CRM's own schema; write the schema for your editor."""


@schema.command()
@agency_option
@click.option("-o", "--output", type=_out, help="Another file, or a folder, than beside the agency file.")
def pull(paths: tuple[Path, ...], output: Path | None) -> None:
    """Save what each CRM says of the objects its mapping has to do with: a file to commit and to check against."""
    wanted = [(file, name) for file in read_agencies(paths, os.environ) for name in file.settings.destinations]
    for (file, name), path in zip(wanted, _paths(wanted, output), strict=True):
        found = described(file, name)
        _write(path, target.dump(found))
        fields = sum(len(one.fields) for one in found.objects.values())
        click.echo(f"{path}: {', '.join(sorted(found.objects))}; {fields} fields")


def _paths(wanted: Sequence[tuple[AgencyFile, str]], output: Path | None) -> list[Path]:
    usual = [saved_path(file, name) for file, name in wanted]
    if output is None:
        return usual
    if output.is_dir():
        return [output / path.name for path in usual]
    if len(wanted) > 1:
        raise click.UsageError(f"-o {output} is one file, and there are {len(wanted)} destinations: name a folder")
    return [output]


@schema.command("editor")
@click.option("--schema", "saved", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A saved schema.")
@click.option("-o", "--output", type=_out, help="A file instead of standard output.")
def editor_(saved: Path | None, output: Path | None) -> None:
    """Write the JSON Schema of mapping files for yaml-language-server: completion and hovers while typing.

    With --schema it also knows the fields of your CRM. Name it in a mapping's first line:

    # yaml-language-server: $schema=mapping.schema.json
    """
    made = json.dumps(editor.schema(target.load(saved) if saved else None), ensure_ascii=False, indent=1) + "\n"
    if output is None:
        click.echo(made, nl=False)
    else:
        _write(output, made)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise FixConfiguration(str(path), f"cannot be written: {error.strerror}") from None
