"""The pace of requests to careCycle's API, shared by all processes of an installation."""

from __future__ import annotations

from typing import Final

from sqlalchemy import ColumnElement, Connection, or_, select

from connector.store.database import Database
from connector.store.dialect import insert
from connector.store.source_tables import source_pace

_MINUTE: Final = 60_000
_FURTHEST: Final = 10 * _MINUTE
"""A moment further ahead was noted before the database's clock was set back."""


class SourcePace:
    """One agency's requests, evenly spread. a_minute: the most there may be."""

    def __init__(self, database: Database, agency: str, a_minute: int) -> None:
        self._db, self._agency, self._gap = database, agency, -(-_MINUTE // a_minute)

    def take(self) -> float:
        """Take the next request: 0.0 if it may be made now, else the seconds until it is worth asking again."""
        now, known = self._db.now(), source_pace.c.next_at
        left = select(known - now).where(source_pace.c.agency == self._agency)
        with self._db.transaction() as connection:
            if self._put(connection, self._gap, or_(known <= now, known > now + _FURTHEST)):
                return 0.0
            return max(int(connection.execute(left).scalar_one()), 1) / 1000

    def hold(self, seconds: float) -> None:
        """Let no process make a request for these seconds."""
        ahead = int(seconds * 1000)
        with self._db.transaction() as connection:
            self._put(connection, ahead, source_pace.c.next_at < self._db.now() + ahead)

    def _put(self, connection: Connection, ahead: int, where: ColumnElement[bool]) -> bool:
        """Let the next request be made in these ms, where what is known meets a condition. Returns whether it did."""
        at = self._db.now() + ahead
        new = insert(self._db.engine, source_pace).values(agency=self._agency, next_at=at)
        put = new.on_conflict_do_update(index_elements=["agency"], set_={"next_at": at}, where=where)
        return connection.execute(put.returning(source_pace.c.next_at)).first() is not None
