"""Split the lines of a CSV file into rows, so that a row with broken quotes costs that row alone."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

LONGEST: Final = 1_000_000
"""Characters of a line or a row."""

TOO_LONG: Final = "longer than any customer"

_MOST_LINES: Final = 100
"""Lines of a row whose quoted cells have line breaks. A quote that is never closed is noticed after as many."""


@dataclass(frozen=True, slots=True)
class Cells:
    """The cells of a row, and the number of its first line."""

    line: int
    cells: list[str]


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be used, by the number of its first line, and why: no values."""

    line: int
    why: str


class _Open:
    """The type of OPEN: a text that ends inside a quoted cell."""


_OPEN: Final = _Open()
Numbered = tuple[int, str | None]
"""The number of a line, and its text; None if it is longer than LONGEST."""


def split_rows(lines: Iterable[Numbered], delimiter: str, width: int = 0) -> Iterator[Cells | BadRow]:
    """Yield rows of `width` cells (0: of as many as they have). Empty lines are no rows."""
    coming, ahead = iter(lines), deque[Numbered]()
    while (first := ahead.popleft() if ahead else next(coming, None)) is not None:
        number, text = first
        if text is None:
            yield BadRow(number, TOO_LONG)
            continue
        if not text.strip(f"{delimiter} "):
            continue
        cells = _split(text, delimiter)
        if isinstance(cells, _Open):
            more, cells = _closed(text, coming, ahead, delimiter, width)
            ahead.extendleft(reversed(more))
        yield _row(number, cells, width)


def _closed(
    text: str, coming: Iterator[Numbered], ahead: deque[Numbered], delimiter: str, width: int
) -> tuple[list[Numbered], list[str] | None]:
    """Read on until the quotes are closed. Returns the lines to read again as rows of their own, and the cells.

    Cells are believed to have line breaks only where the whole row is in order. Otherwise the first line alone is bad:
    its quote is one too many, and the lines that follow are other customers.
    """
    taken: list[Numbered] = []
    while len(taken) < _MOST_LINES and len(text) < LONGEST:
        line = ahead.popleft() if ahead else next(coming, None)
        if line is None:
            break
        taken.append(line)
        if line[1] is None:
            break
        text = f"{text}\n{line[1]}"
        cells = _split(text, delimiter) if '"' in line[1] else _OPEN
        if isinstance(cells, _Open):
            continue
        if cells is not None and width in (0, len(cells)) and not _has_stray_quotes(text, delimiter):
            return [], cells
        break
    return taken, None


def _row(number: int, cells: list[str] | None, width: int) -> Cells | BadRow:
    if cells is None:
        return BadRow(number, "broken quotes")
    if width and len(cells) > width and not any(cell.strip() for cell in cells[width:]):
        cells = cells[:width]
    if width and len(cells) != width:
        return BadRow(number, "wrong number of columns")
    return Cells(number, cells)


def _split(text: str, delimiter: str) -> list[str] | _Open | None:
    """Return the cells of a row; None where something follows a closing quote.

    >>> _split('a,"b, c",5" pipe', ",")
    ['a', 'b, c', '5" pipe']
    """
    if '"' not in text:
        return text.split(delimiter)
    cell, open_cell = _patterns(delimiter)
    cells, at = [], 0
    while True:
        match = cell.match(text, at)
        if match is None:
            return _OPEN if open_cell.match(text, at) else None
        quoted = match["quoted"]
        cells.append(match["plain"] if quoted is None else quoted.replace('""', '"'))
        at = match.end()
        if not match["end"]:
            return cells


def _has_stray_quotes(text: str, delimiter: str) -> bool:
    """Whether a cell that is not quoted has a quote."""
    cell, _ = _patterns(delimiter)
    return any('"' in (match["plain"] or "") for match in cell.finditer(text))


@cache
def _patterns(delimiter: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    end = re.escape(delimiter)
    cell = rf'(?: *"(?P<quoted>(?:[^"]|"")*+)" *|(?P<plain>(?! *")[^{end}]*+))(?P<end>{end}|\Z)'
    return re.compile(cell), re.compile(r' *"(?:[^"]|"")*+\Z')
