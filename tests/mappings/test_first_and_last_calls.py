"""What a person's record says of the first and of the last of their calls."""

from __future__ import annotations

from typing import Any

from connector.model import FieldWrite, Stamp
from tests.mappings.build import an_event, found_and_marked, mapping_text, planned

EARLY, LATE = "2026-06-16T15:00:00.000Z", "2026-06-18T15:00:00.000Z"


def made(field: str, at: str, **given: Any) -> FieldWrite | None:
    event = an_event("call.completed", call__createdAt=at, **given)
    (write,) = planned(mapping_text(f"A__c: {field}"), event, schema=None).writes
    return write.fields.get("A__c")


def stamp_of(field: str, at: str, **given: Any) -> Stamp:
    write = made(field, at, **given)
    assert write is not None
    return write.stamp


class TestTheFirstCall:
    def test_wins_over_later_ones(self) -> None:
        assert stamp_of("{ first: call.disposition }", EARLY) > stamp_of("{ first: call.disposition }", LATE)

    def test_is_of_its_own_time(self) -> None:
        assert stamp_of("{ first: call.disposition }", LATE).moment == stamp_of("call.disposition", LATE).at

    def test_is_the_first_of_those_that_count(self) -> None:
        field = "{ first: call.createdAt, format: date, when: { call.direction: inbound } }"
        counted = made(field, EARLY, call__direction="inbound")
        assert counted is not None
        assert counted.value == "2026-06-16"
        assert made(field, EARLY, call__direction="outbound") is None


class TestTheLastCall:
    FIELD = "{ last: call.disposition, when: { customer.state: { exists: true } } }"

    def test_wins_over_earlier_ones_whenever_the_customer_changed(self) -> None:
        early = stamp_of(self.FIELD, EARLY, customer__updatedAt="2026-06-20T15:00:00.000Z")
        assert early < stamp_of(self.FIELD, LATE)


class TestASlip:
    def test_is_a_field_that_no_call_has(self) -> None:
        found, marked = found_and_marked(mapping_text("A__c: { first: §customer.city }"), schema=None)
        assert found == [("M113", *marked[0])]

    def test_is_a_field_that_does_not_exist(self) -> None:
        found, marked = found_and_marked(mapping_text("A__c: { last: §call.dispositon }"), schema=None)
        assert found == [("M101", *marked[0])]

    def test_is_a_rule_by_which_a_later_call_might_stay(self) -> None:
        text = mapping_text("A__c: { first: call.disposition, write: §on_create }")
        found, marked = found_and_marked(text, schema=None)
        assert found == [("M113", *marked[0])]

    def test_is_a_value_in_place_of_what_the_first_call_does_not_say(self) -> None:
        for word in ("default: None", "if_null: clear"):
            text = mapping_text(f"A__c: {{ first: call.disposition, §{word} }}")
            found, marked = found_and_marked(text, schema=None)
            assert found == [("M113", *marked[0])]
