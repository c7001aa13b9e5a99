"""Read a file's tree into the format's model; whatever does not fit is reported at its place and left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from connector.crm import Crm
from connector.mapping.diagnostics import Report
from connector.mapping.reading_problems import report_problems
from connector.mapping.schema import File
from connector.mapping.schema_sources import SEVERAL
from connector.mapping.tree import Loc, Node, find, plain
from connector.mapping.unfinished import report_unfinished

_PASSES = 12  # each pass removes what the previous one reported; no file nests deeper


def model(root: Node, report: Report, crms: Mapping[str, Crm]) -> File | None:
    """Read as much of the file as possible; None if its first lines are missing."""
    written: Any = plain(root)
    removed: set[Loc] = set()
    for loc in report_unfinished(root, report):
        _remove(written, loc)
        removed |= _around(loc)
    for _ in range(_PASSES):
        try:
            return File.model_validate(written, context={"crms": crms})
        except ValidationError as error:
            problems = error.errors(include_url=False, include_input=False)
        by_loc = _by_loc(root, problems)
        for loc, at_loc in by_loc.items():
            # Once something inside was reported and removed, what is wrong around it follows from that.
            if at_loc[0]["type"] == SEVERAL or loc not in removed:
                report_problems(root, loc, at_loc, report)
        if () in by_loc:
            return None
        for loc in by_loc:
            _remove(written, loc)
            removed |= _around(loc)
    return None


def _around(loc: Loc) -> set[Loc]:
    """A location and those that it is inside of."""
    return {loc[:depth] for depth in range(len(loc) + 1)}


def _by_loc(root: Node, problems: Iterable[ErrorDetails]) -> dict[Loc, list[ErrorDetails]]:
    """Group the problems by their place in the file; pydantic's locations also name the branches it tried."""
    grouped: dict[Loc, list[ErrorDetails]] = {}
    for problem in problems:
        missing = problem["type"] == "missing"
        loc = _written(root, problem["loc"][:-1] if missing else problem["loc"])
        grouped.setdefault(loc, []).append(problem)
    return grouped


def _written(root: Node, loc: Loc) -> Loc:
    """Drop the parts of a location that are not in the file."""
    path: list[str | int] = []
    node = root
    for part in loc:
        below = find(node, (part,))
        if below is not node:
            path.append(part)
            node = below
    return tuple(path)


def _remove(written: Any, loc: Loc) -> None:
    """Remove the entry at a location; for a list item, the entry that holds the list."""
    while loc and isinstance(loc[-1], int):
        loc = loc[:-1]
    for part in loc[:-1]:
        try:
            written = written[part]
        except (KeyError, IndexError, TypeError):
            return  # something around it is already gone
    written.pop(loc[-1], None)
