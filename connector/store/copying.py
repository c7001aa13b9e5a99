"""Copy an embedded database while it is in use, and rewrite a ledger in steps."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, update
from sqlalchemy.engine import make_url

from connector.errors import FixConfiguration, StoreUnavailable
from connector.store import dialect
from connector.store.consent_tables import obligations
from connector.store.history_tables import generations

_PAGES, _REST = 1000, 0.01
"""4 MB at a time and a rest of 10 ms between, so that traffic goes on."""


def copy(engine: Engine, target: Path, progress: Callable[[float], None]) -> None:
    """Write a complete, checked copy to `target`, readable by its owner only. All that its ledger knows is in doubt.

    progress: called with the share done so far (0 to 1).
    Raises FixConfiguration, and leaves no file, if the database is shared, the file exists or the folder cannot be
    written. Raises StoreUnavailable.
    """
    if engine.dialect.name != "sqlite":
        raise FixConfiguration(
            "CONNECTOR_DATABASE_URL", "is a PostgreSQL database: its own pg_dump copies it", f"{_PG_DUMP}"
        )
    draft = target.with_name(f"{target.name}.part")
    _claim(target, draft)
    try:
        _copy_pages(engine, draft, progress)
        fresh = dialect.open_engine(make_url(f"sqlite:///{draft}"))
        _put_in_doubt(fresh)
        fresh.dispose()
        _finish(draft)
        os.link(draft, target)  # unlike a rename, it never takes the place of a file made meanwhile
    except sqlite3.Error as error:
        raise StoreUnavailable(str(target), f"the copy cannot be made: {type(error).__name__}") from None
    except OSError as error:
        raise FixConfiguration(str(target), f"cannot be made: {error.strerror}") from None
    finally:
        for name in (draft, *(draft.with_name(draft.name + end) for end in ("-wal", "-shm"))):
            name.unlink(missing_ok=True)


_PG_DUMP: Final = "pg_dump --format=custom --file=FILE DATABASE_URL"


def _claim(target: Path, draft: Path) -> None:
    if target.exists():
        raise FixConfiguration(str(target), "exists already", "a backup never overwrites: name another file")
    try:
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise FixConfiguration(str(draft), f"cannot be made: {error.strerror}") from None


def _copy_pages(engine: Engine, draft: Path, progress: Callable[[float], None]) -> None:
    source, made = sqlite3.connect(str(engine.url.database)), sqlite3.connect(draft)
    try:
        # Hold one snapshot throughout: without it, each write by another connection would restart the copy.
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_master").fetchone()
        source.backup(
            made, pages=_PAGES, sleep=_REST, progress=lambda _, left, total: progress(1 - left / max(total, 1))
        )
    finally:
        source.close()
        made.close()


def _finish(draft: Path) -> None:
    """One file, whole, and on disk."""
    made = sqlite3.connect(draft)
    try:
        made.execute("PRAGMA journal_mode=DELETE")
        (sound,) = made.execute("PRAGMA integrity_check").fetchone()
    finally:
        made.close()
    if sound != "ok":
        raise StoreUnavailable(str(draft), "the copy is damaged: the disk, or the database itself")
    with draft.open("rb") as file:
        os.fsync(file.fileno())


def _put_in_doubt(engine: Engine) -> None:
    """Make the copy what `connector restored` makes of a restored database: see store.restoring."""
    with dialect.transaction(engine) as connection:
        now = dialect.now(engine)
        connection.execute(generations.insert().values(at=now, lost_until=now, who="backup"))
        connection.execute(update(obligations).values(due_at=0))
