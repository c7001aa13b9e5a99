"""Keys that differ only in letter case or outer blanks are one record, as they are in both CRMs."""

from __future__ import annotations

from itertools import permutations

import pytest

from tests.builders import a_call, a_customer
from tests.contracts.test_pipeline import EARLIER, HUBSPOT, LATER, House, house

__all__ = ["house"]

SPELLINGS = ("CRM-1a", "crm-1A", "  CRM-1A ")
TIMES = (EARLIER, "2026-06-18T12:00:00.000Z", LATER)


@pytest.fixture(autouse=True)
def keyed(house: House) -> None:
    """A mapping whose key people type by hand."""
    field = "carecycle_id" if house.names is HUBSPOT else "careCycle_Id__c"
    house.remap(f"extends: {house.shipped}\nrecords: {{contact: {{key: {{{field}: customer.externalId}}}}}}")


class TestKeysThatDifferInCase:
    @pytest.mark.parametrize("order", list(permutations(range(3))))
    def test_are_one_record_and_the_newest_wins_in_every_order(self, house: House, order: tuple[int, ...]) -> None:
        events = [a_customer(externalId=SPELLINGS[n], city=f"City {n}", updatedAt=TIMES[n]) for n in range(3)]
        for n in order:
            house.pass_on(events[n])
        assert house.person()["city"] == "City 2"

    def test_are_one_record_within_a_batch(self, house: House) -> None:
        events = [a_customer(externalId=SPELLINGS[n], city=f"City {n}", updatedAt=TIMES[n]) for n in range(3)]
        ids = house.pass_on(*events)
        assert house.person()["city"] == "City 2"
        assert {house.state(message_id)[0] for message_id in ids} <= {"delivered", "superseded"}

    def test_link_their_calls_to_that_record(self, house: House) -> None:
        house.pass_on(a_customer(externalId="CRM-1a"))
        before = len(house.sandbox.calls())
        house.pass_on(a_call(a_customer(externalId="crm-1A", updatedAt=LATER)))
        (call,) = house.calls()
        linked = call.get("WhoId") or next(iter(house.sandbox.associations))
        assert house.person()["id"] in (linked if isinstance(linked, tuple) else (linked,))
        assert len(house.sandbox.calls()) > before

    def test_share_what_is_known_of_the_record(self, house: House) -> None:
        house.pass_on(a_customer(externalId="CRM-1a"))
        before = len(house.sandbox.calls())
        (again,) = house.pass_on(a_customer(externalId="crm-1A", updatedAt=LATER))
        assert (len(house.sandbox.calls()), house.state(again)) == (before, ("delivered", "UNCHANGED"))
