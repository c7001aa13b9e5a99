"""Whether what this database commits survives a cut of power."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, text

from connector.errors import FixConfiguration
from connector.store.database import Database


@dataclass(frozen=True, slots=True)
class Weakness:
    """A setting of the database that may cost data. loses: after a cut of power, what was acknowledged may be gone."""

    setting: str
    why: str
    do: str
    loses: bool


def weaknesses(database: Database) -> list[Weakness]:
    """What is set too weakly. Raises StoreUnavailable."""
    with database.reading() as connection:
        return list(_of_file(connection) if connection.dialect.name == "sqlite" else _of_server(connection))


def forced(database: Database) -> str:
    """Return the setting of commits that our own transactions replace by a stronger one; empty if there is none."""
    if database.folder() is not None:
        return ""
    with database.reading() as connection:
        usual = connection.execute(text("SELECT current_setting('synchronous_commit')")).scalar_one()
    return f"synchronous_commit = {usual}" if usual not in ("on", "remote_apply") else ""


def require(database: Database, *, accepted: bool) -> None:
    """Raise FixConfiguration if acknowledged events may be lost and the operator has not accepted that."""
    for weakness in [] if accepted else weaknesses(database):
        if weakness.loses:
            hint = f"{weakness.do}, or set CONNECTOR_ACCEPT_DATA_LOSS=yes if this data may be lost"
            raise FixConfiguration("CONNECTOR_DATABASE_URL", f"{weakness.setting}: {weakness.why}", hint)


def _of_server(connection: Connection) -> Iterator[Weakness]:
    fsync, pages = connection.execute(
        text("SELECT current_setting('fsync'), current_setting('full_page_writes')")
    ).one()
    if fsync != "on":
        why = "a cut of power or a crash of the server's machine loses acknowledged events, or the whole database"
        yield Weakness("fsync = off", why, "set fsync = on in the server's postgresql.conf and reload it", loses=True)
    if pages != "on":
        why = "a cut of power may leave half-written pages, unless the file system prevents that"
        do = "set full_page_writes = on in the server's postgresql.conf and reload it"
        yield Weakness("full_page_writes = off", why, do, loses=False)


def _of_file(connection: Connection) -> Iterator[Weakness]:
    mode, level = (
        connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in ("journal_mode", "synchronous")
    )
    if level < _FULL:
        why = "commits do not wait for the disk"
        yield Weakness(f"synchronous = {level}", why, "report this as a bug", loses=True)
    if mode == "wal":
        return
    why = "this file system cannot share memory between processes, so readers and the writer wait for each other"
    if mode in ("off", "memory"):
        why = "a crash in the middle of a commit can damage the file"
    do = "put the database on a local disk; for a network file system, use PostgreSQL"
    yield Weakness(f"journal_mode = {mode}", why, do, loses=mode in ("off", "memory"))


_FULL: Final = 2
