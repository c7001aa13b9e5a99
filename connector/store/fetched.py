"""What was fetched, not sent: kept like any event, and owed to destinations that did not exist when it first came."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from sqlalchemy import Connection, Row, literal, select, true, update

from connector.settlement import DeliveryState, Obligation
from connector.store.database import Database
from connector.store.dialect import insert
from connector.store.inbox import Arrival, Inbox
from connector.store.obligations import Obligations
from connector.store.rows import as_rows, given
from connector.store.tables import FETCHED, deliveries, events

_OWED: Final = (events.c.agency, events.c.message_id, deliveries.c.destination, deliveries.c.lane)


class Fetched:
    """Accepts what was fetched. The same content again changes nothing."""

    def __init__(self, database: Database, inbox: Inbox, obligations: Obligations) -> None:
        self._db, self._inbox, self._obligations = database, inbox, obligations
        self._owe = _owe(database)

    def accept(self, arrivals: Sequence[Arrival]) -> list[bool]:
        """Keep them in one durable commit: True for a new one. What is known gets the deliveries it lacks."""
        return self._inbox.accept(arrivals, self._complete)

    def _complete(self, connection: Connection, known: Sequence[Arrival]) -> None:
        rows = [
            {"agency": again.agency, "message_id": again.message_id, **asdict(owed)}
            for again in known
            for owed in again.owed
        ]
        added = connection.execute(self._owe, as_rows(rows)).all() if rows else []
        by_id = self._again(connection, {row.event_id for row in added}, known)
        self._obligations.owe(connection, self._obligations.rows(_obligations(added, by_id)))

    def _again(self, connection: Connection, ids: set[int], known: Sequence[Arrival]) -> dict[int, Arrival]:
        """Return arrivals by the id of their event, with the payload stored again where retention purged it."""
        by_key = {(again.agency, again.message_id): again for again in known}
        wanted = select(events.c.id, events.c.agency, events.c.message_id, events.c.payload.is_(None).label("purged"))
        by_id: dict[int, Arrival] = {}
        for row in connection.execute(wanted.where(events.c.id.in_(ids))).all():
            by_id[row.id] = arrival = by_key[row.agency, row.message_id]
            if row.purged:
                payload = self._db.seal.close(arrival.body, f"{row.agency}/{row.message_id}")
                connection.execute(update(events).where(events.c.id == row.id).values(payload=payload))
        return by_id


def _obligations(added: Sequence[Row[Any]], by_id: Mapping[int, Arrival]) -> Iterator[tuple[Obligation, str]]:
    for row in added:
        arrival = by_id[row.event_id]
        for flag in sorted(arrival.raised) if arrival.customer_id else ():
            obligation = Obligation(row.destination, arrival.customer_id or "", flag, row.accepted_at, row.event_id)
            yield obligation, row.lane


def _owe(database: Database) -> Any:
    """Add the deliveries that events lack."""
    owed, now = given(database.engine, *_OWED), database.now()
    mine = (events.c.agency == owed.c.agency) & (events.c.message_id == owed.c.message_id)
    given_values = {
        deliveries.c.event_id: events.c.id,
        deliveries.c.destination: owed.c.destination,
        deliveries.c.lane: owed.c.lane,
        deliveries.c.accepted_at: now,
        deliveries.c.due_at: now,
    }
    fixed = {deliveries.c.state: DeliveryState.READY.value, deliveries.c.priority: FETCHED, deliveries.c.attempts: 0}
    return (
        insert(database.engine, deliveries)
        .from_select(
            [*given_values, *fixed],
            select(*given_values.values(), *map(literal, fixed.values())).join_from(owed, events, mine).where(true()),
        )
        .on_conflict_do_nothing(index_elements=["event_id", "destination"])
        .returning(deliveries.c.event_id, deliveries.c.destination, deliveries.c.lane, deliveries.c.accepted_at)
    )
