"""Who is signed in to the console: in the database, so that every process knows it and can end it."""

from __future__ import annotations

from contextlib import suppress
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, delete, select, update

from connector.errors import StoreUnavailable
from connector.store.database import Database
from connector.store.session_tables import sessions

_MINUTE: Final = 60_000
IDLE: Final = 30 * _MINUTE
"""How long a session lasts without anything being done in it (ms)."""
LASTS: Final = 8 * 60 * _MINUTE
"""How long a session lasts at most (ms)."""
_WRITTEN_AFTER: Final = _MINUTE
"""How old the time of the last activity must be before it is written again (ms): not each page costs a write."""


class SignedIn(NamedTuple):
    """A session as it is stored. name: empty for a shared password. Times: epoch ms."""

    id: int
    name: str
    proof: str
    address: str
    began_at: int
    seen_at: int


_SHOWN: Final = [sessions.c[name] for name in SignedIn._fields]


class SignIns:
    """The sessions of the console. `digest` is of the token that the browser has."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def begin(self, digest: str, name: str, proof: str, address: str) -> None:
        """Store a new session, and drop those that are over."""
        now = self._db.now()
        row = {"digest": digest, "name": name, "proof": proof, "address": address, "began_at": now, "seen_at": now}
        with self._db.transaction() as connection:
            connection.execute(delete(sessions).where(~self._lasting()))
            connection.execute(sessions.insert().values(row))

    def find(self, digest: str, *, active: bool) -> SignedIn | None:
        """A session that is not over. active: something is done in it, which keeps it from ending for idleness."""
        now = self._db.now().label("now")
        with self._db.reading() as connection:
            row = connection.execute(select(*_SHOWN, now).where(sessions.c.digest == digest, self._lasting())).first()
        if row is None:
            return None
        if active and row.now - row.seen_at >= _WRITTEN_AFTER:
            mine = update(sessions).where(sessions.c.digest == digest).values(seen_at=self._db.now())
            with suppress(StoreUnavailable), self._db.transaction() as connection:  # pages are shown all the same
                connection.execute(mine)
        return SignedIn(*row[:-1])

    def all(self) -> list[SignedIn]:
        """Every session that is not over, the newest first."""
        with self._db.reading() as connection:
            rows = connection.execute(select(*_SHOWN).where(self._lasting()).order_by(sessions.c.id.desc()))
            return [SignedIn(*row) for row in rows]

    def end(self, digest: str) -> None:
        """End the session of a browser."""
        self._end(sessions.c.digest == digest)

    def revoke(self, id: int) -> bool:
        """End a session that is listed; whether it was there."""
        return self._end(sessions.c.id == id)

    def _end(self, which: ColumnElement[bool]) -> bool:
        with self._db.transaction() as connection:
            return connection.execute(delete(sessions).where(which)).rowcount == 1

    def _lasting(self) -> ColumnElement[bool]:
        """Which sessions are not over. One from the future is: since the clock was set back, its age is unknown."""
        now = self._db.now()
        newest = now + _MINUTE
        return (
            (sessions.c.began_at > now - LASTS)
            & (sessions.c.began_at <= newest)
            & (sessions.c.seen_at > now - IDLE)
            & (sessions.c.seen_at <= newest)
        )
