"""Find stored payloads that cannot be decrypted, at a bounded cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, literal_column, select

from connector.errors import CannotDecrypt
from connector.settlement import UNOPENABLE, DeliveryState
from connector.store.database import Database
from connector.store.payloads import walk
from connector.store.tables import deliveries, events

NEWEST: Final = 10_000
"""Payloads looked at, besides as many of deliveries that failed for this reason."""
MOST_BYTES: Final = 256 * 1024 * 1024
"""Of payloads looked at, likewise: reading and decrypting them takes a few seconds."""

NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class Undecrypted:
    """The payloads looked at, and those of them that cannot be decrypted.

    missing: counts by the fingerprint of a key that was not given. changed: those whose content was changed or cut
    short. messages: ids of a few of them.
    """

    looked_at: int
    missing: Mapping[str, int]
    changed: int
    messages: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many cannot be decrypted."""
        return self.changed + sum(self.missing.values())


def find_undecrypted(database: Database, newest: int = NEWEST) -> Undecrypted:
    """Look at the newest payloads, and at those of open deliveries that failed for this reason."""
    errors: dict[int, CannotDecrypt | None] = {}
    messages: list[str] = []
    for row in _rows(database, newest):
        if row.id not in errors:
            errors[row.id] = error = _error(database, row)
            messages += [row.message_id] if error else []
    failures = [error for error in errors.values() if error]
    missing = Counter(error.key for error in failures if error.missing)
    return Undecrypted(len(errors), missing, len(failures) - missing.total(), tuple(messages[:NAMED]))


def _error(database: Database, row: Row[Any]) -> CannotDecrypt | None:
    try:
        database.seal.open(row.payload, f"{row.agency}/{row.message_id}")
    except CannotDecrypt as error:
        return error
    return None


def _rows(database: Database, newest: int) -> Iterator[Row[Any]]:
    open_ = deliveries.c.state.in_((DeliveryState.READY, DeliveryState.DEAD))
    failed = (deliveries.c.code == UNOPENABLE, deliveries.c.code != literal_column("''"), open_)
    for which in ([events.c.id.in_(select(deliveries.c.event_id).where(*failed))], []):
        yield from islice(_newest(database, which), newest)


def _newest(database: Database, which: Collection[ColumnElement[bool]]) -> Iterator[Row[Any]]:
    """Yield the newest events chosen, as far as their payloads can be read within moments."""
    size = 0
    for rows in walk(database, *which, newest_first=True):
        yield from rows
        size += sum(len(row.payload) for row in rows)
        if size > MOST_BYTES:
            return
