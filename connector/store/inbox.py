"""The events accepted and the deliveries owed for them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from itertools import accumulate
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import (
    Connection,
    Row,
    func,
    literal,
    select,
    update,
)

from connector import telemetry
from connector.carecycle import decode
from connector.carecycle.recognise import SHARED_ID, OddField
from connector.errors import CannotDecrypt, WentBack
from connector.model import Delivery, Event, Unopened
from connector.settlement import SET_ASIDE, UNOPENABLE, WRITTEN, DeliveryState, Obligation, Refusal
from connector.settlement.newest import Kept, Kind, Origin
from connector.settlement.oddities import Oddity
from connector.store.accept_statements import HEADS, add_deliveries, add_events, listed, opened
from connector.store.apart import kept_as, meaning
from connector.store.commits import INBOX, Commits
from connector.store.database import Database
from connector.store.newest import OF_CUSTOMERS, Newest
from connector.store.obligations import Obligations
from connector.store.oddities import Oddities, odd_as_text
from connector.store.payloads import PART, parts
from connector.store.rows import as_rows
from connector.store.tables import FETCHED, READY, STATE, deliveries, events


@dataclass(frozen=True, slots=True)
class Owed:
    """One delivery to be: which destination, in which lane."""

    destination: str
    lane: str


@dataclass(frozen=True, slots=True)
class Arrival:
    """One verified message on its way into the inbox. `state` and `why` are those of its deliveries.

    source_time, received_at: epoch ms; None where they are the moment it is stored, by the database's clock.
    raised: the consent flags its customer says true of. odd: the fields that are not as documented.
    run: that fetched it; empty for what was sent.
    """

    agency: str
    message_id: str
    type: str
    customer_id: str | None
    source_time: int | None
    received_at: int | None
    body: bytes = field(repr=False)
    owed: tuple[Owed, ...] = ()
    priority: int = 0
    state: DeliveryState = DeliveryState.READY
    why: Refusal = WRITTEN
    raised: frozenset[str] = frozenset()
    odd: tuple[OddField, ...] = ()
    call_id: str | None = None
    origin: Origin = Origin.WEBHOOK
    run: str = ""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A delivery that is due, without its payload. size: of the payload, in bytes; None if it is no longer stored.

    again: the number of the run that applies an edited mapping to it, or of the last one before it was sent; else 0.
    """

    id: int
    attempts: int
    accepted_at: int
    event_id: int
    message_id: str
    raised: str
    size: int | None
    again: int = 0


_NOTHING: Final[Mapping[int, Event]] = MappingProxyType({})

_LARGE_ONES: Final = threading.Lock()
"""Held while a payload larger than that is in memory."""

Complete = Callable[[Connection, Sequence[Arrival]], None]
"""What is done with messages that are stored already, in the same commit."""


class Inbox:
    """Accepts many arrivals in one transaction; hands out what is due."""

    def __init__(
        self, database: Database, obligations: Obligations, oddities: Oddities, commits: Commits, newest: Newest
    ) -> None:
        self._db, self._obligations, self._oddities, self._commits = database, obligations, oddities, commits
        self._newest = newest
        # Built once: building a statement takes several times as long as running it.
        self._add_events = add_events(database.sql)
        self._add_deliveries = add_deliveries(database.sql)
        self._listed, self._opened = listed(database.sql), opened(database.sql)

    def accept(self, arrivals: Sequence[Arrival], complete: Complete | None = None) -> list[bool]:
        """Keep arrivals in one durable commit: True for a new one. A duplicate, False, revives its dead deliveries.

        A known message with another body is no duplicate: it is kept as one of its own.

        In a database that turns out to be an older one they are kept too, once that is noted.
        complete: what to do with duplicates instead.
        """
        try:
            return self._accept(arrivals, complete)
        except WentBack:
            self._commits.went_back()
            return self._accept(arrivals, complete)

    def _accept(self, arrivals: Sequence[Arrival], complete: Complete | None) -> list[bool]:
        unique, apart = _by_key(arrivals), dict[int, Arrival]()
        if not unique:
            return []
        with self._db.waking() as connection:
            stored = self.keep(connection, list(unique.values()))
            fresh = {id(unique[key]) for key in stored}
            again = [arrival for arrival in arrivals if id(arrival) not in fresh]
            if complete:
                complete(connection, list(_by_key(again).values()))
            else:
                apart = self._come_again(connection, again)
            # Last, because every receiver counts in the same few rows.
            fresh_arrivals = [arrival for _, arrival in stored.values()] + list(apart.values())
            self._oddities.add(connection, self._oddities.rows(_oddities(fresh_arrivals)))
            committed = self._commits.count(connection, INBOX, len(fresh_arrivals))
        committed()
        for arrival in again:
            if other := apart.get(id(arrival)):
                telemetry.kept_apart(arrival.agency, arrival.message_id, other.message_id)
        new = fresh | apart.keys()
        return [id(arrival) in new for arrival in arrivals]

    def _come_again(self, connection: Connection, again: Sequence[Arrival]) -> dict[int, Arrival]:
        """Keep another content of a known message as one of its own. Returns what is new, by the id() of what came."""
        others = {id(arrival): self._other(arrival) for arrival in again if self._is_another(connection, arrival)}
        meant = _by_key(others.get(id(arrival), arrival) for arrival in again)
        kept = self.keep(connection, list(_by_key(others.values()).values())) if others else {}
        self.sent_again(connection, [meant[key] for key in meant.keys() - kept.keys()])
        return {
            came: kept[_key(other)][1]
            for came, other in others.items()
            if _key(other) in kept and meant[_key(other)] is other
        }

    def _other(self, arrival: Arrival) -> Arrival:
        message_id = kept_as(arrival.message_id, arrival.body, self._db.digest)
        return replace(arrival, message_id=message_id, odd=(*arrival.odd, SHARED_ID))

    def _is_another(self, connection: Connection, arrival: Arrival) -> bool:
        """Whether the message stored under this ID says something else, or may: its payload may have been purged."""
        mine = (events.c.agency == arrival.agency, events.c.message_id == arrival.message_id)
        digest = connection.execute(select(events.c.digest).where(*mine)).scalar_one()
        if digest in ("", self._digest(arrival)):  # empty: its customer was forgotten, and it must not come back
            return False
        row = connection.execute(select(events).where(*mine)).one()
        try:
            return meaning(self._db.seal.open(row.payload or b"", f"{row.agency}/{row.message_id}")) != meaning(
                arrival.body
            )
        except CannotDecrypt:
            return True

    def _digest(self, arrival: Arrival) -> str:
        return self._db.digest(arrival.body.decode("latin-1"), size=16)

    def sent_again(self, connection: Connection, known: Sequence[Arrival]) -> None:
        """Let stored messages profit from having come again: in content, if it was lost, and in what is dead."""
        for arrival in known:
            self._replace_undecrypted(connection, arrival)
            self._revive(connection, arrival.agency, arrival.message_id)

    def keep(self, connection: Connection, arrivals: list[Arrival]) -> dict[tuple[str, str], tuple[int, Arrival]]:
        """Insert what the new ones among different arrivals need. Returns them, by agency and message, as stored."""
        by_key = {(arrival.agency, arrival.message_id): arrival for arrival in arrivals}
        rows = self._insert_events(connection, arrivals)
        stored = {
            key: (row.id, replace(by_key[key], received_at=row.received_at, source_time=row.source_time))
            for key, row in rows.items()
        }
        self._insert_deliveries(connection, list(stored.values()))
        self._obligations.owe(connection, self._obligations.rows(_obligations(stored.values())))
        self._newest.note(connection, self._newest.rows(_states(stored.values())))
        return stored

    def _insert_events(self, connection: Connection, arrivals: list[Arrival]) -> dict[tuple[str, str], Row[Any]]:
        payloads = [self._db.seal.close(arrival.body, f"{arrival.agency}/{arrival.message_id}") for arrival in arrivals]
        starts = accumulate(map(len, payloads), initial=1)
        rows = [
            self._event(arrival) | {"at": at, "size": len(payload)}
            for arrival, payload, at in zip(arrivals, payloads, starts, strict=False)
        ]
        made = connection.execute(self._add_events, {**as_rows(rows), "payloads": b"".join(payloads)})
        return {(row.agency, row.message_id): row for row in made}

    def _event(self, arrival: Arrival) -> dict[str, Any]:
        return {
            "agency": arrival.agency,
            "message_id": arrival.message_id,
            "type": arrival.type,
            "customer_id": arrival.customer_id,
            "source_time": arrival.source_time,
            "received_at": arrival.received_at,
            "digest": self._digest(arrival),
            "raised": ",".join(sorted(arrival.raised)),
            "odd": odd_as_text(arrival.odd),
            "origin": arrival.origin,
            "run": arrival.run,
        }

    def _insert_deliveries(self, connection: Connection, fresh: list[tuple[int, Arrival]]) -> None:
        rows = [
            {
                "event_id": event_id,
                "destination": owed.destination,
                "lane": owed.lane,
                "state": arrival.state,
                "priority": arrival.priority,
                "accepted_at": arrival.received_at,
                "code": arrival.why.code,
                "reason": arrival.why.cause,
                "action": arrival.why.action,
            }
            for event_id, arrival in fresh
            for owed in arrival.owed
        ]
        if rows:
            connection.execute(self._add_deliveries, as_rows(rows))

    def _replace_undecrypted(self, connection: Connection, arrival: Arrival) -> None:
        """Store the content of a message that came again, if what is stored of it failed to be decrypted."""
        mine = (events.c.agency == arrival.agency, events.c.message_id == arrival.message_id)
        failed = (deliveries.c.code == UNOPENABLE, STATE.in_((DeliveryState.READY, DeliveryState.DEAD)))
        row = connection.execute(select(events).join_from(events, deliveries).where(*mine, *failed).limit(1)).first()
        if row is not None and self.event(row).unopened:
            payload = self._db.seal.close(arrival.body, f"{arrival.agency}/{arrival.message_id}")
            connection.execute(update(events).where(events.c.id == row.id).values(payload=payload))

    def _revive(self, connection: Connection, agency: str, message_id: str) -> None:
        """Make dead deliveries of a message ready again; not those an operator set aside because they hold a lane."""
        sent_again = select(events.c.id).where(events.c.agency == agency, events.c.message_id == message_id)
        connection.execute(
            update(deliveries)
            .where(deliveries.c.event_id.in_(sent_again), STATE == DeliveryState.DEAD, deliveries.c.code != SET_ASIDE)
            .values(state=DeliveryState.READY, attempts=0, due_at=self._db.now())
        )

    def waiting(self, most: int) -> int:
        """How many deliveries of what was sent wait, counted no further than `most`."""
        sent = (deliveries.c.state == READY, deliveries.c.priority > FETCHED)
        some = select(literal(1)).where(*sent).limit(most).subquery()
        with self._db.reading() as connection:
            return int(connection.execute(select(func.count()).select_from(some)).scalar_one())

    def due(self, lane: str, limit: int, *, after: int = 0, opened: Mapping[int, Event] = _NOTHING) -> list[Delivery]:
        """What this lane owes now, decrypted all at once: `listed` and `opening` need less memory."""
        return list(self.opening(self.listed(lane, limit, after=after), opened))

    def listed(self, lane: str, limit: int, *, after: int = 0, most: int = 1 << 62) -> list[Waiting]:
        """What this lane owes now: those that raise an opt-out first, then the longest due.

        after: how many to leave out first. most: bytes of their payloads; one delivery is listed whatever its size.
        """
        wanted = {"the_lane": lane, "most": limit, "after": after}
        with self._db.reading() as connection:
            rows = [Waiting(*row) for row in connection.execute(self._listed, wanted)]
        sums = accumulate(waiting.size or 0 for waiting in rows)
        return [
            waiting
            for place, (waiting, so_far) in enumerate(zip(rows, sums, strict=True))
            if not place or so_far <= most
        ]

    def next(self, lane: str, limit: int, most: int) -> Iterator[Delivery]:
        """What this lane owes after the first `limit` deliveries."""
        return self.opening(self.listed(lane, limit, after=limit, most=most))

    def opening(self, listed: Sequence[Waiting], opened: Mapping[int, Event] = _NOTHING) -> Iterator[Delivery]:
        """Decrypt what is listed, a few at a time: a caller that keeps no payload never has many in memory.

        opened: events by delivery id, used as they are if they are still stored. Raises StoreUnavailable.
        """
        for part in parts(listed):
            # Several large payloads at once, of several lanes, would be the largest part of a worker's memory.
            with _LARGE_ONES if (part[0].size or 0) > PART else nullcontext():
                yield from self._open(part, opened)

    def _open(self, part: Sequence[Waiting], opened: Mapping[int, Event]) -> Iterator[Delivery]:
        events = {
            waiting.id: event
            for waiting in part
            if (event := opened.get(waiting.id))
            # The id of what was forgotten may be another's now, what is kept of an old event has no payload any more,
            # and what could not be decrypted may have come again.
            and (event.message_id == waiting.message_id and waiting.size is not None and not event.unopened)
            and event.again == waiting.again
        }
        missing = as_rows([{"id": waiting.event_id} for waiting in part if waiting.id not in events])
        rows: dict[int, Row[Any]] = {}
        if missing:
            with self._db.reading() as connection:
                rows = {row.id: row for row in connection.execute(self._opened, missing)}
        for waiting in part:
            event = events.get(waiting.id)
            if event is None and (row := rows.pop(waiting.event_id, None)) is not None:
                event = self.event(row, waiting.again)
                del row
            if event is not None:  # else it was forgotten since it was listed
                owing = frozenset(waiting.raised.split(",")) if waiting.raised else frozenset()
                yield Delivery(waiting.id, waiting.attempts, waiting.accepted_at, event, waiting.event_id, owing)

    def delivery(self, row: Row[Any]) -> Delivery:
        """A delivery from a row of it and its event."""
        owing = frozenset(row.raised.split(",")) if row.raised else frozenset()
        return Delivery(row.delivery_id, row.attempts, row.accepted_at, self.event(row, row.again), row.id, owing)

    def deliveries_of(self, destination: str, event_ids: Collection[int]) -> Iterator[Delivery]:
        """The deliveries of these events to one destination, opened a few at a time; not what is no longer kept."""
        mine = (deliveries.c.destination == destination, deliveries.c.event_id.in_(event_ids))
        with self._db.reading() as connection:
            rows = connection.execute(HEADS.where(*mine).order_by(deliveries.c.id))
            return self.opening([Waiting(*row) for row in rows])

    def event(self, row: Row[Any], again: int = 0) -> Event:
        """An event from its row. A body that is not a JSON object, or cannot be decrypted, is an empty payload."""
        known = (row.agency, row.message_id, row.type, row.customer_id, row.source_time, row.received_at)
        fetched = bool(row.origin != Origin.WEBHOOK)
        try:
            return Event(*known, self._payload(row), None, fetched, again, row.run)
        except CannotDecrypt as error:
            return Event(*known, {}, Unopened(error.key, error.missing), fetched, again, row.run)

    def _payload(self, row: Row[Any]) -> dict[str, Any]:
        """The decrypted payload of an event's row. Raises CannotDecrypt."""
        if row.payload is None:
            return {}
        body = self._db.seal.open(row.payload, f"{row.agency}/{row.message_id}")
        try:
            payload = decode.decoded(body)
        except ValueError:
            return {}
        return payload if isinstance(payload, dict) else {}


def _key(arrival: Arrival) -> tuple[str, str]:
    return arrival.agency, arrival.message_id


def _by_key(arrivals: Iterable[Arrival]) -> dict[tuple[str, str], Arrival]:
    """The first of those with the same key."""
    unique: dict[tuple[str, str], Arrival] = {}
    for arrival in arrivals:
        unique.setdefault(_key(arrival), arrival)
    return unique


def _obligations(arrivals: Iterable[tuple[int, Arrival]]) -> Iterator[tuple[Obligation, str]]:
    for event_id, arrival in arrivals:
        for owed in arrival.owed if arrival.customer_id else ():
            for flag in sorted(arrival.raised):
                since = arrival.received_at or 0
                yield Obligation(owed.destination, arrival.customer_id or "", flag, since, event_id), owed.lane


def _states(arrivals: Iterable[tuple[int, Arrival]]) -> Iterator[Kept]:
    for event_id, arrival in arrivals:
        at = arrival.source_time if arrival.source_time is not None else arrival.received_at or 0
        rest = (arrival.customer_id, at, arrival.origin is Origin.WEBHOOK, event_id)
        if arrival.customer_id and arrival.type in OF_CUSTOMERS:
            yield Kept(arrival.agency, Kind.CUSTOMER, arrival.customer_id, *rest)
        elif arrival.call_id:
            yield Kept(arrival.agency, Kind.CALL, arrival.call_id, *rest)


def _oddities(arrivals: Iterable[Arrival]) -> Iterator[Oddity]:
    for arrival in arrivals:
        at, message_id = arrival.received_at or 0, arrival.message_id
        for odd in arrival.odd:
            seen = Oddity(arrival.agency, odd.path, expected=odd.expected, got=odd.got, used=odd.used)
            yield replace(seen, since=at, until=at, message_id=message_id)
