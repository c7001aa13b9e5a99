"""Databases that have every table already: making the tables takes longer than most tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import update

from connector.store import Store, open_store
from connector.store.database import open_database
from connector.store.dialect import embedded_file, parse_url
from connector.store.fitness import DIGEST_KEY
from connector.store.tables import settings
from tests.builders import DATA_KEY


def make_tables(address: str) -> None:
    """Make every table, the key of digests that each test has, so that a digest is the same in every run, and the note
    that no row is of an earlier version: looking for one takes longer than all else that opens a store.
    """
    store = Store(open_database(address, {"CONNECTOR_DATA_KEY": DATA_KEY}))
    key = {"value": store.database.seal.close(b"d" * 32, DIGEST_KEY)}
    with store.database.transaction() as connection:
        connection.execute(update(settings).where(settings.c.name == DIGEST_KEY), key)
    store.close()


@cache
def with_tables() -> bytes:
    """The file of an SQLite database with every table and nothing in it."""
    with TemporaryDirectory() as folder:
        make_tables(f"sqlite:///{folder}/connector.db")
        return Path(folder, "connector.db").read_bytes()


def put_tables(address: str) -> str:
    """Put every table where an SQLite database is to be, unless there is one. Returns its address."""
    file = embedded_file(parse_url(address))
    assert file is not None
    if not file.exists():
        file.write_bytes(with_tables())
    return address


def open_ready(address: str, environment: Mapping[str, str], clock: Callable[[], int] | None = None) -> Store:
    """Open a store as the product does, but for the making of its tables. Its key must be that of the tests."""
    return open_store(put_tables(address), environment, clock)
