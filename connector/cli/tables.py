"""Tables that fit the width there is and break no word; a block for each row where they cannot.

Rich is imported where it is used: see `options`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType

Cells = Sequence[str]


def fitted(columns: Cells, rows: Sequence[Cells], width: int, styles: Sequence[str] = ()) -> RenderableType:
    """Lay out rows. Print it with crop=False: an ID that is longer than a line is not cut. styles: of the rows."""
    from rich.table import Column, Table
    from rich.text import Text

    by_column = list(zip(columns, *rows, strict=True))
    room = width - 3 * len(columns) - 1
    least = [max(_longest(text.split()) for text in texts) for texts in by_column]
    styles = styles or [""] * len(rows)
    if sum(least) > room:
        blocks = [Text("\n".join(_block(columns, row, width)), own) for row, own in zip(rows, styles, strict=True)]
        return Text("\n", no_wrap=True, overflow="ignore").join(blocks)
    widths = _widths([max(_longest(text.splitlines()) for text in texts) for texts in by_column], least, room)
    table = Table(*(Column(name, width=own) for name, own in zip(columns, widths, strict=True)))
    for row, style in zip(rows, styles, strict=True):
        table.add_row(*map(Text, row), style=style)
    return table


def _longest(texts: Sequence[str]) -> int:
    from rich.cells import cell_len

    return max(map(cell_len, texts), default=0)


def _widths(wanted: list[int], least: Sequence[int], room: int) -> list[int]:
    """Take from the widest column that can give until all of them fit."""
    while sum(wanted) > room:
        _, widest = max((own, place) for place, own in enumerate(wanted) if own > least[place])
        wanted[widest] -= 1
    return wanted


def _block(columns: Cells, row: Cells, width: int) -> Iterator[str]:
    indent = ""
    for name, text in zip(columns, row, strict=True):
        if text:
            shown = f"{name}: {text}" if name else text
            yield from wrap(
                shown,
                width,
                initial_indent=indent,
                subsequent_indent=f"{indent}  ",
                break_long_words=False,
                break_on_hyphens=False,
            )
        indent = "  "
