"""A time that cannot be right is reported, and counts as the time received: it freezes no record."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select, update

from connector.backoff import DAY
from connector.carecycle.recognise import OddField, as_read
from connector.carecycle.signature import Verifier
from connector.insight.oddities import what_came, what_to_do
from connector.mapping.facts import stamps_of
from connector.model import OLDEST, Entry, Event, Mark, Stamp
from connector.receive import Agency, read
from connector.settlement.newest import Kind
from connector.store import Store
from connector.store.entries import believed
from connector.store.fetched_tables import newest
from connector.store.inbox import Arrival
from connector.store.tables import events
from tests.builders import CUSTOMER, NOON, SECRET, a_call, a_customer

AGENCY = Agency("sunrise", Verifier("sunrise", [SECRET]), {"crm": 1})
AHEAD = OddField("customer.updatedAt", "a time that has come", "one more than a day ahead")
OLD = OddField("customer.updatedAt", "a time since the year 2000", "an earlier one")
IN_2099, TOMORROW, NEXT_DAY = "2099-01-01T00:00:00Z", "2026-06-19T11:59:59Z", "2026-06-19T12:00:01Z"


def arrival(message_id: str, payload: dict[str, Any], at: int | None = NOON) -> Arrival:
    return read(AGENCY, message_id, json.dumps(payload).encode(), at)


def planned(store: Store) -> dict[str, Event]:
    """The events as mappings see them."""
    with store.database.reading() as connection:
        rows = connection.execute(select(events).order_by(events.c.id)).all()
    seen = [as_read(store.inbox.event(row)) for row in rows]
    return {event.message_id: event for event in seen if event}


class TestATimeAhead:
    @pytest.mark.parametrize("kind", ["customer.created", "customer.updated"])
    def test_counts_as_the_time_received_wherever_it_is_compared(self, store: Store, kind: str) -> None:
        store.inbox.accept([arrival("ahead", a_customer(event_type=kind, updatedAt=IN_2099))])
        event = planned(store)["ahead"]
        assert (event.source_time, {stamp.at for stamp in stamps_of(event)}) == (NOON, {NOON})
        assert store.newest.held("sunrise", Kind.CUSTOMER, [CUSTOMER]) == {CUSTOMER: NOON}
        with store.database.reading() as connection:
            assert connection.execute(select(events.c.source_time)).scalar_one() == NOON

    def test_of_a_call_or_of_its_customer_counts_so_too(self, store: Store) -> None:
        call = a_call(a_customer(updatedAt=IN_2099), createdAt=IN_2099)
        store.inbox.accept([arrival("ahead", call)])
        first, *stamps = stamps_of(planned(store)["ahead"])
        assert {stamp.moment for stamp in (first, *stamps)} == {NOON}

    def test_that_the_database_stamped_counts_by_its_clock(self, store: Store) -> None:
        store.inbox.accept([arrival("ahead", a_customer(updatedAt=IN_2099), None)])
        event = planned(store)["ahead"]
        assert event.source_time == event.received_at

    def test_is_reported_by_name_and_never_by_value(self, store: Store) -> None:
        made = arrival("ahead", a_customer(updatedAt=IN_2099))
        assert made.odd == (AHEAD,)
        store.inbox.accept([made])
        assert store.oddities.of("ahead") == (AHEAD,)
        (oddity,) = store.oddities.all()
        assert (oddity.field, oddity.used, oddity.count) == ("customer.updatedAt", False, 1)
        assert "counts as of when it was received" in what_came(AHEAD)
        assert "A clock at careCycle is wrong" in what_to_do(oddity)

    def test_within_a_day_is_believed(self, store: Store) -> None:
        near, far = a_customer(updatedAt=TOMORROW), a_customer(updatedAt=NEXT_DAY)
        assert [arrival("m", payload).odd for payload in (near, far)] == [(), (AHEAD,)]
        store.inbox.accept([arrival("near", near), arrival("far", far)])
        times = {name: event.source_time - NOON for name, event in planned(store).items()}
        assert times == {"near": DAY - 1000, "far": 0}

    def test_is_still_written_as_it_is(self, store: Store) -> None:
        store.inbox.accept([arrival("ahead", a_customer(updatedAt=IN_2099))])
        assert planned(store)["ahead"].payload["updatedAt"] == IN_2099


class TestATimeOfNoTimeAtAll:
    @pytest.mark.parametrize("nothing", ["1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "1999-12-31T23:59:59Z"])
    def test_counts_as_the_time_received_and_is_reported(self, store: Store, nothing: str) -> None:
        made = arrival("old", a_customer(updatedAt=nothing))
        assert made.odd == (OLD,)
        store.inbox.accept([made])
        event = planned(store)["old"]
        assert (event.source_time, {stamp.at for stamp in stamps_of(event)}) == (NOON, {NOON})

    @pytest.mark.parametrize(
        "number", [1_781_697_600, 1_781_697_600_000, 1_781_697_600_000_000, 0, -1, "1781697600", "1781697600000000"]
    )
    def test_a_number_is_no_time_in_whatever_unit(self, store: Store, number: object) -> None:
        made = arrival("number", a_customer(updatedAt=number))
        assert [(odd.path, odd.used) for odd in made.odd] == [("customer.updatedAt", False)]
        store.inbox.accept([made])
        assert planned(store)["number"].source_time == NOON


class TestWhatAnOlderVersionBelieved:
    """A watermark of a time that has not come keeps nothing out any more."""

    def test_is_void_in_the_ledger(self) -> None:
        far, near = Mark(Stamp(NOON + DAY + 1, "t"), "d"), Mark(Stamp(NOON + DAY, "t"), "d")
        entry = believed(Entry("003", {"Email": far, "Phone": near}), NOON)
        assert (entry.fields["Email"], entry.fields["Phone"]) == (Mark(OLDEST, "d"), near)

    def test_is_void_nowhere_while_the_time_is_not_known(self) -> None:
        entry = Entry("003", {"Email": Mark(Stamp(NOON, "t"), "d")})
        assert believed(entry, 0) is entry

    def test_of_a_first_call_is_the_weakest_anyway(self) -> None:
        entry = Entry("003", {"First": Mark(Stamp(NOON + 9 * DAY, "t").turned, "d")})
        assert believed(entry, NOON) is entry

    def test_gives_way_among_the_newest_states(self, store: Store) -> None:
        store.inbox.accept([arrival("first", a_customer())])
        with store.database.transaction() as connection:
            connection.execute(update(newest).values(at=NOON * 3))
        store.inbox.accept([arrival("second", a_customer(updatedAt=TOMORROW))])
        assert store.newest.held("sunrise", Kind.CUSTOMER, [CUSTOMER])[CUSTOMER] < NOON + DAY
