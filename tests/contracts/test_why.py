"""Why a CRM field is as it is, told after real deliveries into both sandboxes, on both databases."""

from __future__ import annotations

from typing import Any

import pytest

from connector.destinations import VENDORS
from connector.insight.accounts import Account
from connector.insight.explain import FieldWhy, Why, explain
from connector.insight.story import story
from connector.mapping import Loaded, load, shipped_folder
from connector.mapping.target import TargetSchema
from connector.running.undos import undo
from connector.store.previous import Whose
from tests.builders import CUSTOMER, a_call, a_customer
from tests.contracts.test_pipeline import DESTINATION, EARLIER, LANE, LATER, House, house

__all__ = ["house"]


def account(house: House) -> Account:
    file = shipped_folder() / f"{shipped(house)}.yaml"

    def read(schema: TargetSchema | None) -> Loaded:
        return load(file, schema=schema, shipped=shipped_folder(), crms=VENDORS)

    return Account(DESTINATION, "America/New_York", read)


def shipped(house: House) -> str:
    return "salesforce-contact" if house.route.destination.crm.name == "salesforce" else "hubspot"


def told(house: House, asked: str = CUSTOMER, *, mapped: bool = True) -> Why:
    why = explain(house.store, asked, [account(house)] if mapped else [])
    assert why is not None
    return why


def field(house: House, name: str, **options: Any) -> FieldWhy:
    person = told(house, **options).records[0]
    return next(one for one in person.fields if one.field == house.names[name])


def verdicts(one: FieldWhy) -> dict[str, str]:
    return {said.message_id: said.verdict for said in one.said}


class TestTheWriter:
    def test_is_the_event_whose_value_went_out_last(self, house: House) -> None:
        house.pass_on(a_customer(city="Mesa", updatedAt=EARLIER))
        (newer,) = house.pass_on(a_customer(city="Tempe", updatedAt=LATER))
        writer = field(house, "city").writer
        assert writer is not None
        assert (writer.message_id, writer.verdict) == (newer, "wrote")
        assert (writer.written_at, writer.mapping_version) == (house.clock(), house.route.mapping.version)

    def test_has_the_line_of_the_mapping(self, house: House) -> None:
        house.pass_on(a_customer(city="Mesa"))
        where = field(house, "city").place
        file, _, line = where.partition(":")
        text = (shipped_folder() / file).read_text().splitlines()[int(line) - 1]
        assert house.names["city"] in text

    @pytest.mark.slow
    def test_of_a_value_said_again_is_the_event_that_was_sent(self, house: House) -> None:
        (first,) = house.pass_on(a_customer(city="Mesa", updatedAt=EARLIER))
        (again,) = house.pass_on(a_customer(city="Mesa", updatedAt=LATER))
        writer = field(house, "city").writer
        assert writer is not None
        assert (writer.message_id, writer.verdict, writer.by) == (again, "repeated", first)

    def test_is_told_without_the_mapping_too(self, house: House) -> None:
        (only,) = house.pass_on(a_customer(city="Mesa"))
        one = field(house, "city", mapped=False)
        assert (verdicts(one), one.place) == ({only: "wrote"}, "")


class TestTheOthers:
    def test_an_older_event_is_superseded(self, house: House) -> None:
        (newer,) = house.pass_on(a_customer(city="Tempe", updatedAt=LATER))
        (older,) = house.pass_on(a_customer(city="Mesa", updatedAt=EARLIER))
        assert verdicts(field(house, "city")) == {newer: "wrote", older: "superseded"}

    def test_one_that_says_nothing_of_the_field_is_left_out(self, house: House) -> None:
        (older,) = house.pass_on(a_customer(city="Mesa", updatedAt=EARLIER))
        house.pass_on(a_customer(city=None, updatedAt=LATER))
        assert list(verdicts(field(house, "city"))) == [older]

    def test_consent_withholds_and_its_flag_is_named(self, house: House) -> None:
        house.pass_on(a_customer(doNotSMS=True))
        said = field(house, "mobile").said[0]
        assert (said.verdict, said.by) == ("withheld", "doNotSMS")

    def test_one_that_waits_or_was_refused_says_so(self, house: House) -> None:
        house.pass_on(a_customer(city="Mesa", updatedAt=EARLIER))
        (waits,) = house.accept(a_customer(city="Tempe", updatedAt=LATER))
        assert verdicts(field(house, "city"))[waits] == "waiting"

    def test_what_the_running_mapping_alone_would_say_is_told_as_such(self, house: House) -> None:
        city = house.names["city"]
        own = f"extends: {shipped(house)}\nrecords: {{contact: {{fields: {{remove: [{city}]}}}}}}\n"
        house.remap(own)
        (only,) = house.pass_on(a_customer(city="Mesa"))
        assert verdicts(field(house, "city")) == {only: "unmapped"}


class TestUndone:
    def test_what_was_undone_is_said_of_the_event_that_wrote_it(self, house: House) -> None:
        house.route.undo = True
        house.pass_on(a_customer(city="Mesa", updatedAt=EARLIER))
        house.remap(
            f"extends: {shipped(house)}\nrecords: {{contact: {{fields: {{remove: [{house.names['state']}]}}}}}}\n"
        )
        (newer,) = house.pass_on(a_customer(city="Tempe", updatedAt=LATER))
        wrong = house.route.mapping.version
        list(undo(house.store, house.route, 1, Whose(wrong), plan=False))
        one = field(house, "city")
        assert (one.writer, verdicts(one)[newer], one.said[0].mapping_version) == (None, "undone", wrong)
        shown = story(house.store, newer)
        assert shown is not None
        assert [house.names["city"] in undone.fields for undone in shown.undone] == [True]


class TestWhoIsAskedFor:
    def test_a_message_leads_to_its_customer(self, house: House) -> None:
        (only,) = house.pass_on(a_customer())
        assert told(house, only).customer_id == CUSTOMER

    def test_a_call_leads_to_its_own_records_alone(self, house: House) -> None:
        call = a_call(a_customer())
        house.pass_on(a_customer(), call, a_call(a_customer(), id="another-call"))
        records = told(house, call["id"]).records
        assert {one.object for one in records} == {house.names["calls"]}
        assert len(records) == 1

    def test_a_call_of_nobody_is_found(self, house: House) -> None:
        call = a_call(None)
        house.pass_on(call)
        why = told(house, call["id"])
        assert (why.customer_id, len(why.records)) == ("", 1)

    def test_nobody_is_nobody(self, house: House) -> None:
        house.pass_on(a_customer())
        assert explain(house.store, "nobody", [account(house)]) is None

    def test_a_purged_event_still_tells_what_it_wrote(self, house: House) -> None:
        (only,) = house.pass_on(a_customer(city="Mesa"))
        house.store.retention.purge("sunrise", house.clock() + 1)
        assert (told(house).purged, verdicts(field(house, "city"))) == (1, {only: "wrote"})


class TestPrivacy:
    def test_no_value_is_in_it(self, house: House) -> None:
        house.pass_on(a_customer(city="Zebulonville", firstName="Zebulon"))
        assert "Zebulon" not in repr(told(house))


class TestRecordsKeptBack:
    def test_one_that_consent_keeps_back_as_a_whole_names_its_flag(self, house: House) -> None:
        house.remap(f"extends: {shipped(house)}\nconsent: {{skip: {{doNotMail: [call]}}}}\n")
        house.pass_on(a_call(a_customer(doNotMail=True)))
        assert {one.record: one.withheld for one in told(house, mapped=False).records} == {
            "contact": "",
            "call": "doNotMail",
        }


class TestAnOptOutWrittenOnItsOwn:
    def test_is_explained_by_when_it_reached_the_record(self, house: House) -> None:
        house.pass_on(a_customer(updatedAt=EARLIER))
        house.clock.forward(1000)
        (opted_out,) = house.pass_on(a_customer(doNotCall=True, updatedAt=LATER))
        writer = field(house, "no_call").writer
        assert writer is not None
        assert (writer.message_id, writer.verdict, writer.written_at) == (opted_out, "opted out", house.clock())

    def test_is_explained_without_the_mapping_too(self, house: House) -> None:
        house.pass_on(a_customer(updatedAt=EARLIER))
        (opted_out,) = house.pass_on(a_customer(doNotCall=True, updatedAt=LATER))
        assert verdicts(field(house, "no_call", mapped=False)) == {opted_out: "opted out"}

    def test_is_named_by_a_later_event_that_repeats_it(self, house: House) -> None:
        house.pass_on(a_customer(updatedAt=EARLIER))
        (opted_out,) = house.pass_on(a_customer(doNotCall=True, updatedAt=LATER))
        (again,) = house.pass_on(a_customer(doNotCall=True, updatedAt="2026-06-18T14:00:00.000Z"))
        writer = field(house, "no_call").writer
        assert writer is not None
        assert (writer.message_id, writer.verdict, writer.by) == (again, "repeated", opted_out)


class TestAfterAnEditedMapping:
    def test_the_event_that_it_was_applied_to_is_named(self, house: House) -> None:
        (message,) = house.pass_on(a_customer(city="Mesa"))
        (part,) = house.store.reapplying.parts("sunrise")
        house.store.reapplying.make_due(part, [DESTINATION], lambda *_: LANE, 1)
        house.drain()
        assert verdicts(field(house, "city")) == {message: "wrote"}
