"""Find stored payloads that cannot be decrypted, at a bounded cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row, Select, literal_column, select

from connector.errors import CannotDecrypt
from connector.settlement import UNOPENABLE, DeliveryState
from connector.store.database import Database
from connector.store.tables import deliveries, events

NEWEST: Final = 10_000
"""Payloads looked at, besides as many of deliveries that failed for this reason."""
NAMED: Final = 5
_STEP: Final = 500


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
    payloads = select(events.c.id, events.c.agency, events.c.message_id, events.c.payload)
    open_ = deliveries.c.state.in_((DeliveryState.READY, DeliveryState.DEAD))
    failed = (deliveries.c.code == UNOPENABLE, deliveries.c.code != literal_column("''"), open_)
    failures = payloads.join_from(events, deliveries).where(*failed)
    for statement in (failures, payloads):
        yield from _walk(database, statement.where(events.c.payload.is_not(None)), newest)


def _walk(database: Database, statement: Select[Any], most: int) -> Iterator[Row[Any]]:
    """Yield rows from the newest to the oldest, holding a step of them at a time."""
    left, below = most, None
    while left > 0:
        step = statement if below is None else statement.where(events.c.id < below)
        with database.reading() as connection:
            rows = connection.execute(step.order_by(events.c.id.desc()).limit(min(_STEP, left))).all()
        if not rows:
            return
        yield from rows
        left, below = left - len(rows), rows[-1].id
