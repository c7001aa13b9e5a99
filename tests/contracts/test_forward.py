"""A status that only moves forward, in each CRM."""

from __future__ import annotations

import itertools

import pytest

from tests.builders import a_customer
from tests.contracts.test_pipeline import EARLIER, LATER, House, house

__all__ = ["house"]

LATEST = "2026-06-18T15:00:00.000Z"


@pytest.fixture
def moving(house: House) -> House:
    """A house in which the customers' city is a status."""
    field = (
        "{ from: customer.status, table: { Lead: New, Active: Working, Inactive: Won }, write: forward, order: [%s] }"
    )
    fields = f"{{ {house.names['city']}: {field % 'New, Called, Working, Won'} }}"
    house.remap(f"extends: {house.shipped}\nrecords: {{ contact: {{ fields: {fields} }} }}")
    return house


class TestAStatus:
    def test_ends_the_same_in_every_order_and_batch(self, moving: House) -> None:
        lives = list(itertools.permutations([("Lead", EARLIER), ("Active", LATER), ("Lead", LATEST)]))
        for step in range(3):
            people = [life(str(number), *order[step]) for number, order in enumerate(lives)]
            moving.pass_on(*people, *people)
        moving.pass_on(*(life("all", *one) for one in lives[3]))
        assert [person["city"] for person in moving.people()] == ["Working"] * 7

    def test_that_a_person_moved_back_is_moved_on_by_something_further_alone(self, moving: House) -> None:
        moving.pass_on(a_customer(status="Active", updatedAt=EARLIER))
        moving.by_hand("change", **{moving.names["city"]: "New"})
        moving.pass_on(a_customer(status="Active", state="NM", updatedAt=LATER))
        assert (moving.person()["city"], moving.person()["state"]) == ("New", "NM")
        moving.pass_on(a_customer(status="Inactive", updatedAt=LATEST))
        assert moving.person()["city"] == "Won"

    @pytest.mark.parametrize(("theirs", "then"), [("Nurture", "Nurture"), ("WON", "WON"), ("called", "Working")])
    def test_gives_way_only_to_what_is_further(self, moving: House, theirs: str, then: str) -> None:
        moving.pass_on(a_customer(status=None, updatedAt=EARLIER))
        moving.by_hand("change", **{moving.names["city"]: theirs})
        moving.pass_on(a_customer(status="Active", updatedAt=LATER))
        assert moving.person()["city"] == then


def life(name: str, status: str, at: str) -> dict[str, object]:
    return a_customer(id=f"c-{name}", email=f"{name}@example.com", status=status, updatedAt=at)
