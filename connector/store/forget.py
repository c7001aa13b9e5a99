"""Forget one person: remove everything stored about them except opt-outs and what recognizes duplicates."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import Connection, Row, Table, delete, func, or_, select, union, update

from connector.errors import CannotDecrypt, FixConfiguration
from connector.settlement import DeliveryState, ObligationState
from connector.store.audit import Audit
from connector.store.audit_tables import audit
from connector.store.consent_tables import consents, obligations, raises
from connector.store.counting_tables import counted_calls
from connector.store.database import Database
from connector.store.dialect import scrub
from connector.store.fetched_tables import newest
from connector.store.ledger import Ledger
from connector.store.notes import read_notes
from connector.store.oddities import unname
from connector.store.payloads import walk
from connector.store.people_tables import handles
from connector.store.previous_tables import previous
from connector.store.problem_tables import open_items, questions
from connector.store.source_tables import recordings
from connector.store.tables import STATE, attempts, claims, deliveries, events, lanes, ledger
from connector.store.verification_tables import verifications

_ACTION: Final = "forget"


@dataclass(frozen=True, slots=True)
class Held:
    """Counts of what the store holds about one person.

    opt_outs: destination and flag of each that is raised. unwritten: those that are not in the CRM yet.
    crm_records: destination, object and CRM id of each record that was written. writing: lanes a worker holds that owe
    something to this person. forgotten_at: epoch ms. undecrypted: events that name no customer and cannot be
    decrypted, so that nobody knows whether they are this person's. previous: records of whose fields it is kept what
    the CRM had before.
    """

    events: int
    deliveries: int
    waiting: int
    attempts: int
    ledger: int
    opt_outs: tuple[tuple[str, str], ...]
    unwritten: tuple[tuple[str, str], ...]
    crm_records: tuple[tuple[str, str, str], ...]
    writing: tuple[str, ...]
    forgotten_at: int | None
    undecrypted: int = 0
    previous: int = 0

    @property
    def anything(self) -> bool:
        """Whether there is something to forget."""
        return bool(self.events or self.ledger or self.opt_outs)


_OF_CUSTOMER: Final = (
    *(claims, consents, counted_calls, newest, obligations, open_items, previous),
    *(questions, raises, recordings, verifications),
)
"""Tables whose rows about a customer are all removed."""


class Forget:
    """Finds everything held about a customer id of careCycle's, and removes it in one commit."""

    def __init__(self, database: Database, ledger: Ledger, log: Audit) -> None:
        self._db, self._ledger, self._log = database, ledger, log

    def plan(self, customer_id: str) -> Held:
        """What is held. Raises StoreUnavailable."""
        unread, undecrypted = self._unread(customer_id)
        with self._db.reading() as connection:
            held = self._held(connection, customer_id, self._events(connection, customer_id, unread))
        return replace(held, undecrypted=undecrypted)

    def times(self, customer_ids: Iterable[str]) -> dict[str, int]:
        """When those of these customers who were forgotten were, the last time. Epoch ms."""
        named = {self._ledger.alias(customer_id): customer_id for customer_id in customer_ids}
        if not named:
            return {}
        name = audit.c.customer_id
        forgotten = select(name, func.max(audit.c.at).label("at")).group_by(name)
        with self._db.reading() as connection:
            rows = connection.execute(forgotten.where(audit.c.action == _ACTION, name.in_(list(named)))).all()
        return {named[row.customer_id]: row.at for row in rows}

    def run(self, customer_id: str, who: str, reason: str = "") -> Held:
        """Remove it, and return what it was. A worker that is writing to this person loses its lease."""
        unread, undecrypted = self._unread(customer_id)
        with self._db.transaction() as connection:
            # The lanes first: this waits for a worker settling a batch now; a later one learns that its lease is lost.
            mine = deliveries.c.event_id.in_(_of(customer_id, unread))
            owing = _lanes_that_owe(mine, customer_id)
            connection.execute(update(lanes).where(lanes.c.name.in_(owing)).values(token=lanes.c.token))
            event_ids = self._events(connection, customer_id, unread)
            held = self._held(connection, customer_id, event_ids)
            connection.execute(update(lanes).where(lanes.c.name.in_(held.writing)).values(token=""))
            self._remove(connection, customer_id, event_ids)
            self._log.forget(connection, customer_id)
            summary, alias = f"{held.events} events, {held.ledger} ledger entries", self._ledger.alias(customer_id)
            self._log.write_down(connection, who, _ACTION, summary, reason, customer_id=alias)
        scrub(self._db.engine)
        return replace(held, undecrypted=undecrypted)

    def _unread(self, customer_id: str) -> tuple[list[int], int]:
        """Find events whose body names this customer but could not be read: they are stored without a customer id.

        Also count those that cannot be decrypted.
        """
        sought, undecrypted = customer_id.encode(), 0
        event_ids: list[int] = []
        for rows in walk(self._db, events.c.customer_id.is_(None)):
            for row in rows:
                body = self._body(row)
                undecrypted += body is None
                event_ids += [row.id] if body is not None and sought in body else []
        return event_ids, undecrypted

    def _body(self, row: Row[Any]) -> bytes | None:
        """The decrypted payload of an event; None where that is not possible."""
        try:
            return self._db.seal.open(row.payload, f"{row.agency}/{row.message_id}")
        except CannotDecrypt:
            return None

    def _events(self, connection: Connection, customer_id: str, unread: Collection[int]) -> list[int]:
        return list(connection.execute(_of(customer_id, unread)).scalars())

    def _held(self, connection: Connection, customer_id: str, event_ids: Sequence[int]) -> Held:
        theirs = deliveries.c.event_id.in_(event_ids)
        owed = select(deliveries.c.id).where(theirs)
        tried = list(connection.execute(select(attempts.c.records).where(attempts.c.delivery_id.in_(owed))).scalars())
        owing = _lanes_that_owe(theirs, customer_id)
        leased = select(lanes.c.name).where(lanes.c.name.in_(owing), lanes.c.token != "")
        raised = select(consents.c.destination, consents.c.flag).where(
            consents.c.customer_id == customer_id, or_(consents.c.value, consents.c.spoken)
        )
        unwritten = select(obligations.c.destination, obligations.c.flag).where(
            obligations.c.customer_id == customer_id,
            obligations.c.state.in_((ObligationState.OWED, ObligationState.REFUSED)),
        )
        before = select(func.max(audit.c.at)).where(
            audit.c.action == _ACTION, audit.c.customer_id == self._ledger.alias(customer_id)
        )
        return Held(
            events=len(event_ids),
            deliveries=_count(connection, deliveries, theirs),
            waiting=_count(connection, deliveries, theirs & (STATE == DeliveryState.READY)),
            attempts=len(tried),
            ledger=_count(connection, ledger, ledger.c.customer_id == customer_id),
            opt_outs=tuple(sorted((row.destination, row.flag) for row in connection.execute(raised))),
            unwritten=tuple(sorted((row.destination, row.flag) for row in connection.execute(unwritten))),
            crm_records=self._crm_records(connection, customer_id, owed),
            writing=tuple(connection.execute(leased).scalars()),
            forgotten_at=connection.execute(before).scalar(),
            previous=_count(connection, previous, previous.c.customer_id == customer_id),
        )

    def _crm_records(self, connection: Connection, customer_id: str, owed: Any) -> tuple[tuple[str, str, str], ...]:
        known = select(ledger.c.destination, ledger.c.object, ledger.c.crm_id).where(
            ledger.c.customer_id == customer_id, ledger.c.crm_id.is_not(None)
        )
        tried = select(deliveries.c.destination, attempts.c.records).join_from(attempts, deliveries)
        crm_records = {tuple(row) for row in connection.execute(known)}
        for row in connection.execute(tried.where(deliveries.c.id.in_(owed))):
            notes = read_notes(row.records)
            crm_records |= {(row.destination, note.object, note.crm_id) for note in notes if note.crm_id}
        return tuple(sorted(crm_records))

    def _remove(self, connection: Connection, customer_id: str, event_ids: Sequence[int]) -> None:
        theirs = deliveries.c.event_id.in_(event_ids)
        owed = select(deliveries.c.id).where(theirs)
        unnamed = {"pause_delivery": None, "pause_record": "", "pause_crm_id": ""}
        connection.execute(update(lanes).where(lanes.c.pause_delivery.in_(owed)).values(unnamed))
        connection.execute(delete(attempts).where(attempts.c.delivery_id.in_(owed)))
        connection.execute(delete(deliveries).where(theirs))
        connection.execute(delete(ledger).where(ledger.c.customer_id == customer_id))
        self._keep_opt_outs(connection, customer_id)
        for table in _OF_CUSTOMER:
            connection.execute(delete(table).where(table.c.customer_id == customer_id))
        # Keep the message ids: careCycle resends a message if it missed our answer, and it must not be stored again.
        nothing = {"type": "", "customer_id": None, "source_time": 0, "payload": None, "digest": "", "raised": ""}
        connection.execute(update(events).where(events.c.id.in_(event_ids)).values({**nothing, "odd": ""}))
        # After the events: what reads them waits for their rows, or finds no customer there any more.
        connection.execute(delete(handles).where(handles.c.customer_id == customer_id))
        unname(connection, event_ids)

    def _keep_opt_outs(self, connection: Connection, customer_id: str) -> None:
        """What is known now takes the place of what was kept at an earlier forgetting; the rest of that stays."""
        alias = self._ledger.alias(customer_id)
        for row in connection.execute(select(consents).where(consents.c.customer_id == customer_id)).all():
            kept = {**row._mapping, "customer_id": alias}
            same = (consents.c[name] == kept[name] for name in ("destination", "customer_id", "flag"))
            connection.execute(delete(consents).where(*same))
            if row.value or row.spoken:
                connection.execute(consents.insert(), kept)


def _of(customer_id: str, unread: Collection[int]) -> Any:
    if not customer_id.strip() or "\0" in customer_id:
        raise FixConfiguration("customer id", "is empty or no id", "careCycle shows it; connector events list")
    return select(events.c.id).where((events.c.customer_id == customer_id) | events.c.id.in_(unread))


def _count(connection: Connection, table: Table, condition: Any) -> int:
    return int(connection.execute(select(func.count()).select_from(table).where(condition)).scalar_one())


def _lanes_that_owe(theirs: Any, customer_id: str) -> Any:
    """The lanes whose worker may be writing to this person: deliveries wait there, or an opt-out is due."""
    due = (obligations.c.customer_id == customer_id, obligations.c.due_at.is_not(None))
    return union(
        select(deliveries.c.lane).where(theirs, STATE == DeliveryState.READY), select(obligations.c.lane).where(*due)
    )
