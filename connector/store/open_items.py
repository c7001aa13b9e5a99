"""Fields that a CRM refuses while the rest of their records is written: one row each, until it is accepted."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

from sqlalchemy import Connection, bindparam, case, delete, func, or_, select, update

from connector.model import OpenItem, RecordKey, Stamp
from connector.settlement import Remembered
from connector.settlement.listings import LeftOut, OpenField
from connector.store.accounts import is_served
from connector.store.database import Database
from connector.store.dialect import ALWAYS, insert
from connector.store.held import HeldValues
from connector.store.problem_tables import open_items
from connector.store.rows import Rows, as_rows, given
from connector.store.sql import Sql, built_once
from connector.store.tables import deliveries, events

_KEY: Final = ("destination", "object", "key", "field")
_OF_ONE: Final = 50
"""Fields left out of one customer's records that are listed."""
_TIMES: Final = ("since", "tried_at")
_OF: Final = select(open_items).where(
    open_items.c.destination == bindparam("whose"), open_items.c.key.in_(bindparam("wanted", expanding=True))
)


class OpenItems:
    """Loaded with the ledger's entries, settled in the same commit."""

    def __init__(self, database: Database) -> None:
        self._db, self.held = database, HeldValues(database)
        # Built once: building a statement takes several times as long as running it.
        self._open, self._close = _open(database.sql), _close(database.sql)

    def of(self, connection: Connection, asked: dict[str, Any]) -> Iterator[tuple[str, str, str, OpenItem]]:
        """Yield the open items of these records: object, key digest, field, item. asked: as the ledger asks."""
        for row in connection.execute(_OF, asked):
            stamp = Stamp(row.at, row.tie)
            words = (row.code, row.reason, row.action, row.record)
            digest = self._db.cover.uncovered(row.digest, row.key, row.field)
            yield row.object, row.key, row.field, OpenItem(*words, digest, stamp, row.mapping_version, row.holder)

    def rows(self, destination: str, remembered: Sequence[tuple[Remembered, str]]) -> tuple[Rows, Rows]:
        """What is opened and what is closed, as parameters; each record comes with its key's digest."""
        opened = [
            {
                **_key(destination, record.key, key, name),
                "customer_id": record.customer_id,
                "crm_id": record.entry.crm_id,
                "record": item.record,
                "code": item.code,
                "reason": item.cause,
                "action": item.action,
                "digest": self._db.cover.alone(item.digest, key, name),
                "at": item.stamp.at,
                "tie": item.stamp.tie,
                "mapping_version": item.version,
                "holder": item.holder,
                "delivery_id": record.delivery_id,
            }
            for record, key in remembered
            for name, item in record.opened.items()
        ]
        closed = [_key(destination, record.key, key, name) for record, key in remembered for name in record.closed]
        return as_rows(opened), as_rows(closed)

    def settle(self, connection: Connection, opened: Rows, closed: Rows) -> None:
        """Close and open items."""
        if closed:
            connection.execute(self._close, closed)
        if opened:
            connection.execute(self._open, opened)

    def fields(self) -> list[OpenField]:
        """The fields left out, by destination, code, field and record of the mapping; the most first."""
        same = [open_items.c[name] for name in ("destination", "object", "record", "field", "code")]
        statement = (
            select(
                *same,
                func.max(open_items.c.reason).label("reason"),
                func.max(open_items.c.action).label("action"),
                func.count().label("count"),
                func.count(open_items.c.holder).label("held"),
                func.count(open_items.c.customer_id.distinct()).label("customers"),
                func.min(open_items.c.since).label("since"),
                func.max(open_items.c.delivery_id).label("newest"),
            )
            .where(is_served(open_items.c.destination))
            .group_by(*same)
            .order_by(func.count().desc(), *same)
        )
        with self._db.reading() as connection:
            return [OpenField(**row._mapping) for row in connection.execute(statement)]

    def of_customer(self, customer_id: str) -> list[LeftOut]:
        """The fields left out of one customer's records, the oldest first."""
        columns = (open_items.c[name] for name in LeftOut._fields)
        statement = select(*columns).where(open_items.c.customer_id == customer_id).order_by(open_items.c.since)
        with self._db.reading() as connection:
            return [LeftOut(*row) for row in connection.execute(statement.limit(_OF_ONE))]

    def try_again(self, connection: Connection, delivery_ids: Collection[int]) -> None:
        """Have what these deliveries' customers are missing sent again with their next event, which a replay is."""
        theirs = select(events.c.customer_id).join_from(deliveries, events).where(deliveries.c.id.in_(delivery_ids))
        wanted = or_(open_items.c.customer_id.in_(theirs), open_items.c.delivery_id.in_(delivery_ids))
        connection.execute(update(open_items).where(wanted).values(digest=""))


def _key(destination: str, key: RecordKey, digest: str, field: str) -> dict[str, str]:
    return {"destination": destination, "object": key.object, "key": digest, "field": field}


@built_once
def _open(sql: Sql) -> Any:
    """Add items; one that is open for the same code stays open since when it was."""
    names = [column.name for column in open_items.c if column.name not in _TIMES]
    rows = given(sql, *(open_items.c[name] for name in names))
    statement = insert(sql, open_items).from_select(
        [*names, *_TIMES], select(*rows.c, sql.now(), sql.now()).where(ALWAYS)
    )
    newer = {name: statement.excluded[name] for name in names if name not in _KEY}
    same = open_items.c.code == statement.excluded.code
    since = case((same, open_items.c.since), else_=statement.excluded.since)
    # A value that is only repeated by newer events was not tried again.
    repeated = open_items.c.digest == statement.excluded.digest
    tried = case((repeated, open_items.c.tried_at), else_=statement.excluded.tried_at)
    return statement.on_conflict_do_update(index_elements=list(_KEY), set_={**newer, "since": since, "tried_at": tried})


@built_once
def _close(sql: Sql) -> Any:
    rows = given(sql, *(open_items.c[name] for name in _KEY))
    same = [open_items.c[name] == rows.c[name] for name in _KEY]
    return delete(open_items).where(select(rows.c.field).where(*same).exists())
