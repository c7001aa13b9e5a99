"""Show how far a long command has come."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import Progress


@contextmanager
def progress(doing: str, step: int, total: Callable[[], int | None]) -> Iterator[Callable[[int], None]]:
    """Yield a callback that shows a count: as a bar on a terminal, else as a line for each `step`."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines(step)
        return
    with Progress(console=console, transient=True) as bar:
        shown = bar.add_task(doing, total=total())
        yield lambda count: bar.update(shown, completed=count, refresh=True)


def _lines(step: int) -> Callable[[int], None]:
    shown = 0

    def show(count: int) -> None:
        nonlocal shown
        if count >= shown + step:
            shown = count
            click.echo(f"{count} so far", err=True)

    return show
