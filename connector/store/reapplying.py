"""Deliver the newest known state of everybody once more, some customers at a time, because the mapping was edited."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, func, literal, select, update

from connector.carecycle import recognise
from connector.errors import UnreadableEvent
from connector.model import Delivery
from connector.settlement import SET_ASIDE, DeliveryState
from connector.settlement.newest import Kept, Kind
from connector.store import payloads
from connector.store.database import Database
from connector.store.dialect import insert
from connector.store.entries import read_entry
from connector.store.fetched_tables import newest, runs
from connector.store.inbox import Inbox
from connector.store.lacking import Lacking
from connector.store.newest import OF_CUSTOMERS, Newest
from connector.store.payloads import SIZE, parts
from connector.store.runs import REAPPLY
from connector.store.tables import FETCHED, READY, STATE, deliveries, events, ledger, settings

_CUSTOMERS, _STATES = 200, 2000
"""How many customers are taken at a time, with how many calls, more or less: statements have a limit of parameters."""

_SETTLED: Final = (
    *(DeliveryState.DELIVERED, DeliveryState.SUPERSEDED),
    *(DeliveryState.SKIPPED, DeliveryState.DEAD),
)
_ALL_CALLS: Final = "calls are known"
_DISCARDED: Final = "discarded by "


@dataclass(frozen=True, slots=True)
class Known:
    """The event with the newest known state of a customer or call. size: of its payload; None if it is not stored."""

    kind: str
    customer_id: str | None
    event_id: int
    agency: str
    message_id: str
    size: int | None


@dataclass(frozen=True, slots=True)
class Part:
    """Some customers with their calls, or some calls of nobody. cursor: where the next part begins."""

    cursor: str
    known: Sequence[Known]

    @property
    def stored(self) -> list[Known]:
        """Those whose content is still stored."""
        return [state for state in self.known if state.size is not None]

    @property
    def lost(self) -> list[str]:
        """The customers of whom it is not."""
        gone = (state for state in self.known if state.size is None and state.kind == Kind.CUSTOMER)
        return [state.customer_id for state in gone if state.customer_id]

    @property
    def from_calls_alone(self) -> set[str]:
        """The customers that are known from their calls alone."""
        customers = {state.customer_id for state in self.known if state.kind == Kind.CUSTOMER}
        return {state.customer_id for state in self.known if state.customer_id} - customers


class Written(NamedTuple):
    """A record that was written for a customer. key: its digest."""

    customer_id: str
    object: str
    key: str


Lane = Callable[[str, str], str]
"""A destination and what its events are spread by -> the lane."""


class Reapplying:
    """Finds what is known of everybody, and makes it due."""

    def __init__(self, database: Database, inbox: Inbox, lacking: Lacking, newest: Newest) -> None:
        self._db, self._inbox, self._lacking, self._newest = database, inbox, lacking, newest

    def next_number(self) -> int:
        """The number of the next run."""
        return self.number(self._db.time()) + 1

    def number(self, started_at: int) -> int:
        """The number of the run that began then (epoch ms): greater than that of every earlier state."""
        earlier = select(func.count()).where(runs.c.kind == REAPPLY, runs.c.started_at <= started_at)
        with self._db.reading() as connection:
            return int(connection.execute(earlier).scalar_one())

    def know_calls(self) -> None:
        """Once: find the calls that were stored before their ids were kept. Only their payloads name them."""
        done = select(settings.c.name).where(settings.c.name == _ALL_CALLS)
        with self._db.reading() as connection:
            if connection.execute(done).first():
                return
        for rows in payloads.walk(self._db, events.c.type == "call.completed"):
            calls = self._newest.rows(call for row in rows if (call := self._call(row)))
            with self._db.transaction() as connection:
                self._newest.note(connection, calls)
        with self._db.transaction() as connection:
            kept = {"name": _ALL_CALLS, "value": b"1"}
            connection.execute(insert(self._db.engine, settings).on_conflict_do_nothing(), kept)

    def _call(self, row: Row[Any]) -> Kept | None:
        event = self._inbox.event(row)
        try:
            reading = recognise.read(event.payload, event.message_id)
        except UnreadableEvent:
            return None
        if reading is None or reading.call_id is None:
            return None
        rest = (row.customer_id, row.source_time, not event.fetched, row.id)
        return Kept(row.agency, Kind.CALL, reading.call_id, *rest)

    def count(self, agency: str) -> int:
        """How many customers and calls are known."""
        with self._db.reading() as connection:
            return int(connection.execute(select(func.count()).where(newest.c.agency == agency)).scalar_one())

    def parts(self, agency: str, cursor: str = "") -> Iterator[Part]:
        """List all that is known, each customer with its calls; then the calls of nobody."""
        if cursor[:1] in ("", "c"):
            yield from self._by(agency, newest.c.customer_id, "c", cursor[1:])
        nobodys = newest.c.customer_id.is_(None)
        yield from self._by(agency, newest.c.id, "n", cursor[1:] if cursor[:1] == "n" else "", nobodys)

    def _by(
        self, agency: str, column: ColumnElement[str], kind: str, after: str, *which: ColumnElement[bool]
    ) -> Iterator[Part]:
        """List by the values of a column, in their order."""
        mine = (newest.c.agency == agency, *which)
        while True:
            some = select(column).where(*mine, column > after).order_by(column).limit(_STATES)
            with self._db.reading() as connection:
                values = list(dict.fromkeys(connection.execute(some).scalars()))[:_CUSTOMERS]
                if not values:
                    return
                known = self._known(connection, *mine, column.in_(values))
            after = values[-1]
            yield Part(f"{kind}{after}", known)

    def _known(self, connection: Connection, *which: ColumnElement[bool]) -> list[Known]:
        held = (newest.c.kind, newest.c.customer_id, newest.c.event_id, newest.c.agency)
        # The id of an event that retention deleted may be another's.
        same = newest.c.customer_id.is_not_distinct_from(events.c.customer_id)
        statement = (
            select(*held, func.coalesce(events.c.message_id, ""), SIZE)
            .outerjoin_from(newest, events, (newest.c.event_id == events.c.id) & same)
            .where(*which)
            .order_by(newest.c.kind.desc(), newest.c.event_id)
        )
        known = [Known(*row) for row in connection.execute(statement)]
        lost = [state.customer_id for state in known if state.size is None and state.kind == Kind.CUSTOMER]
        back = self._brought_back(connection, lost, *which) if lost else {}
        return [back.get(state.customer_id, state) if state.kind == Kind.CUSTOMER else state for state in known]

    def _brought_back(
        self, connection: Connection, lost: Collection[str | None], *which: ColumnElement[bool]
    ) -> dict[str | None, Known]:
        """Find events of no older state for customers whose newest is purged: those that were fetched since."""
        held = (newest.c.kind, newest.c.customer_id, events.c.id, newest.c.agency, events.c.message_id, SIZE)
        theirs = (events.c.customer_id == newest.c.customer_id) & (events.c.agency == newest.c.agency)
        statement = (
            select(*held)
            .join_from(newest, events, theirs)
            .where(*which, newest.c.kind == Kind.CUSTOMER, newest.c.customer_id.in_(lost))
            .where(events.c.type.in_(OF_CUSTOMERS), events.c.source_time >= newest.c.at, events.c.payload.is_not(None))
            .order_by(events.c.id)
        )
        return {row.customer_id: Known(*row) for row in connection.execute(statement)}

    def again(self, part: Part, agency: str) -> Part:
        """Return the same customers as they are known now."""
        theirs = newest.c.customer_id.in_({state.customer_id for state in part.known})
        with self._db.reading() as connection:
            return replace(part, known=self._known(connection, newest.c.agency == agency, theirs))

    def opened(self, part: Part, destination: str, again: int) -> Iterator[list[Delivery]]:
        """Open what is stored of a part, as its deliveries would be: one that does not exist yet has no true id."""
        mine = (deliveries.c.event_id == events.c.id) & (deliveries.c.destination == destination)
        owed = (
            func.coalesce(deliveries.c.id, -events.c.id).label("delivery_id"),
            func.coalesce(deliveries.c.accepted_at, events.c.received_at).label("accepted_at"),
            literal(again).label("again"),
            literal(0).label("attempts"),
        )
        statement = select(*owed, events).outerjoin_from(events, deliveries, mine)
        for some in parts(part.stored):
            with self._db.reading() as connection:
                rows = connection.execute(
                    statement.where(events.c.id.in_([state.event_id for state in some])).order_by(events.c.id)
                ).all()
            yield [self._inbox.delivery(row) for row in rows]

    def written(self, destination: str, customers: Collection[str]) -> list[Written]:
        """The records that were written for these customers, of whose last events the content is still stored.

        Not those that the ledger knows by their id alone, nor those that a merge made somebody else's.
        """
        columns = (ledger.c.customer_id, ledger.c.object, ledger.c.key, ledger.c.crm_id, ledger.c.marks)
        statement = (
            select(*columns)
            .join_from(ledger, deliveries, ledger.c.delivery_id == deliveries.c.id)
            .join(events, deliveries.c.event_id == events.c.id)
            .where(ledger.c.destination == destination, ledger.c.customer_id.in_(customers))
            .where(ledger.c.crm_id.is_not(None), events.c.payload.is_not(None))
        )
        with self._db.reading() as connection:
            rows = connection.execute(statement).all()
        entries = [(Written(*row[:3]), read_entry(row.crm_id, row.marks, self._db.cover)) for row in rows]
        return [written for written, entry in entries if entry.fields and not entry.merged]

    def room(self, destinations: Collection[str], most: int) -> bool:
        """Whether fewer deliveries than that wait behind all that was sent."""
        waiting = (deliveries.c.state == READY, deliveries.c.priority == FETCHED)
        some = select(literal(1)).where(*waiting, deliveries.c.destination.in_(destinations)).limit(most).subquery()
        with self._db.reading() as connection:
            return int(connection.execute(select(func.count()).select_from(some)).scalar_one()) < most

    def make_due(self, part: Part, destinations: Collection[str], lane: Lane, again: int) -> int:
        """Make the stored events of a part due for these destinations, behind all that was sent. Returns how many.

        What waits already stays as it is, and so does what an operator set aside or discarded.
        """
        rows = [
            {"agency": state.agency, "message_id": state.message_id, "destination": name, "again": again}
            | {"lane": lane(name, state.customer_id or state.message_id)}
            for state in part.stored
            for name in destinations
        ]
        with self._db.waking() as connection:
            ready = connection.execute(self._again(part, destinations, again)).rowcount
            added, _ = self._lacking.owe(connection, rows)
        return int(ready + added)

    def _again(self, part: Part, destinations: Collection[str], again: int) -> Any:
        chosen = (
            select(deliveries.c.id)
            .where(
                deliveries.c.event_id.in_([state.event_id for state in part.stored]),
                deliveries.c.destination.in_(destinations),
                STATE.in_(_SETTLED),
                deliveries.c.code != SET_ASIDE,
                ~deliveries.c.reason.startswith(_DISCARDED),
            )
            .order_by(deliveries.c.id)
            .with_for_update(skip_locked=True)
        )
        values = {"state": DeliveryState.READY, "priority": FETCHED, "attempts": 0, "again": again}
        return update(deliveries).where(deliveries.c.id.in_(chosen)).values(**values, due_at=self._db.now())
