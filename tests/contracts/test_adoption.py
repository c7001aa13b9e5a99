"""Records that people created: adopted where they are certainly the person's, in both CRMs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from connector.delivery.route import Route, Running
from connector.mapping import shipped_folder
from connector.running.bootstrap import load_mapping
from connector.store import Store
from tests.builders import a_customer
from tests.conftest import Clock
from tests.contracts.test_pipeline import DESTINATION, HUBSPOT, LANE, LATER, SALESFORCE, House, raised
from tests.destinations import hubspot_fixtures, salesforce_fixtures


@pytest.fixture(params=["salesforce", "hubspot"])
def house(request: pytest.FixtureRequest, store: Store, clock: Clock) -> Iterator[House]:
    """Open a CRM whose search shows at once what people create."""
    store.lanes.open({LANE: DESTINATION})
    is_hubspot = request.param == "hubspot"
    opened: Any = (
        hubspot_fixtures.sandbox_and_destination(index_lag=0.0)
        if is_hubspot
        else salesforce_fixtures.sandbox_and_destination()
    )
    mapping = load_mapping(shipped_folder() / f"{'hubspot' if is_hubspot else 'salesforce-contact'}.yaml")
    with opened as (sandbox, destination):
        route = Route(DESTINATION, destination, Running(mapping), "America/New_York")
        yield House(store, clock, sandbox, route, HUBSPOT if is_hubspot else SALESFORCE)


HOME = "whitakers@example.com"
BORN = "1958-04-12"
FIELDS = {
    "hubspot": {"first": "firstname", "last": "lastname", "email": "email", "phone": "phone"},
    "salesforce-contact": {"first": "FirstName", "last": "LastName", "email": "Email", "phone": "Phone"},
}
STEP = {
    name: f"{{{of['email']}: customer.email, {of['first']}: customer.firstName, {of['last']}: customer.lastName}}"
    for name, of in FIELDS.items()
}


def a_whitaker(customer_id: str, first: str | None, **changes: Any) -> dict[str, Any]:
    person = {"lastName": "Whitaker", "email": HOME, "phoneNumber": "+16025550101", "dateOfBirth": BORN}
    return a_customer(id=customer_id, firstName=first, **{**person, **changes})


def adopting(house: House, *more: str) -> None:
    """Serve the step that the documentation gives, and the names of more fields."""
    names = FIELDS[house.shipped]
    who = f"{names['first']}: customer.firstName, {names['last']}: customer.lastName"
    steps = f"[{{{names['email']}: customer.email, {who}}}, {{{names['phone']}: customer.phoneNumber, {who}}}]"
    fields = f", fields: {{{', '.join(more)}}}" if more else ""
    house.remap(f"extends: {house.shipped}\nrecords: {{contact: {{also_match: {steps}{fields}}}}}")


def by_hand(house: House, **values: str) -> str:
    """Create a contact as a person does; return its id."""
    names = FIELDS[house.shipped]
    fields = {names.get(name, name): value for name, value in values.items() if value}
    made = house.sandbox.put(house.names["people"], **fields)
    return str(made if house.names is HUBSPOT else made["Id"])


def ids(house: House) -> set[str]:
    return {person["id"] for person in house.people()}


def born_field(house: House) -> str:
    return "date_of_birth" if house.names is HUBSPOT else "Birthdate"


def dated(house: House) -> None:
    """Serve a mapping that also maps the date of birth."""
    adopting(house, f"{born_field(house)}: {{ from: customer.dateOfBirth, sensitive: accepted }}")


class TestACouple:
    @pytest.fixture(autouse=True)
    def served(self, house: House) -> None:
        adopting(house)

    def test_edna_is_never_taken_for_harold(self, house: House) -> None:
        harold = by_hand(house, first="Harold", last="Whitaker", email=HOME, phone="(602) 555-0101")
        (message,) = house.pass_on(a_whitaker("c-edna", "Edna", doNotCall=True))
        of_harold = next(person for person in house.people() if person["id"] == harold)
        assert house.state(message)[0] == "delivered"
        assert (len(house.people()), raised(of_harold["no_call"])) == (2, False)

    def test_harold_is_adopted_and_edna_is_not(self, house: House) -> None:
        harold = by_hand(house, first="HAROLD J.", last="Whitaker", email=HOME)
        house.pass_on(a_whitaker("c-edna", "Edna"), a_whitaker("c-harold", "Harold", city="Yuma"))
        by_id = {person["id"]: person for person in house.people()}
        assert (len(by_id), by_id[harold]["city"]) == (2, "Yuma")


class TestTwoCustomersAndOneContact:
    @pytest.fixture(autouse=True)
    def served(self, house: House) -> None:
        dated(house)

    @pytest.mark.parametrize("contact", ["Harold", "Harold J."])
    def test_neither_of_two_who_agree_alike_is_guessed(self, house: House, contact: str) -> None:
        made = by_hand(house, first=contact, last="Whitaker", email=HOME)
        house.pass_on(a_whitaker("c-father", "Harold", doNotCall=True), a_whitaker("c-son", "Harold", dateOfBirth=None))
        assert len(ids(house) - {made}) == 2
        asked = {question.customer_id: question.candidates for question in house.store.questions.all()}
        assert {customer: [record.id for record in records] for customer, records in asked.items()} == {
            "c-father": [made],
            "c-son": [made],
        }

    def test_two_who_agree_in_different_steps_are_not_guessed_either(self, house: House) -> None:
        made = by_hand(house, first="Harold", last="Whitaker", email=HOME, phone="602-555-0101")
        house.pass_on(a_whitaker("c-father", "Harold", phoneNumber=None), a_whitaker("c-son", "Harold", email=None))
        assert (len(ids(house) - {made}), house.store.questions.count()) == (2, 2)

    @pytest.mark.parametrize("other_born", [None, "1985-01-30"])
    def test_the_same_date_of_birth_decides_between_them(self, house: House, other_born: str | None) -> None:
        made = by_hand(house, first="Harold", last="Whitaker", email=HOME, **{born_field(house): BORN})
        son = a_whitaker("c-son", "Harold", dateOfBirth=other_born, city="Mesa")
        house.pass_on(son, a_whitaker("c-father", "Harold", city="Yuma"))
        by_id = {person["id"]: person for person in house.people()}
        assert (len(by_id), by_id[made]["city"], house.store.questions.count()) == (2, "Yuma", 0)

    def test_the_suffix_decides_between_them(self, house: House) -> None:
        made = by_hand(house, first="Harold", last="Whitaker Jr.", email=HOME)
        son = a_whitaker("c-son", "Harold", lastName="Whitaker Jr.", city="Mesa")
        house.pass_on(a_whitaker("c-other", "Harold", city="Yuma"), son)
        by_id = {person["id"]: person for person in house.people()}
        assert (len(by_id), by_id[made]["city"]) == (2, "Mesa")

    def test_the_one_who_comes_first_agrees_with_nobody_beside_them(self, house: House) -> None:
        made = by_hand(house, first="Harold", last="Whitaker", email=HOME)
        house.pass_on(a_whitaker("c-1", "Harold", city="Yuma"))
        house.pass_on(a_whitaker("c-2", "Harold", city="Mesa"))
        by_id = {person["id"]: person for person in house.people()}
        assert (len(by_id), by_id[made]["city"], house.store.questions.count()) == (2, "Yuma", 0)


class TestAPhone:
    def test_matches_whatever_its_punctuation(self, house: House) -> None:
        adopting(house)
        written = {
            "Ann": "+16025550101",
            "Bea": "16025550102",
            "Cleo": "6025550103",
            "Dora": "602-555-0104",
            "Edna": "(602) 555-0105",
            "Flo": "602.555.0106",
            "Gwen": "+44 20 7946 0018",
        }
        made = {by_hand(house, first=first, last="Whitaker", phone=phone) for first, phone in written.items()}
        numbers = [*(f"+1602555010{number}" for number in range(1, 7)), "+442079460018"]
        people = zip(written, numbers, strict=True)
        house.pass_on(*(a_whitaker(f"c-{first}", first, email=None, phoneNumber=number) for first, number in people))
        assert ids(house) == made

    @pytest.mark.parametrize(
        "written",
        ["1 602 555 0101", "1 (602) 555-0101", "1-602-555-0101", "602/555-0101", "602 5550101", "(602) 555 0101"],
    )
    def test_matches_with_a_leading_1_a_slash_and_odd_spaces(self, house: House, written: str) -> None:
        adopting(house)
        made = by_hand(house, first="Edna", last="Whitaker", phone=written)
        house.pass_on(a_whitaker("c-edna", "Edna", email=None))
        assert ids(house) == {made}

    def test_is_never_enough_alone(self, house: House) -> None:
        adopting(house)
        made = by_hand(house, first="Edna", last="Whitaker", phone="602-555-0101")
        house.pass_on(a_whitaker("c-harold", "Harold", email=None))
        assert len(ids(house) - {made}) == 1


class TestDatesOfBirth:
    def test_bob_is_robert_if_he_was_born_on_the_same_day(self, house: House) -> None:
        dated(house)
        bob = by_hand(house, first="Bob", last="Whitaker", email=HOME, **{born_field(house): BORN})
        house.pass_on(a_whitaker("c-1", "Robert", email=HOME))
        assert ids(house) == {bob}

    def test_bob_without_a_date_of_birth_is_a_question(self, house: House) -> None:
        dated(house)
        bob = by_hand(house, first="Bob", last="Whitaker", email=HOME)
        (message,) = house.pass_on(a_whitaker("c-1", "Robert", email=HOME))
        assert house.state(message)[0] == "delivered"
        assert (len(ids(house)), bob in ids(house)) == (2, True)


class TestOthers:
    @pytest.fixture(autouse=True)
    def served(self, house: House) -> None:
        adopting(house)

    @pytest.mark.parametrize(("first", "last"), [("Harold", "Whitaker Sr."), ("", "Whitaker"), ("H.", "Whitaker")])
    def test_a_father_and_a_contact_without_a_name_are_left_alone(self, house: House, first: str, last: str) -> None:
        made = by_hand(house, first=first, last=last, phone="602-555-0101")
        house.pass_on(a_whitaker("c-1", "Harold", lastName="Whitaker Jr.", email=None))
        assert len(ids(house) - {made}) == 1

    def test_two_that_agree_are_both_left_alone(self, house: House) -> None:
        made = {by_hand(house, first="Harold", last="Whitaker", phone="602-555-0101") for _ in range(2)}
        (message,) = house.pass_on(a_whitaker("c-1", "Harold", email=None))
        house.pass_on(a_whitaker("c-1", "Harold", email=None, city="Yuma", updatedAt=LATER))
        assert house.state(message) == ("delivered", "")
        assert len(ids(house) - made) == 1

    def test_accents_do_not_matter(self, house: House) -> None:
        made = by_hand(house, first="Jose", last="Nunez", email=HOME)
        house.pass_on(a_whitaker("c-1", "José", lastName="Núñez"))
        assert ids(house) == {made}

    def test_neither_of_two_twins_is_the_other(self, house: House) -> None:
        made = {by_hand(house, first=first, last="Whitaker", phone="602-555-0101") for first in ("Jack", "Jill")}
        house.pass_on(*(a_whitaker(f"c-{first}", first, email=None) for first in ("Jack", "Jill")))
        assert ids(house) == made

    def test_a_field_that_the_mapping_only_updates_is_not_written_to_a_look_alike(self, house: House) -> None:
        edna = by_hand(house, first="Edna", last="Whitaker", email=HOME)
        step = STEP[house.shipped]
        house.remap(f"extends: {house.shipped}\nrecords: {{contact: {{mode: update, also_match: [{step}]}}}}")
        (message,) = house.pass_on(a_whitaker("c-1", "Harold", city="Yuma"))
        assert house.state(message)[0] == "skipped"
        assert (ids(house), house.person()["city"]) == ({edna}, None)

    def test_an_external_id_that_is_the_record_s_own_decides(self, house: House) -> None:
        made = by_hand(house, first="Eddie", last="Smith", email=HOME)
        house.pass_on(a_whitaker("c-1", "Edna", externalId=made[:15]))
        assert ids(house) == {made}


class TestAFieldTheUserMayNotSee:
    def test_is_not_needed_to_adopt(self, house: House) -> None:
        if house.names is HUBSPOT:
            pytest.skip("HubSpot leaves out what it does not have")
        dated(house)
        made = by_hand(house, first="Harold", last="Whitaker", email=HOME)
        house.sandbox.hide("Contact", "Birthdate")
        (message,) = house.pass_on(a_whitaker("c-1", "Harold"))
        assert house.state(message)[0] == "delivered"
        assert ids(house) == {made}
