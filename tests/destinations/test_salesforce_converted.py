"""What is said of a lead that was converted goes to the contact it became; a record that is gone is made anew."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from connector.delivery.route import Route, Running
from connector.destinations.base import Verdict
from connector.destinations.salesforce.auth import SalesforceOptions
from connector.mapping import shipped_folder
from connector.running.bootstrap import load_mapping
from connector.sandbox.salesforce import SalesforceSandbox
from connector.store import Store
from tests.builders import a_call, a_customer
from tests.conftest import Clock
from tests.contracts.test_pipeline import DESTINATION, LANE, LATER, SALESFORCE, House, raised
from tests.destinations.salesforce_fixtures import (
    ONE,
    TWO,
    UPDATE,
    Pair,
    a_contact,
    a_lead,
    a_task,
    sandbox_and_destination,
)

LATEST = "2026-06-18T14:00:00.000Z"
REFUSED = "CANNOT_UPDATE_CONVERTED_LEAD"


@pytest.fixture
def pair() -> Any:
    with sandbox_and_destination() as both:
        yield both


def converted(sandbox: SalesforceSandbox, key: str = ONE, **contact: Any) -> tuple[str, str]:
    """The ids of a converted lead and of the contact it became."""
    became = str(sandbox.put("Contact", **{"LastName": "Delacroix"} | contact)["Id"])
    lead = sandbox.put("Lead", LastName="Delacroix", careCycle_Id__c=key, IsConverted=True, ConvertedContactId=became)
    return str(lead["Id"]), became


def the_contact(sandbox: SalesforceSandbox) -> dict[str, Any]:
    (stored,) = sandbox.records("Contact")
    return stored


class TestWhatGoesToTheContact:
    def test_fields_and_opt_outs_and_the_contacts_id_is_told(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        _, contact = converted(sandbox)
        (outcome,) = salesforce.write([a_lead(Phone="+13128471928", DoNotCall=True, consent=["DoNotCall"])])
        stored = the_contact(sandbox)
        assert (outcome.verdict, outcome.id) == (Verdict.DELIVERED, contact)
        assert (stored["Phone"], stored["DoNotCall"]) == ("+13128471928", True)

    def test_the_address_goes_where_conversion_puts_it(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        converted(sandbox)
        salesforce.write([a_lead(Street="2501 E Camelback Rd", City="Mesa", PostalCode="85016")])
        stored = the_contact(sandbox)
        assert [stored[f"Mailing{name}"] for name in ("Street", "City", "PostalCode")] == [
            "2501 E Camelback Rd",
            "Mesa",
            "85016",
        ]

    def test_what_only_leads_have_and_who_owns_it_stay_behind(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        converted(sandbox)
        before = the_contact(sandbox)["OwnerId"]
        (outcome,) = salesforce.write([a_lead(Rating="Hot", OwnerId=sandbox.people[1]["Id"])])
        assert (outcome.verdict, the_contact(sandbox)["OwnerId"]) == (Verdict.DELIVERED, before)

    def test_what_was_decided_by_the_leads_own_values_stays_behind(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        converted(sandbox, Phone="by hand")
        salesforce.write([a_lead(Phone="+13128471928", compared=["Phone"])])
        assert the_contact(sandbox)["Phone"] == "by hand"

    def test_an_update_goes_there_too(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        converted(sandbox)
        salesforce.write([a_lead(DoNotCall=True, consent=["DoNotCall"], mode=UPDATE)])
        assert the_contact(sandbox)["DoNotCall"] is True

    def test_so_does_a_lead_known_by_its_id(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        lead, contact = converted(sandbox)
        assert salesforce.write([a_lead(id=lead)])[0].id == contact

    def test_a_task_that_points_at_the_lead_points_at_the_contact(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        lead, contact = converted(sandbox)
        (outcome,) = salesforce.write([a_task(WhoId=lead)])
        assert (outcome.verdict, sandbox.records("Task")[0]["WhoId"]) == (Verdict.DELIVERED, contact)

    def test_two_leads_that_became_one_contact_are_written_one_after_the_other(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        _, contact = converted(sandbox)
        sandbox.put("Lead", LastName="D", careCycle_Id__c=TWO, IsConverted=True, ConvertedContactId=contact)
        assert [one.id for one in salesforce.write([a_lead(), a_lead(TWO)])] == [contact] * 2
        assert len({len(call.body["records"]) for call in sandbox.calls("/composite/sobjects")[1:]}) == 1


class TestItsCost:
    def test_however_many_there_are_they_are_asked_for_once(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        keys = [f"c-{number}" for number in range(30)]
        for key in keys:
            converted(sandbox, key)
        outcomes = salesforce.write([a_lead(key) for key in keys])
        assert {outcome.verdict for outcome in outcomes} == {Verdict.DELIVERED}
        assert (len(sandbox.calls("/query")), len(sandbox.calls("/composite/sobjects"))) == (1, 2)

    def test_one_known_to_have_become_a_contact_is_written_there_at_once(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        _, contact = converted(sandbox)
        salesforce.describe(["Contact"])
        salesforce.write([a_lead(id=contact, known=contact, Phone="+13128471928")])
        assert (the_contact(sandbox)["Phone"], len(sandbox.calls())) == ("+13128471928", 2)

    def test_no_call_is_made_for_leads_that_are_leads(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        salesforce.write([a_lead()])
        assert len(sandbox.calls()) == 1


class TestWhatCannotGoThere:
    def test_an_opt_out_without_a_field_on_contact_is_a_dead_letter_that_names_it(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        converted(sandbox)
        sandbox.hide("Contact", "Do_Not_Text__c")
        row = a_lead(DoNotCall=True, Do_Not_Text__c=True, consent=["DoNotCall", "Do_Not_Text__c"])
        (outcome,) = salesforce.write([row])
        assert (outcome.verdict, outcome.code, outcome.fields) == (Verdict.REJECTED, REFUSED, ("Do_Not_Text__c",))
        assert the_contact(sandbox)["DoNotCall"] is True

    def test_a_contact_that_refuses_the_rest_still_takes_the_opt_out(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        converted(sandbox)
        (outcome,) = salesforce.write([a_lead(Email="nobody", DoNotCall=True, consent=["DoNotCall"])])
        assert (outcome.code, outcome.consent_written) == ("INVALID_EMAIL_ADDRESS", True)
        assert the_contact(sandbox)["DoNotCall"] is True

    def test_a_lead_that_became_no_contact_is_a_dead_letter(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        sandbox.put("Lead", LastName="Delacroix", careCycle_Id__c=ONE, IsConverted=True)
        assert salesforce.write([a_lead()])[0].code == REFUSED

    def test_where_we_may_not_see_what_it_became_it_is_a_dead_letter_and_no_pause(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        converted(sandbox)
        sandbox.hide("Lead", "ConvertedContactId")
        assert salesforce.write([a_lead()])[0].code == REFUSED

    def test_so_it_is_where_the_agency_wants_it(self) -> None:
        options = {"options": SalesforceOptions(converted_leads="stop")}
        with sandbox_and_destination(options=options) as (sandbox, salesforce):
            converted(sandbox)
            (outcome,) = salesforce.write([a_lead()])
            assert (outcome.code, "contact it became" in outcome.refusal.cause) == (REFUSED, True)

    def test_the_code_at_another_record_is_taken_as_it_is(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        sandbox.refuse_rows([ONE], REFUSED, "cannot reference converted lead")
        assert (salesforce.write([a_contact()])[0].code, len(sandbox.calls())) == (REFUSED, 1)


class TestALeadTheUserMayEdit:
    """Salesforce then takes every change of a converted lead, which nobody looks at any more."""

    @pytest.fixture
    def pair(self, pair: Pair) -> Pair:
        pair[0].let_edit_converted_leads()
        return pair

    @pytest.mark.parametrize("by_id", [True, False])
    def test_fields_and_opt_outs_go_to_its_contact(self, pair: Pair, by_id: bool) -> None:
        sandbox, salesforce = pair
        lead, contact = converted(sandbox)
        known = {"id": lead, "known": lead} if by_id else {}
        row = a_lead(Phone="+13128471928", DoNotCall=True, consent=["DoNotCall"], **known)
        (outcome,) = salesforce.write([row])
        stored = the_contact(sandbox)
        assert (outcome.verdict, outcome.id) == (Verdict.DELIVERED, contact)
        assert (stored["Phone"], stored["DoNotCall"]) == ("+13128471928", True)

    @pytest.mark.parametrize("policy", ["contact", "stop"])
    def test_an_opt_out_that_reached_no_contact_is_not_taken_for_written(self, policy: Any) -> None:
        with sandbox_and_destination(options={"options": SalesforceOptions(converted_leads=policy)}) as (
            sandbox,
            salesforce,
        ):
            sandbox.let_edit_converted_leads()
            lead, contact = converted(sandbox)
            sandbox.change(lead, ConvertedContactId=None if policy == "contact" else contact)
            (outcome,) = salesforce.write([a_lead(DoNotCall=True, consent=["DoNotCall"])])
            assert (outcome.code, outcome.consent_written) == (REFUSED, False)

    def test_a_lead_that_is_one_stays_one(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        lead = sandbox.put("Lead", LastName="Delacroix", careCycle_Id__c=ONE)["Id"]
        (outcome,) = salesforce.write([a_lead(Phone="+13128471928")])
        assert (outcome.verdict, outcome.id) == (Verdict.DELIVERED, lead)

    def test_it_costs_one_query_for_a_whole_batch_and_none_for_new_leads(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        salesforce.describe(["Lead"])
        rows = [a_lead(f"c-{number}") for number in range(30)]
        costs = []
        for _ in range(3):
            before = len(sandbox.calls())
            salesforce.write(rows)
            costs.append(len(sandbox.calls()) - before)
        assert costs == [1, 3, 2]  # the second batch asks once whether the user may

    def test_one_who_may_not_costs_no_query(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        sandbox.let_edit_converted_leads(False)
        salesforce.write([a_lead()])
        salesforce.write([a_lead()])
        before = len(sandbox.calls())
        salesforce.write([a_lead()])
        assert len(sandbox.calls()) - before == 1

    def test_where_salesforce_does_not_say_who_may_it_is_asked_about_each_lead(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        _, contact = converted(sandbox)
        sandbox.hide("UserPermissionAccess", "PermissionsAllowViewEditConvertedLeads")
        assert salesforce.write([a_lead()])[0].id == contact


@pytest.fixture(params=["lead"])
def house(request: pytest.FixtureRequest, store: Store, clock: Clock) -> Iterator[House]:
    """A shipped mapping, from the inbox into the sandbox."""
    store.lanes.open({LANE: DESTINATION})
    mapping = load_mapping(shipped_folder() / f"salesforce-{request.param}.yaml")
    with sandbox_and_destination() as (sandbox, destination):
        route = Route(DESTINATION, destination, Running(mapping), "America/New_York")
        yield House(store, clock, sandbox, route, SALESFORCE)


def convert(house: House) -> str:
    """Convert the one lead there is; the contact's id."""
    (lead,) = house.sandbox.records("Lead")
    contact = str(house.sandbox.put("Contact", LastName=lead["LastName"])["Id"])
    house.sandbox.change(lead["Id"], IsConverted=True, ConvertedContactId=contact)
    return contact


class TestInTheLedger:
    LEAD: ClassVar[dict[str, Any]] = {"status": "Lead"}

    @pytest.mark.parametrize("editable", [False, True])
    def test_an_opt_out_after_the_conversion_reaches_the_contact(self, house: House, editable: bool) -> None:
        house.sandbox.let_edit_converted_leads(editable)
        house.pass_on(a_customer(**self.LEAD))
        convert(house)
        house.pass_on(a_customer(updatedAt=LATER, doNotCall=True, **self.LEAD))
        assert raised(house.person()["no_call"])

    @pytest.mark.parametrize("editable", [False, True])
    def test_the_contact_gets_all_of_it_in_the_end(self, house: House, editable: bool) -> None:
        house.sandbox.let_edit_converted_leads(editable)
        house.pass_on(a_customer(**self.LEAD))
        convert(house)
        (message_id,) = house.pass_on(a_customer(updatedAt=LATER, city="Tempe", **self.LEAD))
        house.clock.forward(60_000)
        house.drain()
        person = house.person()
        assert (house.state(message_id), person["city"], person["state"]) == (("delivered", ""), "Tempe", "AZ")

    def test_it_is_remembered_and_the_next_event_costs_one_call(self, house: House) -> None:
        house.pass_on(a_customer(**self.LEAD))
        convert(house)
        house.pass_on(a_customer(updatedAt=LATER, city="Tempe", **self.LEAD))
        house.clock.forward(60_000)
        house.drain()
        before = len(house.sandbox.calls())
        house.pass_on(a_customer(updatedAt=LATEST, city="Mesa", **self.LEAD))
        assert (len(house.sandbox.calls()) - before, house.person()["city"]) == (1, "Mesa")

    @pytest.mark.parametrize("merged", [True, False])
    def test_a_contact_merged_or_replaced_since_is_found(self, house: House, merged: bool) -> None:
        house.pass_on(a_customer(**self.LEAD))
        contact = convert(house)
        house.pass_on(a_customer(updatedAt=LATER, city="Tempe", **self.LEAD))
        house.clock.forward(60_000)
        house.drain()
        winner = str(house.sandbox.put("Contact", LastName="Delacroix")["Id"])
        house.sandbox.merge(contact, winner) if merged else house.sandbox.delete(contact)
        (lead,) = house.sandbox.records("Lead")
        house.sandbox.change(lead["Id"], ConvertedContactId=winner)
        (message_id,) = house.pass_on(a_customer(updatedAt=LATEST, city="Mesa", doNotCall=True, **self.LEAD))
        assert house.state(message_id) == ("delivered", "")
        person = house.person()
        assert (person["id"], person["city"], person["state"], raised(person["no_call"])) == (
            winner,
            "Mesa",
            "AZ",
            True,
        )


class TestARecordThatIsGone:
    @pytest.mark.parametrize("house", ["contact"], indirect=True)
    def test_a_call_whose_contact_was_deleted_makes_it_anew_and_hangs_on_it(self, house: House) -> None:
        house.pass_on(a_customer())
        house.by_hand("delete")
        (message_id,) = house.pass_on(a_call(a_customer()))
        (call,) = house.calls()
        assert house.state(message_id) == ("delivered", "")
        assert (call["WhoId"], house.person()["state"]) == (house.person()["id"], "AZ")


class TestATaskWhosePersonOtherSoftwareWrites:
    MAPPING = """
version: 1
crm: salesforce
consent: { waive: [doNotCall, doNotSMS, doNotEmail, doNotMail] }
records:
  call:
    object: Task
    events: [call.completed]
    key: { careCycle_Call_Id__c: call.id }
    fields:
      Status: { value: Completed }
      WhoId: { lookup: { object: Contact, match: { careCycle_Id__c: customer.id }, missing: wait } }
"""

    @pytest.fixture
    def waiting(self, house: House) -> tuple[House, str]:
        house.remap(self.MAPPING)
        (message_id,) = house.pass_on(a_call(a_customer()))
        return house, message_id

    def test_it_waits(self, waiting: tuple[House, str]) -> None:
        house, message_id = waiting
        assert (house.state(message_id), house.calls()) == (("ready", "PARENT_MISSING"), [])

    def test_it_hangs_on_the_person_once_there_is_one(self, waiting: tuple[House, str]) -> None:
        house, message_id = waiting
        person = house.sandbox.put("Contact", LastName="Delacroix", careCycle_Id__c=a_customer()["id"])["Id"]
        house.clock.forward(60_000)
        house.drain()
        assert (house.state(message_id), house.calls()[0]["WhoId"]) == (("delivered", ""), person)
