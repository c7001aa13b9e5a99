"""When the last backup was made: a row that everybody may read, and for each backup an entry of the audit log."""

from __future__ import annotations

from typing import Final

from sqlalchemy import select

from connector.store.audit import Audit
from connector.store.database import Database
from connector.store.dialect import insert
from connector.store.tables import settings

_ROW: Final = "last backup"


class Backups:
    """Notes backups, those made otherwise too."""

    def __init__(self, database: Database, audit: Audit) -> None:
        self._db, self._audit = database, audit

    def note(self, who: str, how: str) -> None:
        """Keep that a backup was made just now."""
        value = str(self._db.time()).encode()
        put = insert(self._db.engine, settings).values(name=_ROW, value=value)
        with self._db.transaction() as connection:
            connection.execute(put.on_conflict_do_update(index_elements=["name"], set_={"value": value}))
            self._audit.write_down(connection, who, "backup", how)

    def last(self) -> int | None:
        """When the last one was made (epoch ms); None if none is noted."""
        with self._db.reading() as connection:
            value = connection.execute(select(settings.c.value).where(settings.c.name == _ROW)).scalar()
        return int(bytes(value)) if value else None
