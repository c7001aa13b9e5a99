"""What the CRM filled in or reformatted is no person's edit, and what a person entered stays."""

from __future__ import annotations

import itertools
import time

import pytest

from connector.delivery.lookups import Lookups
from connector.sandbox.wire import Wire
from tests.builders import a_call, a_customer
from tests.contracts.test_pipeline import EARLIER, HUBSPOT, LATER, SALESFORCE, House, house

__all__ = ["house"]

PRIYA, SAM = ({"id": name, "email": f"{name}@youragency.com"} for name in ("priya", "sam"))
LATEST = "2026-06-18T15:00:00.000Z"
OWNER = "{ lookup: { object: User, match: { Email: customer.assignedUser.email } }, write: unless_edited }"
OWNED_LEADS = f"extends: salesforce-lead\nrecords: {{ lead: {{ fields: {{ OwnerId: {OWNER} }} }} }}"
CHOICES = "{ from: customer.assignedUser.licensedStates, format: list, write: unless_edited }"
TRANSLATED = (
    "{ from: customer.assignedUser.licensedStates, table: { NV: AZ, CA: CA, TX: TX, else: null }, format: list, "
    "write: unless_edited }"
)
LICENSED = f"extends: salesforce-contact\nrecords: {{ contact: {{ fields: {{ Licensed__c: {CHOICES} }} }} }}"


def user(house: House, name: str) -> str:
    kind, by = ("User", "Email") if house.names is SALESFORCE else ("owners", "email")
    address = f"{name}@youragency.com"
    holders = house.route.destination.find(kind, by, [address], [])[address]
    assert isinstance(holders, list)
    return holders[0].id


@pytest.fixture(params=[True, False], ids=["whole replies", "sparse replies"])
def portal(house: House, request: pytest.FixtureRequest) -> House:
    if house.names is not HUBSPOT:
        pytest.skip("about HubSpot's own values")
    house.sandbox.state.first_stage, house.sandbox.batches.whole = "lead", request.param
    return house


@pytest.fixture
def org(house: House) -> House:
    if house.names is not SALESFORCE:
        pytest.skip("about Salesforce's own values")
    return house


def stage(portal: House) -> str:
    (contact,) = portal.sandbox.records("contacts")
    return str(contact.get("lifecyclestage"))


class TestWhatTheCrmFilledIn:
    def test_an_agent_assigned_later_becomes_the_owner(self, house: House) -> None:
        house.pass_on(a_customer(updatedAt=EARLIER))
        house.pass_on(a_customer(assignedUser=PRIYA, updatedAt=LATER))
        assert house.person()["owner"] == user(house, "priya")

    def test_an_agent_of_an_older_event_that_comes_late_becomes_the_owner(self, house: House) -> None:
        house.pass_on(a_customer(updatedAt=LATER))
        house.pass_on(a_customer(assignedUser=PRIYA, updatedAt=EARLIER))
        assert house.person()["owner"] == user(house, "priya")

    def test_an_owner_chosen_before_the_agent_is_assigned_stays(self, house: House) -> None:
        house.pass_on(a_customer(updatedAt=EARLIER))
        house.by_hand("change", **{house.names["owner"]: user(house, "dana")})
        house.pass_on(a_customer(assignedUser=PRIYA, updatedAt=LATER))
        assert house.person()["owner"] == user(house, "dana")

    def test_an_owner_chosen_after_the_agent_became_the_owner_stays(self, house: House) -> None:
        house.pass_on(a_customer(updatedAt=EARLIER))
        house.pass_on(a_customer(assignedUser=PRIYA, updatedAt=LATER))
        house.by_hand("change", **{house.names["owner"]: user(house, "dana")})
        house.pass_on(a_customer(assignedUser=SAM, updatedAt=LATEST))
        assert house.person()["owner"] == user(house, "dana")

    def test_a_person_first_met_in_a_call_gets_the_agent_later(self, house: House) -> None:
        house.pass_on(a_call(a_customer(updatedAt=EARLIER)))
        house.pass_on(a_customer(assignedUser=PRIYA, updatedAt=LATER))
        assert house.person()["owner"] == user(house, "priya")

    def test_an_owner_of_a_contact_made_by_hand_stays(self, org: House) -> None:
        org.sandbox.put("Contact", LastName="Delacroix", careCycle_Id__c=a_customer()["id"])
        org.pass_on(a_customer(updatedAt=EARLIER))
        org.pass_on(a_customer(assignedUser=PRIYA, updatedAt=LATER))
        assert org.person()["owner"] == org.sandbox.org.owner

    def test_an_agent_who_becomes_a_user_later_becomes_the_owner(self, org: House) -> None:
        new = {"id": "u9", "email": "new@youragency.com"}
        org.pass_on(a_customer(assignedUser=new, updatedAt=EARLIER))
        person = org.sandbox.put("User", LastName="New", Email="new@youragency.com", Username="new", IsActive=True)
        org.route.lookups = Lookups(time.monotonic)  # the missing user is looked up again
        org.pass_on(a_customer(assignedUser=new, updatedAt=LATER))
        assert org.person()["owner"] == person["Id"]

    def test_a_lead_owner_that_the_org_chose_gives_way_to_the_agent(self, org: House) -> None:
        org.remap(OWNED_LEADS)
        org.sandbox.org.owner = user(org, "sam")
        org.pass_on(a_customer(updatedAt=EARLIER))
        org.pass_on(a_customer(assignedUser=PRIYA, updatedAt=LATER))
        (lead,) = org.sandbox.records("Lead")
        assert lead["OwnerId"] == user(org, "priya")

    def test_a_stage_that_hubspot_filled_in_gives_way_to_carecycles(self, portal: House) -> None:
        portal.pass_on(a_customer(status="Inactive", updatedAt=EARLIER))
        assert stage(portal) == "lead"
        portal.pass_on(a_customer(status="Active", updatedAt=LATER))
        assert stage(portal) == "customer"

    def test_a_stage_that_a_person_chose_stays(self, portal: House) -> None:
        portal.pass_on(a_customer(status="Inactive", updatedAt=EARLIER))
        portal.by_hand("change", lifecyclestage="opportunity")
        portal.pass_on(a_customer(status="Active", updatedAt=LATER))
        assert stage(portal) == "opportunity"

    def test_a_new_record_is_read_back_only_where_the_reply_does_not_show_all_of_it(self, portal: House) -> None:
        portal.pass_on(a_customer(updatedAt=EARLIER))
        read = portal.sandbox.calls("contacts", "/batch/read")  # by key, by address, and perhaps by id
        assert len(read) == (2 if portal.sandbox.batches.whole else 3)

    def test_a_read_that_fails_costs_the_delivery_nothing(self, org: House) -> None:
        org.sandbox.fault("query", Wire.refuse, times=9, skip=1)  # the first query asks whether the contact exists
        (message,) = org.pass_on(a_customer(updatedAt=EARLIER))
        assert (org.state(message), len(org.sandbox.faults)) == (("delivered", ""), 1)
        org.sandbox.faults.clear()
        org.pass_on(a_customer(assignedUser=PRIYA, updatedAt=LATER))
        assert org.person()["owner"] == user(org, "priya")


def licensed(*states: str, at: str) -> dict[str, object]:
    return a_customer(assignedUser={**PRIYA, "licensedStates": list(states)}, updatedAt=at)


class TestEveryOrder:
    def test_ends_with_the_agent_or_with_the_owner_a_person_chose(self, house: House) -> None:
        """Each life has its order of the events, and the step after which a person chooses Dana, if anybody does."""
        steps = ({"updatedAt": EARLIER}, {"updatedAt": LATER, "assignedUser": PRIYA}, {"updatedAt": LATEST})
        lives = list(itertools.product(itertools.permutations(steps), (None, 0, 1, 2)))
        names = [f"{n:03d}" for n in range(len(lives))]
        for step in range(len(steps)):
            house.pass_on(*(a_life(name, **order[step]) for name, (order, _) in zip(names, lives, strict=True)))
            for name, (_, edited) in zip(names, lives, strict=True):
                if edited == step:
                    choose(house, name, user(house, "dana"))
        owners = {person["city"]: person["owner"] for person in house.people()}
        expected = ["priya" if edited is None else "dana" for _, edited in lives]
        assert owners == {name: user(house, who) for name, who in zip(names, expected, strict=True)}


def a_life(name: str, **changes: object) -> dict[str, object]:
    return a_customer(id=f"c-{name}", city=name, email=f"{name}@example.com", **changes)


def choose(house: House, name: str, owner: str) -> None:
    (crm_id,) = [person["id"] for person in house.people() if person["city"] == name]
    kind = [house.names["people"]] if house.names is HUBSPOT else []
    house.sandbox.change(*kind, crm_id, **{house.names["owner"]: owner})


class TestWhatTheCrmReformats:
    @pytest.fixture
    def choosing(self, org: House) -> House:
        org.remap(LICENSED)
        return org

    @staticmethod
    def shown(org: House) -> str:
        (contact,) = org.sandbox.records("Contact")
        return str(contact["Licensed__c"])

    @pytest.mark.slow
    def test_what_a_flow_makes_of_every_write_is_no_edit(self, org: House) -> None:
        org.remap("extends: salesforce-contact\nrecords: {contact: {fields: {FirstName: {write: unless_edited}}}}")
        org.sandbox.org.flow = lambda kind, values: {
            name: text.upper() for name, text in values.items() if name == "FirstName"
        }
        for name, at in (("Marcus", EARLIER), ("Mark", LATER), ("Marc", LATEST)):
            org.pass_on(a_customer(firstName=name, updatedAt=at))
        (contact,) = org.sandbox.records("Contact")
        assert contact["FirstName"] == "MARC"

    def test_an_owner_that_a_flow_put_in_the_agents_place_gives_way_to_the_next(self, org: House) -> None:
        sam = user(org, "sam")
        org.sandbox.org.flow = lambda kind, values: {"OwnerId": sam} if kind == "Contact" else {}
        org.pass_on(a_customer(assignedUser=PRIYA, updatedAt=EARLIER))
        org.sandbox.org.flow = lambda kind, values: {}
        org.pass_on(a_customer(assignedUser={"id": "u3", "email": "dana@youragency.com"}, updatedAt=LATER))
        assert org.person()["owner"] == user(org, "dana")

    def test_choices_kept_in_the_orgs_own_order_are_no_edit(self, choosing: House) -> None:
        choosing.pass_on(licensed("NV", "AZ", "CA", at=EARLIER))
        assert self.shown(choosing) == "CA;AZ;NV"
        choosing.pass_on(licensed("AR", "NV", at=LATER))
        assert self.shown(choosing) == "AR;NV"
        choosing.pass_on(licensed("TX", at=LATEST))
        assert self.shown(choosing) == "TX"

    def test_translated_choices_in_the_orgs_own_order_are_no_edit(self, org: House) -> None:
        org.remap(LICENSED.replace(CHOICES, TRANSLATED))
        org.pass_on(licensed("TX", "XX", "NV", "CA", at=EARLIER))
        assert self.shown(org) == "CA;TX;AZ"
        org.pass_on(licensed("CA", "NV", "NV", at=LATER))
        assert self.shown(org) == "CA;AZ"

    def test_a_choice_that_a_person_added_stays(self, choosing: House) -> None:
        choosing.pass_on(licensed("NV", "AZ", at=EARLIER))
        choosing.by_hand("change", Licensed__c="CA;AZ;NV")
        choosing.pass_on(licensed("AR", at=LATER))
        assert self.shown(choosing) == "CA;AZ;NV"

    def test_the_same_choices_in_another_order_cost_no_call(self, choosing: House) -> None:
        choosing.pass_on(licensed("NV", "AZ", at=EARLIER))
        writes = len(choosing.sandbox.writes())
        choosing.pass_on(licensed("AZ", "NV", at=LATER))
        assert (self.shown(choosing), len(choosing.sandbox.writes())) == ("AZ;NV", writes)

    @pytest.mark.parametrize("theirs", ["(312) 847-1928", "312.847.1928", " +1 312-847-1928"])
    def test_a_phone_number_in_the_crms_punctuation_is_no_edit(self, house: House, theirs: str) -> None:
        phone = house.names["phone"]
        house.remap(
            f"extends: {house.shipped}\nrecords: {{contact: {{fields: {{{phone}: {{write: unless_edited}}}}}}}}"
        )
        house.pass_on(a_customer(updatedAt=EARLIER))
        house.by_hand("change", **{phone: theirs})
        house.pass_on(a_customer(phoneNumber="+14805550123", updatedAt=LATER))
        assert house.person()["phone"] == "+14805550123"

    def test_a_phone_number_that_a_person_corrected_stays(self, house: House) -> None:
        phone = house.names["phone"]
        house.remap(
            f"extends: {house.shipped}\nrecords: {{contact: {{fields: {{{phone}: {{write: unless_edited}}}}}}}}"
        )
        house.pass_on(a_customer(updatedAt=EARLIER))
        house.by_hand("change", **{phone: "(312) 847-1929"})
        house.pass_on(a_customer(phoneNumber="+14805550123", updatedAt=LATER))
        assert house.person()["phone"] == "(312) 847-1929"
