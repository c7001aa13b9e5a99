"""Deliveries that stored events lack: those to destinations that did not exist when they came."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, literal, select

from connector.settlement import DeliveryState, Obligation
from connector.store.database import Database
from connector.store.dialect import ALWAYS, insert
from connector.store.obligations import Obligations
from connector.store.rows import as_rows, given
from connector.store.sql import Sql, built_once
from connector.store.tables import FETCHED, deliveries, events
from connector.store.taking_over import take_over

_OWED: Final = (
    *(events.c.agency, events.c.message_id),
    *(deliveries.c.destination, deliveries.c.lane, deliveries.c.again),
)


class Lacking:
    """Adds them after all that was sent, with the opt-outs that their events raise."""

    def __init__(self, database: Database, obligations: Obligations) -> None:
        self._db, self._obligations, self._owe = database, obligations, _owe(database.sql)

    def owe(self, connection: Connection, wanted: Sequence[Mapping[str, Any]]) -> tuple[int, list[Row[Any]]]:
        """Add what is lacking of the deliveries wanted. Returns how many, and their events: whether each is purged.

        wanted: agency, message_id, destination and lane of each, and the number of the run that applies an edited
        mapping.
        """
        added = connection.execute(self._owe, as_rows(wanted)).all() if wanted else []
        known = (events.c.id, events.c.agency, events.c.message_id, events.c.customer_id, events.c.raised)
        statement = select(*known, events.c.payload.is_(None).label("purged"))
        theirs = connection.execute(statement.where(events.c.id.in_({row.event_id for row in added}))).all()
        by_id = {row.id: row for row in theirs}
        in_force = set[_InForce]()
        for destination in sorted({row.destination for row in added}):
            customers = {by_id[row.event_id].customer_id for row in added if row.destination == destination} - {None}
            in_force |= take_over(connection, self._db, destination, customers)
        self._obligations.owe(connection, self._obligations.rows(_raised(added, by_id, in_force)))
        return len(added), list(theirs)


_InForce = tuple[str, str, str]
"""Destination, customer and flag of an opt-out."""


def _raised(
    added: Sequence[Row[Any]], events_by_id: Mapping[int, Row[Any]], in_force: Collection[_InForce]
) -> Iterator[tuple[Obligation, str]]:
    known: dict[tuple[str, str], set[str]] = {}
    for destination, customer_id, flag in in_force:
        known.setdefault((destination, customer_id), set()).add(flag)
    for row in added:
        event = events_by_id[row.event_id]
        flags = set(filter(None, event.raised.split(","))) | known.get((row.destination, event.customer_id), set())
        for flag in sorted(flags) if event.customer_id else ():
            yield Obligation(row.destination, event.customer_id, flag, row.accepted_at, event.id), row.lane


@built_once
def _owe(sql: Sql) -> Any:
    owed, now = given(sql, *_OWED), sql.now()
    mine = (events.c.agency == owed.c.agency) & (events.c.message_id == owed.c.message_id)
    given_values = {
        deliveries.c.event_id: events.c.id,
        deliveries.c.destination: owed.c.destination,
        deliveries.c.lane: owed.c.lane,
        deliveries.c.again: owed.c.again,
        deliveries.c.accepted_at: now,
        deliveries.c.due_at: now,
    }
    fixed = {deliveries.c.state: DeliveryState.READY.value, deliveries.c.priority: FETCHED, deliveries.c.attempts: 0}
    return (
        insert(sql, deliveries)
        .from_select(
            [*given_values, *fixed],
            select(*given_values.values(), *map(literal, fixed.values())).join_from(owed, events, mine).where(ALWAYS),
        )
        .on_conflict_do_nothing(index_elements=["event_id", "destination"])
        .returning(deliveries.c.event_id, deliveries.c.destination, deliveries.c.lane, deliveries.c.accepted_at)
    )
