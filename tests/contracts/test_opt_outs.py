"""Whatever else fails, an opt-out reaches every record of its customer: both CRMs, from the message to the record."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from connector.store.opt_outs import Period
from tests.builders import CUSTOMER, a_call, a_customer
from tests.contracts.test_pipeline import EARLIER, HUBSPOT, LATER, House, house, raised
from tests.contracts.test_why import shipped

__all__ = ["house"]

ALL_THREE = {"doNotCall": True, "doNotSMS": True, "doNotEmail": True}


def statuses(house: House) -> dict[str, str]:
    return {line.flag: line.status for line in house.store.opt_outs.report(Period(0, 2**62))}


def make_unwritable(house: House) -> None:
    """Let the connector's user no longer write where doNotEmail goes."""
    if house.names is HUBSPOT:
        properties = house.sandbox.state.schema["contacts"]
        properties["do_not_email"] = replace(properties["do_not_email"], read_only=True)
    else:
        house.sandbox.keep_from_editing("Contact", "HasOptedOutOfEmail")


def looking(house: House, missing: str) -> str:
    users = "object: owners, match: { email" if house.names is HUBSPOT else "object: User, match: { Name"
    owner = house.names["owner"]
    lookup = f"{{ lookup: {{ {users}: customer.agentName }}, missing: {missing} }} }}"
    return f"extends: {shipped(house)}\nrecords: {{ contact: {{ fields: {{ {owner}: {lookup} }} }} }}\n"


class TestAnOptOut:
    def test_is_set_beside_one_that_the_crm_refuses(self, house: House) -> None:
        house.pass_on(a_customer(updatedAt=EARLIER))
        make_unwritable(house)
        house.pass_on(a_customer(updatedAt=LATER, **ALL_THREE))
        person = house.person()
        assert (raised(person["no_call"]), raised(person["no_text"])) == (True, True)
        assert statuses(house) == {"doNotCall": "applied", "doNotSMS": "applied", "doNotEmail": "refused"}

    def test_spoken_in_a_call_is_set_at_once(self, house: House) -> None:
        house.pass_on(a_call(a_customer(), disposition="Do Not Call"))
        assert raised(house.person()["no_call"])
        assert statuses(house) == {"doNotCall": "applied"}

    @pytest.mark.parametrize("missing", ["reject", "wait"])
    def test_does_not_wait_for_a_look_up(self, house: House, missing: str) -> None:
        house.pass_on(a_customer(updatedAt=EARLIER))
        house.remap(looking(house, missing))
        house.pass_on(a_customer(agentName="nobody@example.com", doNotCall=True, updatedAt=LATER))
        assert raised(house.person()["no_call"])

    def test_is_set_again_on_a_record_created_again(self, house: House) -> None:
        house.pass_on(a_customer(doNotCall=True, city="Mesa", updatedAt=EARLIER))
        house.by_hand("delete")
        house.pass_on(a_customer(doNotCall=True, city="Tempe", updatedAt=LATER))
        house.clock.forward(3_600_000)
        house.drain()
        assert raised(house.person()["no_call"])
        assert statuses(house) == {"doNotCall": "applied"}

    def test_is_set_on_every_record_with_the_same_key(self, house: House) -> None:
        if house.names is HUBSPOT:
            pytest.skip("a unique property has one record")
        for _ in range(2):
            house.sandbox.put("Contact", LastName="Delacroix", careCycle_Id__c=CUSTOMER)
        house.pass_on(a_customer(doNotCall=True))
        assert [raised(person["no_call"]) for person in house.people()] == [True, True]

    def test_does_not_wait_for_a_record_type_the_user_may_not_use(self, house: House) -> None:
        if house.names is HUBSPOT:
            pytest.skip("HubSpot has no record types")
        house.pass_on(a_customer(updatedAt=EARLIER))
        kind: Any = house.sandbox.record_type("Contact", "Policyholder", available=False)
        fields = f"{{ RecordTypeId: {{ value: {kind} }} }}"
        house.remap(f"extends: {shipped(house)}\nrecords: {{ contact: {{ fields: {fields} }} }}\n")
        house.pass_on(a_customer(doNotCall=True, updatedAt=LATER))
        assert raised(house.person()["no_call"])
