"""Check whether a database is sound, apart from the connections that work is done with.

https://www.sqlite.org/pragma.html#pragma_integrity_check
https://www.postgresql.org/docs/current/amcheck.html
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlencode

from sqlalchemy import Engine, inspect, text

from connector.errors import StoreDamaged
from connector.store import dialect
from connector.store.files import how_to_open
from connector.store.meaning import unavailable
from connector.store.tables import metadata

_NAMED: Final = 5
"""How many problems are named."""


def begin_check(engine: Engine, *, thorough: bool) -> Future[list[str]]:
    """Check in a thread of its own; done with what is damaged, or fails with StoreUnavailable.

    thorough: whether indexes are compared with their tables, too. It takes several times as long.
    """
    pool = ThreadPoolExecutor(1, thread_name_prefix="integrity")
    checking = pool.submit(lambda: list(problems(engine, thorough=thorough)))
    pool.shutdown(wait=False)
    return checking


def problems(engine: Engine, *, thorough: bool) -> Iterator[str]:
    """What is damaged, without any value. Raises StoreUnavailable if that cannot be found out."""
    file = dialect.embedded_file(engine.url)
    try:
        if file is not None:
            yield from _in_file(str(file), "integrity_check" if thorough else "quick_check")
        with dialect.reading(engine) as connection:
            there = set(inspect(connection).get_table_names())
        if file is None and thorough:
            _check_indexes(engine)
    except StoreDamaged as error:
        yield error.problem
    else:
        yield from (f"the table {table} is missing" for table in sorted(metadata.tables.keys() - there))


def _in_file(file: str, check: str) -> Iterator[str]:
    """Read the whole file, on a connection that neither writes nor makes a writer wait."""
    try:
        with closing(sqlite3.connect(f"file:{quote(file)}?{_how(Path(file))}", uri=True, timeout=5)) as connection:
            rows = connection.execute(f"PRAGMA {check}({_NAMED})").fetchall()
    except sqlite3.Error as error:
        raise unavailable(error) from None
    yield from (line.removeprefix("*** in database main ***\n") for (line,) in rows if line != "ok")


def _how(file: Path) -> str:
    return urlencode({**how_to_open(file), "mode": "ro"})


_INDEXES: Final = text(
    "SELECT bt_index_check(index => i.indexrelid::regclass) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
    "JOIN pg_am a ON a.oid = c.relam JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE a.amname = 'btree' AND i.indisvalid AND n.nspname = current_schema()"
)
_HAS_AMCHECK: Final = text("SELECT count(*) FROM pg_extension WHERE extname = 'amcheck'")
_CHECKSUMS: Final = text(
    "SELECT current_setting('data_checksums') = 'on', coalesce(checksum_failures, 0) "
    "FROM pg_stat_database WHERE datname = current_database()"
)


def _check_indexes(engine: Engine) -> None:
    """Compare a shared database's indexes with their tables, where its administrator has added amcheck."""
    with dialect.reading(engine) as connection:
        if connection.execute(_HAS_AMCHECK).scalar_one():
            connection.execute(_INDEXES).all()


@dataclass(frozen=True, slots=True)
class Checksums:
    """Whether a shared database's server checks each page it reads, and how many it found damaged so far."""

    on: bool
    failures: int
    amcheck: bool


def checksums(engine: Engine) -> Checksums | None:
    """What a shared database's server says about its pages; None for an embedded one. Raises StoreUnavailable."""
    if dialect.embedded_file(engine.url) is not None:
        return None
    with dialect.reading(engine) as connection:
        on, failures = connection.execute(_CHECKSUMS).one()
        return Checksums(bool(on), int(failures), bool(connection.execute(_HAS_AMCHECK).scalar_one()))
