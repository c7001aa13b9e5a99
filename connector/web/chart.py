"""A chart drawn here, as SVG: no script, and its numbers stand in a table beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from connector.store.figures import HOUR

WIDTH: Final = 720
HEIGHT: Final = 160
_GAP: Final = 2


@dataclass(frozen=True, slots=True)
class Bar:
    """One hour: its name, its figures, and where its two bars stand, in the chart's units."""

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
    """The last hours, oldest first. top: the greatest figure, which the height stands for."""

    bars: Sequence[Bar]
    top: int

    @property
    def empty(self) -> bool:
        """Whether nothing happened in all these hours."""
        return self.top == 0


def chart(found: Sequence[tuple[int, int, int]], now: int, hours: int = 24) -> Chart:
    """The figures of the last hours (start of the hour in epoch ms, came, done) as bars, the empty hours too."""
    known = {at: (came, done) for at, came, done in found}
    last = now - now % HOUR
    starts = range(last - (hours - 1) * HOUR, last + 1, HOUR)
    top = max((max(known.get(at, (0, 0))) for at in starts), default=0)
    slot = WIDTH / hours
    bars = []
    for number, at in enumerate(starts):
        came, done = known.get(at, (0, 0))
        heights = [round(HEIGHT * figure / top, 1) if top else 0.0 for figure in (came, done)]
        label = f"{at // HOUR % 24:02d}:00"
        bars.append(Bar(at, label, came, done, round(number * slot, 1), round((slot - _GAP) / 2, 1), *heights))
    return Chart(bars, top)
