"""Count the values that stored calls have in some fields, without migrating or changing the database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, inspect, select, text

from connector.carecycle import catalogue, decode
from connector.errors import CannotDecrypt
from connector.store import dialect
from connector.store.keys import find_keys
from connector.store.seal import Seal
from connector.store.tables import REVISION, events

_CALLS: Final = 2000
_STEP: Final = 100
"""Payloads in memory together."""

_TYPE: Final = "call.completed"


def peek_words(
    address: str, environment: Mapping[str, str], agency: str, paths: Iterable[str]
) -> dict[str, Counter[str]]:
    """How often an agency's newest calls have each value of these fields; empty where no database is.

    Raises StoreUnavailable, FixConfiguration.
    """
    url = dialect.parse_url(address)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        return {}
    folder = dialect.embedded_folder(url)
    beside = folder / "connector.key" if folder else None
    seal = Seal(find_keys(environment, beside if beside and beside.exists() else None))  # none is made here
    engine = dialect.open_engine(url)
    words: dict[str, Counter[str]] = {path: Counter() for path in paths}
    try:
        with dialect.reading(engine) as connection:
            for rows in _newest(connection, agency):
                _count(rows, seal, words)
    finally:
        engine.dispose()
    return words


def _newest(connection: Connection, agency: str) -> Iterator[Sequence[Row[Any]]]:
    """The newest calls, some at a time; none of a database that is not of this program's revision."""
    made = inspect(connection).has_table("alembic_version")
    if not made or connection.execute(text("SELECT version_num FROM alembic_version")).scalar() != REVISION:
        return
    mine = (events.c.agency == agency, events.c.type == _TYPE, events.c.payload.is_not(None))
    newest: Select[Any] = select(events).where(*mine).order_by(events.c.id.desc()).limit(_STEP)
    following = newest
    for _ in range(_CALLS // _STEP):
        rows = connection.execute(following).all()
        if not rows:
            return
        yield rows
        following = newest.where(events.c.id < rows[-1].id)


def _count(rows: Iterable[Row[Any]], seal: Seal, words: Mapping[str, Counter[str]]) -> None:
    for row in rows:
        try:
            payload = decode.decoded(seal.open(row.payload, f"{row.agency}/{row.message_id}"))
        except (CannotDecrypt, ValueError):
            continue
        for path, counted in words.items():
            value = catalogue.reader(path, _TYPE)(payload) if isinstance(payload, dict) else None
            counted.update([value] if isinstance(value, str) and value else [])
