"""Move what is left in lanes that no longer exist, because a destination has fewer partitions than before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from sqlalchemy import Connection, Table, func, select, update

from connector.store.consent_tables import obligations
from connector.store.database import Database
from connector.store.tables import READY, deliveries, events, lanes

STEP: Final = 500
"""Rows moved in one transaction: accepting events waits for it on SQLite."""

LaneOf = Callable[[str, str], str]
"""The lane of a destination for a customer, or for the message of nobody's event."""


class Moving:
    """Moves waiting deliveries and every obligation to the lanes that are configured now."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def move(self, configured: Mapping[str, str], lane_of: LaneOf) -> int:
        """Empty the lanes of these destinations that are not configured (lane -> destination); return how many rows.

        A lane that a worker still holds is left for later.
        """
        gone = select(lanes.c.name).where(
            lanes.c.destination.in_(set(configured.values())), lanes.c.name.not_in(list(configured))
        )
        with self._db.reading() as connection:
            names = list(connection.execute(gone).scalars())
        return sum(self._empty(name, lane_of) for name in names)

    def _empty(self, name: str, lane_of: LaneOf) -> int:
        total = 0
        while moved := self._step(name, lane_of):
            total += moved
        return total

    def _step(self, name: str, lane_of: LaneOf) -> int:
        waiting = (
            select(deliveries.c.id, deliveries.c.destination, func.coalesce(events.c.customer_id, events.c.message_id))
            .join_from(deliveries, events)
            .where(deliveries.c.lane == name, deliveries.c.state == READY)
            .limit(STEP)
        )
        owed = (
            select(obligations.c.customer_id, obligations.c.destination, obligations.c.customer_id)
            .where(obligations.c.lane == name)
            .distinct()
            .limit(STEP)
        )
        free = (lanes.c.name == name, lanes.c.leased_until <= self._db.now())
        with self._db.reading() as connection:
            if not (connection.execute(waiting.limit(1)).first() or connection.execute(owed.limit(1)).first()):
                return 0
        with self._db.waking() as connection:
            # A worker that lost the lane without knowing must not settle what is moved.
            if connection.execute(update(lanes).where(*free).values(token="")).rowcount == 0:
                return 0
            moved = _move(connection, deliveries, "id", name, _by_lane(connection.execute(waiting), lane_of))
            return moved + _move(
                connection, obligations, "customer_id", name, _by_lane(connection.execute(owed), lane_of)
            )


def _by_lane(rows: Iterable[tuple[object, str, str]], lane_of: LaneOf) -> dict[str, list[object]]:
    by_lane: dict[str, list[object]] = {}
    for key, destination, spread_by in rows:
        by_lane.setdefault(lane_of(destination, spread_by), []).append(key)
    return by_lane


def _move(connection: Connection, table: Table, key: str, left: str, by_lane: Mapping[str, list[object]]) -> int:
    return sum(
        connection.execute(update(table).where(table.c.lane == left, table.c[key].in_(keys)).values(lane=lane)).rowcount
        for lane, keys in sorted(by_lane.items())
    )
