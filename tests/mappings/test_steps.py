"""Steps of `format:` in a mapping: several in a row, in templates and keys, and what is wrong with them."""

from __future__ import annotations

from typing import Any

import pytest

from connector.carecycle.catalogue import EVENTS
from connector.mapping.planning import plan
from connector.model import FactKind
from tests.mappings.build import ZONE, an_event, compiled, findings, found_and_marked, load, mapping_text, sent


def value(field: str, **given: Any) -> Any:
    """What one field sends for an event; 'not sent' when it is left out."""
    return sent(mapping_text(f"FirstName: {field}"), an_event(**given), schema=None).get("FirstName", "not sent")


def assert_found(code: str, field: str, schema: str | None = "salesforce") -> None:
    """The field marks the place where this code, and nothing else, is to be found."""
    found, marked = found_and_marked(mapping_text(f"FirstName: {field}"), schema=schema)
    assert found == [(code, *place) for place in marked]


def hint_of(field: str) -> str:
    (found,) = load(mapping_text(f"FirstName: {field}")).diagnostics
    return found.hint


class TestSeveral:
    def test_apply_in_the_order_written(self) -> None:
        assert value("{ from: customer.firstName, format: [trim, upper] }", firstName=" Ana ") == "ANA"

    def test_each_takes_what_the_one_before_gives(self) -> None:
        assert value("{ from: customer.updatedAt, format: [date, epoch_ms, text] }").isdigit()

    def test_also_in_a_template(self) -> None:
        assert value('{ template: "<{customer.firstName|trim|upper}>" }', firstName=" Ana ") == "<ANA>"

    def test_of_nothing_are_nothing(self) -> None:
        assert value("{ from: customer.middleName, format: [trim, upper] }", middleName=None) == "not sent"


class TestWrong:
    def test_an_unknown_step_is_found_where_it_is(self) -> None:
        assert_found("M121", "{ from: customer.firstName, format: [trim, §uper] }")
        assert hint_of("{ from: customer.firstName, format: [trim, uper] }") == "did you mean 'upper'?"

    @pytest.mark.parametrize("written", ["plus 2 days", '"plus 2 days"'])
    def test_a_step_without_its_colon(self, written: str) -> None:
        assert hint_of(f"{{ from: customer.updatedAt, format: {written} }}") == "write  plus: 2 days"
        assert hint_of('{ template: "{customer.updatedAt|plus 2 days}" }') == "write  plus: 2 days"

    @pytest.mark.parametrize("written", ["M/D/YYYY", "{ date: M/D/YYYY }"])
    def test_a_pattern_without_its_word(self, written: str) -> None:
        assert hint_of(f"{{ from: customer.updatedAt, format: {written} }}") == "write  pattern: M/D/YYYY"

    def test_a_step_that_is_not_under_format(self) -> None:
        assert_found("M110", "{ from: customer.firstName, §first: 3 }")
        assert hint_of("{ from: customer.firstName, first: 3 }") == "it is a format: write  format: { first: 3 }"
        assert hint_of("{ from: customer.firstName, upper: true }") == "write  format: upper"

    def test_a_step_that_does_not_take_what_comes_before_it(self) -> None:
        assert_found("M122", "{ from: customer.householdIncome, format: [seconds, §upper] }")

    def test_a_step_that_takes_nothing_after_it(self) -> None:
        assert_found("M123", "{ from: customer.firstName, format: { upper: §3 } }")

    def test_several_steps_in_one_block(self) -> None:
        assert_found("M123", "{ from: customer.firstName, format: §{ upper: 3, trim: 4 } }")

    @pytest.mark.parametrize("written", ["§5", "[trim, §[upper]]"])
    def test_what_is_no_step(self, written: str) -> None:
        assert_found("M123", f"{{ from: customer.firstName, format: {written} }}")

    def test_an_empty_list(self) -> None:
        assert_found("M110", "{ from: customer.firstName, format: §[] }")

    def test_a_template_says_the_same(self) -> None:
        assert_found("M121", '{ template: §"{customer.firstName|trim|uper}" }')
        assert_found("M122", '{ template: §"{customer.householdIncome|seconds|upper}" }')
        assert_found("M123", '{ template: §"{customer.firstName|upper: 3}" }')

    def test_the_last_step_is_what_the_crm_field_has_to_take(self) -> None:
        assert findings(mapping_text("Birthdate: { from: customer.updatedAt, format: [datetime, date] }")) == []
        assert findings(mapping_text("Birthdate: { from: customer.updatedAt, format: [date, text] }"))[0][0] == "M202"


class TestWhoIsWho:
    """A step that makes one text of two must not decide whose record something is."""

    def test_a_key_takes_no_step_that_could_give_two_records_one_key(self) -> None:
        key = "careCycle_Id__c: { from: customer.externalId, format: §[trim, last4] }"
        text = mapping_text().replace("careCycle_Id__c: customer.id", key)
        found, marked = found_and_marked(text)
        assert [place for place in found if place[0] == "M232"] == [("M232", *marked[0])]

    def test_nor_does_its_template(self) -> None:
        key = 'careCycle_Id__c: { template: §"{customer.externalId|first: 3}" }'
        found, marked = found_and_marked(mapping_text().replace("careCycle_Id__c: customer.id", key))
        assert [place for place in found if place[0] == "M232"] == [("M232", *marked[0])]

    def test_a_part_of_a_name_is_not_the_name(self) -> None:
        match = "also_match: [ { Email: customer.email, LastName: customer.lastName } ]"
        made = compiled(mapping_text("Code__c: { from: customer.firstName, format: last4 }", record=match), schema=None)
        (write,) = plan(an_event(), made, timezone=ZONE).writes
        assert write.person is not None
        assert write.person.fields.first == "FirstName"

    def test_a_part_of_a_name_is_compared_as_it_is(self) -> None:
        match = "also_match: [ { Code__c: { from: customer.firstName, format: { first: 1 } }, Email: customer.email } ]"
        made = compiled(mapping_text("FirstName: customer.firstName", record=match), schema=None)
        (write,) = plan(an_event(), made, timezone=ZONE).writes
        assert (write.also_match[0][0].value, write.also_match[0][0].kind) == ("M", FactKind.TEXT)
        assert write.person is not None
        assert write.person.fields.first == "FirstName"

    @pytest.mark.parametrize("type", EVENTS[:1])
    def test_a_part_of_an_address_is_not_the_address_to_opt_out(self, type: str) -> None:
        consent = "{ flags: { doNotEmail: contact.out }, unsubscribe: [doNotEmail], "
        consent += "waive: [doNotCall, doNotSMS, doNotMail] }"
        text = mapping_text("code: { from: customer.email, format: last4 }", consent=consent)
        text = text.replace("salesforce", "hubspot").replace("object: Contact", "object: contacts")
        (write,) = plan(an_event(type), compiled(text, schema=None), timezone=ZONE).writes
        assert write.address == "marcus.delacroix@example.com"


class TestArguments:
    @pytest.mark.parametrize(
        "written",
        [
            *("§first", "{ first: §x }", "{ first: §0 }", "{ first: §1.5 }", "{ first: §true }", "{ excerpt: §1 }"),
            *("{ replace: §x }", "{ replace: §{} }", "{ replace: §{ a: 5 } }", '{ replace: §{ "": x } }'),
            "{ first: §}",
        ],
    )
    def test_of_a_text_that_do_not_suit_it(self, written: str) -> None:
        assert_found("M123", f"{{ from: customer.firstName, format: {written} }}")

    @pytest.mark.parametrize("written", ["{ multiply: §0 }", "{ divide: §0 }", "{ divide: §x }", "{ round: §0 }"])
    def test_of_a_number_that_do_not_suit_it(self, written: str) -> None:
        assert_found("M123", f"{{ from: customer.householdIncome, format: {written} }}", schema=None)

    @pytest.mark.parametrize(
        ("written", "hint"),
        [
            ("{ plus: §2 }", "for example  plus: 3 business days"),
            ("{ plus: §2 dais }", "did you mean '2 days'?"),
            ("{ plus: §-2 days }", "to go back write  minus: 2 days"),
            ("{ plus: §two days }", "for example  plus: 3 business days"),
            ("{ plus: §0 days }", "for example  plus: 3 business days"),
            ("{ first_of: §Next Month }", "did you mean 'next month'?"),
            ("{ pattern: §mm/dd/yyyy }", "did you mean 'MM/DD/YYYY'?"),
            ("{ pattern: §mm/DD/YYYY }", "mm are minutes; for the month write MM"),
            ("{ pattern: §hh:mm }", "add A (AM or PM), or write HH"),
            ("{ pattern: §12/31 }", "for example  pattern: MM/DD/YYYY"),
        ],
    )
    def test_of_a_date_that_do_not_suit_it(self, written: str, hint: str) -> None:
        field = f"{{ from: customer.updatedAt, format: {written} }}"
        assert_found("M123", field)
        assert hint_of(field.replace("§", "")) == hint

    def test_hours_of_a_date_that_has_none(self) -> None:
        assert_found("M122", "{ from: customer.dateOfBirth, format: §{ plus: 2 hours } }")
        assert_found("M122", '{ from: customer.dateOfBirth, format: §{ pattern: "HH:mm" } }')

    def test_a_date_stays_a_date_and_a_time_a_time(self) -> None:
        birthday = "Birthdate: { from: %s, format: { plus: 2 days } }"
        assert findings(mapping_text(birthday % "customer.dateOfBirth")) == []
        assert findings(mapping_text(birthday % "customer.updatedAt"))[0][0] == "M202"

    def test_the_hint_shows_how_it_is_written(self) -> None:
        assert hint_of("{ from: customer.firstName, format: first }") == "for example  first: 3"

    def test_a_step_that_is_no_longer_than_the_crm_field(self) -> None:
        assert findings(mapping_text("MailingPostalCode: { from: customer.id, format: { first: 20 } }")) == []
        assert findings(mapping_text("MailingPostalCode: { from: customer.id, format: { first: 21 } }"))[0][0] == "M206"

    def test_a_replacement_that_may_make_a_text_too_long(self) -> None:
        field = "MailingPostalCode: { from: customer.state, format: { replace: { A: %s } } }"
        assert findings(mapping_text(field % ("x" * 10))) == []
        assert findings(mapping_text(field % ("x" * 11)))[0][0] == "M206"


class TestDates:
    def test_are_those_of_the_customer_or_else_of_the_agency(self) -> None:
        field = "{ from: customer.updatedAt, format: { first_of: month } }"
        at = "2026-07-01T04:30:00Z"
        assert value(field, updatedAt=at, timezone="America/New_York") == "2026-07-01"
        assert value(field, updatedAt=at, timezone="America/Chicago") == "2026-06-01"
        assert value(field, updatedAt=at, timezone="Eastern") == "2026-06-01"

    def test_in_a_template_are_the_same(self) -> None:
        assert (
            value('{ template: "{customer.updatedAt|plus: 1 day|pattern: M/D}" }', updatedAt="2026-06-30T18:00:00Z")
            == "7/1"
        )


class TestWhatAStepCannotUse:
    @pytest.mark.parametrize(
        ("field", "given"),
        [
            ("{ from: customer.phoneNumber, format: ten_digits }", {"phoneNumber": "+442079460018"}),
            ("{ from: customer.postalCode, format: [trim, zip5] }", {"postalCode": "K1A 0B1"}),
            ('{ template: "{customer.postalCode|zip5}" }', {"postalCode": "K1A 0B1"}),
            ("{ from: customer.householdIncome, format: { multiply: 1000000000 } }", {"householdIncome": 10**7}),
            ("{ from: customer.dateOfBirth, format: { plus: 99999 years } }", {"dateOfBirth": "1958-04-12"}),
        ],
    )
    def test_is_left_alone_and_reported_by_name(self, field: str, given: dict[str, Any]) -> None:
        made = compiled(mapping_text(f"Field: {field[:-2]}, if_null: clear }}"), schema=None)
        planned = plan(an_event(**given), made, timezone=ZONE)
        assert [(lost.field, lost.path) for lost in planned.untranslated] == [
            ("Field", f"customer.{next(iter(given))}")
        ]
        assert "Field" not in planned.writes[0].fields

    def test_is_replaced_by_the_default(self) -> None:
        assert value("{ from: customer.postalCode, format: zip5, default: none }", postalCode="K1A 0B1") == "none"

    def test_is_refused_where_the_value_is_fixed(self) -> None:
        assert_found("M122", "{ value: Mesa, format: §zip5 }")

    def test_leaves_out_a_part_of_a_template_alone(self) -> None:
        assert value('{ template: "ZIP[ {customer.postalCode|zip5}]" }', postalCode="K1A 0B1") == "ZIP"
