"""Split the lines of a CSV file into rows, so that a row with broken quotes costs that row alone."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

from connector.source.cells import own_id

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
class Shape:
    """What rows look like. width: their cells (0: as many as they have). id_at: the place of careCycle's id, from 0."""

    delimiter: str
    width: int = 0
    id_at: int | None = None


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


def split_rows(lines: Iterable[Numbered], shape: Shape) -> Iterator[Cells | BadRow]:
    """Yield rows. Empty lines are none."""
    coming, ahead = iter(lines), deque[Numbered]()
    while (first := ahead.popleft() if ahead else next(coming, None)) is not None:
        number, text = first
        if text is None:
            yield BadRow(number, TOO_LONG)
            continue
        if not text.strip(f"{shape.delimiter} "):
            continue
        cells = _split(text, shape.delimiter)
        if isinstance(cells, _Open):
            more, cells = _closed(text, coming, ahead, shape)
            ahead.extendleft(reversed(more))
        yield _row(number, cells, shape.width)


def _closed(
    text: str, coming: Iterator[Numbered], ahead: deque[Numbered], shape: Shape
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
        cells = _split(text, shape.delimiter) if '"' in line[1] else _OPEN
        if isinstance(cells, _Open):
            continue
        return ([], cells) if cells and _is_sound(text, cells, shape) else (taken, None)
    return taken, None


def _is_sound(text: str, cells: list[str], shape: Shape) -> bool:
    """Whether lines put together are one row, and not several customers between two quotes that are too many."""
    if shape.width not in (0, len(cells)) or _has_stray_quotes(text, shape.delimiter):
        return False
    if shape.id_at is None:
        return True
    own = _id_at(shape.id_at, cells)
    others = (_id_at(shape.id_at, line.split(shape.delimiter)) for line in text.split("\n"))
    return all(other in (None, own) for other in others)


def _id_at(place: int, cells: list[str]) -> str | None:
    """
    >>> _id_at(0, ['="6C9E1B9A-3A1B-4B5C-8D7E-2F1A0B9C8D7E"', "Mesa"])
    '6c9e1b9a-3a1b-4b5c-8d7e-2f1a0b9c8d7e'
    """
    return own_id(cells[place].strip(" \"='")) if place < len(cells) else None


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
