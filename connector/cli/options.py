"""Options that several commands share, and the printing of results."""

from __future__ import annotations

import getpass
import json
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import structlog
from rich.console import Console
from rich.table import Column, Table

from connector.errors import FixConfiguration, StoreUnavailable
from connector.running.config import AgencyFile, read_process
from connector.running.marks import check_files
from connector.running.state import open_state
from connector.settlement import RecordNote
from connector.store import Store, open_store

TIMEZONE = "America/New_York"
"""For dates of customers whose own time zone is unknown, where no agency file sets one."""

existing_file = click.Path(exists=True, dir_okay=False, path_type=Path)
mappings_argument = click.argument("mappings", nargs=-1, type=existing_file)
schema_option = click.option("--schema", type=existing_file, help="The CRM's schema, saved by `schema pull`.")

agency_option = click.option(
    "-c",
    "--config",
    "paths",
    multiple=True,
    required=True,
    type=click.Path(path_type=Path),
    help="An agency file, or a folder of them. Repeatable.",
)


def moment(ctx: click.Context, param: click.Parameter, value: str) -> int:
    """Read an option's day or time as epoch ms; UTC unless it has an offset, 0 if it is empty."""
    if not value:
        return 0
    try:
        read = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a day or time like 2026-06-18 or 2026-06-18T12:00Z") from None
    return int((read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp() * 1000)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@contextmanager
def opened_store() -> Iterator[Store]:
    """Open the store named by the environment. Raises FixConfiguration, StoreUnavailable."""
    address = read_process(os.environ).database_url
    store = open_store(address, os.environ)
    try:
        with suppress(StoreUnavailable), quiet():  # reading alone may be possible
            check_files(store, open_state(address, os.environ))
        yield store
    finally:
        store.close()


def show_json(result: Any) -> None:
    """Print a result for programs."""
    click.echo(json.dumps(result, indent=2, default=_as_json, ensure_ascii=False))


def _as_json(value: Any) -> Any:
    if isinstance(value, RecordNote):
        return value.as_data()
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return str(value)


def show_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], empty: str) -> None:
    """Print a result for people; plain when piped."""
    if not rows:
        click.echo(empty)
        return
    # An ID that is cut or broken cannot be copied.
    headers = [Column(name, overflow="fold", no_wrap=name.endswith("_id")) for name in columns]
    table = Table(*headers, title=plain(title), title_justify="left")
    for row in rows:
        table.add_row(*(("" if cell is None else plain(str(cell))) for cell in row))
    width = None if Console().is_terminal else 160
    Console(width=width, markup=False, emoji=False, highlight=False).print(table)


def plain(text: str) -> str:
    """Replace control characters, so that no cell can control the terminal."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "\ufffd" for letter in text)


def moment_text(at: int) -> str:
    """Format epoch milliseconds in UTC."""
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M:%S}"


def chosen(files: Sequence[AgencyFile], only: str | None) -> list[tuple[AgencyFile, str]]:
    """Every destination, or only those with the given name. Raises FixConfiguration for an unknown name."""
    wanted = [(file, name) for file in files for name in file.settings.destinations if only in (None, name)]
    if not wanted:
        raise FixConfiguration("--destination", f"no agency file has a destination {only!r}")
    return wanted


def columns_of(rows: Sequence[object], columns: Sequence[str]) -> list[list[Any]]:
    """The named columns of each row."""
    return [[getattr(row, column) for column in columns] for row in rows]


@contextmanager
def quiet() -> Iterator[None]:
    """Silence informational logs, so that a command prints only its result."""
    before = structlog.get_config()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    try:
        yield
    finally:
        structlog.configure(**before)


def who() -> str:
    """The user who runs the command, as named in the audit log."""
    return f"cli:{getpass.getuser()}"
