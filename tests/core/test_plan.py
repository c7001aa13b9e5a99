"""What one event asks of one destination."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from connector.carecycle.catalogue import FLAGS, epoch_ms
from connector.mapping import Mapping
from connector.mapping.planning import plan
from connector.model import Fact, FactKind, FieldWrite, Mode, Plan, RecordKey, Ref, Rule, Stamp, Withheld, Write
from tests.mappings.build import SHIPPED, ZONE, an_event, compiled, load, mapping_text, planned

CONSENT = """{ flags: { doNotCall: contact.DoNotCall, doNotSMS: contact.Do_Not_Text__c },
    withhold: { doNotSMS: [contact.MobilePhone] }, skip: { doNotCall: [callback] }, waive: [doNotEmail, doNotMail] }"""
CALLBACK = """\
callback:
  object: Task
  events: [call.completed]
  key: { careCycle_Call_Id__c: { template: "callback-{call.id}" } }
  fields:
    WhoId: { ref: contact }
    Status: { value: Not Started, write: on_create }
    Subject: { template: "{customer.lastName}: {call.disposition}" }
"""
FIELDS = ("FirstName: customer.firstName", "MobilePhone: customer.phoneNumber", "LeadSource: { value: Web }")
BRIDGE = mapping_text(*FIELDS, consent=CONSENT, records=CALLBACK)
HUBSPOT = """\
version: 1
crm: hubspot
consent:
  flags: { doNotEmail: contact.do_not_email }
  withhold: { doNotEmail: [contact.email] }
  unsubscribe: [doNotEmail]
  waive: [doNotCall, doNotSMS, doNotMail]
filter: { customer.status: Active }
records:
  contact:
    object: contacts
    key: { carecycle_id: customer.id }
    also_match: [ { email: customer.email }, { firstname: customer.firstName, lastname: customer.suffix } ]
    fields: { email: { from: customer.email, format: lower } }
  call:
    object: calls
    events: [call.completed]
    key: { carecycle_call_id: call.id }
    associate: [contact]
    fields: { hs_timestamp: call.startTime }
"""
TIE = hashlib.sha256(b"msg_1").hexdigest()[:12]
CUSTOMER = "b1f7c0e2-3a4d-4e5f-8a9b-0c1d2e3f4a5b"


def writes(plan: Plan) -> dict[str, Write]:
    return {write.name: write for write in plan.writes}


class TestRecords:
    def test_a_record_is_known_by_its_key(self) -> None:
        (write,) = planned(BRIDGE, an_event()).writes
        assert write.key == RecordKey("Contact", "careCycle_Id__c", CUSTOMER)

    def test_the_key_is_not_among_the_fields(self) -> None:
        (write,) = planned(BRIDGE, an_event()).writes
        assert set(write.fields) == {"LastName", "FirstName", "MobilePhone", "LeadSource"}

    def test_a_field_carries_its_rule_and_line(self) -> None:
        field = writes(planned(BRIDGE, an_event("call.completed")))["callback"].fields["Status"]
        assert (field.rule, field.line) == (Rule.ON_CREATE, 20)

    def test_a_record_runs_on_its_events_only(self) -> None:
        assert set(writes(planned(BRIDGE, an_event("customer.created")))) == {"contact"}

    def test_a_record_without_a_key_value_is_not_made(self) -> None:
        text = mapping_text().replace("customer.id", "customer.externalId")
        assert planned(text, an_event(externalId=None)).reason == "nothing mapped"

    def test_an_empty_key_value_makes_no_record(self) -> None:
        text = mapping_text().replace("customer.id", "customer.externalId")
        assert planned(text, an_event(externalId="")).writes == ()

    def test_an_event_the_mapping_does_not_name_asks_for_nothing(self) -> None:
        text = mapping_text(top="events: [customer.created]")
        assert planned(text, an_event("customer.updated")).reason == "nothing mapped"

    def test_hand_made_records_are_matched_by_entries_without_nulls(self) -> None:
        (write,) = planned(HUBSPOT, an_event(), schema="hubspot").writes
        assert write.also_match == ((Fact("email", "marcus.delacroix@example.com", FactKind.EMAIL),),)


class TestLinks:
    def test_a_ref_points_at_the_record_of_the_same_event(self) -> None:
        who = writes(planned(BRIDGE, an_event("call.completed")))["callback"].fields["WhoId"].value
        assert who == Ref(RecordKey("Contact", "careCycle_Id__c", CUSTOMER))

    def test_a_record_that_points_at_another_ranks_behind_it(self) -> None:
        found = writes(planned(BRIDGE, an_event("call.completed")))
        assert (found["contact"].rank, found["callback"].rank) == (0, 1)

    def test_a_call_linked_to_nobody_is_written_without_its_ref(self) -> None:
        text = BRIDGE.replace(", skip: { doNotCall: [callback] }", "")
        found = writes(planned(text, an_event("call.completed", customer=None)))
        assert set(found) == {"callback"}
        assert "WhoId" not in found["callback"].fields

    def test_an_association_is_a_link(self) -> None:
        event = an_event("call.completed", customer__status="Active")
        found = writes(planned(HUBSPOT, event, schema="hubspot"))
        assert found["call"].links == (found["contact"].key,)


class TestStamps:
    EVENT = an_event("call.completed", customer__updatedAt="2026-06-01T00:00:00Z")
    CALL = Stamp(epoch_ms("2026-06-17T19:07:23.709Z"), TIE)
    SNAPSHOT = Stamp(epoch_ms("2026-06-01T00:00:00Z"), TIE)

    def fields(self, record: str) -> dict[str, Stamp]:
        return {name: field.stamp for name, field in writes(planned(BRIDGE, self.EVENT))[record].fields.items()}

    def test_what_is_read_of_the_customer_is_as_old_as_the_snapshot(self) -> None:
        assert self.fields("contact")["FirstName"] == self.SNAPSHOT

    def test_a_constant_is_as_old_as_its_records_key(self) -> None:
        assert self.fields("contact")["LeadSource"] == self.SNAPSHOT
        assert self.fields("callback")["Status"] == self.CALL

    def test_what_is_read_of_both_is_as_old_as_the_later(self) -> None:
        assert self.fields("callback")["Subject"] == self.CALL

    def test_a_condition_counts_as_reading(self) -> None:
        text = mapping_text(
            "LeadSource: { value: Web, when: { campaign.name: { exists: true } } }", record="events: [call.completed]"
        )
        (write,) = planned(text, self.EVENT).writes
        assert write.fields["LeadSource"].stamp == self.CALL

    def test_the_plan_is_as_old_as_the_customer_snapshot(self) -> None:
        assert planned(BRIDGE, self.EVENT).stamp == self.SNAPSHOT

    def test_without_a_customer_the_plan_is_as_old_as_the_event(self) -> None:
        assert planned(BRIDGE, an_event("call.completed", customer=None)).stamp == self.CALL

    def test_another_message_of_the_same_moment_has_another_tie(self) -> None:
        first, second = (planned(BRIDGE, an_event(message_id=name)).stamp for name in ("a", "b"))
        assert first.at == second.at
        assert first != second


class TestConsent:
    def test_the_plan_tells_what_the_snapshot_says_of_each_flag(self) -> None:
        consent = planned(BRIDGE, an_event(doNotCall=True, doNotMail=None)).consent
        assert consent == {"doNotCall": True, "doNotSMS": False, "doNotEmail": False, "doNotMail": None}

    def test_without_a_customer_nothing_is_known_of_consent(self) -> None:
        assert planned(BRIDGE, an_event("call.completed", customer=None)).consent == {}

    def test_a_raised_flag_is_written(self) -> None:
        (write,) = planned(BRIDGE, an_event(doNotCall=True)).writes
        assert write.flags == {"doNotCall": "DoNotCall"}

    def test_a_flag_that_is_false_or_unknown_is_not_written(self) -> None:
        (write,) = planned(BRIDGE, an_event(doNotCall=False, doNotSMS=None)).writes
        assert write.flags == {}

    def test_a_withheld_field_is_left_out_and_told(self) -> None:
        found = planned(BRIDGE, an_event(doNotSMS=True))
        assert "MobilePhone" not in found.writes[0].fields
        assert found.withheld == (Withheld("contact", "MobilePhone", "doNotSMS"),)

    def test_an_unknown_flag_withholds_as_well(self) -> None:
        assert "MobilePhone" not in planned(BRIDGE, an_event(doNotSMS=None)).writes[0].fields

    def test_a_field_that_may_be_withheld_later_names_its_guards(self) -> None:
        (write,) = planned(BRIDGE, an_event()).writes
        assert write.fields["MobilePhone"].guards == ("doNotSMS",)

    def test_a_skipped_record_is_not_made_and_told(self) -> None:
        found = planned(BRIDGE, an_event("call.completed", customer__doNotCall=True))
        assert set(writes(found)) == {"contact"}
        assert Withheld("callback", "", "doNotCall") in found.withheld

    def test_a_record_that_may_be_skipped_later_names_its_guards(self) -> None:
        assert writes(planned(BRIDGE, an_event("call.completed")))["callback"].guards == ("doNotCall",)

    def test_nobody_asked_about_consent_is_not_called_back(self) -> None:
        found = planned(BRIDGE, an_event("call.completed", customer=None))
        assert (found.writes, found.reason) == ((), "withheld")

    def test_a_skipped_record_still_carries_its_flags(self) -> None:
        text = BRIDGE.replace("[callback]", "[contact]")
        (write,) = planned(text, an_event(doNotCall=True)).writes
        assert (write.mode, write.fields, write.flags) == (Mode.UPDATE, {}, {"doNotCall": "DoNotCall"})


class TestSpokenOptOuts:
    TEXT = BRIDGE.replace("skip:", "raise: { doNotCall: { when: { call.disposition: [Do Not Call, DNC] } } }, skip:")
    CALL = an_event("call.completed", disposition="DNC", customer__doNotCall=False)

    def test_a_call_raises_a_flag_although_the_snapshot_says_false(self) -> None:
        found = planned(self.TEXT, self.CALL)
        assert (found.spoken, found.consent["doNotCall"]) == ({"doNotCall"}, False)
        assert writes(found)["contact"].flags == {"doNotCall": "DoNotCall"}

    def test_the_flag_withholds_from_that_event_on(self) -> None:
        found = planned(self.TEXT, self.CALL)
        assert set(writes(found)) == {"contact"}
        assert found.withheld == (Withheld("callback", "", "doNotCall"),)

    @pytest.mark.parametrize("spelling", ["do not call", " DO_NOT_CALL ", "Do-Not-Call.", "DoNotCall", "D.N.C."])
    def test_the_spelling_does_not_matter(self, spelling: str) -> None:
        assert planned(self.TEXT, an_event("call.completed", disposition=spelling)).spoken == {"doNotCall"}

    def test_any_other_call_raises_nothing(self) -> None:
        assert planned(self.TEXT, an_event("call.completed", disposition="Enrolled")).spoken == frozenset()

    def test_a_call_linked_to_nobody_raises_nothing(self) -> None:
        assert planned(self.TEXT, an_event("call.completed", disposition="DNC", customer=None)).spoken == frozenset()

    def test_it_passes_a_filter_as_an_update(self) -> None:
        (write,) = planned(self.TEXT + "filter: { customer.status: Active }\n", self.CALL).writes
        assert (write.mode, write.fields, write.flags) == (Mode.UPDATE, {}, {"doNotCall": "DoNotCall"})

    def test_any_field_of_any_event_may_raise_it(self) -> None:
        text = self.TEXT.replace("call.disposition: [Do Not Call, DNC]", "customer.status: Inactive")
        assert planned(text, an_event("customer.updated", status="Inactive")).spoken == {"doNotCall"}

    def test_an_erasing_one_takes_newer_values_away_as_well(self) -> None:
        text = self.TEXT.replace("raise: { doNotCall", "raise: { doNotSMS").replace(
            "withhold:", "withheld: clear, withhold:"
        )
        assert writes(planned(text, self.CALL))["contact"].fields["MobilePhone"].spoken

    @pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
    def test_every_shipped_mapping_raises_do_not_call_after_such_a_call(self, path: Path) -> None:
        shipped = load(path.read_text(), schema=None, shipped=SHIPPED).mapping
        assert shipped is not None
        found = plan(an_event("call.completed", disposition="Do Not Call"), shipped, timezone=ZONE)
        assert [set(write.flags) for write in found.writes if write.flags] == [{"doNotCall"}]


class TestErasing:
    ERASING = BRIDGE.replace("withhold:", "withheld: clear, withhold:")

    def test_a_withheld_field_is_erased_by_the_event_that_says_no(self) -> None:
        found = planned(self.ERASING, an_event(doNotSMS=True))
        erased = found.writes[0].fields["MobilePhone"]
        assert (erased.value, erased.guards, erased.stamp) == (None, (), found.stamp)
        assert found.withheld == (Withheld("contact", "MobilePhone", "doNotSMS"),)

    def test_an_unknown_flag_erases_as_well(self) -> None:
        assert planned(self.ERASING, an_event(doNotSMS=None)).writes[0].fields["MobilePhone"].erases

    def test_it_is_erased_whether_or_not_the_event_holds_a_value(self) -> None:
        assert planned(self.ERASING, an_event(doNotSMS=True, phoneNumber=None)).writes[0].fields["MobilePhone"].erases

    def test_nothing_is_erased_while_the_flag_is_false(self) -> None:
        assert planned(self.ERASING, an_event()) == planned(BRIDGE, an_event())

    def test_what_a_filter_drops_is_still_erased_as_an_update(self) -> None:
        text = self.ERASING + "filter: { customer.status: Lead }\n"
        (write,) = planned(text, an_event(status="Active", doNotSMS=None)).writes
        assert (write.mode, set(write.fields), write.flags) == (Mode.UPDATE, {"MobilePhone"}, {})

    def test_a_field_of_a_record_that_some_events_never_reach_is_left(self) -> None:
        text = mapping_text(consent=CONSENT.replace("contact.MobilePhone", "callback.Subject"), records=CALLBACK)
        text = text.replace("withhold:", "withheld: clear, withhold:")
        call = writes(planned(text, an_event("call.completed", customer__doNotSMS=True)))["callback"]
        assert "Subject" not in call.fields


class TestFilters:
    FILTERED = BRIDGE + "filter: { customer.status: Lead }\n"

    def test_what_is_filtered_away_asks_for_nothing(self) -> None:
        found = planned(self.FILTERED, an_event(status="Active"))
        assert (found.writes, found.reason) == ((), "filtered")

    def test_a_raised_flag_passes_the_filter_as_an_update(self) -> None:
        (write,) = planned(self.FILTERED, an_event(status="Active", doNotCall=True)).writes
        assert (write.mode, write.fields, write.flags) == (Mode.UPDATE, {}, {"doNotCall": "DoNotCall"})

    def test_a_raised_flag_passes_the_records_own_condition(self) -> None:
        text = mapping_text(
            consent=CONSENT.replace("skip: { doNotCall: [callback] },", ""), record="when: { customer.state: CA }"
        )
        text = text.replace("withhold: { doNotSMS: [contact.MobilePhone] },", "")
        (write,) = planned(text, an_event(doNotSMS=True)).writes
        assert (write.mode, write.flags) == (Mode.UPDATE, {"doNotSMS": "Do_Not_Text__c"})

    def test_a_condition_on_a_call_reads_as_absent_elsewhere(self) -> None:
        text = mapping_text(top="filter: { not: { call.endedReason: [busy, failed] } }")
        assert planned(text, an_event("customer.updated")).writes
        assert planned(text, an_event("call.completed", endedReason="busy")).writes == ()


class TestUnsubscribing:
    def test_a_raised_flag_opts_the_address_out(self) -> None:
        (write,) = planned(HUBSPOT, an_event(doNotEmail=True, email="Marcus@Example.com"), schema="hubspot").writes
        assert write.unsubscribe == "marcus@example.com"
        assert "email" not in write.fields

    def test_it_passes_the_filter(self) -> None:
        (write,) = planned(HUBSPOT, an_event("customer.created", doNotEmail=True), schema="hubspot").writes
        assert (write.mode, write.unsubscribe) == (Mode.UPDATE, "marcus.delacroix@example.com")

    def test_nobody_is_opted_out_without_a_flag(self) -> None:
        (write,) = planned(HUBSPOT, an_event(doNotEmail=None), schema="hubspot").writes
        assert write.unsubscribe is None

    def test_there_is_nothing_to_opt_out_without_an_address(self) -> None:
        (write,) = planned(HUBSPOT, an_event(doNotEmail=True, email=None), schema="hubspot").writes
        assert write.unsubscribe is None


class TestTestCustomers:
    def test_they_are_dropped_flags_and_all(self) -> None:
        found = planned(BRIDGE, an_event(testCustomer=True, doNotCall=True))
        assert (found.writes, found.reason) == ((), "test customer")

    def test_they_are_dropped_from_calls(self) -> None:
        assert planned(BRIDGE, an_event("call.completed", customer__testCustomer=True)).reason == "test customer"

    def test_they_may_be_allowed(self) -> None:
        assert planned(BRIDGE + "test_customers: allow\n", an_event(testCustomer=True)).writes


class TestTimeZones:
    TEXT = mapping_text("Birthdate: { from: customer.updatedAt, format: date }")

    def date(self, *, customer: str | None, agency: str) -> object:
        event = an_event(updatedAt="2026-06-18T02:00:00Z", timezone=customer)
        return planned(self.TEXT, event, timezone=agency).writes[0].fields["Birthdate"].value

    def test_a_date_is_the_customers(self) -> None:
        assert self.date(customer="America/Phoenix", agency="UTC") == "2026-06-17"

    def test_a_customer_without_a_zone_is_dated_where_the_agency_is(self) -> None:
        assert self.date(customer=None, agency="America/Chicago") == "2026-06-17"
        assert self.date(customer=None, agency="Asia/Tokyo") == "2026-06-18"

    def test_a_customer_with_an_unknown_zone_as_well(self) -> None:
        assert self.date(customer="Mars/Olympus", agency="Asia/Tokyo") == "2026-06-18"


class TestPurity:
    def test_the_same_event_gives_the_same_plan(self) -> None:
        bridge: Mapping = compiled(BRIDGE)
        event = an_event("call.completed")
        assert plan(event, bridge, timezone=ZONE) == plan(event, bridge, timezone=ZONE)

    def test_when_it_arrived_does_not_matter(self) -> None:
        bridge, event = compiled(BRIDGE), an_event()
        later = replace(event, received_at=event.received_at + 1)
        assert plan(event, bridge, timezone=ZONE) == plan(later, bridge, timezone=ZONE)

    def test_no_value_is_shown_by_a_plan(self) -> None:
        shown = repr(planned(BRIDGE, an_event("call.completed", customer__doNotSMS=True)))
        assert "Delacroix" not in shown
        assert "3128471928" not in shown

    def test_every_flag_of_the_catalogue_is_told(self) -> None:
        assert set(planned(BRIDGE, an_event()).consent) == set(FLAGS)

    def test_a_write_is_made_of_field_writes(self) -> None:
        (write,) = planned(BRIDGE, an_event()).writes
        assert all(isinstance(field, FieldWrite) for field in write.fields.values())
