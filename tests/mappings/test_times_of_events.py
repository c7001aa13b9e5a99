"""Ages and `within`: computed from when the event happened, by its own account, in the customer's time zone."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from connector.mapping.planning import plan
from connector.model import Event, Plan
from tests.mappings.build import ZONE, an_event, compiled, findings, found_and_marked, mapping_text, planned

AGE = "Age__c: { from: customer.dateOfBirth, format: age }"


def a_call(created: str, updated: str, **given: Any) -> Event:
    changes = {f"customer__{name}": value for name, value in given.items()}
    return an_event("call.completed", call__createdAt=created, customer__updatedAt=updated, **changes)


def field(plan: Plan) -> Any:
    (write,) = plan.writes
    return next((made.value for name, made in write.fields.items() if name != "LastName"), "not sent")


def age(born: str, at: str, **given: Any) -> Any:
    return field(planned(mapping_text(AGE), an_event(dateOfBirth=born, updatedAt=at, **given), schema=None))


def holds(condition: str, day: str, at: str = "2026-06-17T19:00:00Z", **given: Any) -> bool:
    text = mapping_text(f"X__c: {{ value: held, when: {{ customer.medicarePartBDate: {condition} }} }}")
    return bool(field(planned(text, an_event(medicarePartBDate=day, updatedAt=at, **given), schema=None)) == "held")


class TestAge:
    @pytest.mark.parametrize(
        ("born", "at", "wanted"),
        [
            ("1961-06-17", "2026-06-17T19:00:00Z", 65),
            ("1961-06-18", "2026-06-17T19:00:00Z", 64),
            ("1960-02-29", "2025-02-28T19:00:00Z", 65),
            ("1899-01-01", "2026-06-17T19:00:00Z", 127),
            ("2026-06-17", "2026-06-17T19:00:00Z", 0),
            ("2026-06-18", "2026-06-17T19:00:00Z", "not sent"),
        ],
    )
    def test_is_that_on_the_day_of_the_event(self, born: str, at: str, wanted: Any) -> None:
        assert age(born, at) == wanted

    def test_begins_where_the_customer_is(self) -> None:
        assert age("1961-06-18", "2026-06-18T04:30:00Z", timezone="America/New_York") == 65
        assert age("1961-06-18", "2026-06-18T04:30:00Z", timezone="America/Los_Angeles") == 64
        assert age("1961-06-18", "2026-06-18T04:30:00Z", timezone="Nowhere/Land") == 64  # the agency's

    def test_is_that_on_the_day_of_a_later_call(self) -> None:
        call = a_call("2026-06-17T19:00:00Z", "2026-01-01T12:00:00Z", dateOfBirth="1961-06-17")
        assert field(planned(mapping_text(AGE), call, schema=None)) == 65

    def test_is_as_new_as_the_call_though_the_customer_is_older(self) -> None:
        call = a_call("2026-06-17T19:00:00Z", "2026-01-01T12:00:00Z", dateOfBirth="1961-06-17")
        (write,) = planned(mapping_text(AGE), call, schema=None).writes
        assert write.fields["Age__c"].stamp.at > write.fields["LastName"].stamp.at

    def test_also_where_it_only_decides(self) -> None:
        text = (
            "X__c: { cases: [{ when: { customer.dateOfBirth: { format: age, at_least: 65 } }, then: { value: x } }] }"
        )
        call = a_call("2026-06-17T19:00:00Z", "2026-01-01T12:00:00Z", dateOfBirth="1961-06-17")
        (write,) = planned(mapping_text(text), call, schema=None).writes
        assert write.fields["X__c"].stamp.at > write.fields["LastName"].stamp.at

    def test_of_a_call_whose_customer_does_not_say_when_it_changed(self) -> None:
        call = a_call("2026-06-17T19:00:00Z", "x", dateOfBirth="1961-06-17")
        assert field(planned(mapping_text(AGE), call, schema=None)) == 65

    @pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
    def test_is_left_out_where_the_calendar_ends(self, at: str) -> None:
        assert age("0001-01-01", at) == "not sent"
        assert not holds("{ within: { next: 1 day } }", "0001-01-01", at)

    def test_is_the_same_in_a_replay(self) -> None:
        made, event = compiled(mapping_text(AGE), schema=None), an_event(dateOfBirth="1961-06-17")
        assert plan(event, made, timezone=ZONE) == plan(event, made, timezone=ZONE)

    def test_is_never_erased_because_calls_write_it_too(self) -> None:
        flags = "{ flags: { doNotCall: contact.NoCall }, waive: [doNotSMS, doNotEmail, doNotMail], "
        consent = flags + "withhold: { doNotCall: [contact.Age__c] }, withheld: clear }"
        assert [code for code, *_ in findings(mapping_text(AGE, consent=consent), schema=None)] == ["M224"]

    def test_identifies_nobody(self) -> None:
        key = 'careCycle_Id__c: §{ template: "{customer.lastName}-{customer.dateOfBirth|age}" }'
        found, marked = found_and_marked(mapping_text().replace("careCycle_Id__c: customer.id", key))
        assert ("M232", *marked[0]) in found


class TestWithin:
    @pytest.mark.parametrize(
        ("condition", "first", "last"),
        [
            ("{ within: { next: 7 months } }", "2026-06-17", "2027-01-17"),
            ("{ within: { last: 30 days } }", "2026-05-18", "2026-06-17"),
            ("{ within: { next: 2 business days } }", "2026-06-17", "2026-06-19"),
            ("{ format: [plus: 1 year], within: { last: 1 week } }", "2025-06-10", "2025-06-17"),
        ],
    )
    def test_holds_from_the_first_day_to_the_last(self, condition: str, first: str, last: str) -> None:
        days = [moved(first, -1), first, last, moved(last, 1)]
        assert [holds(condition, day) for day in days] == [False, True, True, False]

    def test_counts_the_days_of_the_customer(self) -> None:
        at = "2026-06-18T04:30:00Z"
        assert holds("{ within: { last: 1 day } }", "2026-06-18", at, timezone="America/New_York")
        assert not holds("{ within: { last: 1 day } }", "2026-06-18", at, timezone="America/Los_Angeles")

    def test_ends_with_the_calendar(self) -> None:
        assert not holds("{ within: { next: 9000 years } }", "2026-06-18")
        assert not holds("{ within: { last: 9000 years } }", "2026-06-16")

    @pytest.mark.parametrize(
        ("condition", "code"),
        [
            ("{ within: { next: §7 monthz } }", "M123"),
            ("{ within: { next: §2 hours } }", "M123"),
            ("{ within: §{ next: 7 months, last: 7 months } }", "M111"),
            ("{ within: §{} }", "M111"),
            ("{ within: §7 months }", "M111"),
            ("{ within: { §nxt: 7 months } }", "M110"),
            ("{ §format: age }", "M133"),
            ("{ format: age, at_least: §x }", "M133"),
            ("{ format: §seconds, at_least: 5 }", "M122"),
            ("{ format: §agee, at_least: 5 }", "M121"),
            ("{ format: age, within: §{ next: 7 months } }", "M133"),
        ],
    )
    def test_that_makes_no_sense_is_found(self, condition: str, code: str) -> None:
        text = mapping_text(f"X__c: {{ value: held, when: {{ customer.medicarePartBDate: {condition} }} }}")
        found, marked = found_and_marked(text, schema=None)
        assert (code, *marked[0]) in found

    def test_of_a_text_makes_no_sense(self) -> None:
        text = mapping_text("X__c: { value: x, when: { customer.city: { within: { next: 7 months } } } }")
        assert findings(text, schema=None)[0][0] == "M133"


class TestFormatted:
    @pytest.mark.parametrize(
        ("condition", "held"),
        [
            ("{ customer.postalCode: { format: zip5, exists: true } }", True),
            ("{ customer.email: { format: [trim, upper], ends_with: EXAMPLE.COM } }", True),
            ("{ customer.householdIncome: { format: [divide: 12, round], is: 3500 } }", True),
            ("{ customer.status: { format: upper, is: ACTIVE } }", True),
            ("{ customer.city: { format: zip5, exists: true } }", False),
            ("{ customer.city: { format: zip5, not: Mesa } }", False),
        ],
    )
    def test_what_becomes_of_the_value_is_compared(self, condition: str, held: bool) -> None:
        text = mapping_text(f"X__c: {{ value: x, when: {condition} }}")
        assert (field(planned(text, an_event(), schema=None)) == "x") == held

    def test_a_value_that_never_comes_of_it_is_found(self) -> None:
        text = mapping_text("X__c: { value: x, when: { customer.status: { format: upper, is: Active } } }")
        assert findings(text, schema=None)[0][0] == "M133"

    def test_a_whole_record_and_a_whole_file_may_depend_on_it(self) -> None:
        old = "{ customer.dateOfBirth: { format: age, at_least: 65 } }"
        for text in (mapping_text(record=f"when: {old}"), mapping_text(top=f"filter: {old}")):
            made = compiled(text, schema=None)
            at = {"updatedAt": "2026-06-17T19:00:00Z"}
            assert plan(an_event(dateOfBirth="1961-06-17", **at), made, timezone=ZONE).writes
            assert plan(an_event(dateOfBirth="1961-06-18", **at), made, timezone=ZONE).reason == "filtered"


def moved(day: str, days: int) -> str:
    return str(date.fromisoformat(day) + timedelta(days=days))
