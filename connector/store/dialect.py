"""The only place where SQLite and PostgreSQL differ."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Protocol

import psycopg
from sqlalchemy import BigInteger, ColumnElement, Connection, Engine, Table, create_engine, event, literal_column, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from connector.errors import FixConfiguration, StoreUnavailable

_SETTING: Final = "CONNECTOR_DATABASE_URL"
_CHANNEL: Final = "connector_ready"
_MIGRATION_LOCK: Final = 7_263_841


def parse_url(text: str) -> URL:
    """A database address as users write it (`postgresql://...` or `sqlite:///file`). Raises FixConfiguration."""
    try:
        url = make_url(text)
    except ArgumentError:
        raise FixConfiguration(_SETTING, "is not a database address", "sqlite:///data/connector.db") from None
    match url.get_backend_name():
        case "sqlite" if url.database:
            return url
        case "postgresql" | "postgres":
            return url.set(drivername="postgresql+psycopg")
    raise FixConfiguration(_SETTING, "must start with postgresql:// or sqlite:///")


def embedded_folder(url: URL) -> Path | None:
    """The folder of an embedded database, None for a shared one."""
    return Path(str(url.database)).resolve().parent if url.get_backend_name() == "sqlite" else None


def open_engine(url: URL) -> Engine:
    """An engine whose commits are on disk when they return. Its errors never show parameters."""
    try:
        if folder := embedded_folder(url):
            folder.mkdir(parents=True, exist_ok=True)
            engine = create_engine(url, hide_parameters=True, connect_args={"timeout": 5}, pool_size=8, max_overflow=8)
            event.listen(engine, "connect", _prepare_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
            return engine
        return create_engine(
            url,
            hide_parameters=True,
            pool_pre_ping=True,
            pool_size=8,
            max_overflow=8,
            pool_timeout=5,
            connect_args={"connect_timeout": 5, "options": "-c statement_timeout=30000"},
        )
    except (OSError, NoSuchModuleError) as error:
        raise FixConfiguration(_SETTING, f"cannot be opened: {type(error).__name__}") from None


def _prepare_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # transactions begin where _begin_sqlite says, not at the driver's guess
    # Space given back in steps: a new file takes this setting from its first table on, an older one keeps its own.
    for pragma in (
        "auto_vacuum=INCREMENTAL",
        "journal_mode=WAL",
        "synchronous=FULL",
        "busy_timeout=5000",
        "foreign_keys=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # a writer that starts as a reader can be refused half-way


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """A transaction that is on disk when the block ends. Raises StoreUnavailable, naming no value."""
    try:
        with engine.begin() as connection:
            yield connection
    except (DBAPIError, PoolTimeout) as error:
        raise _unavailable(error) from None


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection for reads alone, which on SQLite waits for no writer. Raises StoreUnavailable."""
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            yield connection
    except (DBAPIError, PoolTimeout) as error:
        raise _unavailable(error) from None


def _unavailable(error: DBAPIError | PoolTimeout) -> StoreUnavailable:
    cause = type(error.orig).__name__ if isinstance(error, DBAPIError) else "no free connection"
    return StoreUnavailable("database", f"cannot be used now: {cause}")


def now(engine: Engine) -> ColumnElement[int]:
    """The database's own clock, in epoch milliseconds: several machines then agree on who holds a lease."""
    if engine.dialect.name == "sqlite":
        return literal_column("CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER)", BigInteger)
    return literal_column("CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)", BigInteger)


def insert(engine: Engine, table: Table) -> Any:
    """An INSERT that knows ON CONFLICT."""
    return sqlite.insert(table) if engine.dialect.name == "sqlite" else postgresql.insert(table)


def give_space_back(connection: Connection, pages: int) -> int:
    """Let an embedded file shrink by so many pages at most, where a tenth of it is empty; by how many.

    PostgreSQL's autovacuum sees to it by itself, and so 0.
    """
    if connection.dialect.name != "sqlite":
        return 0
    empty, all_pages = (
        connection.exec_driver_sql(f"PRAGMA {one}").scalar_one() for one in ("freelist_count", "page_count")
    )
    if empty <= max(pages, all_pages // 10):
        return 0
    driver: Any = connection.connection.driver_connection
    driver.execute(f"PRAGMA incremental_vacuum({pages})").fetchall()  # a step a page: SQLAlchemy takes the first alone
    return int(empty - connection.exec_driver_sql("PRAGMA freelist_count").scalar_one())


@contextmanager
def migration_lock(connection: Connection) -> Iterator[None]:
    """Let one process at a time migrate. SQLite's BEGIN IMMEDIATE has locked already."""
    if connection.dialect.name != "sqlite":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
    yield


class Bell(Protocol):
    """Wakes workers in other processes when something became due."""

    def ring(self) -> None:
        """Wake one or all of those who wait. Never raises: a missed ring costs one poll."""

    def wait(self, seconds: float) -> None:
        """Return at the next ring, or after so many seconds."""

    def close(self) -> None:
        """Stop listening."""


def open_bell(url: URL) -> Bell:
    """A named pipe beside an embedded database; LISTEN and NOTIFY on a shared one. Raises StoreUnavailable."""
    try:
        return _Pipe(Path(f"{url.database}.bell")) if embedded_folder(url) else _Channel(url)
    except OSError as error:
        raise StoreUnavailable(f"{url.database}.bell", f"cannot be made: {error.strerror}") from None


class _Pipe:
    def __init__(self, path: Path) -> None:
        with suppress(FileExistsError):
            os.mkfifo(path, 0o600)
        # Open for both directions: it then never blocks at opening and never reads as ended.
        self._pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK)

    def ring(self) -> None:
        try:
            os.write(self._pipe, b".")
        except BlockingIOError:
            return  # full: whoever waits has plenty of rings to hear

    def wait(self, seconds: float) -> None:
        ready, _, _ = select.select([self._pipe], [], [], seconds)
        if ready:
            try:
                os.read(self._pipe, 65536)
            except BlockingIOError:
                return  # another worker heard it first

    def close(self) -> None:
        os.close(self._pipe)


class _Channel:
    """Its own connection, apart from the pool: a listener must not sit in a transaction."""

    def __init__(self, url: URL) -> None:
        self._address = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._connection: psycopg.Connection[Any] | None = None

    def _connected(self) -> psycopg.Connection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(self._address, autocommit=True, connect_timeout=5)
            self._connection.execute(f"LISTEN {_CHANNEL}")
        return self._connection

    def ring(self) -> None:
        """Nothing: `notify` rings inside the transaction that made something due, so that nobody wakes too early."""

    def wait(self, seconds: float) -> None:
        try:
            for _ in self._connected().notifies(timeout=seconds, stop_after=1):
                pass
        except psycopg.Error:
            self._connection = None
            time.sleep(min(seconds, 1.0))

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


def notify(connection: Connection) -> None:
    """On PostgreSQL, ring the bell when this transaction commits."""
    if connection.dialect.name != "sqlite":
        connection.execute(text(f"NOTIFY {_CHANNEL}"))
