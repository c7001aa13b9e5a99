"""A benchmark's result: our figure compared with its limit and similar programs, all measured in the same run."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Beside:
    """A figure to compare ours with. wanted: the bound on ours divided by this one, such as '<= 2.0'; '' for none."""

    name: str
    runs: Sequence[float]
    wanted: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.runs)


@dataclass(frozen=True, slots=True)
class Figure:
    """A row of the table, or a row per comparison. wanted: the bound on our figure, such as '< 50'; '' for none."""

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
    """A benchmark that failed. kind: the type of its error."""

    group: str
    kind: str


MISSED = "**NO**"
COLUMNS = ("figure", "ours", "spread", "compared with", "its", "ours / its", "wanted", "reached")


def holds(value: float, wanted: str) -> str:
    """Say whether a value is within a bound such as '<= 2.0': yes, NO, or nothing if there is no bound."""
    if not wanted:
        return ""
    sign, bound = wanted.split()
    kept = {"<=": value <= float(bound), "<": value < float(bound), ">=": value >= float(bound)}[sign]
    return "yes" if kept else MISSED


def rows(figure: Figure | Failed) -> Iterable[tuple[str, ...]]:
    """List the table's rows for a figure."""
    if isinstance(figure, Failed):
        yield (f"failed: {figure.kind}", *[""] * (len(COLUMNS) - 2), MISSED)
        return
    ours = (
        f"{figure.name}, {figure.unit}",
        rounded(figure.median),
        f"{rounded(min(figure.runs))} to {rounded(max(figure.runs))}" if len(figure.runs) > 1 else "",
    )
    if figure.wanted or not figure.beside:
        yield (*ours, "", "", "", figure.wanted, holds(figure.median, figure.wanted))
    for peer in figure.beside:
        ratio = figure.median / peer.median if peer.median else float("inf")
        shown = rounded(ratio) if peer.median else ""
        yield (*ours, peer.name, rounded(peer.median), shown, peer.wanted, holds(ratio, peer.wanted))


def rounded(value: float) -> str:
    """Write a value with three significant digits and no exponent."""
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.2f}" if value >= 1 else f"{value:.3g}"


def table(figures: Sequence[Figure | Failed]) -> str:
    """Write the figures in Markdown, with a section for each group. A figure's comparisons follow below it."""
    lines = []
    for group in dict.fromkeys(figure.group for figure in figures):
        lines += ["", f"## {group}", "", _line(COLUMNS), _line(["---"] * len(COLUMNS))]
        for figure in (figure for figure in figures if figure.group == group):
            for place, row in enumerate(rows(figure)):
                lines.append(_line(row if place == 0 else ("", "", "", *row[3:])))
    return "\n".join(lines)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
