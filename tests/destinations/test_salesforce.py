"""Salesforce as a destination, against the sandbox over HTTP."""

from __future__ import annotations

import math
from dataclasses import replace
from random import Random
from typing import Any, ClassVar

import pytest

from connector.destinations.base import Verdict
from connector.destinations.salesforce.account import LIMITS
from connector.destinations.salesforce.auth import SalesforceOptions
from connector.errors import DestinationUnusable
from connector.sandbox.wire import Wire
from tests.destinations.salesforce_fixtures import (
    ONE,
    TWO,
    UPDATE,
    Pair,
    a_contact,
    a_lead,
    a_row,
    a_task,
    sandbox_and_destination,
)

COLLECTION = "/composite/sobjects"


@pytest.fixture
def pair() -> Any:
    with sandbox_and_destination() as both:
        yield both


def verdicts(outcomes: list[Any]) -> list[str]:
    return [str(outcome.verdict) for outcome in outcomes]


class TestWriting:
    def test_a_new_record_is_created_and_its_id_told(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        (outcome,) = salesforce.write([a_contact(FirstName="Marcus")])
        (stored,) = sandbox.records("Contact")
        assert (outcome.verdict, outcome.id, stored["FirstName"]) == (Verdict.DELIVERED, stored["Id"], "Marcus")

    def test_the_same_row_twice_is_one_record(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        first, second = salesforce.write([a_contact()]) + salesforce.write([a_contact()])
        assert first.id == second.id
        assert len(sandbox.records("Contact")) == 1

    def test_a_key_that_is_a_uuid_matches_whatever_its_letter_case(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        salesforce.write([a_contact(ONE.upper())])
        assert sandbox.records("Contact")[0]["careCycle_Id__c"] == ONE

    def test_a_key_that_is_no_uuid_keeps_its_letters(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        salesforce.write([a_task("callback-ABC")])
        assert sandbox.records("Task")[0]["careCycle_Call_Id__c"] == "callback-ABC"

    def test_none_clears_a_field_and_a_field_left_out_stays(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        salesforce.write([a_contact(Suffix="Jr.", MailingCity="Mesa")])
        salesforce.write([a_contact(Suffix=None)])
        (stored,) = sandbox.records("Contact")
        assert (stored["Suffix"], stored["MailingCity"]) == (None, "Mesa")

    def test_rows_of_several_objects_come_back_in_order(self, pair: Pair) -> None:
        _, salesforce = pair
        outcomes = salesforce.write([a_task(), a_contact(), a_lead(), a_task(TWO)])
        assert [str(outcome.id)[:3] for outcome in outcomes] == ["00T", "003", "00Q", "00T"]

    def test_two_hundred_records_are_one_call(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        salesforce.write([a_contact(f"c-{number}") for number in range(200)])
        assert len(sandbox.calls()) == 1

    def test_more_than_a_batch_is_sent_in_portions(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        outcomes = salesforce.write([a_contact(f"c-{number}") for number in range(salesforce.batch + 1)])
        assert verdicts(outcomes) == ["delivered"] * 201
        (call,) = sandbox.calls()
        assert [len(part["body"]["records"]) for part in call.body["compositeRequest"]] == [200, 1]

    def test_nothing_to_write_makes_no_call(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        assert salesforce.write([]) == []
        assert sandbox.calls() == []

    def test_control_characters_are_left_out(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        salesforce.write([a_contact(Description="one\x00two\x0b")])
        assert sandbox.records("Contact")[0]["Description"] == "onetwo"

    def test_a_number_json_cannot_carry_is_rejected_and_the_others_go(self, pair: Pair) -> None:
        _, salesforce = pair
        bad, good = salesforce.write([a_contact(Household_Income__c=math.nan), a_contact(TWO)])
        assert (bad.verdict, bad.code, good.verdict) == (Verdict.REJECTED, "NOT_A_NUMBER", Verdict.DELIVERED)

    def test_assignment_rules_do_not_take_a_lead_from_its_owner(self) -> None:
        with sandbox_and_destination(assign_leads=True) as (sandbox, salesforce):
            salesforce.write([a_lead(OwnerId=sandbox.people[1]["Id"])])
            assert sandbox.records("Lead")[0]["OwnerId"] == sandbox.people[1]["Id"]

    def test_assignment_rules_run_where_the_agency_wants_them(self) -> None:
        wanted = {"options": SalesforceOptions(assignment_rules=True)}
        with sandbox_and_destination(assign_leads=True, options=wanted) as (sandbox, salesforce):
            salesforce.write([a_lead()])
            assert sandbox.records("Lead")[0]["OwnerId"] == sandbox.people[0]["Id"]


class TestCreating:
    def test_a_new_record_is_created_and_said_to_be(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        (outcome,) = salesforce.write([replace(a_contact(), new=True)])
        (stored,) = sandbox.records("Contact")
        assert (outcome.verdict, outcome.id, outcome.created) == (Verdict.DELIVERED, stored["Id"], True)
        assert stored["careCycle_Id__c"] == ONE

    def test_a_key_that_is_taken_refuses_it_and_changes_nothing(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        salesforce.write([a_contact(FirstName="Ann")])
        taken, created = salesforce.write([replace(a_contact(key), new=True) for key in (ONE.upper(), TWO)])
        assert (taken.verdict, taken.code, created.verdict) == (Verdict.REJECTED, "DUPLICATE_VALUE", Verdict.DELIVERED)
        assert [record["FirstName"] for record in sandbox.records("Contact")] == ["Ann", "Marcus"]

    def test_a_thousand_are_one_call_beside_what_is_known(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        (known,) = salesforce.write([a_contact(ONE)])
        before = len(sandbox.calls())
        new = [replace(a_contact(f"c-{number}"), new=True) for number in range(800)]
        outcomes = salesforce.write([*new, replace(a_contact(ONE, FirstName="Ann"), id=known.id)])
        assert ({outcome.verdict for outcome in outcomes}, len(sandbox.calls()) - before) == ({Verdict.DELIVERED}, 1)

    def test_is_offered_where_the_key_is_known_to_be_unique_in_any_case(self, pair: Pair) -> None:
        _, salesforce = pair
        assert not salesforce.refuses_taken("Contact", "careCycle_Id__c")
        salesforce.describe(["Contact"])
        assert salesforce.refuses_taken("Contact", "careCycle_Id__c")
        assert not salesforce.refuses_taken("Contact", "Email")


class TestRecordsKnownByTheirId:
    def test_an_adopted_record_is_written_and_given_its_key(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        by_hand = sandbox.put("Contact", LastName="Delacroix")
        (outcome,) = salesforce.write([a_contact(id=by_hand["Id"], FirstName="Marc")])
        (stored,) = sandbox.records("Contact")
        assert outcome.id == by_hand["Id"]
        assert (stored["FirstName"], stored["careCycle_Id__c"]) == ("Marc", ONE)

    def test_a_record_deleted_meanwhile_is_deferred_under_one_code(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        by_hand = sandbox.put("Contact", LastName="Delacroix")
        sandbox.delete(by_hand["Id"])
        (outcome,) = salesforce.write([a_contact(id=by_hand["Id"])])
        assert (outcome.verdict, outcome.code) == (Verdict.DEFERRED, "ENTITY_IS_DELETED")

    def test_an_update_of_a_record_that_is_not_there_is_skipped(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        (outcome,) = salesforce.write([a_contact(mode=UPDATE)])
        assert (outcome.verdict, outcome.refusal.cause) == (Verdict.SKIPPED, "Salesforce has no such record")
        assert sandbox.records("Contact") == []

    def test_an_update_of_a_record_that_is_there_is_delivered(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        salesforce.write([a_contact()])
        (outcome,) = salesforce.write([a_contact(mode=UPDATE, FirstName="Marc")])
        assert outcome.verdict is Verdict.DELIVERED
        assert sandbox.records("Contact")[0]["FirstName"] == "Marc"

    def test_all_updates_of_an_object_are_looked_up_in_one_query(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        salesforce.write([a_contact(f"c-{number}", mode=UPDATE) for number in range(50)])
        assert len(sandbox.calls("/query")) == 1

    def test_an_update_of_twins_is_rejected(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        for _ in range(2):
            sandbox.put("Contact", LastName="Delacroix", careCycle_Id__c=ONE)
        (outcome,) = salesforce.write([a_contact(mode=UPDATE)])
        assert (outcome.verdict, outcome.code) == (Verdict.REJECTED, "DUPLICATE_EXTERNAL_ID")


class TestRecordsRefusedForGood:
    @pytest.mark.parametrize(
        ("fields", "code", "named"),
        [
            ({"LastName": None}, "REQUIRED_FIELD_MISSING", ("LastName",)),
            ({"FirstName": "x" * 41}, "STRING_TOO_LONG", ("FirstName",)),
            ({"Email": "nobody"}, "INVALID_EMAIL_ADDRESS", ("Email",)),
            ({"Language__c": "Klingon"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", ("Language__c",)),
            ({"DoNotCall": None}, "INVALID_TYPE_ON_FIELD_IN_RECORD", ("DoNotCall",)),
            ({"Birthdate": "0985-01-01"}, "DATE_OUT_OF_RANGE", ("Birthdate",)),
            ({"Household_Income__c": 10.0**18}, "NUMBER_OUTSIDE_VALID_RANGE", ("Household_Income__c",)),
            ({"OwnerId": "priya"}, "MALFORMED_ID", ("OwnerId",)),
            ({"OwnerId": "003Hs0000000001IAA"}, "FIELD_INTEGRITY_EXCEPTION", ("OwnerId",)),
            ({"CreatedDate": "2026-06-17T19:03:16Z"}, "INVALID_FIELD_FOR_INSERT_UPDATE", ("CreatedDate",)),
            ({"Nickname__c": "Marc"}, "INVALID_FIELD", ("Nickname__c",)),
            ({"Birthdate": "soon"}, "JSON_PARSER_ERROR", ()),
            ({"DoNotCall": "yes"}, "JSON_PARSER_ERROR", ()),
        ],
    )
    def test_the_code_and_the_fields_are_told(
        self, pair: Pair, fields: dict[str, Any], code: str, named: tuple[str, ...]
    ) -> None:
        _, salesforce = pair
        bad, good = salesforce.write([a_contact(**fields), a_contact(TWO)])
        assert (bad.verdict, bad.code, bad.fields) == (Verdict.REJECTED, code, named)
        assert good.verdict is Verdict.DELIVERED

    @pytest.mark.parametrize(
        ("code", "message"),
        [
            ("DUPLICATE_VALUE", "duplicate value found: External_Id__c duplicates value on record with id: 003xx"),
            ("DUPLICATE_EXTERNAL_ID", "more than one record found for external id field"),
            ("DUPLICATES_DETECTED", "Use one of these records?"),
            ("FIELD_CUSTOM_VALIDATION_EXCEPTION", "No such customer"),
            ("CANNOT_EXECUTE_FLOW_TRIGGER", "We can't save this record because the flow failed"),
            ("INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id"),
            ("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead"),
            ("INACTIVE_OWNER_OR_USER", "operation performed with inactive user"),
            ("ENTITY_IS_ARCHIVED", "entity is archived"),
            ("A_CODE_OF_NEXT_YEAR", "whatever it is"),
        ],
    )
    def test_no_retry_is_made(self, pair: Pair, code: str, message: str) -> None:
        sandbox, salesforce = pair
        sandbox.refuse_rows([ONE], code, message)
        (outcome,) = salesforce.write([a_contact()])
        assert (outcome.verdict, outcome.code, len(sandbox.calls())) == (Verdict.REJECTED, code, 1)

    @pytest.mark.parametrize(
        ("code", "message", "fields"),
        [
            ("DUPLICATE_VALUE", "duplicate value found: Email duplicates value on record with id: 003xx", ("Email",)),
            ("INACTIVE_OWNER_OR_USER", "operation performed with inactive user [005xx] as owner", ("OwnerId",)),
            ("A_CODE_OF_NEXT_YEAR", "No such column 'Email' on entity 'Contact'", ("Email",)),
            ("FIELD_CUSTOM_VALIDATION_EXCEPTION", "No such customer", ()),
            ("CANNOT_EXECUTE_FLOW_TRIGGER", "the flow failed", ()),
        ],
    )
    def test_a_refusal_that_is_about_fields_says_so(
        self, pair: Pair, code: str, message: str, fields: tuple[str, ...]
    ) -> None:
        sandbox, salesforce = pair
        sandbox.refuse_rows([ONE], code, message)
        (outcome,) = salesforce.write([a_contact(Email="a@example.com", OwnerId=sandbox.people[0]["Id"])])
        assert (outcome.of_fields, outcome.fields) == (True, fields)

    @pytest.mark.parametrize(
        "code",
        ["DUPLICATES_DETECTED", "DUPLICATE_EXTERNAL_ID", "INSUFFICIENT_ACCESS_OR_READONLY", "A_CODE_OF_NEXT_YEAR"],
    )
    def test_one_that_is_about_the_record_says_so(self, pair: Pair, code: str) -> None:
        sandbox, salesforce = pair
        sandbox.refuse_rows([ONE], code, "whatever it is")
        (outcome,) = salesforce.write([a_contact()])
        assert outcome.of_fields is False

    def test_a_converted_lead_tells_what_to_do(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        (created,) = salesforce.write([a_lead()])
        sandbox.change(str(created.id), IsConverted=True)
        (outcome,) = salesforce.write([a_lead()])
        assert (outcome.code, "contact it became" in outcome.refusal.cause) == ("CANNOT_UPDATE_CONVERTED_LEAD", True)

    def test_twins_of_a_key_are_rejected(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        for _ in range(2):
            sandbox.put("Contact", LastName="Delacroix", careCycle_Id__c=ONE)
        assert salesforce.write([a_contact()])[0].code == "DUPLICATE_EXTERNAL_ID"

    def test_a_duplicate_rule_that_warns_is_passed(self) -> None:
        with sandbox_and_destination(duplicate_rule="alert") as (_, salesforce):
            same = {"Email": "marcus@example.com"}
            assert verdicts(salesforce.write([a_contact(**same), a_contact(TWO, **same)])) == ["delivered"] * 2

    def test_a_duplicate_rule_that_blocks_rejects(self) -> None:
        with sandbox_and_destination(duplicate_rule="block") as (_, salesforce):
            same = {"Email": "marcus@example.com"}
            assert salesforce.write([a_contact(**same), a_contact(TWO, **same)])[1].code == "DUPLICATES_DETECTED"

    def test_a_warning_holds_where_the_agency_wants_it(self) -> None:
        options = {"options": SalesforceOptions(duplicate_warnings="stop")}
        with sandbox_and_destination(duplicate_rule="alert", options=options) as (_, salesforce):
            same = {"Email": "marcus@example.com"}
            assert salesforce.write([a_contact(**same), a_contact(TWO, **same)])[1].code == "DUPLICATES_DETECTED"

    def test_an_object_that_is_not_there_costs_one_call(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        rows = [a_row("Policy__c", "Key__c", f"p-{number}", {}, {}) for number in range(20)]
        assert {outcome.code for outcome in salesforce.write(rows)} == {"NOT_FOUND"}
        assert len(sandbox.calls()) == 1


class TestRecordsRefusedForNow:
    def test_a_locked_record_is_tried_again_at_once(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        sandbox.lock_rows([ONE])
        assert verdicts(salesforce.write([a_contact(), a_contact(TWO)])) == ["delivered"] * 2
        assert [len(call.body["records"]) for call in sandbox.calls(COLLECTION)] == [2, 1]

    def test_a_record_that_stays_locked_is_deferred(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        sandbox.lock_rows([ONE], times=9)
        locked, free = salesforce.write([a_contact(), a_contact(TWO)])
        assert (locked.verdict, locked.code) == (Verdict.DEFERRED, "UNABLE_TO_LOCK_ROW")
        assert (free.verdict, len(sandbox.calls())) == (Verdict.DELIVERED, 3)

    def test_waits_between_tries_grow_and_are_not_ours_to_sleep(self) -> None:
        waits: list[float] = []
        with sandbox_and_destination(options={"sleep": waits.append, "tries": 4}) as (sandbox, salesforce):
            sandbox.lock_rows([ONE], times=9)
            salesforce.write([a_contact()])
        assert [int(wait) for wait in waits] == pytest.approx([1, 2, 4], abs=1)
        assert waits == sorted(waits)

    @pytest.mark.parametrize(
        "message",
        [
            "duplicate value found: careCycle_Id__c duplicates value on record with id: 003xx",
            "duplicate value found: <unknown> duplicates value on record with id: <unknown>",
        ],
    )
    def test_a_race_to_create_a_record_ends_as_an_update(self, pair: Pair, message: str) -> None:
        sandbox, salesforce = pair
        sandbox.refuse_rows([ONE], "DUPLICATE_VALUE", message)
        assert verdicts(salesforce.write([a_contact()])) == ["delivered"]

    @pytest.mark.parametrize(
        ("code", "message"),
        [
            ("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "trigger: UNABLE_TO_LOCK_ROW, unable to obtain exclusive access"),
            ("APEX_ERROR", "System.LimitException: Too many SOQL queries: 101"),
            ("INVALID_FIELD", "Foreign key external ID: 17 not found for field Key__c in entity Contact"),
            ("ENTITY_IS_LOCKED", "entity is locked for editing"),
            ("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id"),
            ("UNKNOWN_EXCEPTION", "An unexpected error occurred"),
            ("SERVER_UNAVAILABLE", "Server is unavailable"),
        ],
    )
    def test_it_is_deferred_under_its_code(self, pair: Pair, code: str, message: str) -> None:
        sandbox, salesforce = pair
        sandbox.refuse_rows([ONE], code, message, times=9)
        (outcome,) = salesforce.write([a_contact()])
        assert (outcome.verdict, outcome.code) == (Verdict.DEFERRED, code)

    def test_a_task_whose_contact_was_deleted_is_deferred(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        contact = sandbox.put("Contact", LastName="Delacroix")["Id"]
        sandbox.delete(contact)
        assert verdicts(salesforce.write([a_task(WhoId=contact)])) == ["deferred"]


class TestRequestsRefusedAsAWhole:
    def test_the_culprit_stands_alone_and_the_others_are_written(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        rows = [a_contact(f"c-{n}", DoNotCall="yes" if n == 137 else True) for n in range(200)]
        outcomes = salesforce.write(rows)
        assert [n for n, outcome in enumerate(outcomes) if outcome.verdict is not Verdict.DELIVERED] == [137]
        assert len(sandbox.calls()) < 20

    def test_a_field_hidden_from_us_costs_two_calls_however_many_rows_have_it(self) -> None:
        with sandbox_and_destination(unknown_column="request") as (sandbox, salesforce):
            sandbox.hide("Contact", "MBI__c")
            rows = [a_contact(f"c-{n}", **({"MBI__c": "1EG4TE5MK73"} if n % 2 else {})) for n in range(100)]
            assert verdicts(salesforce.write(rows)) == ["delivered", "rejected"] * 50
            assert len(sandbox.calls()) == 2

    def test_the_same_field_costs_one_call_where_the_org_rejects_each_row(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        sandbox.hide("Contact", "MBI__c")
        bad, good = salesforce.write([a_contact(MBI__c="1EG4TE5MK73"), a_contact(TWO)])
        assert (bad.code, bad.fields, good.verdict) == ("INVALID_FIELD", ("MBI__c",), Verdict.DELIVERED)
        assert len(sandbox.calls()) == 1

    def test_too_many_culprits_defer_the_rest_instead_of_spending_the_calls(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        outcomes = salesforce.write([a_contact(f"c-{n}", DoNotCall="yes") for n in range(200)])
        assert verdicts(outcomes).count("rejected") >= 20
        assert "deferred" in verdicts(outcomes)
        assert len(sandbox.calls()) < 70

    def test_one_record_that_breaks_salesforce_is_deferred_alone(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        sandbox.fail(500, "UNKNOWN_EXCEPTION", "An unexpected error occurred", times=2)
        first, second = salesforce.write([a_contact(), a_contact(TWO)])
        assert (first.verdict, first.code, second.verdict) == (
            Verdict.DEFERRED,
            "UNKNOWN_EXCEPTION",
            Verdict.DELIVERED,
        )

    def test_a_server_that_breaks_on_everything_is_an_outage(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        sandbox.fail(500, "UNKNOWN_EXCEPTION", "An unexpected error occurred", times=1000)
        with pytest.raises(DestinationUnusable, match="Salesforce had an internal error"):
            salesforce.write([a_contact(f"c-{n}") for n in range(200)])

    def test_too_much_at_once_is_sent_in_halves(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        sandbox.fail(400, "EXCEEDED_ID_LIMIT", "record limit reached")
        assert verdicts(salesforce.write([a_contact(), a_contact(TWO)])) == ["delivered"] * 2


class TestAMixedBatch:
    SPOILED: ClassVar[list[dict[str, Any]]] = [
        {"Email": "nobody"},
        {"DoNotCall": "yes"},
        {"MBI__c": "1EG4TE5MK73"},
        {"LastName": None},
        {"FirstName": "locked"},
        {"Household_Income__c": math.inf},
    ]

    @pytest.mark.parametrize("seed", range(4))
    def test_every_outcome_is_true_of_its_own_row(self, pair: Pair, seed: int) -> None:
        sandbox, salesforce = pair
        roll = Random(seed)
        sandbox.hide("Contact", "MBI__c")
        rows = [a_contact(f"c-{n}", **(roll.choice(self.SPOILED) if roll.random() < 0.2 else {})) for n in range(120)]
        sandbox.lock_rows([row.key.value for row in rows if row.fields["FirstName"] == "locked"])
        outcomes = salesforce.write(rows)
        stored = {contact["careCycle_Id__c"]: contact["Id"] for contact in sandbox.records("Contact")}
        assert [outcome.id for outcome in outcomes] == [stored.get(row.key.value) for row in rows]
        assert [one.verdict is Verdict.DELIVERED for one in outcomes] == [row.key.value in stored for row in rows]


class TestRepliesThatDoNotAccountForEveryRow:
    @pytest.mark.parametrize(
        "change",
        [
            lambda results: [],
            lambda results: {"results": results},
            lambda results: [{"success": "true"}, {"success": True}],
            lambda results: [None, None],
            lambda results: 2,
        ],
    )
    def test_its_rows_are_deferred(self, pair: Pair, change: Any) -> None:
        sandbox, salesforce = pair
        sandbox.reshape(change)
        outcomes = salesforce.write([a_contact(), a_contact(TWO)])
        assert [(o.verdict, o.code, o.id) for o in outcomes] == [(Verdict.DEFERRED, "UNREADABLE_REPLY", None)] * 2

    def test_a_page_of_html_with_status_200_defers_its_rows(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        sandbox.html_200()
        assert verdicts(salesforce.write([a_contact()])) == ["deferred"]

    def test_a_success_without_an_id_is_no_success(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        sandbox.reshape(lambda results: [{"success": True, "errors": []}, results[1]])
        assert verdicts(salesforce.write([a_contact(), a_contact(TWO)])) == ["deferred", "delivered"]

    def test_a_failure_without_created_is_read(self, pair: Pair) -> None:
        _, salesforce = pair
        assert verdicts(salesforce.write([a_contact(Email="nobody")])) == ["rejected"]


class TestOptOuts:
    def test_a_refused_record_still_raises_its_flag(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        salesforce.write([a_contact()])
        (outcome,) = salesforce.write([a_contact(Email="nobody", DoNotCall=True, consent=["DoNotCall"])])
        assert (outcome.verdict, outcome.code) == (Verdict.REJECTED, "INVALID_EMAIL_ADDRESS")
        assert (outcome.consent_written, sandbox.records("Contact")[0]["DoNotCall"]) == (True, True)

    def test_a_refused_write_by_id_still_raises_its_flag(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        contact = sandbox.put("Contact", LastName="Delacroix")["Id"]
        (outcome,) = salesforce.write([a_contact(id=contact, Email="no", DoNotCall=True, consent=["DoNotCall"])])
        assert (outcome.id, outcome.consent_written) == (contact, True)

    def test_every_twin_gets_the_flag(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        for _ in range(2):
            sandbox.put("Contact", LastName="Delacroix", careCycle_Id__c=ONE)
        salesforce.write([a_contact(DoNotCall=True, consent=["DoNotCall"])])
        assert [contact["DoNotCall"] for contact in sandbox.records("Contact")] == [True, True]

    def test_a_record_that_was_never_made_has_no_flag_to_raise(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        (outcome,) = salesforce.write([a_contact(Email="nobody", DoNotCall=True, consent=["DoNotCall"])])
        assert (outcome.consent_written, sandbox.records("Contact")) == (False, [])

    def test_a_flag_salesforce_refuses_too_is_told(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        salesforce.write([a_contact()])
        sandbox.hide("Contact", "DoNotCall")
        (outcome,) = salesforce.write([a_contact(DoNotCall=True, consent=["DoNotCall"])])
        assert (outcome.verdict, outcome.fields, outcome.consent_written) == (
            Verdict.REJECTED,
            ("DoNotCall",),
            False,
        )

    def test_where_nothing_of_the_object_can_be_written_no_flag_is_tried(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        row = a_row("Policy__c", "Key__c", "p", {}, {"Stop__c": True, "consent": ["Stop__c"]})
        assert (salesforce.write([row])[0].code, len(sandbox.calls())) == ("NOT_FOUND", 1)

    def test_a_row_that_goes_through_is_written_once(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        (outcome,) = salesforce.write([a_contact(DoNotCall=True, consent=["DoNotCall"])])
        assert (outcome.consent_written, len(sandbox.calls())) == (False, 1)


class TestAnUnusableAccount:
    @pytest.mark.parametrize(
        ("status", "code", "message", "reason"),
        [
            (403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", "quota"),
            (403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded.", "busy"),
            (403, "API_DISABLED_FOR_ORG", "API is not enabled for this Organization", "auth"),
            (403, "<html>", "", "auth"),
            (400, "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE", "read only", "maintenance"),
            (410, "UNSUPPORTED_API_VERSION", "gone", "configuration"),
            (503, "SERVER_UNAVAILABLE", "busy", "outage"),
            (507, "SOMETHING_NEW", "", "outage"),
        ],
    )
    def test_the_reason_is_told(self, pair: Pair, status: int, code: str, message: str, reason: str) -> None:
        sandbox, salesforce = pair
        sandbox.fail(status, code, message, times=9)
        with pytest.raises(DestinationUnusable) as caught:
            salesforce.write([a_contact()])
        assert caught.value.reason == reason

    def test_a_full_storage_stops_new_records_only(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        salesforce.write([a_contact()])
        sandbox.full(True)
        update, new = salesforce.write([a_contact(DoNotCall=True), a_contact(TWO)])
        assert update.verdict is Verdict.DELIVERED
        assert (new.verdict, new.code, new.retry_after) == (Verdict.DEFERRED, "STORAGE_LIMIT_EXCEEDED", 3600)

    def test_a_record_type_the_user_may_not_use_is_not_taken_for_a_lost_record(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        theirs = sandbox.record_type("Contact", "Partner", available=False)
        (outcome,) = salesforce.write([a_contact(RecordTypeId=theirs)])
        assert (outcome.code, outcome.fields, outcome.of_fields) == (
            "RECORD_TYPE_UNAVAILABLE",
            ("RecordTypeId",),
            True,
        )

    def test_the_daily_limit_asks_for_a_long_pause(self) -> None:
        with sandbox_and_destination(daily_limit=1) as (_, salesforce):
            salesforce.write([a_contact()])
            with pytest.raises(DestinationUnusable) as caught:
                salesforce.write([a_contact()])
        assert (caught.value.reason, caught.value.retry_after) == ("quota", 900)

    def test_a_moment_of_maintenance_passes_unnoticed(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        sandbox.html_503(times=2)
        assert verdicts(salesforce.write([a_contact()])) == ["delivered"]

    def test_maintenance_that_lasts_is_an_outage(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        sandbox.html_503(times=9)
        with pytest.raises(DestinationUnusable) as caught:
            salesforce.write([a_contact()])
        assert (caught.value.reason, len(sandbox.calls())) == ("outage", 3)

    def test_a_reply_lost_after_the_write_is_asked_for_again(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        sandbox.fault(COLLECTION, Wire.lose_reply)
        assert verdicts(salesforce.write([a_contact()])) == ["delivered"]
        assert len(sandbox.records("Contact")) == 1

    def test_no_answer_at_all_is_unreachable(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        sandbox.fault(COLLECTION, Wire.refuse, times=9)
        with pytest.raises(DestinationUnusable) as caught:
            salesforce.write([a_contact()])
        assert caught.value.reason == "unreachable"

    def test_a_redirect_is_not_followed(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        sandbox.redirect_302()
        with pytest.raises(DestinationUnusable, match="another address"):
            salesforce.write([a_contact()])
        assert len(sandbox.calls()) == 1

    def test_a_slow_reply_is_given_up_on(self) -> None:
        options = {"limits": replace(LIMITS, read=0.05), "tries": 1}
        slow = sandbox_and_destination(latency=0.3, options=options)
        with slow as (_, salesforce), pytest.raises(DestinationUnusable) as caught:
            salesforce.write([a_contact()])
        assert caught.value.reason == "unreachable"
