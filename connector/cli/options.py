"""Options that several commands share, and how results are printed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

agency_option = click.option(
    "-c",
    "--config",
    "paths",
    multiple=True,
    required=True,
    type=click.Path(path_type=Path),
    help="An agency file, or a folder of them. Repeatable.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def show_json(result: Any) -> None:
    """Print a result for programs."""
    click.echo(json.dumps(result, indent=2, default=str, ensure_ascii=False))


def show_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], empty: str) -> None:
    """Print a result for people; plain when piped."""
    if not rows:
        click.echo(empty)
        return
    table = Table(*columns, title=title, title_justify="left")
    for row in rows:
        table.add_row(*(("" if cell is None else str(cell)) for cell in row))
    Console(width=None if Console().is_terminal else 160).print(table)


def columns_of(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> list[list[Any]]:
    """The named columns of each row."""
    return [[row[column] for column in columns] for row in rows]
