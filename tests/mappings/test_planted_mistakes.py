"""Every check finds its planted mistake, where it stands, and nothing else."""

from __future__ import annotations

import pytest

from connector.mapping import render
from connector.mapping.diagnostics import Severity
from connector.mapping.formats import FORMATS
from tests.mappings.build import CALL, WAIVED, findings, found_and_marked, load, mapping_text

FIELD = {
    "a field the event does not have": ("FirstName: §customer.fristName", "M101"),
    "a bare word that is no field": ("FirstName: §Unknown", "M101"),
    "a misspelt field in a list": ("FirstName: { from: [customer.firstName, §customer.nickname] }", "M101"),
    "a misspelt field in a template": ('FirstName: { template: §"{customer.fristName}" }', "M101"),
    "a misspelt field in a condition": (
        "FirstName: { from: customer.firstName, when: { §customer.stat: Lead } }",
        "M101",
    ),
    "an unknown key": ("FirstName: { from: customer.firstName, §tabel: x }", "M110"),
    "a number where text is expected": ("FirstName: { from: customer.firstName, note: §5 }", "M110"),
    "two sources": ("FirstName: §{ from: customer.firstName, value: x }", "M111"),
    "no source": ("FirstName: §{ cut: true }", "M111"),
    "a number as a source": ("FirstName: §5", "M111"),
    "a case without then": ("FirstName: { cases: [§{ when: { customer.veteran: true } }] }", "M111"),
    "else before the last case": ("FirstName: §{ cases: [{ else: customer.city }, { else: customer.state }] }", "M111"),
    "a bracket left open": ('FirstName: { template: §"{customer.firstName" }', "M120"),
    "a bracket never opened": ('FirstName: { template: §"x] {customer.firstName}" }', "M120"),
    "an optional part that never vanishes": ('FirstName: { template: §"[x] {customer.state}" }', "M120"),
    "an unknown format": ("FirstName: { from: customer.firstName, format: §uper }", "M121"),
    "an unknown format in a template": ('FirstName: { template: §"{customer.state|uper}" }', "M121"),
    "a format of another type": ("FirstName: { from: customer.firstName, format: §seconds }", "M122"),
    "a cut lookup": ("OwnerId: { lookup: { object: User, match: { Email: customer.email } }, §cut: true }", "M122"),
    "an impossible enum value": (
        "FirstName: { from: customer.firstName, when: { customer.lineType: §moblie } }",
        "M133",
    ),
    "an impossible one among several": (
        "FirstName: { from: customer.firstName, when: { customer.status: [Lead, §Closed] } }",
        "M133",
    ),
    "text compared with a number": (
        "FirstName: { from: customer.firstName, when: { customer.postalCode: §85204 } }",
        "M133",
    ),
    "a comparison with null": ("FirstName: { from: customer.firstName, when: { customer.city: §null } }", "M133"),
    "a day within nothing": (
        "FirstName: { from: customer.firstName, when: { customer.dateOfBirth: { within: §null } } }",
        "M133",
    ),
    "a field that exists or not": (
        "FirstName: { from: customer.firstName, when: { customer.city: { exists: §null } } }",
        "M133",
    ),
    "a field compared with nothing": (
        "FirstName: { from: customer.firstName, when: { customer.city: §{} } }",
        "M133",
    ),
    "text put in order": (
        "FirstName: { from: customer.firstName, when: { customer.city: { more_than: §A } } }",
        "M133",
    ),
    "a group compared": ("FirstName: { from: customer.firstName, when: { customer.assignedUser: §x } }", "M133"),
    "a ref to no record": ("OwnerId: { ref: §contract }", "M140"),
    "a table that does not exist": ("FirstName: { from: customer.status, table: §stat }", "M150"),
    "an enum value without entry": ("FirstName: { from: customer.status, table: §{ Lead: a, Active: b } }", "M151"),
    "an entry that never comes": (
        "FirstName: { from: customer.status, table: { Lead: a, Active: b, Inactive: c, §Gone: d } }",
        "M152",
    ),
    "free text without else": ("FirstName: { from: customer.city, table: §{ Mesa: a } }", "M153"),
    "an unknown write rule": ("FirstName: { from: customer.firstName, write: §on_creat }", "M160"),
    "a rule that costs one read": ("FirstName: { from: customer.firstName, write: §if_blank }", "M161"),
    "an unknown target": ("§FristName: customer.firstName", "M201"),
    "a lookup by an unknown field": (
        "OwnerId: { lookup: { object: User, match: { §Emial: customer.email } } }",
        "M201",
    ),
    "a lookup by nothing": ("OwnerId: { lookup: §{ object: User } }", "M111"),
    "a lookup by a flag alone": ("OwnerId: { lookup: §{ object: User, where: { IsActive: true } } }", "M111"),
    "a lookup by one field twice": (
        "OwnerId: { lookup: §{ object: User, match: { Email: customer.email }, where: { Email: x } } }",
        "M111",
    ),
    "a lookup that says what is missing too late": (
        "OwnerId: { lookup: §{ object: User, match: { Email: customer.email }, "
        "else: { lookup: { object: User, where: { Email: x }, missing: wait } } } }",
        "M111",
    ),
    "a lookup with nothing else to take": (
        "OwnerId: { lookup: { object: User, match: { Email: customer.email }, else: §{} } }",
        "M111",
    ),
    "a lookup by fixed text taken for a field": (
        "OwnerId: { lookup: { object: User, match: { Email: §priya } } }",
        "M101",
    ),
    "a lookup by a field's name": (
        "OwnerId: { lookup: { object: User, where: { Email: §customer.email } } }",
        "M112",
    ),
    "a lookup by a field's name in braces": (
        'OwnerId: { lookup: { object: User, where: { Email: §"{customer.agentName}@x.com" } } }',
        "M112",
    ),
    "a lookup by a fixed value where a field is expected": (
        "OwnerId: { lookup: { object: User, match: { Email: §{ value: priya } } } }",
        "M110",
    ),
    "a lookup else by an unknown field": (
        "OwnerId: { lookup: { object: User, match: { Email: customer.email }, "
        "else: { lookup: { object: User, where: { §Emial: x } } } } }",
        "M201",
    ),
    "a lookup by text that is a number": ("OwnerId: { lookup: { object: User, where: { Email: §5 } } }", "M202"),
    "a lookup with something else that is no id": (
        "OwnerId: §{ lookup: { object: User, match: { Email: customer.email }, else: { value: queue } } }",
        "M207",
    ),
    "a lookup in an unknown object": (
        "OwnerId: { lookup: { object: §Users, match: { Email: customer.email } } }",
        "M200",
    ),
    "text into a date": ("Birthdate: §customer.city", "M202"),
    "a timestamp into a date": ("Birthdate: §customer.createdAt", "M202"),
    "text into a number": ("Household_Income__c: §customer.postalCode", "M202"),
    "a number into text": ("FirstName: §customer.householdIncome", "M202"),
    "a group of fields": ("FirstName: §customer.assignedUser", "M202"),
    "a list": ("FirstName: §customer.assignedUser.licensedStates", "M202"),
    "a target that cannot be written": ("§CreatedDate: customer.createdAt", "M203"),
    "a value the picklist does not offer": ("Status__c: §{ value: Open }", "M204"),
    "free text into a picklist": ("Language__c: §customer.language", "M205"),
    "text longer than the target": ("MailingPostalCode: §customer.id", "M206"),
    "a template longer than the target": ('FirstName: §{ template: "the lead {customer.id}" }', "M206"),
    "fixed text of a template longer than the target": (
        'MailingPostalCode: §{ template: "this postal code is of {customer.lastName}" }',
        "M206",
    ),
    "fixed text that may be left out, longer than the target": (
        'MailingPostalCode: §{ template: "{customer.lastName}[ whose city is called {customer.city}]" }',
        "M206",
    ),
    "health information into an ordinary field": ("Description: §customer.mbiNumber", "M210"),
    "health information behind a condition": (
        "Description: §{ cases: [{ when: { customer.hasMedicaid: true }, then: { value: M } }] }",
        "M210",
    ),
    "the key written again": ("§careCycle_Id__c: customer.id", "M222"),
}


class TestFields:
    @pytest.mark.parametrize(("field", "code"), FIELD.values(), ids=FIELD)
    def test_a_mistake_is_found_where_it_stands(self, field: str, code: str) -> None:
        found, marked = found_and_marked(mapping_text(field))
        assert found == [(code, *marked[0])]

    def test_a_mapping_without_mistakes_has_no_findings(self) -> None:
        assert findings(mapping_text("FirstName: customer.firstName")) == []

    def test_a_required_field_that_an_event_of_the_record_lacks(self) -> None:
        assert findings(mapping_text("FirstName: { from: call.callSid, required: true }")) == [("M102", 9, 26)] * 2

    def test_cutting_answers_the_length(self) -> None:
        assert findings(mapping_text("MailingPostalCode: { from: customer.id, cut: true }")) == []

    def test_accepting_aloud_answers_health_information(self) -> None:
        assert findings(mapping_text("Description: { from: customer.mbiNumber, sensitive: accepted }")) == []

    def test_health_information_without_a_schema_is_a_warning(self) -> None:
        (found,) = load(mapping_text("Description: customer.mbiNumber"), schema=None).diagnostics
        assert (found.code, found.severity) == ("M210", Severity.WARNING)

    def test_an_impossible_entry_of_a_named_table_is_found_in_the_table(self) -> None:
        text = mapping_text(
            "FirstName: { from: customer.veteran, table: yesno }",
            top='tables:\n  yesno: { true: "yes", false: "no", maybe: "maybe" }',
        )
        assert ("M152", 12, 38) in findings(text)

    def test_an_unrestricted_picklist_only_warns(self) -> None:
        (found,) = load(mapping_text("LeadSource: { value: Radio }")).diagnostics
        assert (found.code, found.severity) == ("M204", Severity.WARNING)

    @pytest.mark.parametrize("format", sorted(FORMATS))
    @pytest.mark.parametrize("value", ["247000", "-2.5", "x", "true", "'2026-06-17'"])
    def test_any_format_of_any_fixed_value_is_judged(self, value: str, format: str) -> None:
        load(mapping_text(f"Description: {{ value: {value}, format: {format} }}"))


def assert_found(code: str, text: str, **how: str | None) -> None:
    """The text marks every place where this code, and nothing else, is to be found."""
    found, marked = found_and_marked(text, **how)
    assert found == [(code, *place) for place in marked]


class TestRecords:
    def test_an_unknown_object(self) -> None:
        assert_found("M200", mapping_text().replace("object: Contact", "object: §Contract"))

    def test_a_schema_of_another_crm(self) -> None:
        assert_found("M200", mapping_text().replace("crm: ", "crm: §"), schema="hubspot")

    def test_a_key_that_is_not_unique(self) -> None:
        assert_found("M230", mapping_text().replace("careCycle_Id__c", "§Email"))

    def test_hubspot_alone_has_keys_that_are_not_unique(self) -> None:
        assert_found("M110", mapping_text(record="§unique_key: false"))

    def test_a_phone_alone_is_never_a_match(self) -> None:
        assert_found("M230", mapping_text(record="also_match: [ §{ Phone: customer.phoneNumber } ]"))

    @pytest.mark.parametrize(
        "step",
        [
            "Email: customer.email",
            "Email: customer.email, Phone: customer.phoneNumber",
            "Phone: customer.phoneNumber, LastName: customer.lastName",
            "Email: customer.email, LastName: customer.lastName, MailingCity: customer.city",
        ],
    )
    def test_a_step_that_cannot_tell_a_couple_apart(self, step: str) -> None:
        assert_found("M233", mapping_text(record=f"also_match: [ §{{ {step} }} ]"))

    @pytest.mark.parametrize("step", ["LastName: customer.lastName", ""])
    def test_a_step_that_cannot_tell_people_of_one_name_apart(self, step: str) -> None:
        named = ", ".join(filter(None, ["FirstName: customer.firstName", step, "MailingCity: customer.city"]))
        assert_found("M233", mapping_text(record=f"also_match: [ §{{ {named} }} ]"))

    @pytest.mark.parametrize("personal", ["FirstName: customer.firstName", "External_Id__c: customer.externalId"])
    def test_a_step_with_a_fact_that_partners_do_not_share_is_fine(self, personal: str) -> None:
        step = f"also_match: [ {{ Email: customer.email, {personal} }} ]"
        assert findings(mapping_text(record=step)) == findings(mapping_text())

    def test_no_key(self) -> None:
        text = mapping_text().replace("    key: { careCycle_Id__c: customer.id }\n", "")
        assert_found("M231", text.replace("contact:", "§contact:"))

    def test_an_empty_key(self) -> None:
        assert_found(
            "M231", mapping_text().replace("{ careCycle_Id__c: customer.id }", "{}").replace("contact:", "§contact:")
        )

    def test_a_key_that_is_no_block(self) -> None:
        assert_found("M110", mapping_text().replace("{ careCycle_Id__c: customer.id }", "§customer.id"))

    def test_a_required_target_mapped_wrongly_is_told_once(self) -> None:
        assert_found("M111", mapping_text().replace("customer.lastName", "§5"))

    def test_a_record_that_cannot_be_read_is_still_a_record(self) -> None:
        call = CALL.replace("call:\n", "§call:\n").replace("  object: Task\n", "")
        assert_found("M110", mapping_text("OwnerId: { ref: call }", records=call))

    def test_a_table_that_cannot_be_read_is_still_a_table(self) -> None:
        assert_found("M110", mapping_text("FirstName: { from: customer.city, table: t }", top="tables: { t: §5 }"))

    def test_two_keys(self) -> None:
        text = mapping_text().replace("customer.id }", "customer.id, Email: customer.email }")
        assert_found("M231", text.replace("contact:", "§contact:"))

    def test_a_cut_key(self) -> None:
        assert_found("M232", mapping_text().replace("customer.id }", "{ from: customer.id, cut: §true } }"))

    def test_a_key_with_a_default(self) -> None:
        assert_found("M110", mapping_text().replace("customer.id }", "{ from: customer.id, §default: x } }"))

    def test_a_required_target_that_is_not_mapped(self) -> None:
        text = mapping_text().replace("LastName: customer.lastName", "FirstName: customer.firstName")
        assert_found("M240", text.replace("fields:", "§fields:"))

    def test_an_update_needs_no_required_target(self) -> None:
        text = mapping_text(record="mode: update").replace("LastName: customer.lastName", "Email: customer.email")
        assert findings(text) == []

    def test_records_that_point_at_each_other(self) -> None:
        call = CALL + "    WhoId: { ref: §contact }"
        text = mapping_text("OwnerId: { ref: §call }", record="events: [call.completed]", records=call)
        assert_found("M140", text)

    def test_an_event_the_file_does_not_run_on(self) -> None:
        record = "events: [customer.created, §call.completed]"
        assert_found("M102", mapping_text(record=record, top="events: [customer.created]"))

    def test_a_filter_on_a_field_the_file_never_sees(self) -> None:
        top = "events: [customer.created]\nfilter: { §call.disposition: Enrolled }"
        assert_found("M102", mapping_text(top=top))

    def test_an_association_to_no_record(self) -> None:
        text = mapping_text(record="associate: [§deal]").replace("crm: salesforce", "crm: hubspot")
        assert_found("M140", text, schema=None)

    def test_an_association_in_salesforce(self) -> None:
        assert_found("M110", mapping_text(record="§associate: [call]", records=CALL))


def waiving(section: str) -> str:
    """A mapping that waives every flag and says something else of consent."""
    return mapping_text(consent=WAIVED.replace(" }", f", {section} }}"))


def flagging(target: str, *fields: str, more: str = "", record: str = "", records: str = "") -> str:
    """A mapping that carries doNotEmail and waives the others."""
    consent = f"{{ flags: {{ doNotEmail: {target} }}, {more} waive: [doNotSMS, doNotCall, doNotMail] }}"
    return mapping_text(*fields, consent=consent, record=record, records=records)


def raising(when: str) -> str:
    """A mapping that carries doNotEmail and raises it itself."""
    return flagging("contact.HasOptedOutOfEmail", more=f"raise: {{ doNotEmail: {{ when: {when} }} }},")


class TestConsent:
    def test_flags_that_are_never_carried(self) -> None:
        assert findings(mapping_text(consent="{ waive: [doNotCall, doNotSMS] }")) == [("M221", 1, 1), ("M221", 1, 1)]

    def test_a_flag_carried_wrongly_is_told_once(self) -> None:
        assert_found("M110", flagging("§5"))

    def test_a_flag_to_unsubscribe_that_is_never_carried(self) -> None:
        text = waiving("unsubscribe: [§doNotEmail]").replace("crm: salesforce", "crm: hubspot")
        assert_found("M221", text, schema=None)

    def test_an_unknown_flag(self) -> None:
        assert_found("M220", mapping_text(consent=WAIVED.replace("]", ", §doNotFax]")))

    def test_an_unknown_flag_that_withholds(self) -> None:
        assert_found("M220", waiving("withhold: { §doNotCal: [contact.LastName] }"))

    def test_withholding_a_field_that_is_not_mapped(self) -> None:
        assert_found("M220", waiving("withhold: { doNotCall: [§contact.Phone] }"))

    def test_skipping_no_record(self) -> None:
        assert_found("M140", waiving("skip: { doNotCall: [§callback] }"))

    def test_a_flag_written_by_a_field_as_well(self) -> None:
        assert_found("M222", flagging("§contact.DoNotCall", "DoNotCall: customer.doNotCall"))

    def test_a_flag_carried_and_waived(self) -> None:
        text = waiving("flags: { doNotCall: contact.DoNotCall }")
        assert_found("M222", text.replace("[doNotCall", "[§doNotCall"))

    def test_a_condition_that_raises_an_unknown_flag(self) -> None:
        assert_found("M220", waiving("raise: { §doNotPhone: { when: { call.disposition: DNC } } }"))

    def test_a_condition_that_raises_a_waived_flag(self) -> None:
        assert_found("M222", waiving("raise: { §doNotCall: { when: { call.disposition: DNC } } }"))

    def test_a_condition_that_raises_a_flag_no_record_carries(self) -> None:
        text = waiving("raise: { §doNotCall: { when: { call.disposition: DNC } } }").replace("[doNotCall, ", "[")
        assert ("M221", 3) in {(code, line) for code, line, _ in found_and_marked(text)[0]}

    def test_a_condition_on_an_unknown_field_raises_a_flag(self) -> None:
        assert_found("M101", raising("{ §call.dispositon: DNC }"))

    def test_a_condition_that_can_never_raise_its_flag(self) -> None:
        assert_found("M133", raising("{ customer.status: §Gone }"))

    def test_a_condition_on_a_call_in_a_file_that_never_runs_on_calls(self) -> None:
        assert_found("M102", raising("{ §call.disposition: DNC }") + "events: [customer.created, customer.updated]\n")

    def test_an_empty_condition_that_would_raise_everybodys_flag(self) -> None:
        assert_found("M133", raising("§{}"))

    def test_a_field_compared_with_nothing_that_would_raise_everybodys_flag(self) -> None:
        assert_found("M133", raising("{ call.disposition: §{} }"))

    def test_a_flag_raised_on_no_condition(self) -> None:
        assert_found("M110", flagging("contact.HasOptedOutOfEmail", more="raise: { §doNotEmail: {} },"))

    def test_a_flag_on_a_record_that_some_events_never_reach(self) -> None:
        found, (marked,) = found_and_marked(flagging("§call.DoNotEmail", records=CALL), schema=None)
        assert found == [("M223", *marked)] * 2

    def test_a_flag_on_a_record_that_is_only_created(self) -> None:
        assert_found("M223", flagging("§contact.HasOptedOutOfEmail", record="mode: create"))

    def test_a_flag_into_an_unknown_field(self) -> None:
        assert_found("M201", flagging("§contact.HasOptedOut"))

    def test_a_flag_into_text(self) -> None:
        assert_found("M202", flagging("§contact.Suffix"))

    def test_a_flag_into_a_field_that_cannot_be_written(self) -> None:
        found, (marked,) = found_and_marked(flagging("§contact.CreatedDate"))
        assert found == [("M203", *marked), ("M202", *marked)]

    def test_a_flag_of_no_record(self) -> None:
        assert_found("M140", flagging("§contct.HasOptedOutOfEmail"))

    def test_a_phone_and_an_email_with_no_word_of_their_flags(self) -> None:
        text = mapping_text("Phone: customer.phoneNumber", "Email: customer.email", consent="{ waive: [doNotMail] }")
        assert [code for code, _, _ in findings(text)] == ["M221"] * 3

    def test_an_unknown_word_for_what_is_withheld(self) -> None:
        assert_found("M110", waiving("withheld: §erase"))

    @pytest.mark.parametrize(
        ("field", "records", "record"),
        [
            ("contact.Phone: { from: customer.phoneNumber, write: if_blank }", "", ""),
            ("contact.Phone: { from: customer.phoneNumber, write: on_create }", "", ""),
            ("contact.Phone: customer.phoneNumber", "", "mode: create"),
            ("contact.Phone: customer.phoneNumber", "", "events: [customer.created]"),
            ("call.Status:", CALL, ""),
        ],
        ids=["written if blank", "written once", "only created", "on one event", "of a call"],
    )
    def test_a_field_that_is_withheld_but_never_erased(self, field: str, records: str, record: str) -> None:
        target, _, source = field.partition(": ")
        consent = WAIVED.replace("{", f"{{ withheld: clear, withhold: {{ doNotCall: [§{target.rstrip(':')}] }},")
        fields = [f"Phone: {source}"] if source else []
        found, (marked,) = found_and_marked(mapping_text(*fields, consent=consent, records=records, record=record))
        assert ("M224", *marked) in found

    def test_a_required_field_that_is_to_be_erased(self) -> None:
        assert_found("M224", waiving("withheld: clear, withhold: { doNotCall: [§contact.LastName] }"))

    def test_unsubscribing_in_salesforce(self) -> None:
        assert_found("M110", flagging("contact.HasOptedOutOfEmail", more="§unsubscribe: [doNotEmail],"))


class TestOwnTests:
    def test_a_test_that_changes_the_type_of_the_event(self) -> None:
        test = "{ name: x, event: customer.created, given: { §event.type: A }, expect: { contact: none } }"
        assert_found("M101", mapping_text(top=f"tests: [ {test} ]"))

    def test_a_test_that_changes_an_unknown_field(self) -> None:
        test = "{ name: x, event: customer.created, given: { §frstName: A }, expect: { contact: none } }"
        assert_found("M101", mapping_text(top=f"tests: [ {test} ]"))

    def test_a_test_that_expects_an_unknown_record(self) -> None:
        test = "{ name: x, event: customer.created, expect: { §contract: none } }"
        assert_found("M140", mapping_text(top=f"tests: [ {test} ]"))


class TestYaml:
    def test_not_yaml(self) -> None:
        assert_found("Y001", "version: 1\ncrm: §[a\n")

    def test_a_key_written_twice(self) -> None:
        assert_found("Y002", mapping_text("§LastName: customer.firstName"))

    def test_a_word_that_was_once_a_boolean(self) -> None:
        assert_found("Y003", mapping_text("FirstName: { value: §yes }"))

    def test_an_anchor(self) -> None:
        assert_found("Y004", mapping_text("FirstName: §&a customer.firstName"))

    def test_an_alias(self) -> None:
        assert_found("Y004", mapping_text("FirstName: { from: customer.firstName, note: §*a }"))

    def test_a_tag(self) -> None:
        assert_found("Y004", mapping_text("FirstName: { value: §!!str x }"))


class TestShowing:
    def test_a_finding_shows_its_line_a_caret_and_a_hint(self) -> None:
        loaded = load(mapping_text("FirstName: customer.fristName"))
        assert render(loaded.diagnostics, loaded.texts).splitlines() == [
            "it.yaml:9:18: error[M101] no event has a field 'customer.fristName'",
            "    |       FirstName: customer.fristName",
            "    |                  ^",
            "    = hint: did you mean 'customer.firstName'?",
            "it.yaml: 1 error",
        ]
