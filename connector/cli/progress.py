"""Show how far a long command has come."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Protocol

import click
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

from connector.web.words import age

_INTERRUPTED: Final = 130
_QUIET: Final = 30.0
"""Seconds without a line, at most."""


class Show(Protocol):
    """Shows a count, and the total if it is known only now."""

    def __call__(self, count: int, total: int | None = None) -> None: ...


@contextmanager
def progress(
    doing: str, step: int, total: Callable[[], int | None], clock: Callable[[], float] = time.monotonic
) -> Iterator[Show]:
    """Yield a callback that shows a count: as a bar on a terminal, else as a line for each `step` and half a minute.

    total: of the counts; one that is known only later is given with a count. clock: in seconds.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines(step, clock).show
        return
    with Progress(*Progress.get_default_columns(), MofNCompleteColumn(), console=console, transient=True) as bar:
        shown = bar.add_task(doing, total=total())
        yield lambda count, total=None: bar.update(shown, completed=count, total=total, refresh=True)


def counting(show: Show, before: int, total: int | None) -> Callable[[int], None]:
    """A callback that shows what is counted from there on."""
    return lambda number: show(before + number, total)


@contextmanager
def stoppable(what_becomes_of_it: str) -> Iterator[None]:
    """Say what becomes of a command that is interrupted, and end it with the status that shells expect."""
    try:
        yield
    except KeyboardInterrupt:
        click.echo(what_becomes_of_it, err=True)
        raise SystemExit(_INTERRUPTED) from None


class _Lines:
    def __init__(self, step: int, clock: Callable[[], float]) -> None:
        self._step, self._clock = step, clock
        self._shown, self._told = 0, clock()
        self._first: tuple[int, float] | None = None

    def show(self, count: int, total: int | None = None) -> None:
        """Print a line if there was none for a while."""
        now = self._clock()
        self._first = self._first or (count, now)
        if count < self._shown + self._step and now < self._told + _QUIET:
            return
        self._shown, self._told = count, now
        reached = f"{count:,} of {total:,} so far{self._left(count, total, now)}" if total else f"{count} so far"
        click.echo(reached, err=True)

    def _left(self, count: int, total: int, now: float) -> str:
        """How long the rest takes at the pace of this command."""
        first, since = self._first or (count, now)
        if count <= first or count >= total:
            return ""
        seconds = (total - count) * (now - since) / (count - first)
        return f", about {age(round(seconds * 1000))} left"
