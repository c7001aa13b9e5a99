"""Fields left out because another record has their value: they are written once the value is free."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, bindparam, case, exists, func, or_, select, tuple_, update

from connector.backoff import DAY, SECOND
from connector.settlement import DeliveryState
from connector.settlement.listings import HeldField, OpenField
from connector.store.database import Database
from connector.store.problem_tables import open_items
from connector.store.sql import Sql, built_once
from connector.store.tables import READY, STATE, deliveries, events

STEP: Final = 200
"""Fields tried again at once: about four requests to the CRM."""

SOON: Final = 30 * SECOND
"""Until the first try: two records that exchange their values in different lanes may each have found them taken."""

FACTOR: Final = 3
"""Each wait is this many times as long as the field has waited, up to a day."""


_PLACE: Final = (open_items.c.object, open_items.c.key, open_items.c.field)


_WHOSE: Final = open_items.c.destination == bindparam("whose")
_WAITING: Final = select(*_PLACE, open_items.c.digest).where(
    _WHOSE, open_items.c.holder.is_not(None), open_items.c.digest != ""
)


@built_once
class _Statements:
    """What makes deliveries due again."""

    def __init__(self, sql: Sql) -> None:
        waiting = update(open_items).where(open_items.c.holder.is_not(None))
        again = {"digest": "", "tried_at": sql.now()}
        what = (open_items.c.destination, open_items.c.customer_id, open_items.c.delivery_id, open_items.c.code)
        freed = waiting.where(_WHOSE, tuple_(*_PLACE).in_(bindparam("freed", expanding=True)))
        self.freed = freed.values(again).returning(*what)
        self.late = (
            select(open_items.c.destination, open_items.c.object, open_items.c.key, open_items.c.field)
            .where(open_items.c.holder.is_not(None), open_items.c.tried_at <= sql.now() - _wait())
            .order_by(open_items.c.tried_at)
        )
        oldest = self.late.limit(STEP).subquery()
        same = [open_items.c[column.name] == column for column in oldest.c]
        self.tried = waiting.where(exists().where(*same)).values(again).returning(*what)


class HeldValues:
    """Makes the deliveries due again that left such fields out."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._sql = _Statements(database.sql)

    def free(self, connection: Connection, destination: str, digests: Collection[str]) -> None:
        """Try the fields again that wait for values with these digests: a record has given them up."""
        if not digests:
            return
        waiting = connection.execute(_WAITING, {"whose": destination}).all()
        freed = [row[:3] for row in waiting if self._db.cover.uncovered(row.digest, row.key, row.field) in digests]
        if freed:
            rows = connection.execute(self._sql.freed, {"whose": destination, "freed": sorted(map(tuple, freed))}).all()
            self._due(connection, rows)

    def try_again(self) -> int:
        """Try the fields again whose time has come, at most a step. Returns how many."""
        with self._db.reading() as connection:
            if connection.execute(self._sql.late.limit(1)).first() is None:
                return 0
        with self._db.waking() as connection:
            rows = connection.execute(self._sql.tried).all()
            self._due(connection, rows)
        return len(rows)

    def newest(self, group: OpenField, limit: int) -> list[HeldField]:
        """The newest fields of a group that are left out because another record has their value."""
        same = [
            open_items.c[name] == getattr(group, name) for name in ("destination", "object", "record", "field", "code")
        ]
        what = (open_items.c.customer_id, open_items.c.crm_id, open_items.c.holder)
        statement = (
            select(*what).where(*same, open_items.c.holder.is_not(None)).order_by(open_items.c.delivery_id.desc())
        )
        with self._db.reading() as connection:
            return [HeldField(**row._mapping) for row in connection.execute(statement.limit(limit))]

    def _due(self, connection: Connection, items: Sequence[Row[Any]]) -> None:
        """Make due again, for each field, the newest deliveries that left it out and still have their payload."""
        for destination in {item.destination for item in items}:
            own = [item for item in items if item.destination == destination]
            newest = (
                select(func.max(deliveries.c.id))
                .join_from(deliveries, events)
                .where(
                    deliveries.c.destination == destination,
                    deliveries.c.code.in_({item.code for item in own}),
                    events.c.customer_id.in_({item.customer_id for item in own} - {None}),
                )
                .group_by(events.c.customer_id)
            )
            chosen = or_(deliveries.c.id.in_({item.delivery_id for item in own}), deliveries.c.id.in_(newest))
            kept = exists().where(events.c.id == deliveries.c.event_id, events.c.payload.is_not(None))
            settled = STATE.in_((DeliveryState.DELIVERED, DeliveryState.SUPERSEDED))
            due = {"state": READY, "attempts": 0, "due_at": self._db.now()}
            connection.execute(update(deliveries).where(chosen, settled, kept).values(due))


def _wait() -> ColumnElement[int]:
    """Milliseconds between two tries, the longer a field has waited, the more."""
    waited = FACTOR * (open_items.c.tried_at - open_items.c.since)
    return case((waited < SOON, SOON), (waited > DAY, DAY), else_=waited)
