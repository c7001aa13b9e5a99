"""What a field of a mapping sends: sources, modifiers, conditions, templates and tables."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from connector.model import Lookup, Rule
from tests.mappings.build import an_event, event_of, mapping_text, planned, sent


def value(field: str, *, target: str = "FirstName", schema: str | None = None, **given: Any) -> Any:
    """What one field sends for an event; 'not sent' when it is left out."""
    return sent(mapping_text(f"{target}: {field}"), an_event(**given), schema=schema).get(target, "not sent")


def holds(condition: str, **given: Any) -> bool:
    return bool(value(f"{{ value: held, when: {condition} }}", **given) == "held")


class TestSources:
    def test_a_bare_word_is_a_field_of_the_event(self) -> None:
        assert value("customer.firstName") == "Marcus"

    def test_the_first_of_several_that_has_a_value(self) -> None:
        assert value("{ from: [customer.preferredName, customer.firstName] }") == "Marcus"

    def test_fixed_content_is_sent_as_written(self) -> None:
        assert value("{ value: 07030 }") == "07030"

    def test_joined_fields_pass_over_what_is_empty(self) -> None:
        assert (
            value('{ join: [customer.address, customer.address2], with: " / " }', address2=None) == "4427 Westbrook Ave"
        )

    def test_a_lookup_asks_for_the_crms_own_id(self) -> None:
        found = value("{ lookup: { object: User, match: { Email: customer.email } } }", target="OwnerId")
        assert found == Lookup("User", "Email", "marcus.delacroix@example.com", "Id")

    def test_a_lookup_may_insist(self) -> None:
        found = value(
            "{ lookup: { object: User, match: { Email: customer.email }, missing: reject } }", target="OwnerId"
        )
        assert found.required

    def test_a_lookup_of_nothing_is_left_out(self) -> None:
        lookup = "{ lookup: { object: User, match: { Email: customer.email } } }"
        assert value(lookup, target="OwnerId", email=None) == "not sent"

    def test_a_lookup_by_several_fields_of_which_one_is_fixed(self) -> None:
        match = "match: { Email: customer.email, FirstName: customer.firstName }"
        found = value(f"{{ lookup: {{ object: User, {match}, where: {{ IsActive: true }} }} }}", target="OwnerId")
        assert found.criteria == (
            ("Email", "marcus.delacroix@example.com"),
            ("FirstName", "Marcus"),
            ("IsActive", "true"),
        )

    def test_a_lookup_by_fixed_text_searches_by_the_text(self) -> None:
        where = "{ IsActive: true, DeveloperName: Medicare, SobjectType: Contact }"
        found = value(f"{{ lookup: {{ object: RecordType, where: {where} }} }}", target="RecordTypeId")
        assert (found.match, found.value, found.searched) == ("DeveloperName", "Medicare", "Medicare")
        assert found.where == (("SobjectType", "Contact"), ("IsActive", "true"))

    CHAIN = (
        "{ lookup: { object: User, match: { Email: customer.assignedUser.email }, missing: wait, else: { lookup: "
        "{ object: Group, match: { Name: customer.county }, else: { value: 005000000000001 } } } } }"
    )

    def test_a_lookup_has_another_to_fall_back_on(self) -> None:
        first = value(self.CHAIN, target="OwnerId", county="Maricopa")
        assert [(step.object, step.value, step.waits) for step in first.chain()] == [
            ("User", "priya@youragency.com", True),
            ("Group", "Maricopa", True),
        ]
        assert first.otherwise.otherwise == "005000000000001"
        assert first.described(8) == (
            "Id of the User whose Email is priya@yo, or else Id of the Group whose Name is Maricopa, or else 00500000"
        )

    def test_a_lookup_of_nothing_falls_back(self) -> None:
        assert value(self.CHAIN, target="OwnerId", assignedUser=None, county="Maricopa").object == "Group"
        assert value(self.CHAIN, target="OwnerId", assignedUser=None, county=None) == "005000000000001"
        assert value(self.CHAIN, target="OwnerId", county=None).otherwise == "005000000000001"

    @pytest.mark.parametrize(("is_fetched", "rule"), [(False, Rule.ALWAYS), (True, Rule.IF_BLANK)])
    def test_what_a_lookup_falls_back_on_is_no_news_where_it_was_fetched(self, is_fetched: bool, rule: Rule) -> None:
        event = replace(an_event(assignedUser=None, county=None), fetched=is_fetched)
        (write,) = planned(mapping_text(f"OwnerId: {self.CHAIN}"), event, schema=None).writes
        assert (write.fields["OwnerId"].value, write.fields["OwnerId"].rule) == ("005000000000001", rule)

    @pytest.mark.parametrize(("income", "rating"), [(50_000, "Hot"), (10_000, "Warm"), (None, "Cold")])
    def test_the_first_case_that_holds_decides(self, income: int | None, rating: str) -> None:
        cases = "[{ when: { customer.householdIncome: { at_least: 40000 } }, then: { value: Hot } }, "
        cases += "{ when: { customer.householdIncome: { exists: true } }, then: { value: Warm } }, "
        cases += "{ else: { value: Cold } }]"
        assert value(f"{{ cases: {cases} }}", householdIncome=income) == rating

    def test_no_case_leaves_the_field_alone(self) -> None:
        field = "{ cases: [{ when: { customer.status: Lead }, then: { value: x } }], if_null: clear }"
        assert value(field, status="Active") == "not sent"


class TestNothing:
    def test_null_leaves_the_field_alone(self) -> None:
        assert value("customer.suffix") == "not sent"

    def test_null_erases_where_the_mapping_says_clear(self) -> None:
        assert value("{ from: customer.suffix, if_null: clear }") is None

    @pytest.mark.parametrize("text", ["", " ", " \n\t", "\u00a0"])
    def test_a_text_of_spaces_or_nothing_is_null(self, text: str) -> None:
        assert value("{ from: customer.firstName, if_null: clear }", firstName=text) is None
        assert value("{ from: customer.lastName, default: Unknown }", lastName=text) == "Unknown"

    def test_an_absent_field_is_never_cleared(self) -> None:
        event = an_event()
        payload = {key: held for key, held in event.payload.items() if key != "suffix"}
        text = mapping_text("Suffix: { from: customer.suffix, if_null: clear }")
        assert "Suffix" not in sent(text, event_of(payload, event.type))

    def test_a_field_whose_when_does_not_hold_is_never_cleared(self) -> None:
        assert value("{ from: customer.suffix, when: { customer.status: Lead }, if_null: clear }") == "not sent"

    def test_a_default_comes_before_clearing(self) -> None:
        assert value("{ from: customer.suffix, default: none given, if_null: clear }") == "none given"

    def test_a_format_that_leaves_nothing_gives_null(self) -> None:
        assert value("{ from: customer.firstName, format: digits, if_null: clear }") is None


class TestTables:
    STAGES = "{ from: customer.status, table: { Lead: new, Active: won, Inactive: lost } }"

    def test_a_table_translates(self) -> None:
        assert value(self.STAGES, status="Active") == "won"

    def test_an_unknown_enum_value_is_left_out(self) -> None:
        assert value(self.STAGES, status="Paused") == "not sent"

    def test_an_unknown_enum_value_without_a_table_is_left_out(self) -> None:
        assert value("customer.status", status="Paused") == "not sent"

    def test_a_text_field_of_the_crm_takes_any_enum_value(self) -> None:
        assert value("customer.status", schema="salesforce", status="Paused") == "Paused"

    def test_else_takes_every_other_value(self) -> None:
        assert value("{ from: customer.city, table: { Mesa: here, else: elsewhere } }", city="Tempe") == "elsewhere"

    def test_null_is_not_translated(self) -> None:
        assert value("{ from: customer.city, table: { else: elsewhere } }", city=None) == "not sent"

    def test_true_and_false_are_entries(self) -> None:
        assert value('{ from: customer.veteran, table: { true: Veteran, false: "" } }') == "Veteran"


class TestTemplates:
    def test_fields_are_put_into_the_text(self) -> None:
        assert value('{ template: "{customer.firstName|upper} of {customer.city}" }') == "MARCUS of Mesa"

    def test_a_null_outside_brackets_makes_the_whole_null(self) -> None:
        assert value('{ template: "{customer.firstName} {customer.suffix}" }') == "not sent"

    def test_a_null_inside_brackets_makes_that_part_vanish(self) -> None:
        assert (
            value('{ template: "{customer.firstName}[ {customer.suffix}][ of {customer.city}]" }') == "Marcus of Mesa"
        )

    def test_a_backslash_makes_a_bracket_an_ordinary_character(self) -> None:
        assert value("{ template: '\\{\\[{customer.city}\\]\\}' }") == "{[Mesa]}"


class TestCutting:
    def test_a_text_is_cut_to_the_targets_length(self) -> None:
        cut = value("{ from: customer.firstName, cut: true }", schema="salesforce", firstName="x" * 100)
        assert cut == "x" * 40

    def test_characters_outside_the_first_plane_count_twice_and_stay_whole(self) -> None:
        cut = value("{ from: customer.firstName, cut: true }", schema="salesforce", firstName="x" + "\U0001f600" * 30)
        assert cut == "x" + "\U0001f600" * 19

    def test_without_a_schema_nothing_is_cut(self) -> None:
        assert value("{ from: customer.firstName, cut: true }", firstName="x" * 100) == "x" * 100


class TestConditions:
    @pytest.mark.parametrize(
        "condition",
        [
            "{ customer.status: Active }",
            "{ customer.status: [Lead, Active] }",
            "{ customer.status: { not: Lead } }",
            "{ customer.status: { not_in: [Lead, Inactive] } }",
            "{ customer.householdIncome: { more_than: 41999, at_most: 42000 } }",
            "{ customer.householdIncome: { at_least: 42000, less_than: 42000.5 } }",
            "{ customer.city: { contains: es, starts_with: M, ends_with: a } }",
            "{ customer.assignedUser.licensedStates: { contains: AR } }",
            "{ customer.suffix: { exists: false }, customer.assignedUser: { exists: true } }",
            "{ customer.dateOfBirth: { less_than: 1960-01-01 } }",
            '{ customer.updatedAt: { more_than: "2026-06-18T16:00:00+02:00" } }',
            "{ any: [{ customer.status: Lead }, { customer.state: AZ }] }",
            "{ all: [{ customer.status: Active }, { not: { customer.state: CA } }] }",
            "{ customer.veteran: true, customer.hasMedicaid: false }",
        ],
    )
    def test_it_holds(self, condition: str) -> None:
        assert holds(condition)

    @pytest.mark.parametrize(
        "condition",
        [
            "{ customer.suffix: Jr }",
            "{ customer.suffix: { not: Jr } }",
            "{ customer.suffix: { not_in: [Jr] } }",
            "{ customer.suffix: { exists: true } }",
            "{ customer.subsidyAmount: { less_than: 1000 } }",
        ],
    )
    def test_a_comparison_with_null_does_not_hold(self, condition: str) -> None:
        assert not holds(condition, subsidyAmount=None)

    def test_every_part_of_a_block_must_hold(self) -> None:
        assert not holds("{ customer.status: Active, customer.state: CA }")


class TestScalars:
    @pytest.mark.parametrize(
        "text", ["no", "07030", "+13128471928", "12:30:45", "2026-06-17", "0x1F", ".5", "1_000", "NaN"]
    )
    def test_it_stays_text(self, text: str) -> None:
        assert value(f"{{ value: {text} }}") == text

    def test_a_quoted_number_stays_text(self) -> None:
        assert value('{ value: "85204" }') == "85204"

    @pytest.mark.parametrize(("text", "read"), [("247", 247), ("-1.5", -1.5), ("true", True), ("False", False)])
    def test_it_is_typed(self, text: str, read: object) -> None:
        assert value(f"{{ value: {text} }}") == read
