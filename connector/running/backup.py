"""Backups, and what the ledger still knows after one was restored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from connector.model import Entry, Mark
from connector.store import Store, copying


def backup(store: Store, target: Path, progress: Callable[[float], None]) -> None:
    """Copy the store to a file while it is in use. The copy's ledger is already in doubt: see `doubt`.

    progress: called with the share done so far (0 to 1). Raises FixConfiguration, StoreUnavailable.
    """
    copying.copy(store.database.engine, target, doubt, progress)


def restored(store: Store) -> int:
    """Put the whole ledger in doubt after the database was restored from a backup. Returns how many records."""
    return copying.rewrite_entries(store.database.engine, doubt)


def doubt(entry: Entry) -> Entry:
    """Return a record's entry after a restore: the watermarks are kept, and the values count as unknown.

    A value that comes again is then sent, even if the ledger had the same one. For a field that people may edit, the
    value is ours if the CRM still holds the one the ledger had; otherwise it counts as theirs.
    """
    ours = {
        name: {**entry.meant.get(name, {}), mark.digest: mark.stamp}
        for name, mark in entry.fields.items()
        if mark.digest
    }
    fields = {name: Mark(mark.stamp, "") for name, mark in entry.fields.items()}
    return replace(entry, fields=fields, meant={**entry.meant, **ours})
