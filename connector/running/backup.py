"""Backups, and what the ledger may still be believed after one was put back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from connector.delivery.fold import MEANT
from connector.model import Mark
from connector.store import Store, copying

_OF_OURS = "@"
"""Prefix of the ledger's marks that are about no field."""


def backup(store: Store, target: Path, told: Callable[[float], None]) -> None:
    """Copy the store to a file beside the traffic. Its ledger is in doubt already: see `doubt`.

    Raises FixConfiguration, StoreUnavailable.
    """
    copying.copy(store.database.engine, target, doubt, told)


def restored(store: Store) -> int:
    """Put the whole ledger in doubt, after an older copy took the database's place; how many records."""
    return copying.rewrite_marks(store.database.engine, doubt)


def doubt(marks: Mapping[str, Mark]) -> dict[str, Mark]:
    """A record's marks while nobody knows what was written since: the watermarks stand, the values are forgotten.

    A value said once more is then sent, though the ledger remembers the same one from before. A value that people were
    not to lose is ours where the CRM still holds what the ledger remembers; else it counts as theirs.
    """
    after = {}
    for name, mark in marks.items():
        if name.startswith(_OF_OURS) or not mark.digest:
            after[name] = mark
        else:
            after[name] = Mark(mark.stamp, "")
            after[f"{MEANT}{name} {mark.digest}"] = mark
    return after
