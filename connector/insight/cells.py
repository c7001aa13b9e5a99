"""Cells of a CSV file, of which no spreadsheet makes a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any, Final

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a cell begins with that spreadsheets calculate: https://owasp.org/www-community/attacks/CSV_Injection"""


def line(cells: Iterable[Any]) -> str:
    """Write a line of CSV (RFC 4180). A text that a spreadsheet would calculate begins with an apostrophe.

    >>> line(["=1+1", 7])
    "'=1+1,7\\r\\n"
    """
    text = io.StringIO()
    csv.writer(text).writerow(_harmless(cell) for cell in cells)
    return text.getvalue()


def _harmless(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
