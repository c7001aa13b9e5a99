"""Backups, and what the ledger still knows after one was restored."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from connector.store import Store, copying


def backup(store: Store, target: Path, progress: Callable[[float], None]) -> None:
    """Copy the store to a file while it is in use. The copy's ledger is already in doubt.

    progress: called with the share done so far (0 to 1). Raises FixConfiguration, StoreUnavailable.
    """
    copying.copy(store.database.engine, target, progress)


def restored(store: Store, who: str = "connector") -> int:
    """Put the whole ledger in doubt after the database was restored from a backup. Returns how many records."""
    return store.restoring.run(store.restoring.plan(), who).records
