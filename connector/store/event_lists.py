"""Lists of events for people: each event once, with what became of it in every CRM, and totals of a search."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from sqlalchemy import Row, Select, func, select

from connector.settlement import DeliveryState
from connector.store.database import Database
from connector.store.desk import PAGE, Filter
from connector.store.tables import deliveries, events

MOST: Final = 20_000
"""Deliveries counted for the totals of a search: of more, only that there are more is known."""

_STEP: Final = 4 * PAGE


@dataclass(frozen=True, slots=True)
class EventDelivery:
    """What became of an event in one CRM."""

    id: int
    destination: str
    state: DeliveryState
    code: str


@dataclass(frozen=True, slots=True)
class EventLine:
    """One event. received_at: epoch ms. raised: the consent flags its customer says true of."""

    id: int
    agency: str
    message_id: str
    type: str
    customer_id: str | None
    received_at: int
    raised: tuple[str, ...]
    deliveries: tuple[EventDelivery, ...]


@dataclass(frozen=True, slots=True)
class EventPage:
    """Some events, newest first. before: where the next older ones begin; 0 if there are none."""

    lines: tuple[EventLine, ...]
    before: int = 0


@dataclass(frozen=True, slots=True)
class Totals:
    """How many events a search matches, and their deliveries by destination and state. capped: there are more."""

    events: int
    capped: bool
    deliveries: Counter[tuple[str, DeliveryState]] = field(default_factory=Counter)


class EventLists:
    """Walks the index that serves a search, from where the page before it ended."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def page(self, wanted: Filter, limit: int = PAGE) -> EventPage:
        """Return the newest events that match, of those before `wanted.before`."""
        chosen: dict[int, int] = {}
        before = wanted.before
        while True:
            heads = self._heads(replace(wanted, before=before))
            rows = self._deliveries([head.event_id for head in heads])
            for head in heads:
                if head.id == _shown_at(rows, head, wanted):
                    if len(chosen) == limit:
                        return EventPage(self._lines(chosen), before=list(chosen.values())[-1])
                    chosen[head.event_id] = head.id
            if len(heads) < _STEP:
                return EventPage(self._lines(chosen))
            before = heads[-1].id

    def of(self, ids: Sequence[int]) -> tuple[EventLine, ...]:
        """Return events by their rows' IDs, newest first."""
        return self._lines(dict.fromkeys(sorted(ids, reverse=True), 0))

    def totals(self, wanted: Filter, most: int = MOST) -> Totals:
        """Count what a search matches. most: deliveries, the newest."""
        columns = (deliveries.c.event_id, deliveries.c.destination, deliveries.c.state)
        matching = select(*columns).join_from(deliveries, events).where(*wanted.clauses())
        some = matching.order_by(*wanted.order()).limit(most + 1).subquery()
        by = (some.c.destination, some.c.state)
        with self._db.reading() as connection:
            counted = connection.execute(select(*by, func.count().label("deliveries")).group_by(*by)).all()
            number = int(connection.execute(select(func.count(some.c.event_id.distinct()))).scalar_one())
        states = Counter({(row.destination, DeliveryState(row.state)): int(row.deliveries) for row in counted})
        return Totals(number, states.total() > most, states)

    def _heads(self, wanted: Filter) -> Sequence[Row[Any]]:
        statement = select(deliveries.c.id, deliveries.c.event_id).join_from(deliveries, events)
        return self._rows(statement.where(*wanted.clauses(), *wanted.older()).order_by(*wanted.order()).limit(_STEP))

    def _deliveries(self, ids: Sequence[int]) -> dict[int, list[Row[Any]]]:
        names = ("id", "event_id", "destination", "state", "code", "accepted_at")
        statement = select(*(deliveries.c[name] for name in names)).where(deliveries.c.event_id.in_(set(ids)))
        by_event: dict[int, list[Row[Any]]] = {}
        for row in self._rows(statement.order_by(deliveries.c.id)):
            by_event.setdefault(row.event_id, []).append(row)
        return by_event

    def _lines(self, chosen: dict[int, int]) -> tuple[EventLine, ...]:
        names = ("id", "agency", "message_id", "type", "customer_id", "received_at", "raised")
        statement = select(*(events.c[name] for name in names)).where(events.c.id.in_(list(chosen)))
        known, sent = {row.id: row for row in self._rows(statement)}, self._deliveries(list(chosen))
        return tuple(_line(known[own], sent.get(own, [])) for own in chosen if own in known)

    def _rows(self, statement: Select[Any]) -> Sequence[Row[Any]]:
        with self._db.reading() as connection:
            return connection.execute(statement).all()


def _shown_at(rows: dict[int, list[Row[Any]]], head: Row[Any], wanted: Filter) -> int:
    """Return the delivery at which an event of several is listed: the newest of those that match."""
    matching = [int(row.id) for row in rows.get(head.event_id, []) if _matches(row, wanted)]
    return max(matching, default=int(head.id))


def _matches(row: Row[Any], wanted: Filter) -> bool:
    same = ((wanted.destination, row.destination), (wanted.state, row.state), (wanted.code, row.code))
    if any(asked and asked != given for asked, given in same):
        return False
    return row.accepted_at >= wanted.since and (not wanted.until or row.accepted_at < wanted.until)


def _line(row: Row[Any], sent: Sequence[Row[Any]]) -> EventLine:
    became = sorted(
        (EventDelivery(own.id, own.destination, DeliveryState(own.state), own.code) for own in sent),
        key=lambda delivery: delivery.destination,
    )
    flags = tuple(filter(None, row.raised.split(",")))
    return EventLine(
        row.id, row.agency, row.message_id, row.type, row.customer_id, row.received_at, flags, tuple(became)
    )
