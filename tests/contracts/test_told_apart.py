"""Two customers never end on one CRM record, in either CRM: in one batch, one after the other, or in two lanes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from flask import Response, request

from connector.carecycle.signature import Verifier
from connector.delivery.route import Pace
from connector.delivery.turn import deliver
from connector.receive import Agency, lane_name
from connector.sandbox.wire import Wire
from tests.builders import SECRET, a_customer
from tests.contracts import test_pipeline
from tests.contracts.test_pipeline import DESTINATION, HUBSPOT, LATER, House, house

__all__ = ["house"]


@pytest.fixture(autouse=True)
def matching(house: House) -> None:
    """A mapping that adopts by name and city: twins share both, and no address keeps them apart in HubSpot."""
    last, city = ("lastname", "city") if house.names is HUBSPOT else ("LastName", "MailingCity")
    step = f"{{{last}: customer.lastName, {city}: customer.city}}"
    house.remap(f"extends: {house.shipped}\nrecords: {{contact: {{also_match: [{step}]}}}}")


def key_field(house: House) -> str:
    return "carecycle_id" if house.names is HUBSPOT else "careCycle_Id__c"


def by_hand(house: House, **fields: Any) -> str:
    """Somebody creates a person whom both customers look like."""
    names = ("firstname", "lastname", "city") if house.names is HUBSPOT else ("FirstName", "LastName", "MailingCity")
    made = dict(zip(names, ("Marcus", "Delacroix", "Mesa"), strict=True))
    put = house.sandbox.put(house.names["people"], **made, **fields)
    if house.names is HUBSPOT:
        house.sandbox.state.held["contacts"][put].updated -= 60  # HubSpot's search shows it by now
    return str(put if house.names is HUBSPOT else put["Id"])


def a_twin(customer: str, **changes: Any) -> dict[str, Any]:
    return a_customer(id=customer, email=None, city="Mesa", phoneNumber=None, **changes)


def keys(house: House) -> dict[str, str]:
    """Each customer's record: the key it shows -> its id. No record but these is there."""
    shown = [(held.get(key_field(house)) or "", held) for held in house.sandbox.records(house.names["people"])]
    assert len({key for key, _ in shown}) == len(shown)
    return {key: str(held.get("Id") or held["id"]) for key, held in shown}


class TestTwoCustomersWhoLookAlike:
    def test_of_one_batch_leave_a_record_that_could_be_either_ones(self, house: House) -> None:
        made = by_hand(house)
        ids = house.pass_on(a_twin("c-1"), a_twin("c-2"))
        assert {house.state(message_id) for message_id in ids} == {("delivered", "")}
        assert keys(house).keys() == {"", "c-1", "c-2"}
        assert keys(house)[""] == made

    def test_one_after_the_other_do_not_share_it_either(self, house: House) -> None:
        made = by_hand(house)
        house.pass_on(a_twin("c-1"))
        house.pass_on(a_twin("c-2"))
        assert keys(house).keys() == {"c-1", "c-2"}
        assert keys(house)["c-1"] == made

    def test_do_not_share_it_although_somebody_cleared_its_key(self, house: House) -> None:
        made = by_hand(house)
        house.pass_on(a_twin("c-1"))
        house.by_hand("change", **{key_field(house): "" if house.names is HUBSPOT else None})
        house.pass_on(a_twin("c-2"))
        assert keys(house)["c-2"] != made

    def test_leave_it_to_whoever_has_claimed_it_while_the_crm_is_down(self, house: House) -> None:
        made = by_hand(house)
        house.sandbox.fault("/batch/up" if house.names is HUBSPOT else "/composite/sobjects", Wire.refuse, times=9)
        house.pass_on(a_twin("c-1"))
        house.sandbox.faults.clear()
        house.clock.forward(3_600_000)
        house.drain()
        assert keys(house) == {"c-1": made}

    @pytest.mark.parametrize("order", [("c-1", "c-2"), ("c-2", "c-1")])
    def test_each_have_a_record_after_somebody_gave_ones_to_the_other(
        self, house: House, order: tuple[str, str]
    ) -> None:
        house.pass_on(a_twin("c-1"))
        theirs = house.person()["id"]
        house.by_hand("change", **{key_field(house): "c-2"})
        for customer in order:
            house.pass_on(a_twin(customer, firstName="Marc", updatedAt=LATER))
        house.clock.forward(3_600_000)
        house.drain()
        assert keys(house).keys() == {"c-1", "c-2"}
        assert keys(house)["c-1"] == theirs

    def test_do_not_share_the_opt_outs_of_a_record_that_got_the_others_key_by_hand(self, house: House) -> None:
        house.pass_on(a_twin("c-1", doNotCall=True))
        theirs = house.person()["id"]
        house.by_hand("change", **{key_field(house): "c-2"})
        house.pass_on(a_twin("c-2", firstName="Zed", doNotEmail=True))  # an opt-out goes ahead of the rest
        assert keys(house).keys() == {"c-1", "c-2"}
        assert keys(house)["c-1"] == theirs
        flag = "do_not_call" if house.names is HUBSPOT else "DoNotCall"
        flags = {held[key_field(house)]: held.get(flag) for held in house.sandbox.records(house.names["people"])}
        assert flags["c-1"] in (True, "true")
        assert flags["c-2"] not in (True, "true")


class TestTwoLanesAtOnce:
    def test_that_found_the_same_record_do_not_share_it(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(test_pipeline, "AGENCY", Agency("sunrise", Verifier("sunrise", [SECRET]), {"crm": 2}))
        lanes = {lane_name("sunrise", "crm", number): DESTINATION for number in range(2)}
        house.store.lanes.open(lanes)
        made = by_hand(house)
        house.accept(*(a_twin(f"c-{number}") for number in range(1, 5)))
        house.sandbox.fault("/search" if house.names is HUBSPOT else "/query", both_have_searched(), times=99)
        leases = [house.store.lanes.lease("worker", [lane], 60_000) for lane in lanes]
        assert None not in leases
        workers = [threading.Thread(target=deliver, args=(house.store, house.route, lease, Pace())) for lease in leases]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert keys(house).keys() == {"c-1", "c-2", "c-3", "c-4"}
        assert made in keys(house).values()


def both_have_searched() -> Callable[[Callable[[], Response]], Response]:
    """Let no search by name return before both lanes have made theirs."""
    both = threading.Barrier(2)

    def answer(handle: Callable[[], Response]) -> Response:
        response = handle()
        if request.method == "POST" or "LastName IN" in request.args.get("q", ""):
            both.wait(60)
        return response

    return answer
