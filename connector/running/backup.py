"""Backups, and what the ledger still knows after one was restored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from connector.delivery.fold import MEANT
from connector.model import Mark
from connector.store import Store, copying

_OF_OURS = "@"
"""Prefix of the ledger's marks that are not about a field."""


def backup(store: Store, target: Path, told: Callable[[float], None]) -> None:
    """Copy the store to a file while it is in use. The copy's ledger is already in doubt: see `doubt`.

    Raises FixConfiguration, StoreUnavailable.
    """
    copying.copy(store.database.engine, target, doubt, told)


def restored(store: Store) -> int:
    """Put the whole ledger in doubt after the database was restored from a backup. Returns how many records."""
    return copying.rewrite_marks(store.database.engine, doubt)


def doubt(marks: Mapping[str, Mark]) -> dict[str, Mark]:
    """Return a record's marks after a restore: the watermarks are kept, and the values count as unknown.

    A value that comes again is then sent, even if the ledger had the same one. For a field that people may edit, the
    value is ours if the CRM still holds the one the ledger had; otherwise it counts as theirs.
    """
    after = {}
    for name, mark in marks.items():
        if name.startswith(_OF_OURS) or not mark.digest:
            after[name] = mark
        else:
            after[name] = Mark(mark.stamp, "")
            after[f"{MEANT}{name} {mark.digest}"] = mark
    return after
