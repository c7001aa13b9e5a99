"""What a customer's events left behind: the events, what became of each, and the ledger's entries."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, and_, select

from connector.model import Entry, Event
from connector.settlement import AttemptOutcome, DeliveryState, RecordNote
from connector.store.accounts import is_served
from connector.store.claims import HELD_BY_ANOTHER
from connector.store.consent_tables import raises
from connector.store.database import Database
from connector.store.entries import doubt, read_entry
from connector.store.gaps import DOUBTFUL
from connector.store.inbox import Inbox
from connector.store.notes import read_notes
from connector.store.payloads import SIZE, parts
from connector.store.tables import AGENCY_OF, attempts, deliveries, events, ledger

LONGEST: Final = 200
"""Deliveries of one customer looked at, the newest: more than a year of calls for most."""

_WITHOUT_PAYLOAD: Final = [column for column in events.c if column is not events.c.payload]


@dataclass(frozen=True, slots=True)
class Try:
    """One attempt. at: epoch ms. records: as the attempt keeps them, names and ids only."""

    at: int
    outcome: AttemptOutcome
    code: str
    mapping_version: str
    records: Sequence[RecordNote]


@dataclass(frozen=True, slots=True)
class Step:
    """One event owed to one destination, and what became of it. event: without its payload, until it is opened.

    size: of the payload, in bytes; None if it is no longer kept.
    """

    delivery_id: int
    destination: str
    state: DeliveryState
    code: str
    reason: str
    event: Event
    event_id: int
    size: int | None
    tries: Sequence[Try]

    @property
    def purged(self) -> bool:
        """Whether its payload is no longer kept."""
        return self.size is None


@dataclass(frozen=True, slots=True)
class Known:
    """One record as the ledger knows it. key: the digest of the record's key."""

    destination: str
    object: str
    key: str
    entry: Entry = field(repr=False)


class RaisedFlag(NamedTuple):
    """An opt-out that reached a field of a CRM record. at: epoch ms. delivery_id: what asked for it; 0 if unknown."""

    destination: str
    object: str
    crm_id: str | None
    field: str
    at: int
    delivery_id: int


class Trail:
    """Reads by customer, or by one event. Never more than the newest deliveries."""

    def __init__(self, database: Database, inbox: Inbox) -> None:
        self._db, self._inbox = database, inbox

    def event(self, message_id: str) -> tuple[int, str | None] | None:
        """The id of a message's event, and its customer; None when no such message came."""
        statement = select(events.c.id, events.c.customer_id).where(events.c.message_id == message_id).limit(1)
        with self._db.reading() as connection:
            row = connection.execute(statement).first()
        return (row.id, row.customer_id) if row else None

    def behind(self, destination: str, keys: Collection[tuple[str, str]]) -> tuple[int, str | None] | None:
        """The event that last wrote one of these records (object, key digest), and its customer."""
        with self._db.reading() as connection:
            for kind, key in keys:
                statement = (
                    select(events.c.id, events.c.customer_id)
                    .join_from(ledger, deliveries, ledger.c.delivery_id == deliveries.c.id)
                    .join(events)
                    .where(ledger.c.destination == destination, ledger.c.object == kind, ledger.c.key == key)
                )
                if row := connection.execute(statement).first():
                    return row.id, row.customer_id
        return None

    def of_customer(self, customer_id: str, agency: str = "", *, before: int = 0, limit: int = LONGEST) -> list[Step]:
        """What became of a customer's newest events, the newest first; of one agency, if it is named.

        before: only what is older than this delivery.
        """
        mine = [events.c.customer_id == customer_id, *([agency == AGENCY_OF] if agency else [])]
        if before:
            last = select(deliveries.c.event_id).where(deliveries.c.id == before).scalar_subquery()
            mine += [events.c.id <= last, (events.c.id < last) | (deliveries.c.id < before)]
        return self._steps(and_(*mine), limit)

    def of_event(self, event_id: int) -> list[Step]:
        """What became of one event."""
        return self._steps(events.c.id == event_id)

    def _steps(self, which: ColumnElement[bool], limit: int = LONGEST) -> list[Step]:
        owed = [deliveries.c[name] for name in ("destination", "state", "code", "reason", "again")]
        statement = (
            select(deliveries.c.id.label("delivery_id"), *owed, *_WITHOUT_PAYLOAD, SIZE)
            .join_from(events, deliveries)
            .where(which)
            .order_by(events.c.id.desc(), deliveries.c.id.desc())
            .limit(limit)
        )
        with self._db.reading() as connection:
            rows = connection.execute(statement).all()
            made = connection.execute(
                select(attempts)
                .where(attempts.c.delivery_id.in_([row.delivery_id for row in rows]))
                .order_by(attempts.c.id)
            ).all()
        tries: dict[int, list[Try]] = {}
        for attempt in made:
            outcome, notes = AttemptOutcome(attempt.outcome), read_notes(attempt.records)
            kept = Try(attempt.at, outcome, attempt.code, attempt.mapping_version, notes)
            tries.setdefault(attempt.delivery_id, []).append(kept)
        return [self._step(row, tries.get(row.delivery_id, [])) for row in rows]

    def _step(self, row: Any, tries: Sequence[Try]) -> Step:
        ended = (row.delivery_id, row.destination, DeliveryState(row.state), row.code, row.reason)
        known = (row.agency, row.message_id, row.type, row.customer_id, row.source_time, row.received_at)
        return Step(*ended, Event(*known, {}, again=row.again, run=row.run), row.id, row.size, tries)

    def opened(self, steps: Iterable[Step]) -> Iterator[Step]:
        """The same steps with their payloads, a few at a time; one whose event is gone meanwhile stays without."""
        for part in parts(steps):
            wanted = select(events).where(events.c.id.in_({step.event_id for step in part}))
            with self._db.reading() as connection:
                rows = {row.id: row for row in connection.execute(wanted)}
            for step in part:
                row = rows.get(step.event_id)
                # The id of an event that was forgotten meanwhile may be another customer's now.
                same = row is not None and (row.agency, row.message_id) == (step.event.agency, step.event.message_id)
                again = step.event.again
                yield replace(step, event=self._inbox.event(row, again)) if row is not None and same else step

    def records(self, customer_id: str) -> list[Known]:
        """Every record the ledger knows as this customer's."""
        return self._known((ledger.c.customer_id == customer_id) & is_served(ledger.c.destination))

    def raises(self, customer_id: str) -> list[RaisedFlag]:
        """Every time an opt-out of this customer reached a CRM, the oldest first."""
        columns = (raises.c[name] for name in RaisedFlag._fields)
        statement = select(*columns).where(raises.c.customer_id == customer_id).order_by(raises.c.id)
        with self._db.reading() as connection:
            return [RaisedFlag(*row) for row in connection.execute(statement)]

    def record(self, destination: str, object: str, key: str) -> list[Known]:
        """The ledger's entry of one record, if it has one."""
        return self._known((ledger.c.destination == destination) & (ledger.c.object == object) & (ledger.c.key == key))

    def _known(self, which: ColumnElement[bool]) -> list[Known]:
        order = (ledger.c.destination, ledger.c.object, ledger.c.delivery_id)
        statement = select(ledger, HELD_BY_ANOTHER.label("held"), DOUBTFUL).where(which).order_by(*order)
        with self._db.reading() as connection:
            rows = connection.execute(statement).all()
        entries = [(row, read_entry(row.crm_id, row.marks, self._db.cover)) for row in rows]
        known = [(row, doubt(entry) if row.doubtful else entry) for row, entry in entries]
        return [
            Known(row.destination, row.object, row.key, entry) for row, entry in known if entry.merged or not row.held
        ]
