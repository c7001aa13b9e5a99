"""Check bands, and offer them where the entries of a table are ranges of numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from connector.carecycle.catalogue import Kind
from connector.mapping import bands, ranges
from connector.mapping.schema_sources import Source
from connector.mapping.scope import Scope
from connector.mapping.steps.step import NUMBERS, TIMES

_INSTEAD: Final[Mapping[str, str]] = {
    Kind.DATE: "add  format: age",
    Kind.TEXT: "translate texts with  table:",
    Kind.ENUM: "translate texts with  table:",
}


def check(scope: Scope, written: Mapping[str, Any], kinds: Iterable[str]) -> None:
    """Report what is no number, and bounds that do not rise. kinds: of the values that come here."""
    for kind in sorted(set(kinds) - NUMBERS):
        scope.add_at_key("M155", f"bands take numbers, not {kind}", _INSTEAD.get(kind, ""))
    names = [name for name in written if name != bands.ELSE]
    if all(name == bands.ELSE for name in scope.node.items):
        scope.add("M155", "there is no band here", "for example  bands: { 65: 65-74, 75: 75 and over }")
    before: tuple[str, float] | None = None
    for name in names:
        number = bands.bound(name)
        if number is None:
            scope.at(name).add_at_key("M155", f"'{name}' is no number", _lowest(name))
            continue
        if before is not None and number <= before[1]:
            hint = "write the bands from the lowest to the highest, each once"
            scope.at(name).add_at_key("M155", f"{name} comes after {before[0]}", hint)
        before = (name, number)


def _lowest(name: str) -> str:
    """How the band of a range is written."""
    written = ranges.read(name) or ranges.read(f"{name}+")
    if written is None:
        return "name each band by its lowest number, for example  65: 65-74"
    if written.lowest is None:
        return "what lies below the lowest band is  else:"
    return f"name the band by its lowest number:  {written.lowest}: ..."


def check_table(scope: Scope, source: Source, entries: Mapping[str, Any], kinds: frozenset[str]) -> bool:
    """Whether entries of a table are ranges of numbers, which is reported: a table compares whole values.

    kinds: of the values that come here. Free text may well be such a range.
    """
    wide = [entry for entry in entries if ranges.read(entry)]
    if not wide or not kinds or not kinds <= NUMBERS | TIMES:
        return False
    where = replace(scope, loc=("tables", source.table)) if isinstance(source.table, str) else scope
    age = "format: age, " if kinds == {Kind.DATE} and not source.format else ""
    message = f"'{wide[0]}' is a range, and a table compares whole values"
    where.at(wide[0]).add_at_key("M152", message, f"write  {age}{ranges.as_bands(entries)}  in place of the table")
    return True
