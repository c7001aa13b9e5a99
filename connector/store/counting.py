"""How many calls a customer had, for the fields of CRM records that say so.

Each call is a row for each such field, whatever becomes of its event: noted before the number is written, so that no
crash loses it, and by the call's own id, so that it counts once however often it comes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import Connection, bindparam, select

from connector.model import Counted, Plan, RecordKey, Stamp
from connector.settlement.counting import Mark, Place, Totals, total
from connector.store.counting_tables import counted_calls
from connector.store.database import Database
from connector.store.dialect import ALWAYS, insert
from connector.store.lanes import Lanes, Lease
from connector.store.ledger import Ledger
from connector.store.rows import as_rows, given
from connector.store.sql import Sql, built_once

_ALL: Final = tuple(column.name for column in counted_calls.c)
_SAID: Final = ("customer_id", "counts", "at", "tie")

_SHOWN: Final = ("object", "key", "field", "call", "at", "tie", "counts")
_KNOWN: Final = select(*(counted_calls.c[name] for name in _SHOWN)).where(
    counted_calls.c.destination == bindparam("whose"), counted_calls.c.key.in_(bindparam("wanted", expanding=True))
)

Marks = dict[Place, dict[str, Mark]]
"""By the digest of each call's id."""


@built_once
def _note(sql: Sql) -> Any:
    rows = given(sql, *counted_calls.c)
    statement = insert(sql, counted_calls).from_select(list(_ALL), select(*rows.c).where(ALWAYS))
    said = {name: statement.excluded[name] for name in _SAID}
    keys = [column.name for column in counted_calls.primary_key]
    return statement.on_conflict_do_update(index_elements=keys, set_=said)


class Counting:
    """Notes the calls of a batch, and says how many count."""

    def __init__(self, database: Database, ledger: Ledger, lanes: Lanes) -> None:
        self._db, self._ledger, self._lanes = database, ledger, lanes
        self._note = _note(database.sql)

    def count(self, lease: Lease, plans: Sequence[Plan], hold_ms: int) -> Totals:
        """Note the calls of these events; return how many count. Raises LeaseLost, noting nothing."""
        if not any(own.call for plan in plans for own in plan.counted):
            return self.outlook(lease.destination, plans)
        with self._lanes.holding(lease, hold_ms) as connection:
            marks, news = self._marks(connection, lease.destination, plans)
            if news:
                connection.execute(self._note, as_rows(news))
        return _totals(marks)

    def outlook(self, destination: str, plans: Sequence[Plan]) -> Totals:
        """Return how many would count, and note nothing."""
        with self._db.reading() as connection:
            marks, _ = self._marks(connection, destination, plans)
        return _totals(marks)

    def _marks(
        self, connection: Connection, destination: str, plans: Sequence[Plan]
    ) -> tuple[Marks, list[dict[str, Any]]]:
        """Return what is known of these records' calls with these events, and the rows that are new."""
        marks = self._held(connection, destination, {own.key for plan in plans for own in plan.counted})
        news: dict[tuple[Place, str], dict[str, Any]] = {}
        for plan in plans:
            for own in _with_call(plan):
                place, call = (own.key, own.field), self._call(destination, own)
                mark, before = Mark(own.write.stamp, own.counts), marks[place].get(call)
                if before is None or (mark != before and mark.stamp >= before.stamp):
                    marks[place][call] = mark
                    news[place, call] = self._row(destination, own, call, plan.customer_id)
        return marks, [news[place] for place in sorted(news)]  # sorted: two lanes never wait for each other

    def _held(self, connection: Connection, destination: str, keys: set[RecordKey]) -> Marks:
        named = {(key.object, self._ledger.key_digest(destination, key)): key for key in keys}
        marks: Marks = defaultdict(dict)
        asked = {"whose": destination, "wanted": [digest for _, digest in named]}
        for row in connection.execute(_KNOWN, asked):
            if key := named.get((row.object, row.key)):
                marks[key, row.field][row.call] = Mark(Stamp(row.at, row.tie), bool(row.counts))
        return marks

    def _call(self, destination: str, own: Counted) -> str:
        key = self._ledger.key_digest(destination, own.key)
        return self._db.cover.call(key, own.field, self._db.digest(f"call {own.call}", size=16))

    def _row(self, destination: str, own: Counted, call: str, customer_id: str | None) -> dict[str, Any]:
        stamp = own.write.stamp
        place = {
            "destination": destination,
            "key": self._ledger.key_digest(destination, own.key),
            "object": own.key.object,
        }
        said = {"customer_id": customer_id, "counts": own.counts, "at": stamp.at, "tie": stamp.tie}
        return {**place, "field": own.field, "call": call, **said}


def _with_call(plan: Plan) -> Iterator[Counted]:
    return (own for own in plan.counted if own.call)


def _totals(marks: Marks) -> Totals:
    return {place: total(calls.values()) for place, calls in marks.items() if calls}
