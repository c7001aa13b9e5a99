"""Lists: a table translates each element, and a condition asks whether one contains another field's value."""

from __future__ import annotations

from typing import Any

import pytest

from connector.destinations import VENDORS
from connector.mapping import load_text
from connector.mapping.target import Option, TargetField, TargetObject
from tests.core.test_mapping_meaning import holds, value
from tests.mappings.build import SCHEMAS, SHARED, an_event, found_and_marked, load, mapping_text, planned

STATES = "from: customer.assignedUser.licensedStates"
NAMES = f"{{ {STATES}, table: {{ AZ: Arizona, AR: Arkansas, NV: West, CA: West, else: null }}, format: list }}"
ANOTHER = "{ customer.assignedUser.licensedStates: { contains: { field: customer.state } } }"


CHOICES = TargetField(type="multipicklist", restricted=True, options=(Option(value="AZ"), Option(value="AR")))


def told(field: str) -> list[str]:
    """The codes of what a field is told by an org whose contacts have a field of several choices."""
    org = SCHEMAS["salesforce"]
    contact = TargetObject(fields={**org.objects["Contact"].fields, "States__c": CHOICES})
    schema = org.model_copy(update={"objects": {**org.objects, "Contact": contact}})
    loaded = load_text(mapping_text(field), "it.yaml", schema=schema, shipped=SHARED, crms=VENDORS)
    return [found.code for found in loaded.diagnostics]


def licensed(*states: Any) -> dict[str, Any]:
    return {"assignedUser": {"id": "u1", "licensedStates": list(states)}}


class TestATableOfAList:
    @pytest.mark.parametrize(
        ("states", "sent"),
        [
            (["AZ", "AR"], "Arizona;Arkansas"),
            (["AR", "XX", "AZ"], "Arkansas;Arizona"),
            (["NV", "AZ", "CA"], "West;Arizona"),
            (["AZ", "AZ"], "Arizona"),
            (["XX"], "not sent"),
            ([], "not sent"),
        ],
    )
    def test_translates_each_element(self, states: list[str], sent: str) -> None:
        assert value(NAMES, **licensed(*states)) == sent

    def test_gives_else_for_each_that_it_does_not_know_once(self) -> None:
        field = f"{{ {STATES}, table: {{ AZ: Arizona, else: Other }}, format: list }}"
        assert value(field, **licensed("TX", "AZ", "NM")) == "Other;Arizona"

    def test_of_which_nothing_is_left_is_null(self) -> None:
        assert value(NAMES.replace("format: list", "format: list, if_null: clear"), **licensed("XX")) is None

    def test_of_a_list_that_is_null_is_null(self) -> None:
        assert value(NAMES, assignedUser=None) == "not sent"

    def test_may_give_numbers(self) -> None:
        assert value(f"{{ {STATES}, table: {{ AZ: 1, else: 2 }}, format: list }}", **licensed("AZ", "TX")) == "1;2"

    @pytest.mark.parametrize(
        ("field", "codes"),
        [
            (f"{{ {STATES}, table: {{ AZ: AZ, else: null }}, format: list }}", []),
            (f"{{ {STATES}, table: {{ AZ: AZ, else: Other }}, format: list }}", ["M204"]),
            (f"{{ {STATES}, table: {{ AZ: AZ, else: null }} }}", ["M202"]),
            (f"{{ {STATES}, table: {{ AZ: AZ }}, format: list }}", ["M153"]),
            (f"{{ {STATES}, format: list }}", ["M205"]),
            (f"{{ {STATES}, table: {{ AZ: AZ, else: null }}, format: [list, lower] }}", ["M205"]),
        ],
    )
    def test_is_held_to_what_the_crm_offers(self, field: str, codes: list[str]) -> None:
        assert told(f"States__c: {field}") == codes

    def test_is_no_single_choice(self) -> None:
        assert told(f"Status__c: {{ {STATES}, table: {{ AZ: Working, else: null }}, format: list }}") == ["M205"]


class TestAListInTheFormOfBothCrms:
    def test_has_each_choice_once_and_no_empty_one(self) -> None:
        assert value(f"{{ {STATES}, format: list }}", **licensed("", "AZ", " AR ", "AZ", ";NV")) == "AZ;AR;NV"


class TestContainsAnotherField:
    @pytest.mark.parametrize(
        ("states", "state", "expected"),
        [
            (["AZ", "AR"], "AZ", True),
            (["AR"], "AZ", False),
            (["AZ"], "az", False),
            (["AZ"], None, False),
            (["", " "], "", False),
            (["", " "], " ", False),
            ([], "AZ", False),
        ],
    )
    def test_asks_for_an_element_of_a_list(self, states: list[str], state: str | None, expected: bool) -> None:
        assert holds(ANOTHER, state=state, **licensed(*states)) is expected

    @pytest.mark.parametrize(("city", "expected"), [("Mesa", True), ("mesa", False), ("", False), (" ", False)])
    def test_asks_for_a_part_of_a_text(self, city: str, expected: bool) -> None:
        condition = "{ customer.address: { contains: { field: customer.city } } }"
        assert holds(condition, city=city, address="12 Mesa Ave") is expected

    def test_is_asked_of_the_value_after_its_formats(self) -> None:
        condition = "{ customer.address: { format: lower, contains: { field: customer.city } } }"
        assert holds(condition, city="mesa", address="12 Mesa Ave")

    def test_raises_a_flag_whatever_the_case(self) -> None:
        consent = "{ flags: { doNotCall: contact.NoCall__c }, waive: [doNotSMS, doNotEmail, doNotMail], "
        consent += "raise: { doNotCall: { when: { campaign.tags: { contains: { field: call.disposition } } } } } }"
        event = an_event("call.completed", call__disposition="do not call", campaign__tags=["DNC", "Do Not Call!"])
        assert planned(mapping_text(consent=consent), event, schema=None).spoken == {"doNotCall"}

    @pytest.mark.parametrize(
        ("condition", "code"),
        [
            ("{ customer.city: { contains: { field: §customer.citty } } }", "M101"),
            ("{ customer.city: { contains: { field: §customer.testCustomer } } }", "M133"),
            ("{ customer.city: { contains: { field: §customer.assignedUser.licensedStates } } }", "M133"),
            ("{ customer.city: { contains: { §feild: customer.county, field: customer.county } } }", "M110"),
            ("{ customer.city: { §is: { field: customer.county } } }", "M110"),
            ("{ customer.city: { contains: §customer.county } }", "M133"),
            ("{ customer.householdIncome: { contains: { field: customer.city } } }", "M133"),
        ],
    )
    def test_names_a_text_of_the_event(self, condition: str, code: str) -> None:
        found, marked = found_and_marked(mapping_text(f"A__c: {{ value: x, when: {condition} }}"), schema=None)
        assert [each for each, *_ in found] == [code]
        assert not marked or code == "M110" or found == [(code, *marked[0])]

    def test_names_it_under_field(self) -> None:
        text = mapping_text("A__c: { value: x, when: { customer.city: { contains: { feild: customer.state } } } }")
        assert "did you mean 'field'?" in [d.hint for d in load(text, schema=None).diagnostics]

    def test_is_read_with_both_fields(self) -> None:
        loaded = load(mapping_text(f"A__c: {{ value: x, when: {ANOTHER} }}"), schema=None)
        assert loaded.mapping is not None
        assert {"customer.assignedUser.licensedStates", "customer.state"} <= loaded.mapping.reads
