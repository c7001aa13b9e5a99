"""Where SQLite and PostgreSQL differ; beside it only `bell` and `rows` know."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import quote, unquote

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Engine,
    Table,
    create_engine,
    event,
    literal,
    literal_column,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from connector.errors import FixConfiguration, StoreUnavailable
from connector.store import line
from connector.store.files import WRITE, how_to_open, keep_changes
from connector.store.line import PATIENT, READS, Patience
from connector.store.meaning import unavailable

ALWAYS: Final = literal_column("1") == 1
"""The condition of a SELECT that feeds an upsert: without any, SQLite takes the upsert's ON for a join's.

https://www.sqlite.org/lang_upsert.html
"""

_SETTING: Final = "CONNECTOR_DATABASE_URL"
CHANNEL: Final = "connector_ready"
_MIGRATION_LOCK: Final = 7_263_841
_MIGRATING: Final = 15_000
"""Milliseconds to wait for another process that migrates, before that is said; roles then try again."""
_FILE: Final = "file"
_LOG: Final = "log"
_PATIENT: Final = "patient"
_PATIENCE: Final = 5000
"""Milliseconds to wait for another writer of an embedded database."""
_TROUBLE: Final = (DBAPIError, PoolTimeout, sqlite3.Error)
"""What the use of a database raises; the last where a connection is prepared, or a transaction begun, by the driver."""
_LOOK, _LOOKS = 0.0005, 500  # seconds between two tries, and how many tries


class Named(Protocol):
    """A dialect, by its name."""

    @property
    def name(self) -> str: ...


class Speaker(Protocol):
    """An engine, or any value that names its dialect in the same way."""

    @property
    def dialect(self) -> Named: ...


def parse_url(text: str) -> URL:
    """A database address as users write it (`postgresql://...` or `sqlite:///file`). Raises FixConfiguration."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):  # the latter for a port that is no number
        raise FixConfiguration(_SETTING, "is not a database address", "sqlite:///data/connector.db") from None
    match url.get_backend_name():
        case "sqlite" if url.database:
            return url
        case "postgresql" | "postgres":
            return url.set(drivername="postgresql+psycopg")
    raise FixConfiguration(_SETTING, "must start with postgresql:// or sqlite:///")


def with_password(text: str, password: str | None) -> str:
    """The address with a password kept elsewhere; as it is without one, and for a file. Raises FixConfiguration."""
    if password is None or (url := parse_url(text)).get_backend_name() == "sqlite":
        return text
    if url.password:
        raise FixConfiguration(_SETTING, "has a password, and CONNECTOR_DATABASE_PASSWORD as well", "leave one out")
    return url.set(password=password).render_as_string(hide_password=False)


def embedded_file(url: URL) -> Path | None:
    """The file of an embedded database, None for a shared one."""
    name = unquote(str(url.database).removeprefix("file:"))  # of an engine's own address, too
    return Path(name).resolve() if url.get_backend_name() == "sqlite" else None


def embedded_folder(url: URL) -> Path | None:
    """The folder of an embedded database, None for a shared one."""
    file = embedded_file(url)
    return file.parent if file else None


def open_engine(url: URL, patience: Patience = PATIENT) -> Engine:
    """An engine whose commits are on disk when they return. Its errors never show parameters."""
    try:
        return _open_file(url, folder) if (folder := embedded_folder(url)) else line.open_engine(url, patience)
    except (OSError, NoSuchModuleError) as error:
        raise FixConfiguration(_SETTING, f"cannot be opened: {type(error).__name__}") from None


def _open_file(url: URL, folder: Path) -> Engine:
    file = folder / Path(str(url.database)).resolve().name
    how = how_to_open(file)
    address = url.set(database=f"file:{quote(str(file))}", query={**how, "uri": "true"})
    engine = create_engine(address, **line.POOL, connect_args={"timeout": _PATIENCE / 1000})
    event.listen(engine, "connect", partial(_prepare_sqlite if how == WRITE else _prepare_to_read, file))
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(file: Path, connection: Any, record: Any) -> None:
    keep_changes(file)
    record.info.update({_FILE: (file, _identity(file)), _LOG: None})
    connection.isolation_level = None  # _begin_sqlite begins transactions, not the driver
    if not file.stat().st_size:  # works only before the first table; set later, it would wait for every writer
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
    for pragma in ("journal_mode=WAL", "synchronous=EXTRA", "foreign_keys=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _prepare_to_read(file: Path, connection: Any, record: Any) -> None:
    record.info[_FILE] = (file, _identity(file))
    connection.isolation_level = None
    connection.execute("PRAGMA query_only=ON")


def _begin_sqlite(connection: Connection) -> None:
    """Begin as a writer: one that starts as a reader can be refused half-way.

    SQLite waits for another writer by sleeping longer and longer, up to 100 ms, and most are gone within a few: look
    more often at first.
    """
    if connection.get_execution_options().get(READS):
        _wait_at_most(connection, _PATIENCE)
        return
    _wait_at_most(connection, 0)
    driver: Any = connection.connection.driver_connection
    for _ in range(_LOOKS):
        try:
            driver.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                break
            time.sleep(_LOOK)
        else:
            return
    _wait_at_most(connection, _PATIENCE)
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _wait_at_most(connection: Connection, milliseconds: int) -> None:
    """Set how long this connection waits for a lock, only when it changes: every PRAGMA is a round trip."""
    if connection.info.get(_PATIENT, _PATIENCE) != milliseconds:
        driver: Any = connection.connection.driver_connection
        driver.execute(f"PRAGMA busy_timeout={milliseconds}")
        connection.info[_PATIENT] = milliseconds


def give_way(engine: Engine) -> None:
    """Leave an embedded database to another writer, if one waits: its lock is nobody's in turn, so that one looks."""
    if engine.dialect.name == "sqlite":
        time.sleep(2 * _LOOK)


@contextmanager
def transaction(engine: Engine, **options: Any) -> Iterator[Connection]:
    """A transaction that is on disk when the block ends. Raises StoreUnavailable, naming no value.

    options: of the connection, as `line.LONG`.
    """
    try:
        with _begun(engine, options) as connection:
            yield connection
            connection.commit()
            _check_file(connection)
    except _TROUBLE as error:
        raise _unavailable(error) from None


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection for reads alone, which on SQLite waits for no writer. Raises StoreUnavailable."""
    try:
        with _begun(engine, {READS: True}) as connection:
            yield connection
            _check_file(connection)
    except _TROUBLE as error:
        raise _unavailable(error) from None


def _begun(engine: Engine, options: Mapping[str, Any]) -> Connection:
    """A connection with a transaction. Its first answer shows whether it still works; else a new one is used."""
    for last in (False, True):
        connection = engine.connect().execution_options(**options)
        with ExitStack() as undo:  # whatever fails: a transaction left open would keep every other writer out
            undo.callback(connection.close)
            try:
                connection.begin()
            except DBAPIError as error:
                if last or not error.connection_invalidated:
                    raise
            else:
                undo.pop_all()
                break
    return connection


def _check_file(connection: Connection) -> None:
    """Raise if the file was removed or replaced: what was written to it is lost. The next try opens the new file.

    Of its log alone, what was written is kept: the last connection that is closed brings it into the file.
    """
    file, opened = connection.info.get(_FILE, (None, None))
    if file is not None and (_identity(file) != opened or _lost_its_log(file, connection.info)):
        connection.invalidate()
        connection.engine.dispose()
        raise StoreUnavailable("database", f"cannot be used now: {file.name} or its log was taken away or replaced")


def _lost_its_log(file: Path, known: dict[str, Any]) -> bool:
    """Whether the log of a connection that writes, which is there until the last one is closed, is another one now."""
    if _LOG not in known:
        return False
    log = _identity(file.with_name(f"{file.name}-wal"))
    known[_LOG] = known[_LOG] or log  # it is made by the first transaction
    return bool(log != known[_LOG])


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _unavailable(error: Exception) -> StoreUnavailable:
    if isinstance(error, PoolTimeout):
        return StoreUnavailable("database", "cannot be used now: no free connection")
    return unavailable(error.orig if isinstance(error, DBAPIError) else error)


def now(engine: Speaker) -> ColumnElement[int]:
    """The database's own clock, in epoch milliseconds: several machines then agree on who holds a lease."""
    if engine.dialect.name == "sqlite":
        return literal_column("CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER)", BigInteger)
    return literal_column("CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)", BigInteger)


def insert(engine: Speaker, table: Table) -> Any:
    """An INSERT that knows ON CONFLICT."""
    return sqlite.insert(table) if engine.dialect.name == "sqlite" else postgresql.insert(table)


def lock_rows(connection: Connection, order: Sequence[Column[str]], *where: ColumnElement[bool]) -> None:
    """Lock rows in one order, so that two writers never wait for each other. SQLite has one writer at a time."""
    if connection.dialect.name != "sqlite":
        by_bytes = (column.collate("C") for column in order)  # as Python sorts text
        connection.execute(select(literal(1)).where(*where).order_by(*by_bytes).with_for_update())


def give_space_back(connection: Connection, pages: int) -> int:
    """Shrink an embedded file by at most `pages` if a tenth of it is empty. Returns by how many pages.

    Returns 0 for PostgreSQL, whose autovacuum does this by itself.
    """
    if connection.dialect.name != "sqlite":
        return 0
    empty, all_pages = (
        connection.exec_driver_sql(f"PRAGMA {counter}").scalar_one() for counter in ("freelist_count", "page_count")
    )
    if empty <= max(pages, all_pages // 10):
        return 0
    driver: Any = connection.connection.driver_connection
    driver.execute(
        f"PRAGMA incremental_vacuum({pages})"
    ).fetchall()  # a row per page: SQLAlchemy fetches only the first
    return int(empty - connection.exec_driver_sql("PRAGMA freelist_count").scalar_one())


@contextmanager
def migration_lock(connection: Connection) -> Iterator[None]:
    """Let one process at a time migrate. SQLite's BEGIN IMMEDIATE has locked already."""
    if connection.dialect.name != "sqlite":
        connection.execute(text(f"SET LOCAL lock_timeout = {_MIGRATING}"))
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
        connection.execute(text("SET LOCAL lock_timeout = 0"))
    yield


def scrub(engine: Engine) -> None:
    """Leave no trace of deleted rows in an embedded database's files; a shared one's server does that by vacuum."""
    if engine.dialect.name == "sqlite":
        with reading(engine) as connection:
            connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))


def notify(connection: Connection) -> None:
    """On PostgreSQL, ring the bell when this transaction commits."""
    if connection.dialect.name != "sqlite":
        connection.execute(text(f"NOTIFY {CHANNEL}"))
