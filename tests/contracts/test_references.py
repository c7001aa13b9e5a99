"""A record that refers to one which cannot be used: the field at fault decides what becomes of it."""

from __future__ import annotations

import pytest

from tests.builders import a_call, a_customer
from tests.contracts.test_pipeline import HUBSPOT, House, house

__all__ = ["house"]

LOST, DENIED = "INVALID_CROSS_REFERENCE_KEY", "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY"
AGENT = {"id": "u-1", "email": "priya@youragency.com"}


@pytest.fixture
def org(house: House) -> House:
    if house.names is HUBSPOT:
        pytest.skip("HubSpot has no look-up fields")
    return house


@pytest.mark.parametrize("code", [LOST, DENIED])
def test_an_owner_who_cannot_be_used_costs_the_owner_alone(org: House, code: str) -> None:
    customer = a_customer(assignedUser=AGENT)
    org.sandbox.refuse_rows([customer["id"]], code, "invalid cross reference id", ["OwnerId"])
    (message_id,) = org.pass_on(customer)
    assert (org.state(message_id), org.person()["state"]) == (("delivered", code), "AZ")


def test_a_call_is_never_written_without_its_person_whose_record_was_purged(org: House) -> None:
    org.pass_on(a_customer())
    org.by_hand("purge")
    (message_id,) = org.pass_on(a_call(a_customer()))
    (call,) = org.calls()
    assert (org.state(message_id), call["WhoId"]) == (("delivered", ""), org.person()["id"])


def test_nor_without_a_person_whom_the_user_may_not_use(org: House) -> None:
    org.pass_on(a_customer())
    call, said = a_call(a_customer()), f"insufficient access rights on cross-reference id: {org.person()['id'][:15]}"
    org.sandbox.refuse_rows([call["id"]], DENIED, said, times=9)
    (message_id,) = org.pass_on(call)
    assert (org.state(message_id), org.calls()) == (("dead", DENIED), [])
