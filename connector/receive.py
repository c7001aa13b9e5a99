"""Turn a raw request into a durable row: verify, read, store."""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from connector import telemetry
from connector.backoff import DAY
from connector.carecycle import decode, recognise
from connector.carecycle.probe import is_probe
from connector.carecycle.remnant import Remnant, remnant
from connector.carecycle.signature import Message, Verifier
from connector.errors import StoreUnavailable, UnreadableEvent
from connector.model import OLDEST
from connector.settlement import UNKNOWN_TYPE, DeliveryState, Refusal, unreadable
from connector.settlement.newest import Origin
from connector.store.inbox import Arrival, Owed
from connector.store.tables import FETCHED, RAISING
from connector.store.writer import Keeper

NOBODY = ""
"""The type of an event whose body could not be read."""


@dataclass(frozen=True, slots=True)
class Agency:
    """One agency as the webhook endpoint sees it. destinations: name -> number of lanes."""

    name: str
    verifier: Verifier = field(repr=False)
    destinations: Mapping[str, int]

    def owed(self, spread_by: str) -> tuple[Owed, ...]:
        """List the deliveries an event is owed. spread_by: events with the same value share a lane."""
        spread = _spread(spread_by)
        return tuple(_owed(self.name, destination, spread % lanes) for destination, lanes in self.destinations.items())


def lane_for(agency: str, destination: str, partitions: int, spread_by: str) -> str:
    """Return the lane of a destination for a customer, or for the message of nobody's event."""
    return lane_name(agency, destination, _spread(spread_by) % partitions)


def _spread(by: str) -> int:
    return zlib.crc32(by.encode())


def lane_name(agency: str, destination: str, partition: int) -> str:
    """Return the name of the lane of one partition of a destination."""
    return f"{agency}/{destination}/{partition}"


@cache
def _owed(agency: str, destination: str, partition: int) -> Owed:
    """One for each lane, of which there are few."""
    return Owed(f"{agency}/{destination}", lane_name(agency, destination, partition))


@dataclass(frozen=True, slots=True)
class Receipt:
    """A genuine message on its way to disk."""

    arrival: Arrival
    kept: Future[bool]
    probe: bool = False
    began: float = field(default_factory=time.perf_counter)

    def confirm(self, patience: float = 0.0) -> None:
        """Wait until the message is on disk, and log it. Raises StoreUnavailable, also after `patience` seconds."""
        arrival = self.arrival
        if self.probe:
            telemetry.probe_answered(arrival.agency)
            return
        try:
            new = self.kept.result(patience)
        except (TimeoutError, CancelledError):
            self.kept.cancel()
            waited = time.perf_counter() - self.began
            raise StoreUnavailable("database", f"no commit within {waited:.0f} s") from None
        milliseconds = 1000 * (time.perf_counter() - self.began)
        telemetry.event_accepted(arrival.agency, arrival.type, arrival.message_id, milliseconds, new=new)
        if new and arrival.odd:
            telemetry.odd_fields(arrival.agency, arrival.message_id, arrival.odd)
        if new and arrival.state is DeliveryState.DEAD:
            telemetry.event_parked(arrival.agency, arrival.message_id, arrival.why.cause)


def expect(agency: Agency, headers: Mapping[str, str]) -> Sequence[Message]:
    """What the headers of a message say, judged before its body is there. Raises RefuseMessage.

    headers: by their names in lower case.
    """
    return agency.verifier.expect(headers, time.time())


def receive(agency: Agency, body: bytes, messages: Sequence[Message], keep: Keeper) -> Receipt:
    """Hand a genuine message over to be stored; one of doctor's is only answered. Raises RefuseMessage.

    messages: what its headers say, judged.
    """
    message_id = agency.verifier.verify(body, messages)
    if is_probe(body):
        return Receipt(_blank(agency, message_id, b"", None), _nothing_to_keep(), probe=True)
    arrival = read(agency, message_id, body)
    return Receipt(arrival, keep(arrival))


def _nothing_to_keep() -> Future[bool]:
    kept: Future[bool] = Future()
    kept.set_result(False)
    return kept


def read(agency: Agency, message_id: str, body: bytes, now: int | None = None) -> Arrival:
    """A verified message as it goes into the inbox. What cannot be read is kept too, parked as a dead letter.

    now: when it came, in epoch ms; None for the moment it is stored.
    """
    try:
        reading = recognise.read(_decoded(body, message_id), message_id)
    except UnreadableEvent as error:
        return _unread(agency, message_id, body, now, unreadable(error))
    if reading is None:
        return replace(_unread(agency, message_id, body, now, UNKNOWN_TYPE), state=DeliveryState.IGNORED)
    return _arrival(agency, message_id, body, now, reading, int(time.time() * 1000) if now is None else now)


@dataclass(frozen=True, slots=True)
class Fetch:
    """How content is fetched. destination: the only one it is for; empty for all. digest: keyed. now: epoch ms."""

    origin: Origin
    run: str
    digest: Callable[[str], str]
    now: int
    destination: str = ""


def fetched(agency: Agency, payload: Mapping[str, Any], how: Fetch) -> Arrival:
    """Content that was fetched, of the shape of a webhook's. Equal content has the same message id.

    A state that does not say when it was last changed is as old as its customer or call, or else the oldest possible:
    it fills in what nobody wrote. One of more than a day ahead counts as of now: it would keep out what careCycle sends
    until then. Raises UnreadableEvent.
    """
    body = json.dumps(payload, sort_keys=True, separators=(",", ":")).encode()
    message_id = f"{how.origin}:{how.digest(body.decode())}"
    reading = recognise.read(payload, message_id)
    if reading is None:
        raise UnreadableEvent(message_id, "event_type is none of careCycle's")
    arrival = _arrival(agency, message_id, body, None, reading, how.now)
    only = tuple(owed for owed in arrival.owed if how.destination in ("", owed.destination.partition("/")[2]))
    when = arrival.source_time if arrival.source_time is not None else reading.created or OLDEST.at
    when = how.now if when > how.now + DAY else when  # it may be as old as it likes
    return replace(arrival, owed=only, source_time=when, priority=FETCHED, origin=how.origin, run=how.run)


def _arrival(
    agency: Agency, message_id: str, body: bytes, now: int | None, reading: recognise.Reading, clock: int
) -> Arrival:
    """clock: the time, about, by which it is reported what cannot be believed. The database's decides what counts."""
    left = remnant(body) if reading.customer_lost else Remnant(reading.customer_id, reading.raised)
    return Arrival(
        agency.name,
        message_id,
        reading.type,
        left.customer_id,
        now if reading.source_time is None else reading.source_time,
        now,
        body,
        agency.owed(left.customer_id or message_id),
        priority=RAISING if left.raised else 0,
        raised=left.raised,
        odd=reading.odd + reading.wrong_clocks(clock),
        call_id=reading.call_id,
    )


def _decoded(body: bytes, message_id: str) -> object:
    try:
        return decode.decoded(body)
    except ValueError:
        raise UnreadableEvent(message_id, "the body is not JSON") from None


def _blank(agency: Agency, message_id: str, body: bytes, now: int | None) -> Arrival:
    return Arrival(agency.name, message_id, NOBODY, None, now, now, body, agency.owed(message_id))


def _unread(agency: Agency, message_id: str, body: bytes, now: int | None, why: Refusal) -> Arrival:
    """A message that is no event we can deliver. The opt-outs of the customer it names count all the same."""
    left = remnant(body)
    return replace(
        _blank(agency, message_id, body, now),
        customer_id=left.customer_id,
        owed=agency.owed(left.customer_id or message_id),
        raised=left.raised,
        state=DeliveryState.DEAD,
        why=why,
    )
