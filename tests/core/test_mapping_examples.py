"""A mapping's own tests, and what the language tells machines."""

from __future__ import annotations

import json

from connector import mapping
from tests.mappings.build import ZONE, compiled, load, mapping_text


def problems(test: str, *fields: str, event: str = "customer.updated") -> list[str]:
    text = mapping_text(*fields, top=f"tests:\n  - {{ name: it, event: {event}, {test} }}")
    (result,) = mapping.run_examples(compiled(text), timezone=ZONE)
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
        assert found == ["contact.FirstName: expected 'Ann', got nothing sent"]

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
        (found,) = mapping.failures(mapping.run_examples(compiled(text), timezone=ZONE))
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
