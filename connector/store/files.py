"""How the file of an embedded database is opened: for writing, or where that is impossible for reading alone.

https://www.sqlite.org/wal.html#read_only_databases
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from connector.errors import FixConfiguration, StoreDamaged, StoreUnavailable
from connector.store.meaning import damaged

WRITE: Final[dict[str, str]] = {"mode": "rw"}
READ: Final[dict[str, str]] = {"mode": "ro"}
FROZEN: Final[dict[str, str]] = {"mode": "ro", "immutable": "1"}
"""Nobody else has the file open, and nothing can be made beside it."""


def how_to_open(file: Path) -> dict[str, str]:
    """The query of the address to open it with. Makes the file if it is not there.

    Raises StoreUnavailable and StoreDamaged as keep_changes does; FixConfiguration if its newest changes can be read
    only where its folder can be written; OSError.
    """
    keep_changes(file)
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(0o600)
    log, shared = _beside(file, "-wal"), _beside(file, "-shm")
    changes = _size(log) > 0
    if _writable(file, log, shared):
        return WRITE
    if shared.exists() and log.exists():
        return READ
    if not changes:
        return FROZEN
    if os.access(file.parent, os.W_OK):
        return READ
    problem = f"cannot be read: {log.name} holds its newest changes, and the folder cannot be written"
    raise FixConfiguration(str(file), problem, f"copy {file.name} and {log.name} to a folder that can")


def lacks_file(file: Path) -> bool:
    """Whether there is no database, and no changes of one either."""
    return not (_size(file) or _size(_beside(file, "-wal")))


def keep_changes(file: Path) -> None:
    """Raise while the file is missing or empty, and the changes beside it are not: SQLite would delete them.

    Raises StoreUnavailable, StoreDamaged.
    """
    log = _beside(file, "-wal")
    if _size(file) or not _size(log):
        return
    if not file.exists():
        missing = f"cannot be used now: {file.name} is missing, and {log.name} holds its newest changes"
        raise StoreUnavailable("database", missing, "put the file back")
    what = f"{file.name} is empty, and {log.name} holds the changes since. Copy both to another place first"
    raise StoreDamaged("database", damaged(what))


def _writable(file: Path, log: Path, shared: Path) -> bool:
    """Whether this user can write the file and what SQLite keeps beside it."""
    if not os.access(file, os.W_OK):
        return False
    return os.access(file.parent, os.W_OK) or all(os.access(beside, os.W_OK) for beside in (log, shared))


def _beside(file: Path, ending: str) -> Path:
    return file.with_name(file.name + ending)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0
