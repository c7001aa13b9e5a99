"""A number of calls: what one event knows of it, and where it may not stand."""

from __future__ import annotations

from typing import Any

import pytest

from connector.model import Counted, Stamp
from tests.mappings.build import an_event, findings, mapping_text, planned
from tests.mappings.test_planted_mistakes import assert_found

ATTEMPTS = "Household_Income__c: { count: calls }"
SOLD = "Household_Income__c: { count: calls, when: { call.disposition: Sold } }"


def counted(field: str, type: str = "call.completed", **given: Any) -> Counted | None:
    (own,) = planned(mapping_text(field), an_event(type, **given)).counted or (None,)
    return own


def number(field: str, type: str = "call.completed", **given: Any) -> Any:
    """What an event writes by itself."""
    (write,) = planned(mapping_text(field), an_event(type, **given)).writes
    own = write.fields.get("Household_Income__c")
    return own.value if own else None


class TestOneEvent:
    def test_knows_of_its_own_call(self) -> None:
        assert (number(ATTEMPTS), number(SOLD), number(SOLD, call__disposition="Sold")) == (1, 0, 1)

    def test_without_a_call_says_nothing(self) -> None:
        assert (number(ATTEMPTS, "customer.updated"), number(SOLD, "customer.created")) == (None, None)

    def test_says_which_call_it_is_and_whether_it_counts(self) -> None:
        own = counted(SOLD, call__id="t-1", call__disposition="Sold")
        assert own is not None
        assert (own.key.value != "", own.field, own.call, own.counts) == (True, "Household_Income__c", "t-1", True)

    def test_is_as_new_as_its_customer_and_its_call(self) -> None:
        times = {"call__createdAt": "2026-06-01T12:00:00Z", "customer__updatedAt": "2026-06-01T12:00:01Z"}
        own = counted(ATTEMPTS, **times)
        assert own is not None
        assert own.write.stamp == Stamp(1780315201000, own.write.stamp.tie)

    def test_of_a_filtered_record_counts_nothing(self) -> None:
        event = an_event("call.completed", customer__status="Lead")
        for where in ({"record": "when: { customer.status: Active }"}, {"top": "filter: { customer.status: Active }"}):
            assert planned(mapping_text(ATTEMPTS, **where), event).counted == ()

    def test_finishes_a_number_with_the_modifiers_of_the_field(self) -> None:
        for modifier, value in (("format: text", "12"), ("table: { '12': Often, else: Rarely }", "Often")):
            own = counted(f"FirstName: {{ count: calls, {modifier} }}")
            assert own is not None
            assert own.finish(12) == value


class TestACount:
    def test_fits_a_number(self) -> None:
        assert findings(mapping_text(ATTEMPTS)) == findings(mapping_text(SOLD)) == []

    @pytest.mark.parametrize(
        ("field", "code"),
        [
            ("Household_Income__c: { count: §call }", "M110"),
            ("Household_Income__c: §{ count: calls, value: 1 }", "M111"),
            ("FirstName: §{ count: calls }", "M202"),
            ("LeadSource: §{ count: calls }", "M202"),
            ("Household_Income__c: { count: calls, when: { §call.dispositon: Sold } }", "M101"),
            ("Household_Income__c: { count: calls, write: §on_create }", "M170"),
            ("Household_Income__c: { count: calls, §default: 0 }", "M170"),
            ("Household_Income__c: { count: calls, §required: true }", "M170"),
        ],
    )
    def test_is_judged_where_it_stands(self, field: str, code: str) -> None:
        assert_found(code, mapping_text(field))

    def test_needs_calls(self) -> None:
        assert_found("M170", mapping_text(ATTEMPTS.replace("calls", "§calls"), record="events: [customer.updated]"))

    def test_is_the_customers(self) -> None:
        text = mapping_text(ATTEMPTS.replace("calls", "§calls"), record="events: [call.completed]")
        assert_found("M170", text.replace("customer.id", "call.id"))

    def test_cannot_follow_where_nothing_is_changed(self) -> None:
        assert_found("M170", mapping_text(ATTEMPTS.replace("calls", "§calls"), record="mode: create"))

    def test_may_stand_on_a_record_of_calls_alone(self) -> None:
        assert findings(mapping_text(SOLD, record="events: [call.completed]")) == []
