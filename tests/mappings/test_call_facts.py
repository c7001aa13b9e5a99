"""What a record made from every event says of calls: events without one leave it alone."""

from __future__ import annotations

from typing import Any

from connector.model import FieldWrite
from tests.mappings.build import an_event, findings, mapping_text, planned

OUTCOME = "Outcome__c: call.disposition"


def made(field: str, type: str = "customer.updated", **given: Any) -> FieldWrite | None:
    (write,) = planned(mapping_text(field), an_event(type, **given), schema=None).writes
    return next((made for name, made in write.fields.items() if name != "LastName"), None)


def finding_codes(field: str, **how: Any) -> list[str]:
    return [code for code, _, _ in findings(mapping_text(field), **how)]


class TestAFactOfACall:
    def test_may_stand_on_the_person(self) -> None:
        for field in (OUTCOME, "Outcome__c: { from: call.disposition, when: { event.type: call.completed } }"):
            assert finding_codes(field, schema=None) == []

    def test_comes_with_a_call(self) -> None:
        outcome = made(OUTCOME, "call.completed", call__disposition="Enrolled")
        assert outcome is not None
        assert outcome.value == "Enrolled"

    def test_is_left_alone_by_an_event_without_one(self) -> None:
        for field in (
            OUTCOME,
            "Outcome__c: { from: call.disposition, default: None yet }",
            "Outcome__c: { from: call.disposition, if_null: clear }",
            "Outcome__c: { from: [call.disposition, customer.status] }",
            'Outcome__c: { template: "{customer.status}[: {call.disposition}]" }',
            "Outcome__c: { value: Sold, when: { call.disposition: Enrolled } }",
        ):
            assert made(field) is None, field
            assert made(field, "call.completed", call__disposition="Enrolled") is not None, field

    def test_is_as_new_as_the_call_it_came_from(self) -> None:
        """A call's snapshot of the customer may be newer than that of a later call."""
        earlier = {"call__createdAt": "2026-06-01T12:00:00Z", "customer__updatedAt": "2026-06-09T12:00:00Z"}
        later = {"call__createdAt": "2026-06-02T12:00:00Z", "customer__updatedAt": "2026-06-03T12:00:00Z"}
        old, new = (made(OUTCOME, "call.completed", **times) for times in (earlier, later))
        assert old is not None
        assert new is not None
        assert new.stamp > old.stamp

    def test_that_is_required_needs_a_call(self) -> None:
        assert "M102" in finding_codes("FirstName: { from: call.disposition, required: true }")

    def test_that_is_health_information_is_taken_for_meant_elsewhere_until_it_is_accepted(self) -> None:
        assert "M102" in finding_codes("Description: call.summary")
        assert finding_codes("Description: { from: call.summary, sensitive: accepted, cut: true }") == []

    def test_is_found_where_the_records_condition_lets_no_call_pass(self) -> None:
        for when, codes in (
            ("when: { event.type: [customer.created, customer.updated] }", ["M133", "M133"]),
            ("when: { event.type: { not: call.completed } }", ["M133", "M133"]),
            ("when: { event.type: call.completed }", []),
            ("when: { customer: { exists: true } }", []),
        ):
            text = mapping_text(OUTCOME, "Tries__c: { count: calls }", record=when)
            assert [code for code, _, _ in findings(text, schema=None)] == codes, when
