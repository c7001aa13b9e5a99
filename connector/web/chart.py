"""A bar chart as SVG, without a script; the page shows the same figures in a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from connector.store.figures import HOUR

WIDTH: Final = 720
HEIGHT: Final = 160
_GAP: Final = 2


@dataclass(frozen=True, slots=True)
class Bar:
    """One hour or day: its label, its figures, and the position and size of its two bars in the chart's units."""

    at: int
    label: str
    came: int
    done: int
    x: float
    width: float
    came_height: float
    done_height: float


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars, the oldest first. top: the largest figure, which takes the full height."""

    bars: Sequence[Bar]
    top: int

    @property
    def empty(self) -> bool:
        """Whether nothing happened in all of this time."""
        return self.top == 0


def chart(figures: Sequence[tuple[int, int, int]], now: int, label: Callable[[int], str], hours: int = 24) -> Chart:
    """Draw the figures of the last hours (start of the hour in epoch ms, came, done), empty hours included.

    label: names an hour by its start.
    """
    known = {at: (came, done) for at, came, done in figures}
    last = now - now % HOUR
    starts = range(last - (hours - 1) * HOUR, last + 1, HOUR)
    return draw([(at, *known.get(at, (0, 0))) for at in starts], label)


def draw(figures: Sequence[tuple[int, int, int]], label: Callable[[int], str]) -> Chart:
    """Draw figures (start in epoch ms, came, done) as bars. label: names one by its start."""
    top = max((max(came, done) for _, came, done in figures), default=0)
    slot = WIDTH / max(1, len(figures))
    bars = []
    for number, (at, came, done) in enumerate(figures):
        heights = [round(HEIGHT * figure / top, 1) if top else 0.0 for figure in (came, done)]
        bars.append(Bar(at, label(at), came, done, round(number * slot, 1), round((slot - _GAP) / 2, 1), *heights))
    return Chart(bars, top)
