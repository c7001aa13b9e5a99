"""schema: save the CRM's schema, and write those of mapping files, agency files and what `--json` prints."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import click

from connector.cli.asking import described
from connector.cli.json_schema import laid_out, output_schema, printed
from connector.cli.options import agency_option
from connector.destinations import VENDORS
from connector.errors import FixConfiguration
from connector.mapping import editor, shipped_folder, shipped_names, target
from connector.running import agency_schema
from connector.running.bootstrap import saved_path
from connector.running.config import AgencyFile, read_agencies

_out = click.Path(path_type=Path)


@click.group()
def schema() -> None:
    """Save the CRM's schema, or write that of mappings, agency files or `--json`."""


@schema.command()
@agency_option
@click.option("--object", "objects", metavar="NAME", multiple=True, help="One that no mapping uses yet. Repeatable.")
@click.option("-o", "--output", type=_out, help="A file or folder to write to, instead of the agency file's folder.")
def pull(paths: tuple[Path, ...], objects: tuple[str, ...], output: Path | None) -> None:
    """Save each CRM's description of the objects its mapping uses. Commit the file and check mappings against it.

    The objects that a file saved earlier has are asked for again.
    """
    wanted = [(file, name) for file in read_agencies(paths, os.environ) for name in file.settings.destinations]
    for (file, name), path in zip(wanted, _paths(wanted, output), strict=True):
        description = described(file, name, [*objects, *_saved(path)])
        _write(path, target.dump(description))
        fields = sum(len(known.fields) for known in description.objects.values())
        click.echo(f"{path}: {', '.join(sorted(description.objects))}; {fields} fields")


def _saved(path: Path) -> Iterable[str]:
    """Name the objects of a file saved earlier; of one that cannot be used, none."""
    with suppress(FixConfiguration):
        return target.load(path).objects
    return ()


def _paths(wanted: Sequence[tuple[AgencyFile, str]], output: Path | None) -> list[Path]:
    usual = [saved_path(file, name) for file, name in wanted]
    if output is None:
        return usual
    if output.is_dir():
        return [output / path.name for path in usual]
    if len(wanted) > 1:
        raise click.UsageError(f"-o {output} is one file, but there are {len(wanted)} destinations: name a folder")
    return [output]


@schema.command("editor")
@click.option("--schema", "saved", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A saved schema.")
@click.option("-o", "--output", type=_out, help="A file instead of standard output.")
def editor_(saved: Path | None, output: Path | None) -> None:
    """Write the JSON Schema of mapping files.

    Editors with yaml-language-server then complete and explain as you type.
    With --schema it also knows the fields of your CRM. Name it in the first line of a mapping:

    # yaml-language-server: $schema=mapping.schema.json
    """
    known = target.load(saved) if saved else None
    offered = editor.schema(known, VENDORS, shipped_names(shipped_folder()))
    _write_schema(output, json.dumps(offered, ensure_ascii=False, indent=1))


@schema.command("agency")
@click.option("-o", "--output", type=_out, help="A file instead of standard output.")
def agency_(output: Path | None) -> None:
    """Write the JSON Schema of agency files.

    Editors with yaml-language-server then complete and explain as you type. Name it in the first line of the file:

    # yaml-language-server: $schema=agency.schema.json
    """
    _write_schema(output, json.dumps(agency_schema.schema(), ensure_ascii=False, indent=1))


@schema.command("json")
@click.argument("words", metavar="[COMMAND]", nargs=-1)
@click.option("-o", "--output", type=_out, help="A file instead of standard output.")
def json_(words: tuple[str, ...], output: Path | None) -> None:
    """Write the JSON Schema of what commands print with --json.

    Of every command, or to validate the output of one: connector schema json events list
    """
    root, command = click.get_current_context().find_root().command, " ".join(words)
    known = [name for name, _ in printed(root)]
    if command not in ("", *known):
        raise FixConfiguration(command, "is not a command with --json", f"those are: {', '.join(known)}")
    _write_schema(output, laid_out(output_schema(root, command)))


def _write_schema(path: Path | None, text: str) -> None:
    if path is None:
        click.echo(text)
    else:
        _write(path, f"{text}\n")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise FixConfiguration(str(path), f"cannot be written: {error.strerror}") from None
