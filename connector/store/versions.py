"""Every mapping as text that a destination ran or was given in the console: who, when and why."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, insert, select, update

from connector.store.audit import Audit, tidy
from connector.store.database import Database
from connector.store.version_tables import mapping_versions

LISTED: Final = 200
"""The newest versions of a destination that are listed."""

_HEAD: Final = tuple(column for column in mapping_versions.c if column.name != "files")


@dataclass(frozen=True, slots=True)
class Version:
    """A mapping as it ran or was published. published_at, ran_at: since when, epoch ms; None if never.

    who, reason: of its publishing in the console; empty if its files were edited otherwise.
    """

    id: int
    destination: str
    version: str
    published_at: int | None
    ran_at: int | None
    who: str
    reason: str


class Versions:
    """Rows are only added. A version that comes back after another has a row of its own."""

    def __init__(self, database: Database, audit: Audit) -> None:
        self._db, self._audit = database, audit

    def note_run(self, connection: Connection, destination: str, version: str, files: Mapping[str, str]) -> None:
        """Record that a version runs, in the transaction that says so; a version that was published has its row."""
        table, mine = mapping_versions, mapping_versions.c.destination == destination
        newest = select(table.c.id, table.c.version).where(mine).order_by(table.c.ran_at.desc(), table.c.id.desc())
        ran = connection.execute(newest.where(table.c.ran_at.is_not(None)).limit(1)).first()
        if ran is not None and ran.version == version:
            return
        given = connection.execute(newest.where(table.c.ran_at.is_(None), table.c.version == version).limit(1)).first()
        if given is None:
            row = {"destination": destination, "version": version, "files": packed(files), "ran_at": self._db.now()}
            connection.execute(insert(table).values(row))
        else:
            connection.execute(update(table).where(table.c.id == given.id).values(ran_at=self._db.now()))

    def publish(self, destination: str, version: str, files: Mapping[str, str], who: str, reason: str) -> int:
        """Record, before its files are written, what somebody publishes; return the row's id."""
        why = tidy(reason)
        table = mapping_versions
        row: dict[str, Any] = {"destination": destination, "version": version, "who": who, "reason": why}
        row |= {"files": packed(files), "published_at": self._db.now()}
        again = (table.c.destination == destination, table.c.version == version, table.c.ran_at.is_(None))
        with self._db.transaction() as connection:
            connection.execute(delete(table).where(*again))  # it was published, and its files could not be written
            made = insert(table).values(row).returning(table.c.id)
            row_id = int(connection.execute(made).scalar_one())
            about = {"agency": destination.partition("/")[0]}
            self._audit.write_down(connection, who, "publish mapping", f"{version} to {destination}", why, **about)
        return row_id

    def withdraw(self, id: int, who: str) -> None:
        """Take back what was recorded, because its files could not be written after all."""
        with self._db.transaction() as connection:
            known = connection.execute(select(*_HEAD).where(mapping_versions.c.id == id)).first()
            if known is not None and known.ran_at is None:
                connection.execute(delete(mapping_versions).where(mapping_versions.c.id == id))
                thing = f"{known.version} to {known.destination}: its files could not be written"
                self._audit.write_down(connection, who, "withdraw mapping", thing)

    def all(self, destination: str) -> list[Version]:
        """List the versions of a destination, the newest first."""
        mine = select(*_HEAD).where(mapping_versions.c.destination == destination)
        with self._db.reading() as connection:
            rows = connection.execute(mine.order_by(mapping_versions.c.id.desc()).limit(LISTED)).all()
        return [_version(row) for row in rows]

    def get(self, id: int) -> tuple[Version, dict[str, str]] | None:
        """Return a version and its files: its own first, each by its path from that file's folder."""
        with self._db.reading() as connection:
            row = connection.execute(select(mapping_versions).where(mapping_versions.c.id == id)).first()
        return (_version(row), unpacked(row.files)) if row else None


def packed(files: Mapping[str, Any]) -> bytes:
    """Files as a column keeps them. Their order counts."""
    return zlib.compress(json.dumps(dict(files)).encode())


def unpacked(files: bytes) -> dict[str, Any]:
    kept: dict[str, Any] = json.loads(zlib.decompress(files))
    return kept


def _version(row: Row[Any]) -> Version:
    return Version(**{column.name: row._mapping[column.name] for column in _HEAD})
