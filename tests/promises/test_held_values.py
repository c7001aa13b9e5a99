"""People who share an address: one contact has it, the others are written without it until it is free."""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from flask import Response
from sqlalchemy import select

from connector.backoff import DAY, HOUR, SECOND
from connector.carecycle.signature import Verifier
from connector.delivery.route import Pace, Route, Running
from connector.delivery.turn import deliver
from connector.insight.left_out import find_left_out
from connector.mapping import shipped_folder
from connector.receive import Agency, lane_for
from connector.running.bootstrap import load_mapping
from connector.store import Store
from connector.store.problem_tables import open_items
from connector.store.tables import deliveries
from tests.builders import SECRET, a_call, a_customer
from tests.conftest import Clock
from tests.contracts import test_pipeline
from tests.contracts.test_pipeline import DESTINATION, HUBSPOT, LANE, SALESFORCE, House
from tests.destinations import hubspot_fixtures, salesforce_fixtures
from tests.promises.stage import minute

OTHER = "another"
SHARED = "whitakers@example.com"
VARIANTS: dict[str, dict[str, Any]] = {
    "named": {},
    "nameless": {"names_holders": False},
    "whole-batch": {"traced": False, "names_holders": False},
}
PEOPLE = ("c-ada", "c-ben", "c-cyd")
OWN = {person: f"{person}@example.com" for person in PEOPLE}
WISHES = list(itertools.product([*OWN.values(), "new@example.com", None], repeat=3))
"""Every way in which three people, each with an address of their own, can have others afterwards."""


def world(store: Store, clock: Clock, shipped: str, names: dict[str, str], opened: Any) -> House:
    store.lanes.open({LANE: DESTINATION})
    sandbox, destination = opened
    mapping = load_mapping(shipped_folder() / f"{shipped}.yaml")
    return House(store, clock, sandbox, Route(DESTINATION, destination, Running(mapping), "America/New_York"), names)


@pytest.fixture(params=VARIANTS)
def portal(request: pytest.FixtureRequest, store: Store, clock: Clock) -> Iterator[House]:
    with hubspot_fixtures.sandbox_and_destination(**VARIANTS[request.param]) as opened:
        yield world(store, clock, "hubspot", HUBSPOT, opened)


@pytest.fixture
def org(store: Store, clock: Clock) -> Iterator[House]:
    with salesforce_fixtures.sandbox_and_destination() as opened:
        opened[0].keep_unique("Contact", "Email")
        yield world(store, clock, "salesforce-contact", SALESFORCE, opened)


def person(customer: str, at: int, email: str | None, **more: Any) -> dict[str, Any]:
    return a_customer(id=customer, updatedAt=minute(at), email=email, firstName=customer, **more)


def addresses(house: House) -> dict[str, str | None]:
    """The address of every customer's record."""
    key = "carecycle_id" if house.names is HUBSPOT else "careCycle_Id__c"
    field = house.names["email"]
    people = house.sandbox.records(house.names["people"])
    return {one[key]: one.get(field) or None for one in people if one.get(key) not in (None, OTHER)}


def waiting(house: House) -> list[Any]:
    with house.store.database.reading() as connection:
        return list(connection.execute(select(open_items).order_by(open_items.c.customer_id)))


def holder(house: House, email: str = SHARED) -> str:
    """Let a contact that is no customer's of ours have an address; return its id."""
    if house.names is HUBSPOT:
        return str(house.sandbox.put("contacts", email=email, firstname="Harold", carecycle_id=OTHER))
    return str(house.sandbox.put("Contact", Email=email, LastName="Whitaker", careCycle_Id__c=OTHER)["Id"])


def rest_a_day(house: House) -> int:
    house.clock.forward(DAY + 1)
    tried = house.store.open_items.held.try_again()
    house.drain()
    return tried


class TestASecondPerson:
    @pytest.mark.slow
    def test_is_written_without_the_address_and_keeps_everything_else(self, portal: House) -> None:
        holds = holder(portal)
        edna = person("c-edna", 1, SHARED, doNotCall=True, city="Yuma")
        sent = portal.pass_on(edna, a_call(edna))
        assert {portal.state(message_id)[0] for message_id in sent} == {"delivered"}
        assert addresses(portal) == {"c-edna": None}
        [record] = [one for one in portal.sandbox.records("contacts") if one["id"] != holds]
        assert (record["city"], record["do_not_call"], len(portal.calls())) == ("Yuma", "true", 1)

    def test_waits_with_an_item_that_names_the_holder(self, portal: House) -> None:
        holds = holder(portal)
        (sent,) = portal.pass_on(person("c-edna", 1, SHARED))
        [item] = waiting(portal)
        assert (item.field, item.code, item.holder) == ("email", "ADDRESS_HELD", holds)
        assert portal.state(sent) == ("delivered", "ADDRESS_HELD")
        [status] = portal.store.desk.story(sent)
        assert f"(record {holds}); the rest was written" in status.reason

    def test_leaves_the_holder_as_it_is(self, portal: House) -> None:
        holds = holder(portal)
        portal.pass_on(person("c-edna", 1, SHARED, doNotCall=True))
        [harold] = [one for one in portal.sandbox.records("contacts") if one["id"] == holds]
        assert (harold["firstname"], harold["email"], "do_not_call" in harold) == ("Harold", SHARED, False)

    def test_has_the_shared_address_opted_out(self, portal: House) -> None:
        holder(portal)
        portal.pass_on(person("c-edna", 1, SHARED, doNotEmail=True))
        assert portal.sandbox.opted_out == {SHARED}

    def test_is_named_beside_the_holder(self, portal: House) -> None:
        holds = holder(portal)
        portal.pass_on(person("c-edna", 1, SHARED))
        [group] = find_left_out(portal.store)
        assert [(one.customer_id, one.holder) for one in group.held] == [("c-edna", holds)]

    def test_who_changes_to_a_held_address_is_left_with_no_outdated_one(self, portal: House) -> None:
        holder(portal)
        portal.pass_on(person("c-edna", 1, "edna@example.com"))
        portal.pass_on(person("c-edna", 2, SHARED))
        assert addresses(portal) == {"c-edna": None}

    def test_ends_the_same_where_the_newer_address_comes_first(self, portal: House) -> None:
        holder(portal)
        portal.pass_on(person("c-edna", 2, SHARED))
        portal.pass_on(person("c-edna", 1, "edna@example.com"))
        assert addresses(portal) == {"c-edna": None}

    def test_who_returns_to_the_former_address_has_it_again(self, portal: House) -> None:
        holder(portal)
        for at, email in enumerate(["edna@example.com", SHARED, "edna@example.com"]):
            portal.pass_on(person("c-edna", at, email))
        assert (addresses(portal), waiting(portal)) == ({"c-edna": "edna@example.com"}, [])

    def test_costs_one_rejected_call_and_none_with_the_next_event(self, portal: House) -> None:
        holder(portal)
        portal.pass_on(person("c-edna", 1, SHARED))
        before = len(portal.sandbox.calls("/batch/up"))
        portal.pass_on(person("c-edna", 2, SHARED, city="Yuma"))
        assert len(portal.sandbox.calls("/batch/up")) - before == 1


class TestOnceTheAddressIsFree:
    def test_it_is_written_when_a_record_of_ours_changes_to_another(self, portal: House) -> None:
        portal.pass_on(person("c-harold", 1, SHARED))
        portal.pass_on(person("c-edna", 1, SHARED))
        portal.pass_on(person("c-harold", 2, "harold@example.com"))
        assert addresses(portal) == {"c-harold": "harold@example.com", "c-edna": SHARED}
        assert waiting(portal) == []

    def test_it_is_written_after_a_day_where_people_freed_it(self, portal: House) -> None:
        holds = holder(portal)
        (sent,) = portal.pass_on(person("c-edna", 1, SHARED))
        portal.sandbox.delete("contacts", holds)
        assert (rest_a_day(portal), addresses(portal)) == (1, {"c-edna": SHARED})
        assert (waiting(portal), portal.state(sent)) == ([], ("delivered", ""))

    @pytest.mark.parametrize("rule", ["on_create", "if_blank", "unless_edited"])
    def test_it_is_written_whatever_the_mappings_rule(self, portal: House, rule: str) -> None:
        portal.remap(f"extends: hubspot\nrecords: {{contact: {{fields: {{email: {{write: {rule}}}}}}}}}")
        portal.sandbox.delete("contacts", self.holder_passed(portal))
        rest_a_day(portal)
        assert addresses(portal) == {"c-edna": SHARED}

    @pytest.mark.parametrize("rule", ["on_create", "if_blank", "unless_edited"])
    def test_what_a_person_typed_meanwhile_stays(self, portal: House, rule: str) -> None:
        portal.remap(f"extends: hubspot\nrecords: {{contact: {{fields: {{email: {{write: {rule}}}}}}}}}")
        portal.sandbox.delete("contacts", self.holder_passed(portal))
        [edna] = portal.sandbox.records("contacts")
        portal.sandbox.change("contacts", edna["id"], email="typed@example.com")
        rest_a_day(portal)
        assert addresses(portal) == {"c-edna": "typed@example.com"}

    def holder_passed(self, portal: House) -> str:
        """Pass on a person whose address somebody else has; return that contact's id."""
        holds = holder(portal)
        portal.pass_on(person("c-edna", 1, SHARED))
        return holds

    @pytest.mark.slow
    def test_it_is_tried_after_half_a_minute_then_less_and_less_often(self, portal: House) -> None:
        holder(portal)
        portal.pass_on(person("c-edna", 1, SHARED))
        began, tried = portal.clock(), portal.store.open_items.held.try_again
        for seconds in (30, 120, 480, 1_920, 7_680, 30_720, 117_120, 203_520, 289_920):
            portal.clock.forward(began + (seconds - 10) * SECOND - portal.clock())
            assert tried() == 0, f"{seconds - 10} s"
            portal.clock.forward(10 * SECOND)
            assert tried() == 1, f"{seconds} s"
            portal.drain()
        assert [item.code for item in waiting(portal)] == ["ADDRESS_HELD"]

    def test_newer_events_do_not_put_the_next_try_off(self, portal: House) -> None:
        holds = holder(portal)
        for at in range(3):
            portal.pass_on(person("c-edna", at, SHARED, city=f"City {at}"))
            portal.clock.forward(DAY // 2)
        portal.sandbox.delete("contacts", holds)
        assert portal.store.open_items.held.try_again() == 1
        portal.drain()
        assert addresses(portal) == {"c-edna": SHARED}

    def test_an_event_without_content_waits_for_the_customers_next(self, portal: House) -> None:
        holds = holder(portal)
        portal.pass_on(person("c-edna", 1, SHARED))
        portal.sandbox.delete("contacts", holds)
        portal.store.retention.purge("sunrise", portal.clock() + 1)
        rest_a_day(portal)
        assert addresses(portal) == {"c-edna": None}
        portal.pass_on(person("c-edna", 2, SHARED))
        assert addresses(portal) == {"c-edna": SHARED}


def orders(number: int) -> list[Sequence[Sequence[str]]]:
    """Three people's changes: all in one batch, one after another in one order, and two and one."""
    shuffled = random.Random(number).sample(PEOPLE, 3)
    return [[PEOPLE], [[who] for who in shuffled], [shuffled[:2], shuffled[2:]]]


def hand_over(house: House, number: int) -> None:
    """Give three people other addresses; in the end each has theirs, if nobody else wants it, too."""
    wished = dict(zip(PEOPLE, WISHES[number], strict=True))
    for turn, order in enumerate(orders(number)):
        mine = f"{number}-{turn}-"
        house.pass_on(*(person(mine + who, 1, mine + OWN[who]) for who in PEOPLE))
        for batch in order:
            house.pass_on(*(person(mine + who, 2, mine + email if (email := wished[who]) else None) for who in batch))
        held = {who: addresses(house)[mine + who] for who in PEOPLE}
        wants = {who: mine + (wished[who] or OWN[who]) for who in PEOPLE}  # the shipped mapping clears no address
        for email in set(wants.values()):
            having = [who for who in PEOPLE if held[who] == email]
            wanting = [who for who in PEOPLE if wants[who] == email]
            assert (len(having), having[0] in wanting) == (1, True), (wished, order, held)
        blank = sorted(mine + who for who in PEOPLE if held[who] is None)
        assert [item.customer_id for item in waiting(house) if item.customer_id.startswith(mine)] == blank


def two_lanes(house: House, monkeypatch: pytest.MonkeyPatch) -> Sequence[str]:
    monkeypatch.setattr(test_pipeline, "AGENCY", Agency("sunrise", Verifier("sunrise", [SECRET]), {"crm": 2}))
    lanes = [lane_for("sunrise", "crm", 2, customer) for customer in ("c-1", "c-4")]
    assert len(set(lanes)) == 2
    house.store.lanes.open(dict.fromkeys(lanes, DESTINATION))
    return lanes


def at_once(house: House, lanes: Sequence[str]) -> None:
    """Let two workers drain a lane each at the same time."""
    pace = Pace(roll=lambda: 0.5)
    leases = [lease for lane in lanes if (lease := house.store.lanes.lease("worker", [lane], 60_000))]
    workers = [threading.Thread(target=deliver, args=(house.store, house.route, lease, pace)) for lease in leases]
    for worker in workers:
        worker.start()
    for worker, lease in zip(workers, leases, strict=True):
        worker.join()
        house.store.lanes.release(lease)


def both_have_asked() -> Callable[[Callable[[], Response]], Response]:
    """Let no write return before both lanes have made one."""
    both = threading.Barrier(2)

    def answer(handle: Callable[[], Response]) -> Response:
        response = handle()
        both.wait(60)
        return response

    return answer


class TestHandingAddressesOver:
    def test_a_swap_comes_out_right(self, portal: House) -> None:
        hand_over(portal, WISHES.index((OWN["c-ben"], OWN["c-ada"], OWN["c-cyd"])))

    @pytest.mark.slow
    def test_a_cycle_of_three_comes_out_right(self, portal: House) -> None:
        hand_over(portal, WISHES.index((OWN["c-ben"], OWN["c-cyd"], OWN["c-ada"])))

    @pytest.mark.parametrize("number", range(7, len(WISHES), 50))
    def test_every_way_to_do_so_comes_out_right(self, portal: House, number: int) -> None:
        hand_over(portal, number)

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("portal", "number"),
        [*zip(itertools.cycle(VARIANTS), range(len(WISHES)), strict=False)],
        indirect=["portal"],
    )
    def test_really_every_way_comes_out_right(self, portal: House, number: int) -> None:
        hand_over(portal, number)

    @pytest.mark.parametrize("call", range(4))
    def test_survives_a_reply_that_is_lost_in_between(self, portal: House, call: int) -> None:
        portal.pass_on(person("c-ada", 1, "a@example.com"), person("c-ben", 1, "b@example.com"))
        seen = itertools.count()

        def lost(go_on: Any) -> Any:
            reply = go_on()
            return portal.sandbox.html(500) if next(seen) == call else reply

        portal.sandbox.fault("/batch/", lost, times=50)
        portal.accept(person("c-ada", 2, "b@example.com"), person("c-ben", 2, "a@example.com"))
        for _ in range(3):
            portal.drain()
            portal.clock.forward(HOUR)
        rest_a_day(portal)
        assert addresses(portal) == {"c-ada": "b@example.com", "c-ben": "a@example.com"}

    def test_comes_out_right_within_a_minute_where_two_lanes_swap_at_once(
        self, portal: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lanes = two_lanes(portal, monkeypatch)
        portal.accept(person("c-1", 1, "a@example.com"), person("c-4", 1, "b@example.com"))
        at_once(portal, lanes)
        portal.accept(person("c-1", 2, "b@example.com"), person("c-4", 2, "a@example.com"))
        portal.sandbox.fault("/batch/up", both_have_asked(), times=2)
        at_once(portal, lanes)
        at_once(portal, lanes)
        portal.clock.forward(30 * SECOND)
        portal.store.open_items.held.try_again()
        at_once(portal, lanes)
        assert addresses(portal) == {"c-1": "b@example.com", "c-4": "a@example.com"}
        assert waiting(portal) == []

    def test_costs_few_calls_where_two_swap(self, portal: House) -> None:
        portal.pass_on(person("c-ada", 1, "a@example.com"), person("c-ben", 1, "b@example.com"))
        before = len(portal.sandbox.calls("/batch/up"))
        portal.pass_on(person("c-ada", 2, "b@example.com"), person("c-ben", 2, "a@example.com"))
        assert len(portal.sandbox.calls("/batch/up")) - before <= 4
        assert addresses(portal) == {"c-ada": "b@example.com", "c-ben": "a@example.com"}


class TestAUniqueFieldInSalesforce:
    def test_is_left_out_and_its_holder_is_named(self, org: House) -> None:
        holds = holder(org)
        org.pass_on(person("c-edna", 1, SHARED, city="Yuma"))
        [item] = waiting(org)
        assert (addresses(org), item.code) == ({"c-edna": None}, "DUPLICATE_VALUE")
        assert item.holder[:15] == holds[:15]

    def test_is_written_once_it_is_free(self, org: House) -> None:
        org.pass_on(person("c-harold", 1, SHARED), person("c-edna", 1, SHARED))
        assert sorted(addresses(org).values(), key=str) == [None, SHARED]
        [item] = waiting(org)
        other = {"c-edna": "c-harold", "c-harold": "c-edna"}[item.customer_id]
        org.pass_on(person(other, 2, "other@example.com"))
        assert (addresses(org)[item.customer_id], waiting(org)) == (SHARED, [])

    def test_swaps_come_out_right(self, org: House) -> None:
        hand_over(org, WISHES.index((OWN["c-ben"], OWN["c-cyd"], OWN["c-ada"])))


class TestNothingIsAddedToHistory:
    def test_by_a_value_given_up_that_nobody_waits_for(self, portal: House) -> None:
        portal.pass_on(person("c-harold", 1, "a@example.com"))
        portal.pass_on(person("c-harold", 2, "b@example.com"))
        with portal.store.database.reading() as connection:
            assert [row.attempts for row in connection.execute(select(deliveries))] == [1, 1]
