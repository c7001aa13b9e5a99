"""One open database: its engine, its clock, its bell and its keys."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

from sqlalchemy import ColumnElement, Connection, Engine, event, inspect, select, text

from connector.errors import CannotDecrypt, FixConfiguration, StoreDamaged, StoreUnavailable
from connector.store import dialect
from connector.store.bell import Bell, open_bell
from connector.store.clock import RemoteClock
from connector.store.cover import Cover
from connector.store.damage import Damage, noting_damage
from connector.store.files import READ, lacks_file
from connector.store.fitness import DIGEST_KEY, lacks, unfit
from connector.store.keys import KEY_BYTES, find_keys
from connector.store.line import PATIENT, Patience
from connector.store.meaning import is_read_only
from connector.store.seal import Digests, Seal
from connector.store.sql import Sql
from connector.store.tables import REVISION, settings
from connector.store.upgrade import upgrade

_MAKE: Final = "correct CONNECTOR_DATABASE_URL, or start the connector, which makes it: connector run -c agency.yaml"


class Database:
    """What the store's rooms share. `clock` (epoch ms) replaces the database's own clock where a test needs to."""

    def __init__(self, engine: Engine, bell: Bell, seal: Seal, clock: Callable[[], int] | None = None) -> None:
        self.engine, self.bell, self.seal, self._clock = engine, bell, seal, clock
        self.sql = Sql(engine.dialect.name, clock)
        self.damage = Damage(engine)
        self._doubts, self._settled_doubts = 0, 0  # whether the present connections lead to a database to work with
        event.listen(engine, "invalidate", self._doubt)
        self.digest = Digests(self._digest_key())
        self.cover = Cover(self.digest)
        self.identity = self.digest("history")
        """Names this database and its copies, and no database made otherwise."""
        self.connections = 0
        """How many connections were made: each new one may lead to another server, or to another file."""
        event.listen(engine, "connect", self._connected)
        self._said = RemoteClock()
        self.heard_at = 0
        """When it last said what time it is, by its own clock (epoch ms)."""
        self.moment()

    def now(self) -> ColumnElement[int]:
        """The time of every lease and due date, as SQL, read whenever a statement with it runs."""
        return self.sql.now()

    def moment(self) -> int:
        """The same, read (epoch ms). Raises StoreUnavailable."""
        with self.reading() as connection:
            moment = int(connection.execute(select(self.now())).scalar_one())
        self.hear(moment)
        return moment

    def hear(self, moment: int) -> None:
        """Note the time (epoch ms) that came with an answer of the database just now."""
        self._said.set(moment / 1000)
        self.heard_at = moment

    def time(self) -> int:
        """The time by the database's clock (epoch ms), without asking: from its last answers."""
        return self._clock() if self._clock else int((self._said.now() or 0.0) * 1000)

    def folder(self) -> Path | None:
        """Where an embedded database lies; None for a shared one."""
        return dialect.embedded_folder(self.engine.url)

    def reads_alone(self) -> bool:
        """Whether it was opened for reading alone, because its file could not be written then."""
        return self.engine.url.query.get("mode") == READ["mode"]

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A transaction that is on disk when the block ends. Raises StoreUnavailable."""
        with self._judging():
            known = self.damage.known()
        if known:
            raise StoreDamaged("database", known)
        with self._judging(), dialect.transaction(self.engine) as connection:
            self._require_fit(connection)
            yield connection

    @contextmanager
    def waking(self) -> Iterator[Connection]:
        """A transaction that makes something due: once it is on disk, workers wake."""
        with self.transaction() as connection:
            yield connection
            dialect.notify(connection)
        self.bell.ring()

    def give_way(self) -> None:
        """Let another writer go first, where one waits and there is but one at a time."""
        dialect.give_way(self.engine)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for reads alone. Raises StoreUnavailable."""
        with self._judging(), dialect.reading(self.engine) as connection:
            yield connection

    @contextmanager
    def _judging(self) -> Iterator[None]:
        """Part damage, which is remembered, from a database that is another one, or not whole yet."""
        try:
            yield
        except StoreDamaged as error:
            self._doubt()
            if why := self._unfit():
                raise StoreUnavailable("database", why) from None
            self.damage.note(error.problem)
            raise
        except StoreUnavailable:
            self._doubt()
            raise

    def _unfit(self) -> str:
        with suppress(StoreDamaged), dialect.reading(self.engine) as connection:
            return unfit(connection, self.seal)
        return ""

    def _require_fit(self, connection: Connection) -> None:
        """Look before anything is written, once after each failure or broken connection. Raises StoreUnavailable."""
        if (doubts := self._doubts) != self._settled_doubts:
            if why := unfit(connection, self.seal):
                raise StoreUnavailable("database", why)
            self._settled_doubts = doubts

    def doubts(self) -> int:
        """Count the failures and broken connections so far: after each, another database may be in this one's place."""
        return self._doubts

    def _doubt(self, *_: object) -> None:
        self._doubts += 1

    def close(self) -> None:
        """Let every connection go."""
        self.bell.close()
        self.engine.dispose()

    def is_another(self) -> bool:
        """Whether another database took this one's place; from then on its own digests are used.

        Raises StoreUnavailable if this process cannot work with it.
        """
        self._doubt()
        with self.transaction():
            before = self.identity
        self.digest = Digests(self._digest_key())
        self.cover = Cover(self.digest)
        self.identity = self.digest("history")
        return self.identity != before

    def _connected(self, *_: object) -> None:
        self.connections += 1

    def _digest_key(self) -> bytes:
        """The key of every digest, made once and kept sealed: changing the data key must not change digests."""
        mine = select(settings.c.value).where(settings.c.name == DIGEST_KEY)
        with self.reading() as connection:  # usually it is there, and the database may be for reading alone
            kept = connection.execute(mine).scalar()
        if kept is None:
            made = {"name": DIGEST_KEY, "value": self.seal.close(os.urandom(KEY_BYTES), DIGEST_KEY)}
            with self.transaction() as connection:
                connection.execute(dialect.insert(self.engine, settings).on_conflict_do_nothing(), made)
                kept = connection.execute(mine).scalar_one()
        try:
            return self.seal.open(kept, DIGEST_KEY)
        except CannotDecrypt as error:
            if not error.missing:
                raise
            raise FixConfiguration("CONNECTOR_DATA_KEY", lacks(error), "add that key to the list") from None


def open_database(
    address: str,
    environment: Mapping[str, str],
    clock: Callable[[], int] | None = None,
    patience: Patience = PATIENT,
    *,
    make: bool = True,
) -> Database:
    """Open, migrate and unlock. make: whether to make one where none is. Raises FixConfiguration, StoreUnavailable."""
    url = dialect.parse_url(address)
    folder, file = dialect.embedded_folder(url), dialect.embedded_file(url)
    if not make and file and lacks_file(file):
        raise FixConfiguration(str(file), "there is no database", _MAKE)
    with ExitStack() as undo:
        engine = dialect.open_engine(url, patience)
        undo.callback(engine.dispose)
        keys = find_keys(environment, folder / "connector.key" if folder else None)
        with noting_damage(Damage(engine)):
            migrate(engine, make=make)
        bell = open_bell(url, patience)
        undo.callback(bell.close)
        database = Database(engine, bell, Seal(keys), clock)
        undo.pop_all()
        return database


def migrate(engine: Engine, *, make: bool = True) -> None:
    """Bring the tables to this program's revision, one process at a time. Raises FixConfiguration if they are newer.

    make: whether to make them where none are.
    """
    with dialect.reading(engine) as connection:
        made = inspect(connection).has_table("alembic_version")
        current = connection.execute(text("SELECT version_num FROM alembic_version")).scalar() if made else None
    if not (made or make):
        name = engine.url.render_as_string(hide_password=True)
        raise FixConfiguration(name, "the database has no tables of the connector", _MAKE)
    if current != REVISION:
        _upgrade(engine, current)


def _upgrade(engine: Engine, current: str | None) -> None:
    try:
        upgrade(engine)
    except StoreDamaged:
        raise
    except StoreUnavailable as error:
        if not is_read_only(error.problem):
            raise
        has = f"is of revision {current}" if current else "has no tables"
        problem = f"{has}, this program needs revision {REVISION}, and the database is read-only"
        hint = "open it once where it can be written, for example a copy of it, or use the version that wrote it"
        raise StoreUnavailable("database", problem, hint) from None
