"""What a benchmark says: a figure of ours, and beside it its limit and its peers, all measured in the same run."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Beside:
    """Something our figure is held against. wanted: the bound on ours divided by this one, with its sign: '<= 2.0'."""

    name: str
    runs: Sequence[float]
    wanted: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.runs)


@dataclass(frozen=True, slots=True)
class Figure:
    """One row, or one a comparison. wanted: the bound on our figure itself, with its sign: '< 50'. None: none."""

    group: str
    name: str
    unit: str
    runs: Sequence[float]
    beside: Sequence[Beside] = ()
    wanted: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.runs)


@dataclass(frozen=True, slots=True)
class Failed:
    """A part without figures. kind: its error's, never its text."""

    group: str
    kind: str


MISSED = "**NO**"
COLUMNS = ("figure", "ours", "spread", "beside it", "its", "ours / its", "wanted", "reached")


def holds(value: float, wanted: str) -> str:
    """Whether a value keeps a bound as '<= 2.0': yes, NO, or nothing where no bound is."""
    if not wanted:
        return ""
    sign, bound = wanted.split()
    kept = {"<=": value <= float(bound), "<": value < float(bound), ">=": value >= float(bound)}[sign]
    return "yes" if kept else MISSED


def rows(figure: Figure | Failed) -> Iterable[tuple[str, ...]]:
    """The table's rows of one figure."""
    if isinstance(figure, Failed):
        yield (f"failed: {figure.kind}", *[""] * (len(COLUMNS) - 2), MISSED)
        return
    ours = (
        f"{figure.name}, {figure.unit}",
        told(figure.median),
        f"{told(min(figure.runs))} to {told(max(figure.runs))}" if len(figure.runs) > 1 else "",
    )
    if figure.wanted or not figure.beside:
        yield (*ours, "", "", "", figure.wanted, holds(figure.median, figure.wanted))
    for one in figure.beside:
        ratio = figure.median / one.median if one.median else float("inf")
        yield (*ours, one.name, told(one.median), told(ratio), one.wanted, holds(ratio, one.wanted))


def told(value: float) -> str:
    """Three figures that count, without an exponent."""
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.2f}" if value >= 1 else f"{value:.3g}"


def table(figures: Sequence[Figure | Failed]) -> str:
    """All of them in Markdown, a section a group; a figure is told once, its comparisons below it."""
    lines = []
    for group in dict.fromkeys(one.group for one in figures):
        lines += ["", f"## {group}", "", _line(COLUMNS), _line(["---"] * len(COLUMNS))]
        for figure in (one for one in figures if one.group == group):
            for place, row in enumerate(rows(figure)):
                lines.append(_line(row if place == 0 else ("", "", "", *row[3:])))
    return "\n".join(lines)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
