"""Options that several commands share, and the printing of results.

Rich is imported where it is used: it is 4 MB, which a role does without.
"""

from __future__ import annotations

import getpass
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click
import structlog

from connector.cli.json_output import as_data
from connector.cli.json_schema import JsonOption
from connector.cli.tables import fitted
from connector.errors import FixConfiguration, StoreUnavailable
from connector.mapping import shipped_folder, shipped_names
from connector.mapping.shipped import RECIPES
from connector.running.config import AgencyFile, read_process
from connector.running.marks import check_files
from connector.running.state import open_state
from connector.store import Store, open_store

_Command = TypeVar("_Command", bound=Callable[..., Any])

existing_file = click.Path(exists=True, dir_okay=False, path_type=Path)


class _FileOrShipped(click.ParamType[Path]):
    """A mapping file's path, or the name of a shipped mapping."""

    name = "mapping"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        path, shipped = Path(value), shipped_names(shipped_folder())
        if not path.is_file() and value not in shipped:
            is_recipe = value.startswith(RECIPES)
            names = ", ".join(name for name in shipped if name.startswith(RECIPES) is is_recipe)
            self.fail(f"There is neither a file nor a shipped mapping '{value}'. Shipped are {names}.", param, ctx)
        return path if path.is_file() else shipped[value]


mapping_file = _FileOrShipped()
mappings_argument = click.argument("mappings", nargs=-1, type=mapping_file)
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


reason_option = click.option(
    "--reason", default="", help="Why. Stored in the audit log, so do not include personal data."
)


def json_option(shape: object) -> Callable[[_Command], _Command]:
    """The option `--json`. shape: the type of what it prints, for its JSON Schema."""
    return click.option("--json", "as_json", cls=JsonOption, shape=shape, is_flag=True, help="Print JSON.")


@contextmanager
def opened_store(*, make: bool = False) -> Iterator[Store]:
    """Open the store named by the environment. Raises FixConfiguration, StoreUnavailable.

    make: whether to make it where there is none, for commands that fill it.
    """
    address = read_process(os.environ).database_url
    store = open_store(address, os.environ, make=make)
    try:
        with suppress(StoreUnavailable), quiet():  # reading alone may be possible
            check_files(store, open_state(address, os.environ))
        yield store
    finally:
        store.close()


def show_json(result: Any) -> None:
    """Print a result for programs."""
    click.echo(json.dumps(as_data(result), indent=2, ensure_ascii=False))


def show_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], empty: str) -> None:
    """Print a result for people; plain when piped."""
    from rich.console import Console

    if not rows:
        click.echo(empty)
        return
    if title:
        click.echo(plain(title))
    cells = [["" if cell is None else plain(str(cell)) for cell in row] for row in rows]
    console = Console(width=width(), markup=False, emoji=False, highlight=False)
    console.print(fitted(columns, cells, console.width), crop=False)


def width() -> int:
    """How many columns there are to print to."""
    from rich.console import Console

    console = Console()
    return console.width if console.is_terminal else 160


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
        names = sorted({name for file in files for name in file.settings.destinations})
        raise FixConfiguration(
            "--destination", f"no agency file has a destination {only!r}", f"known are {', '.join(names)}"
        )
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
