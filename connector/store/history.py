"""Walk the stored deliveries in steps, from the oldest to the newest, while traffic goes on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select, func, select

from connector.model import Delivery
from connector.settlement import DeliveryState
from connector.store.database import Database
from connector.store.desk import Filter
from connector.store.inbox import Inbox
from connector.store.payloads import SIZE, STEP, parts
from connector.store.tables import deliveries, events


@dataclass(frozen=True, slots=True)
class Stored:
    """One delivery as it lies in the store. purged: its payload is gone. mapping_version: of its last attempt."""

    delivery: Delivery
    destination: str
    state: DeliveryState
    code: str
    mapping_version: str
    purged: bool


class History:
    """Reads deliveries with their opened payloads, never more than a part of them at once."""

    def __init__(self, database: Database, inbox: Inbox) -> None:
        self._db, self._inbox = database, inbox

    def walk(self, wanted: Filter, last: int = 0) -> Iterator[list[Stored]]:
        """Yield the present deliveries, oldest first, a part at a time. last: how many of the newest; 0 for all."""
        after, newest = self._bounds(wanted, last)
        while listed := self._listed(wanted, after, newest):
            for part in parts(listed):
                yield self._opened([head.id for head in part])
            after = listed[-1].id

    def deliveries(self, ids: Sequence[int]) -> list[Delivery]:
        """These deliveries, as far as their payloads are stored."""
        return [stored.delivery for stored in self._opened(ids) if not stored.purged]

    def _bounds(self, wanted: Filter, last: int) -> tuple[int, int]:
        ids = select(deliveries.c.id).join_from(deliveries, events).where(*wanted.clauses())
        ids = ids.order_by(deliveries.c.id.desc()).offset(last).limit(1)
        with self._db.reading() as connection:
            newest = connection.execute(select(func.max(deliveries.c.id))).scalar()
            below = connection.execute(ids).scalar() if last else None
        return below or 0, newest or 0

    def _listed(self, wanted: Filter, after: int, newest: int) -> Sequence[Row[Any]]:
        statement: Select[Any] = (
            select(deliveries.c.id, SIZE)
            .join_from(deliveries, events)
            .where(*wanted.clauses(), deliveries.c.id > after, deliveries.c.id <= newest)
            .order_by(deliveries.c.id)
            .limit(STEP)
        )
        with self._db.reading() as connection:
            return connection.execute(statement).all()

    def _opened(self, ids: Sequence[int]) -> list[Stored]:
        known = (
            deliveries.c.id.label("delivery_id"),
            *(deliveries.c[name] for name in ("attempts", "accepted_at", "destination", "state", "code", "again")),
            deliveries.c.mapping_version,
        )
        statement: Select[Any] = select(*known, events).join_from(deliveries, events).where(deliveries.c.id.in_(ids))
        with self._db.reading() as connection:
            rows = connection.execute(statement.order_by(deliveries.c.id)).all()
        return [self._stored(row) for row in rows]

    def _stored(self, row: Row[Any]) -> Stored:
        held = self._inbox.delivery(row)
        return Stored(
            held, row.destination, DeliveryState(row.state), row.code, row.mapping_version, row.payload is None
        )
