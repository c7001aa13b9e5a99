"""Calls in a portal without unique properties on them: one HubSpot call for each of careCycle's, whatever is lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from connector.delivery.route import Route, Running
from connector.destinations import VENDORS
from connector.errors import DestinationUnusable
from connector.mapping import load_text, shipped_folder
from connector.model import Mode
from connector.sandbox.wire import Wire
from connector.store import Store
from connector.store.clock import RemoteClock
from connector.store.processes import Beat, Processes
from tests.builders import a_call, a_customer
from tests.conftest import Clock
from tests.contracts.test_pipeline import DESTINATION, HUBSPOT, LANE, House
from tests.destinations import hubspot_fixtures as fixtures

OWN = """\
extends: hubspot
records:
  call: { unique_key: false, key: { hs_call_external_id: call.id } }
"""
MINUTE = 60_000
INDEX_LAG = 120.0
CREATES, UPDATES, SEARCHES = "/calls/batch/create", "/calls/batch/update", "/calls/search"


@pytest.fixture
def house(store: Store, clock: Clock) -> Iterator[House]:
    """A portal without unique properties on calls, whose search shows what was written after two minutes."""
    store.lanes.open({LANE: DESTINATION})
    loaded = load_text(OWN, "own.yaml", shipped=shipped_folder(), crms=VENDORS)
    assert loaded.mapping is not None, loaded.diagnostics
    knobs = {"unique_calls": False, "index_lag": INDEX_LAG, "clock": lambda: clock() / 1000}
    with fixtures.sandbox_and_destination(**knobs) as (sandbox, destination):
        yield House(
            store, clock, sandbox, Route(DESTINATION, destination, Running(loaded.mapping), "America/New_York"), HUBSPOT
        )


def wait(house: House, minutes: float) -> None:
    house.clock.forward(int(minutes * MINUTE))
    house.drain()


def call_event(number: int = 1, **changes: object) -> dict[str, object]:
    return a_call(a_customer(), id=f"call-{number}", **changes)


def some_calls(number: int) -> list[dict[str, object]]:
    return [call_event(n) for n in range(number)]


def external_ids(house: House) -> list[str]:
    return sorted(call["hs_call_external_id"] for call in house.calls())


class TestClocksThatDiffer:
    @pytest.mark.parametrize("minutes", [10, 60 * 24 * 100, -60])
    @pytest.mark.parametrize("answers", ["lose_reply", "refuse"])
    def test_the_crms_own_says_when_its_search_can_be_trusted(
        self, house: House, clock: Clock, minutes: int, answers: str
    ) -> None:
        crm, processes = Clock(), Processes(house.store.database)
        processes.beat(Beat("here:1", "work"))
        house.sandbox.state.clock = lambda: crm() / 1000
        house.route.clock = RemoteClock(lambda: crm() / 1000)
        house.route.clock.set(crm() / 1000)
        house.sandbox.fault(CREATES, getattr(Wire, answers))
        (message,) = house.pass_on(call_event(1))
        clock.forward(minutes * MINUTE)  # the database's clock jumps
        processes.beat(Beat("here:1", "work"))
        for _ in range(4):
            crm.forward(MINUTE)
            wait(house, 1)
        assert house.state(message) == ("ready", "CREATE_UNSURE")
        assert len(house.sandbox.calls(CREATES)) == 1
        for _ in range(15):
            crm.forward(MINUTE)
            wait(house, 1)
        assert external_ids(house) == ["call-1"]
        assert house.state(message)[0] == "delivered"

    def test_a_creation_noted_in_the_future_is_waited_for_once(self, house: House, clock: Clock) -> None:
        crm, processes, days = Clock(), Processes(house.store.database), 100 * 24 * 60
        house.sandbox.state.clock = lambda: crm() / 1000
        clock.forward(days * MINUTE)
        processes.beat(Beat("here:1", "work"))
        house.sandbox.fault(CREATES, Wire.lose_reply)
        (message,) = house.pass_on(call_event(1))
        clock.forward(-days * MINUTE)
        processes.beat(Beat("here:1", "work"))
        for _ in range(12):
            crm.forward(MINUTE)
            wait(house, 1)
        assert external_ids(house) == ["call-1"]
        assert house.state(message)[0] == "delivered"


class TestOneHubSpotCallForEachOfCareCycles:
    def test_a_call_is_made_and_linked_without_any_search(self, house: House) -> None:
        house.pass_on(call_event(1))
        assert external_ids(house) == ["call-1"]
        assert len(house.sandbox.associations) == 1
        assert house.sandbox.calls(SEARCHES) == []

    def test_an_event_that_comes_again_writes_nothing(self, house: House) -> None:
        house.pass_on(call_event(1))
        house.pass_on(call_event(1))
        assert len(house.sandbox.calls(CREATES)) == 1
        assert house.sandbox.calls(UPDATES) == []

    def test_a_later_version_is_written_by_the_id_we_remember(self, house: House) -> None:
        house.pass_on(call_event(1))
        later = call_event(1, durationMs=1000, createdAt="2026-06-18T13:00:00.000Z")
        (message,) = house.pass_on(later)
        assert house.state(message)[0] == "delivered"
        assert [call["hs_call_duration"] for call in house.calls()] == ["1000"]
        assert house.sandbox.calls(SEARCHES) == []

    def test_replies_lost_after_the_commit_make_no_second_call(self, house: House) -> None:
        house.sandbox.fault(CREATES, Wire.lose_reply, times=2)
        messages = house.pass_on(*some_calls(150))
        for _ in range(20):
            wait(house, 1)
        assert external_ids(house) == sorted(f"call-{n}" for n in range(150))
        assert {house.state(message)[0] for message in messages} == {"delivered"}
        assert len(house.sandbox.associations) == 150

    def test_nothing_is_made_or_searched_for_until_the_index_can_be_trusted(self, house: House) -> None:
        house.sandbox.fault(CREATES, Wire.lose_reply)
        (message,) = house.pass_on(call_event(1))
        for _ in range(4):
            wait(house, 1)
        assert house.state(message) == ("ready", "CREATE_UNSURE")
        assert len(house.sandbox.calls(CREATES)) == 1
        assert house.sandbox.calls(SEARCHES) == []

    def test_a_create_that_never_arrived_is_made_after_the_search_found_nothing(self, house: House) -> None:
        house.sandbox.fault(CREATES, Wire.refuse)
        (message,) = house.pass_on(call_event(1))
        for _ in range(12):
            wait(house, 1)
        assert external_ids(house) == ["call-1"]
        assert house.state(message)[0] == "delivered"
        assert len(house.sandbox.calls(SEARCHES)) == 1

    @pytest.mark.parametrize("status", [500, 502, 504])
    def test_an_outage_told_after_the_commit_makes_no_second_call(self, house: House, status: int) -> None:
        def failed_after(go_on):  # type: ignore[no-untyped-def]  # a fault of the sandbox
            go_on()
            return house.sandbox.html(status)

        house.sandbox.fault(CREATES, failed_after)
        house.pass_on(call_event(1))
        for _ in range(12):
            wait(house, 1)
        assert external_ids(house) == ["call-1"]

    def test_a_limit_is_waited_out_since_nothing_was_written(self, house: House) -> None:
        house.sandbox.fault(CREATES, house.sandbox.rate_limited())
        (message,) = house.pass_on(call_event(1))
        assert house.state(message)[0] == "delivered"

    def test_a_refused_call_is_made_at_once_when_it_is_replayed(self, house: House) -> None:
        house.sandbox.fault(CREATES, house.sandbox.refused(400, "VALIDATION_ERROR"), times=100)
        (message,) = house.pass_on(call_event(1))
        assert house.state(message)[0] == "dead"
        house.sandbox.faults.clear()
        house.pass_on(call_event(1))
        assert external_ids(house) == ["call-1"]
        assert house.sandbox.calls(SEARCHES) == []

    def test_a_call_deleted_in_hubspot_is_made_again_in_full(self, house: House) -> None:
        house.pass_on(call_event(1))
        house.sandbox.delete("calls", house.calls()[0]["id"])
        house.pass_on(call_event(1, durationMs=1000, createdAt="2026-06-18T13:00:00.000Z"))
        wait(house, 2)
        (call,) = house.calls()
        assert (call["hs_call_duration"], call["hs_call_direction"]) == ("1000", "INBOUND")

    def test_a_call_whose_link_failed_is_linked_and_not_made_again(self, house: House) -> None:
        house.sandbox.fault("/associations/", house.sandbox.refused(400, "VALIDATION_ERROR"))
        (message,) = house.pass_on(call_event(1))
        assert house.state(message) == ("ready", "ASSOCIATION")
        wait(house, 1)
        assert house.state(message)[0] == "delivered"
        assert (len(house.calls()), len(house.sandbox.associations)) == (1, 1)
        assert house.sandbox.calls(SEARCHES) == []

    def test_two_calls_that_people_copied_are_told_as_ambiguous(self, house: House) -> None:
        house.sandbox.fault(CREATES, Wire.lose_reply)
        (message,) = house.pass_on(call_event(1))
        house.sandbox.put("calls", hs_call_external_id="call-1", hs_timestamp="2026-06-18T12:00:00Z")
        for _ in range(12):
            wait(house, 1)
        assert house.state(message) == ("dead", "AMBIGUOUS")
        assert len(house.calls()) == 2


class TestTheMapping:
    def found(self, text: str) -> list[str]:
        """The errors of a mapping against the schema of a portal without unique properties on calls."""
        with fixtures.sandbox_and_destination(unique_calls=False) as (_, hubspot):
            schema = hubspot.describe(["contacts", "calls", "owners"])
        loaded = load_text(text, "own.yaml", schema=schema, shipped=shipped_folder(), crms=VENDORS)
        return [one.code for one in loaded.diagnostics if one.severity == "error"]

    def test_a_key_that_is_not_unique_is_refused(self) -> None:
        assert self.found("extends: hubspot\n") == ["M230"]

    def test_it_is_taken_where_the_mapping_says_so(self) -> None:
        assert self.found(OWN) == []


class TestCreatingInHubSpot:
    def test_a_hundred_are_one_request_and_the_results_are_matched_by_trace_id(self) -> None:
        with fixtures.sandbox_and_destination(unique_calls=False) as (portal, hubspot):
            rows = [replace(fixtures.a_call(f"k-{n}"), unique=False) for n in range(100)]
            outcomes = hubspot.write(rows)
            ids = {call["carecycle_call_id"]: call["id"] for call in portal.records("calls")}
            assert [outcome.id for outcome in outcomes] == [ids[f"k-{n}"] for n in range(100)]
            assert len(portal.seen) == 1

    @pytest.mark.parametrize("status", [0, 200, 408, 500, 503])
    def test_it_is_never_asked_twice_where_it_may_have_been_done(self, status: int) -> None:
        with fixtures.sandbox_and_destination(unique_calls=False) as (portal, hubspot):
            portal.fault(CREATES, Wire.lose_reply if status == 0 else portal.html(status), times=9)
            with pytest.raises(DestinationUnusable):
                hubspot.write([replace(fixtures.a_call("k-1"), unique=False)])
            assert len(portal.seen) == 1

    def test_a_call_known_by_id_but_gone_is_not_made_behind_the_ledgers_back(self) -> None:
        with fixtures.sandbox_and_destination(unique_calls=False) as (portal, hubspot):
            (outcome,) = hubspot.write([replace(fixtures.a_call("k-1", id="4711"), unique=False)])
            assert outcome.code == "OBJECT_NOT_FOUND"
            assert portal.records("calls") == []

    def test_an_update_of_one_that_is_not_there_is_skipped(self) -> None:
        with fixtures.sandbox_and_destination(unique_calls=False) as (_, hubspot):
            (outcome,) = hubspot.write([replace(fixtures.a_call("k-1", mode=Mode.UPDATE), unique=False)])
            assert outcome.code == "ABSENT"


def test_an_event_without_a_customer_is_made_once_too(house: House) -> None:
    house.sandbox.fault(CREATES, Wire.lose_reply)
    house.pass_on(a_call(id="call-1"), a_customer())
    for _ in range(12):
        wait(house, 1)
    assert external_ids(house) == ["call-1"]
