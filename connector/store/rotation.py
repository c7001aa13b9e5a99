"""Change the data key while traffic goes on: what an older key sealed is sealed again with the first key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, LargeBinary, Row, func, select, update

from connector.errors import CannotDecrypt
from connector.store.database import Database
from connector.store.fitness import DIGEST_KEY
from connector.store.payloads import walk
from connector.store.previous import sealed_as
from connector.store.previous_tables import previous
from connector.store.tables import events, settings

STEP: Final = 200
"""Most payloads of one step: few enough that nobody waits long."""

_ANY_NUMBER: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class KeyUse:
    """One data key by its fingerprint, and how much is sealed with it. given: whether this process was given it."""

    fingerprint: str
    active: bool
    given: bool
    payloads: int
    digest_key: bool

    @property
    def needed(self) -> bool:
        """Whether something cannot be read without it."""
        return self.active or bool(self.payloads) or self.digest_key


class Resealed(NamedTuple):
    """What became of a step of payloads. left: those that cannot be decrypted, which stay as they are."""

    done: int
    left: int


class Rotation:
    """Re-seals in steps. If it is stopped at any point, the next run continues with what is left."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def steps(self) -> Iterator[Resealed]:
        """Seal everything again that can be decrypted."""
        with self._db.transaction() as connection:
            self._digest_key(connection)
        other = self._prefix(events.c.payload) != self._db.seal.active
        for rows in walk(self._db, other, step=STEP):
            with self._db.transaction() as connection:
                done = sum(self._reseal(connection, row, other) for row in rows)
            yield Resealed(done, len(rows) - done)
        yield from self._previous()

    def _previous(self) -> Iterator[Resealed]:
        """Seal again what CRM records had before a version of the mapping wrote to them."""
        other, last = self._prefix(previous.c.sealed) != self._db.seal.active, 0
        while True:
            which = select(previous).where(other, previous.c.id > last).order_by(previous.c.id).limit(STEP)
            with self._db.reading() as connection:
                rows = connection.execute(which).all()
            if not rows:
                return
            last = rows[-1].id
            with self._db.transaction() as connection:
                done = sum(self._reseal_previous(connection, row, other) for row in rows)
            yield Resealed(done, len(rows) - done)

    def _reseal_previous(self, connection: Connection, row: Row[Any], other: ColumnElement[bool]) -> bool:
        try:
            sealed = self._again(row.sealed, sealed_as(row))
        except CannotDecrypt:
            return False
        same = (previous.c.id == row.id, previous.c.key == row.key, previous.c.version == row.version)
        connection.execute(update(previous).where(*same, other).values(sealed=sealed))
        return True

    def _reseal(self, connection: Connection, row: Row[Any], other: ColumnElement[bool]) -> bool:
        """Seal one event's payload again, if it is still the same event's; return whether it could be decrypted."""
        try:
            sealed = self._again(row.payload, f"{row.agency}/{row.message_id}")
        except CannotDecrypt:
            return False
        same = (events.c.id == row.id, events.c.agency == row.agency, events.c.message_id == row.message_id)
        connection.execute(update(events).where(*same, events.c.payload.is_not(None), other).values(payload=sealed))
        return True

    def _digest_key(self, connection: Connection) -> None:
        """The key of the digests stays what it is; only what it is sealed with changes."""
        mine = settings.c.name == DIGEST_KEY
        kept = connection.execute(select(settings.c.value).where(mine)).scalar_one()
        if not kept.startswith(self._db.seal.active):
            connection.execute(update(settings).where(mine).values(value=self._again(kept, DIGEST_KEY)))

    def _again(self, sealed: bytes, row: str) -> bytes:
        return self._db.seal.close(self._db.seal.open(sealed, row), row)

    def uses(self) -> list[KeyUse]:
        """Every key given or in use, the active one first. Looks at every payload."""
        prefixes = select(self._prefix(events.c.payload).label("prefix")).where(events.c.payload.is_not(None))
        prefix = prefixes.limit(_ANY_NUMBER).subquery().c.prefix  # without a limit SQLite would sort whole payloads
        statement = select(prefix, func.count()).group_by(prefix)
        with self._db.reading() as connection:
            used = Counter({bytes(row[0]): int(row[1]) for row in connection.execute(statement)})
            prefix = self._prefix(previous.c.sealed)
            also = select(prefix, func.count()).group_by(prefix)
            used.update({bytes(row[0]): int(row[1]) for row in connection.execute(also)})
            kept = connection.execute(select(settings.c.value).where(settings.c.name == DIGEST_KEY)).scalar_one()
        given = self._db.seal.fingerprints
        return [
            KeyUse(key.hex(), key == given[0], key in given, used[key], kept.startswith(key))
            for key in dict.fromkeys([*given, *sorted(used)])
        ]

    def _prefix(self, column: Any) -> Any:
        return func.substr(column, 1, len(self._db.seal.active), type_=LargeBinary)
