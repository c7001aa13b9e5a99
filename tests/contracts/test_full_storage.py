"""An org whose storage is full takes no new records: everything else goes on, and those follow once there is room."""

from __future__ import annotations

from typing import Any

import pytest

from connector.backoff import HOUR
from tests.builders import a_call, a_customer
from tests.contracts.test_pipeline import EARLIER, HUBSPOT, LATER, House, house, raised

__all__ = ["house"]

NEW: dict[str, Any] = {"id": "c-new", "email": "new@example.com", "mobile": None, "phone": None}


@pytest.fixture
def full(house: House) -> House:
    """An org with one person, full since."""
    if house.names is HUBSPOT:
        pytest.skip("only Salesforce counts storage")
    house.pass_on(a_customer(updatedAt=EARLIER))
    house.sandbox.full(True)
    return house


def test_an_opt_out_and_an_update_of_everybody_else_are_written(full: House) -> None:
    new, known = full.pass_on(a_customer(**NEW), a_customer(updatedAt=LATER, doNotCall=True, city="Tempe"))
    person = full.person()
    assert (full.state(new), full.state(known)) == (("ready", "STORAGE_LIMIT_EXCEEDED"), ("delivered", ""))
    assert (raised(person["no_call"]), person["city"]) == (True, "Tempe")


def test_a_call_waits_and_what_it_says_of_its_customer_does_not(full: House) -> None:
    (call,) = full.pass_on(a_call(a_customer(updatedAt=LATER, doNotCall=True)))
    assert (full.state(call), full.calls()) == (("ready", "STORAGE_LIMIT_EXCEEDED"), [])
    assert raised(full.person()["no_call"])


def test_what_waited_is_created_once_there_is_room(full: House) -> None:
    new, call = full.pass_on(a_customer(**NEW, doNotCall=True), a_call(a_customer(updatedAt=EARLIER)))
    full.sandbox.full(False)
    full.clock.forward(3_700_000)
    full.drain()
    assert [full.state(message_id) for message_id in (new, call)] == [("delivered", "")] * 2
    assert sorted(raised(person["no_call"]) for person in full.people()) == [False, True]


@pytest.mark.slow
def test_what_waits_is_never_given_up(full: House) -> None:
    new, call = full.pass_on(a_customer(**NEW), a_call(a_customer(updatedAt=EARLIER)))
    for _ in range(30):
        full.clock.forward(6 * HOUR)
        full.drain()
    assert [full.state(message_id) for message_id in (new, call)] == [("ready", "STORAGE_LIMIT_EXCEEDED")] * 2
    full.sandbox.full(False)
    full.clock.forward(2 * HOUR)
    full.drain()
    assert [full.state(message_id) for message_id in (new, call)] == [("delivered", "")] * 2
