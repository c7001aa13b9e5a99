"""A mapping's own tests, and what the language tells machines."""

from __future__ import annotations

import json

import pytest

from connector import mapping
from tests.mappings.build import compiled, load, mapping_text

SKIPPED = "{ waive: [doNotCall, doNotSMS, doNotEmail, doNotMail], skip: { doNotCall: [contact] } }"


def problems(test: str, *fields: str, event: str = "customer.updated", top: str = "", **parts: str) -> list[str]:
    text = mapping_text(*fields, top=f"{top}\ntests:\n  - {{ name: it, event: {event}, {test} }}", **parts)
    (result,) = mapping.run_examples(compiled(text))
    assert result.ok is not bool(result.differences)
    return list(map(str, result.differences))


class TestOwnTests:
    def test_what_is_as_expected_passes(self) -> None:
        assert problems("expect: { contact: { LastName: Delacroix, without: [Suffix] } }") == []

    def test_another_value_is_told(self) -> None:
        found = problems("expect: { contact: { LastName: Smith } }")
        assert found == ["contact.LastName: expected 'Smith', got 'Delacroix'"]

    def test_a_number_is_not_its_text(self) -> None:
        field = "Household_Income__c: customer.householdIncome"
        found = problems('expect: { contact: { Household_Income__c: "42000" } }', field)
        assert found == ["contact.Household_Income__c: expected '42000', got 42000"]

    def test_what_is_not_sent_is_told(self) -> None:
        found = problems(
            "given: { firstName: null }, expect: { contact: { FirstName: Ann } }", "FirstName: customer.firstName"
        )
        assert found == ["contact.FirstName: expected 'Ann', got nothing sent (there is no value for it)"]

    @pytest.mark.parametrize(
        ("field", "why"),
        [
            ("{ from: customer.firstName, when: { customer.status: Lead } }", "its when: does not hold"),
            (
                "{ from: customer.status, table: { Lead: a, Active: b, Inactive: c } }",
                "the table has nothing for customer.status",
            ),
            ("{ last: call.disposition }", "customer.updated says nothing of it"),
            ("{ from: customer.firstName, default: X }", "consent.withhold: doNotSMS"),
        ],
    )
    def test_what_is_not_sent_is_told_with_the_reason(self, field: str, why: str) -> None:
        withhold = "withhold: { doNotSMS: [contact.FirstName] }"
        consent = f"{{ waive: [doNotCall, doNotSMS, doNotEmail, doNotMail], {withhold} }}"
        given = "{ doNotSMS: true }" if "doNotSMS" in why else "{ doNotSMS: false, status: Paused }"
        found = problems(
            f"given: {given}, expect: {{ contact: {{ FirstName: Ann }} }}", f"FirstName: {field}", consent=consent
        )
        assert found == [f"contact.FirstName: expected 'Ann', got nothing sent ({why})"]

    def test_what_is_sent_and_should_not_be_is_told(self) -> None:
        found = problems("expect: { contact: { without: [LastName] } }")
        assert found == ["contact.LastName: expected nothing sent, got 'Delacroix'"]

    def test_a_cleared_field_is_null(self) -> None:
        assert (
            problems("expect: { contact: { Suffix: null } }", "Suffix: { from: customer.suffix, if_null: clear }") == []
        )

    def test_a_record_that_should_not_be_made_is_told(self) -> None:
        assert problems("expect: { contact: none }") == ["contact: expected none, got one"]

    def test_a_record_that_is_not_made_is_told_with_the_reason(self) -> None:
        found = problems("given: { testCustomer: true }, expect: { contact: { LastName: x } }")
        assert found == ["contact: expected one, got none (test customer)"]

    @pytest.mark.parametrize(
        ("given", "parts", "why"),
        [
            ("status: Lead", {"top": "filter: { customer.status: Active }"}, "the file's filter: does not hold"),
            ("status: Lead", {"record": "when: { customer.status: Active }"}, "its when: does not hold"),
            ("doNotCall: true", {"consent": SKIPPED}, "consent.skip: doNotCall"),
            ("doNotCall: null", {"consent": SKIPPED}, "consent.skip: doNotCall, which is unknown"),
            ("status: Lead", {"record": "events: [call.completed]"}, "it does not run on customer.updated"),
        ],
    )
    def test_that_is_left_alone_is_told_with_the_rule(self, given: str, parts: dict[str, str], why: str) -> None:
        found = problems(f"given: {{ {given} }}, expect: {{ contact: {{ LastName: x }} }}", **parts)
        assert found == [f"contact: expected one, got none ({why})"]

    def test_of_nobody_is_told_with_the_reason(self) -> None:
        test = "given: { customer: null }, expect: { contact: { LastName: x } }"
        assert problems(test, event="call.completed") == [
            "contact: expected one, got none (the event has no value for its key)"
        ]

    def test_of_which_the_flags_alone_are_written_is_told_with_the_rule(self) -> None:
        consent = "{ flags: { doNotCall: contact.DoNotCall }, waive: [doNotSMS, doNotEmail, doNotMail] }"
        when = "when: { customer.status: Active }"
        test = "given: { status: Lead, doNotCall: true }, expect: { contact: { LastName: Delacroix } }"
        found = problems(test, consent=consent, record=when)
        assert found == ["contact.LastName: expected 'Delacroix', got nothing sent (its when: does not hold)"]

    def test_a_lookup_is_named_by_what_it_looks_for(self) -> None:
        owner = "OwnerId: { lookup: { object: User, match: { Email: customer.assignedUser.email } } }"
        assert problems("expect: { contact: { OwnerId: priya@youragency.com } }", owner) == []

    def test_the_key_may_be_expected(self) -> None:
        assert problems("given: { id: abc }, expect: { contact: { careCycle_Id__c: abc } }") == []

    def test_an_event_that_could_never_come_is_told(self) -> None:
        (found,) = problems("given: { testCustomer: 5 }, expect: { contact: none }")
        assert "customer.testCustomer: expected true or false, got a number" in found

    def test_a_failed_test_is_a_finding_where_the_test_stands(self) -> None:
        text = mapping_text(top="tests:\n  - { name: it, event: customer.updated, expect: { contact: none } }")
        (found,) = mapping.failures(mapping.run_examples(compiled(text)))
        assert (found.code, found.line, found.col) == ("T001", 11, 13)


class TestForMachines:
    FOUND = load(mapping_text("FirstName: customer.fristName")).diagnostics

    def test_findings_are_plain_values(self) -> None:
        (found,) = json.loads(json.dumps(mapping.to_json(self.FOUND)))
        assert (found["code"], found["line"], found["severity"]) == ("M101", 9, "error")

    def test_findings_are_a_sarif_log(self) -> None:
        (run,) = json.loads(json.dumps(mapping.to_sarif(self.FOUND)))["runs"]
        assert run["results"][0]["ruleId"] == run["tool"]["driver"]["rules"][0]["id"] == "M101"

    def test_the_format_has_a_json_schema(self) -> None:
        schema = mapping.json_schema()
        assert {"version", "crm", "records", "tests"} <= schema["properties"].keys()
        field = schema["$defs"]["MappedField"]["anyOf"]
        assert field[0] == {"type": "string"}
        assert "from" in field[1]["properties"]
