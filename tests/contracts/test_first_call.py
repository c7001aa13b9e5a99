"""The first and the last call of a person, in each CRM."""

from __future__ import annotations

import itertools

import pytest

from tests.builders import a_call, a_customer
from tests.contracts.test_pipeline import House, house
from tests.contracts.test_verification import repair, verify

__all__ = ["house"]

TIMES = [f"2026-06-1{day}T15:00:00.000Z" for day in (6, 7, 8)]


def a_talk(number: int, customer: str = "c-1") -> dict[str, object]:
    person = a_customer(id=customer, email=f"{customer}@example.com", updatedAt=TIMES[2 - number])
    return a_call(person, id=f"{customer}-{number}", createdAt=TIMES[number], disposition=f"no. {number}")


@pytest.fixture
def calling(house: House) -> House:
    """A house in which a customer's city and street are the outcomes of the first and the last call."""
    city, street = house.names["city"], house.names["street"]
    fields = f"{{ {city}: {{ first: call.disposition }}, {street}: {{ last: call.disposition }} }}"
    house.remap(f"extends: {house.shipped}\nrecords: {{ contact: {{ fields: {fields} }} }}")
    return house


class TestAPersonsCalls:
    def test_come_out_the_same_in_every_order_and_batch(self, calling: House) -> None:
        lives = list(itertools.permutations(range(3)))
        for step in range(3):
            talks = [a_talk(order[step], f"c-{number}") for number, order in enumerate(lives)]
            calling.pass_on(*talks, *talks)
        calling.pass_on(*(a_talk(number, "c-all") for number in (1, 0, 2)))
        ends = {(person["city"], person["street"]) for person in calling.people()}
        assert (len(calling.people()), ends) == (7, {("no. 0", "no. 2")})

    def test_are_repaired_with_the_call_they_are_of(self, calling: House) -> None:
        calling.pass_on(a_talk(2), a_talk(0), a_talk(1))
        calling.by_hand("change", **{calling.names["city"]: "Bonn"})
        assert repair(calling, verify(calling), owned=True).fields == 1
        calling.drain()
        assert calling.person()["city"] == "no. 0"
