"""Values as a field's type wants them, once the org has told what its fields are."""

from __future__ import annotations

import doctest
import math
from dataclasses import replace
from typing import Any

import pytest

from connector.destinations.base import Verdict
from connector.destinations.salesforce import fit
from tests.destinations.salesforce_fixtures import ONE, TWO, Pair, a_contact, a_task, sandbox_and_destination

WRITES = "/composite/sobjects"


@pytest.fixture
def pair() -> Any:
    """An org that told what its contacts and tasks are, as a worker asks at its start."""
    with sandbox_and_destination() as (sandbox, salesforce):
        salesforce.describe(["Contact", "Task", "User"])
        yield sandbox, salesforce


class TestFitting:
    def test_its_examples_hold(self) -> None:
        assert doctest.testmod(fit).failed == 0

    @pytest.mark.parametrize(
        ("field", "written", "stored"),
        [
            ("DoNotCall", "true", True),
            ("DoNotCall", True, True),
            ("Household_Income__c", "42000", 42000.0),
            ("Household_Income__c", "0.5", 0.5),
            ("Suffix", 3, "3"),
            ("Suffix", True, "true"),
            ("Birthdate", "1958-04-12", "1958-04-12"),
            ("Last_Call_Date__c", "2026-06-17T14:03:16.709-05:00", "2026-06-17T19:03:16.000+0000"),
            ("Suffix", None, None),
        ],
    )
    def test_the_field_holds_what_was_meant(self, pair: Pair, field: str, written: Any, stored: Any) -> None:
        sandbox, salesforce = pair
        assert salesforce.write([a_contact(**{field: written})])[0].verdict is Verdict.DELIVERED
        assert sandbox.records("Contact")[0][field] == stored

    def test_a_whole_number_goes_without_its_point(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        salesforce.write([a_task(CallDurationInSeconds=247.0)])
        assert sandbox.records("Task")[0]["CallDurationInSeconds"] == 247

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("DoNotCall", "yes"),
            ("DoNotCall", 1),
            ("Household_Income__c", "a lot"),
            ("Household_Income__c", True),
            ("Birthdate", "soon"),
            ("Birthdate", "1958-13-12"),
            ("Birthdate", "1958-04-12T00:00:00Z"),
            ("Birthdate", 1958),
            ("Last_Call_Date__c", "2026-06-17"),
            ("Last_Call_Date__c", 1781000000),
            ("Last_Call_Date__c", "2026-13-45T19:03:16Z"),
        ],
    )
    def test_what_no_such_field_can_hold_is_refused_here_by_name(self, pair: Pair, field: str, value: Any) -> None:
        sandbox, salesforce = pair
        bad, good = salesforce.write([a_contact(**{field: value}), a_contact(TWO)])
        assert (bad.verdict, bad.code, bad.fields) == (Verdict.REJECTED, "WRONG_TYPE", (field,))
        assert (good.verdict, len(sandbox.calls(WRITES))) == (Verdict.DELIVERED, 1)

    def test_a_field_whose_type_was_changed_since_is_taken_as_it_is_now(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        columns = sandbox.org.table("Contact").columns
        columns["household_income__c"] = replace(columns["household_income__c"], type="string", length=60)
        outcomes = salesforce.write([a_contact(key, Household_Income__c="a lot") for key in (ONE, TWO)])
        assert {outcome.verdict for outcome in outcomes} == {Verdict.DELIVERED}
        assert len(sandbox.calls("/describe")) == 1

    def test_a_part_of_a_number_is_no_whole_number(self, pair: Pair) -> None:
        (outcome,) = pair[1].write([a_task(CallDurationInSeconds=2.5)])
        assert (outcome.code, outcome.fields) == ("WRONG_TYPE", ("CallDurationInSeconds",))

    def test_a_number_without_end_is_named(self, pair: Pair) -> None:
        (outcome,) = pair[1].write([a_contact(Household_Income__c=math.inf)])
        assert (outcome.code, outcome.fields) == ("NOT_A_NUMBER", ("Household_Income__c",))

    def test_its_opt_out_still_goes_out(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        salesforce.write([a_contact(ONE)])
        (outcome,) = salesforce.write([a_contact(Birthdate="soon", DoNotCall=True, consent=["DoNotCall"])])
        assert (outcome.consent_written, sandbox.records("Contact")[0]["DoNotCall"]) == (True, True)


class TestAskingWhatTheFieldsAre:
    def test_several_objects_are_one_call(self) -> None:
        with sandbox_and_destination() as (sandbox, salesforce):
            schema = salesforce.describe(["Contact", "Policy__c", "Task", "User"])
            assert (sorted(schema.objects), len(sandbox.calls())) == (["Contact", "Task", "User"], 1)

    def test_more_than_one_call_may_hold_are_asked_in_portions(self) -> None:
        with sandbox_and_destination() as (sandbox, salesforce):
            salesforce.describe(["Contact", *(f"Policy{number}__c" for number in range(30))])
            assert len(sandbox.calls()) == 4

    def test_what_was_asked_once_is_not_asked_for_a_search(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        salesforce.find("User", "Email", ["priya@youragency.com"], [])
        salesforce.find("Contact", "careCycle_Id__c", [ONE], [])
        assert [call.path.rpartition("/v67.0/")[2].partition("?")[0] for call in sandbox.calls()] == [
            "composite",
            "query/",
            "query/",
        ]

    @pytest.mark.parametrize(
        "fault", [lambda told: {"compositeResponse": []}, lambda told: told["compositeResponse"], lambda told: 17]
    )
    def test_a_reply_that_does_not_tell_is_asked_again_one_by_one(self, fault: Any) -> None:
        with sandbox_and_destination() as (sandbox, salesforce):
            sandbox.reshape(fault, path="/composite")
            assert sorted(salesforce.describe(["Contact", "Task"]).objects) == ["Contact", "Task"]
            assert len(sandbox.calls("/describe")) == 2

    def test_an_org_without_the_composite_resource_is_asked_one_by_one(self) -> None:
        with sandbox_and_destination() as (sandbox, salesforce):
            sandbox.fail(400, "FUNCTIONALITY_UNKNOWN", path="/composite")
            assert sorted(salesforce.describe(["Contact", "Task"]).objects) == ["Contact", "Task"]

    def test_one_that_cannot_be_told_is_asked_for_alone(self) -> None:
        with sandbox_and_destination() as (sandbox, salesforce):

            def one_failed(told: Any) -> Any:
                told["compositeResponse"][1] |= {"httpStatusCode": 500, "body": [{"errorCode": "UNKNOWN_EXCEPTION"}]}
                return told

            sandbox.reshape(one_failed, path="/composite")
            assert sorted(salesforce.describe(["Contact", "Task"]).objects) == ["Contact", "Task"]
            assert len(sandbox.calls()) == 2
