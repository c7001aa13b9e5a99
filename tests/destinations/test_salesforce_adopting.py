"""Contacts people made by hand, taken over instead of doubled."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connector.delivery.route import Route, Running
from connector.mapping import shipped_folder
from connector.running.bootstrap import load_mapping
from connector.store import Store
from tests.builders import a_customer
from tests.conftest import Clock
from tests.contracts.test_pipeline import DESTINATION, LANE, LATER, SALESFORCE, House
from tests.destinations.salesforce_fixtures import sandbox_and_destination

BY_EMAIL = "extends: salesforce-contact\nrecords: {contact: {also_match: [{Email: customer.email}]}}"
PEOPLE = [
    {"id": f"3f1a0c9e-0000-4000-8000-{number:012d}", "email": f"person{number}@example.com"} for number in range(30)
]


@pytest.fixture
def house(store: Store, clock: Clock) -> Iterator[House]:
    store.lanes.open({LANE: DESTINATION})
    mapping = load_mapping(shipped_folder() / "salesforce-contact.yaml")
    with sandbox_and_destination() as (sandbox, destination):
        made = House(
            store, clock, sandbox, Route(DESTINATION, destination, Running(mapping), "America/New_York"), SALESFORCE
        )
        made.remap(BY_EMAIL)
        yield made


def made_by_hand(house: House, email: str) -> str:
    return str(house.sandbox.put("Contact", FirstName="Marcus", LastName="Delacroix", Email=email)["Id"])


class TestAdopting:
    def test_thirty_people_cost_two_queries_and_make_no_new_contact(self, house: House) -> None:
        ids = {made_by_hand(house, person["email"]) for person in PEOPLE}
        house.pass_on(*(a_customer(**person) for person in PEOPLE))
        assert {one["id"] for one in house.people()} == ids
        assert len(house.sandbox.calls("/query", "FROM+Contact")) == 2  # by key, and by e-mail

    def test_two_that_agree_are_left_alone_and_the_person_gets_a_record(self, house: House) -> None:
        ids = {made_by_hand(house, PEOPLE[0]["email"]) for _ in range(2)}
        (message_id,) = house.pass_on(a_customer(**PEOPLE[0]))
        assert house.state(message_id) == ("delivered", "")
        assert len({person["id"] for person in house.people()} - ids) == 1

    def test_the_link_is_remembered_and_looked_for_never_again(self, house: House) -> None:
        adopted = made_by_hand(house, PEOPLE[0]["email"])
        house.pass_on(a_customer(**PEOPLE[0]))
        asked = len(house.sandbox.calls("/query"))
        house.pass_on(a_customer(**PEOPLE[0] | {"email": "new@example.com", "updatedAt": LATER}))
        assert (house.person()["id"], house.person()["email"]) == (adopted, "new@example.com")
        assert len(house.sandbox.calls("/query")) == asked
