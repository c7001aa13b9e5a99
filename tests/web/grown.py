"""Twenty thousand events of three agencies over twenty days, stored and settled by the product's own functions."""

from __future__ import annotations

import json
import random
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import select, text

from connector.carecycle.samples import Samples
from connector.carecycle.signature import Verifier
from connector.errors import PauseReason
from connector.model import Entry, Mark, OpenItem, RecordKey, Stamp
from connector.receive import Agency, read
from connector.settlement import (
    AttemptOutcome,
    DeliveryState,
    ObligationState,
    Pause,
    Payment,
    RecordNote,
    RecordVerdict,
    Refusal,
    Remembered,
    Settled,
    Settlement,
)
from connector.store import Store
from connector.store.agencies import Terms
from connector.store.inbox import Arrival, Waiting
from connector.store.tables import events
from tests.builders import NOON, SECRET
from tests.conftest import Clock
from tests.contracts.test_questions import EDNA, HAROLD, ask

EVENTS: Final = 20_000
MINUTE, DAY, DAYS = 60_000, 86_400_000, 20
SHARES: Final = {"harbor": 4, "mesa": 3, "sunrise": 13}
"""Of twenty events, how many are each agency's."""

CRMS: Final = ("hubspot", "salesforce")
LANES: Final = {f"{agency}/{crm}/0": f"{agency}/{crm}" for agency in SHARES for crm in CRMS}
STOPPED: Final = "harbor/hubspot/0"
OFTEN, SELDOM = "often-called", "seldom-called"
"""Two people of sunrise: with a quarter of all events, and with one in four hundred."""

REFUSALS: Final = (
    Refusal("INVALID_EMAIL", "the address is not accepted", "correct it", ("Email",), "contact"),
    Refusal("STRING_TOO_LONG", "the text is too long", "shorten it", ("Suffix",), "contact"),
    Refusal("INVALID_OPTION", "the value is not one of the options", "add it", ("Status",), "contact"),
)
NOTE: Final = RecordNote("contact", "Contact", "", ("FirstName", "LastName"), verdict=RecordVerdict.DELIVERED)


def grow(store: Store, clock: Clock, count: int = EVENTS) -> None:
    """Fill a store; its clock ends at NOON. One lane has rested since the last day, in which nothing is written."""
    store.agencies.announce([Terms(agency, True, 90) for agency in SHARES])
    store.lanes.open(LANES)
    arrivals = [*_arrivals(count)]
    for day in range(DAYS):
        clock.now = NOON - (DAYS - 1 - day) * DAY
        store.inbox.accept(arrivals[day * count // DAYS : (day + 1) * count // DAYS])
        for lane in LANES if day < DAYS - 1 else ():
            _settle(store, lane)
    _stop(store)
    for number in range(20):
        ask(store, HAROLD, EDNA, customer=f"asked-{number}")
    for number in range(120):
        action, agency = ("pause", "replay", "reveal")[number % 3], [*SHARES][number % 5 % 3]
        store.audit.note(f"user-{number % 7}", action, f"thing {number}", "a reason", agency=agency)
    while store.people.index.step():
        continue
    if store.database.engine.dialect.name != "sqlite":
        with store.database.transaction() as connection:
            connection.execute(text("ANALYZE"))


def _arrivals(count: int) -> Iterator[Arrival]:
    chance = random.Random(11)
    samples = Samples(chance, datetime.fromtimestamp(NOON / 1000 - DAYS * 86_400, UTC))
    agencies = {name: Agency(name, Verifier(name, [SECRET]), dict.fromkeys(CRMS, 1)) for name in SHARES}
    turns = [name for name, share in SHARES.items() for _ in range(share)]
    people = {name: [samples.person() for _ in range(1 + count * share // 240)] for name, share in SHARES.items()}
    often, seldom = {**samples.person(), "id": OFTEN}, {**samples.person(), "id": SELDOM}
    for number in range(1, count + 1):
        agency = turns[number % len(turns)]
        person = chance.choice(people[agency])
        if number % 400 == 19:
            person = seldom
        elif agency == "sunrise" and number % 13 < 5:
            person = often
        if number % 3 == 0:
            payload = samples.call(person)
        else:
            flags = {"doNotCall": True} if number % 97 == 0 else {"doNotEmail": True} if number % 89 == 0 else {}
            payload = samples.updated(dict(person), **flags)
        at = NOON - (count - number) * DAYS * DAY // count
        yield read(agencies[agency], f"msg_{number:05d}", json.dumps(payload).encode(), at)


def _settle(store: Store, lane: str) -> None:
    """Settle everything due: of a hundred, two are rejected, four superseded and three skipped."""
    lease = store.lanes.lease("a worker", [lane], MINUTE)
    assert lease is not None
    while due := store.inbox.listed(lane, 1_000):
        ended = [_settled(one) for one in due]
        whose = _customers(store, due)
        known = {whose[one.event_id]: _remembered(whose[one.event_id], one) for one in due if one.event_id in whose}
        store.lanes.settle(lease, Settlement("v1", ended, list(known.values())), MINUTE)
    states = (ObligationState.APPLIED,) * 6 + (ObligationState.REFUSED, ObligationState.NO_RECORD)
    owed = store.obligations.due(lane, 100)
    paid = [Payment(own, states[place % 8], wait_ms=99 * DAY) for place, own in enumerate(owed)]
    store.lanes.settle(lease, Settlement("v1", payments=paid), MINUTE)
    store.lanes.release(lease)


def _settled(due: Waiting) -> Settled:
    place, state, why = due.id % 100, DeliveryState.DELIVERED, Refusal()
    if place in (3, 53):
        state, why = DeliveryState.DEAD, REFUSALS[due.id // 100 % 3]
    elif place < 9:
        state = DeliveryState.SUPERSEDED if place % 2 else DeliveryState.SKIPPED
    return Settled(due.id, state, AttemptOutcome(state), why, [NOTE], request_id="request-7", duration_ms=120)


def _customers(store: Store, due: list[Waiting]) -> dict[int, str]:
    statement = select(events.c.id, events.c.customer_id).where(events.c.id.in_([one.event_id for one in due]))
    with store.database.reading() as connection:
        return {event_id: customer_id for event_id, customer_id in connection.execute(statement) if customer_id}


def _remembered(customer_id: str, due: Waiting) -> Remembered:
    key = RecordKey("Contact", "careCycle_Id__c", customer_id)
    marks = {name: Mark(Stamp(due.accepted_at, "m"), "d") for name in ("FirstName", "LastName", "Email", "Phone")}
    item = OpenItem("BAD_ADDRESS", "the address is not accepted", "correct it", "contact", "d", Stamp(1, "t"), "v1")
    return Remembered(
        key,
        Entry(f"003{customer_id[:12]}", marks),
        customer_id,
        due.id,
        new=True,
        opened={"Email": item} if zlib.crc32(customer_id.encode()) % 40 == 7 or customer_id == OFTEN else {},
    )


def _stop(store: Store) -> None:
    lease = store.lanes.lease("a worker", [STOPPED], MINUTE)
    assert lease is not None
    pause = Pause(20 * MINUTE, PauseReason.UNREACHABLE, "HubSpot does not answer")
    store.lanes.settle(lease, Settlement("v1", pause=pause), MINUTE)
