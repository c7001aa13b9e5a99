"""Check translation tables: the table exists, covers every value it can meet, and has no entry it never meets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from connector.mapping.scope import Scope, listed

Table = str | dict[str, Any]
"""A name under `tables:`, or a table written in place."""


def entries_of(scope: Scope, table: Table) -> Mapping[str, Any] | None:
    """Find a table's entries; report a name that the file does not define."""
    if not isinstance(table, str):
        return table
    known = scope.file.tables
    if table not in known and table not in replace(scope, loc=()).written("tables"):
        hint = scope.suggest(table, known) or (f"there is: {listed(known)}" if known else "write it under tables:")
        scope.add("M150", f"there is no table '{table}'", hint)
    return known.get(table)


def check_coverage(scope: Scope, entries: Mapping[str, Any], possible: tuple[str, ...] | None) -> None:
    """Report values without an entry. possible: every value the table can meet, None for free text."""
    if "else" in entries:
        return
    if possible is None:
        scope.add("M153", "this table reads free text and has no else:", "add  else: <value>")
        return
    missing = [f"'{value}'" for value in possible if value not in entries]
    if missing:
        scope.add("M151", f"this table has no entry for {', '.join(missing)}", "add them, or add  else: <value>")


def check_entries(scope: Scope, table: Table, entries: Mapping[str, Any], possible: tuple[str, ...]) -> None:
    """Report entries for values the table never meets."""
    where = replace(scope, loc=("tables", table)) if isinstance(table, str) else scope
    for entry in entries:
        if entry != "else" and entry not in possible:
            hint = scope.suggest(entry, possible) or f"it is one of: {listed(possible)}"
            where.at(entry).add_at_key("M152", f"the value is never '{entry}'", hint)
