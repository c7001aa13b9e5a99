"""Show how far a long command has come."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import click
from rich.console import Console
from rich.progress import Progress


class Show(Protocol):
    """Shows a count, and the total if it is known only now."""

    def __call__(self, count: int, total: int | None = None) -> None: ...


@contextmanager
def progress(doing: str, step: int, total: Callable[[], int | None]) -> Iterator[Show]:
    """Yield a callback that shows a count: as a bar on a terminal, else as a line for each `step`.

    total: of the counts; one that is known only later is given with a count.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines(step)
        return
    with Progress(console=console, transient=True) as bar:
        shown = bar.add_task(doing, total=total())
        yield lambda count, total=None: bar.update(shown, completed=count, total=total, refresh=True)


def _lines(step: int) -> Show:
    shown = 0

    def show(count: int, total: int | None = None) -> None:
        nonlocal shown
        if count >= shown + step:
            shown = count
            click.echo(f"{count} so far", err=True)

    return show
