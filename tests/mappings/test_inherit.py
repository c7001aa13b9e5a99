"""What `extends` keeps, adjusts, replaces and drops."""

from __future__ import annotations

from connector.mapping.diagnostics import Severity
from connector.mapping.planning import plan
from connector.model import Rule
from tests.mappings.build import SHIPPED, ZONE, an_event, compiled, load, sent


def own(text: str) -> str:
    return "extends: salesforce-lead\n" + text


def fields(text: str) -> str:
    return own("records:\n  lead:\n    fields:\n" + "".join(f"      {line}\n" for line in text.splitlines()))


LEAD = an_event(status="Lead")


class TestExtends:
    def test_a_field_given_a_source_is_replaced(self) -> None:
        assert sent(fields("Company: customer.city"), LEAD)["Company"] == "Mesa"

    def test_a_replaced_field_keeps_no_modifier(self) -> None:
        (write,) = plan(LEAD, compiled(fields("LeadSource: { value: Web }")), timezone=ZONE).writes
        assert write.fields["LeadSource"].rule is Rule.ALWAYS

    def test_a_field_given_modifiers_is_adjusted(self) -> None:
        (write,) = plan(LEAD, compiled(fields("Email: { write: if_blank }")), timezone=ZONE).writes
        assert (write.fields["Email"].value, write.fields["Email"].rule) == (
            "marcus.delacroix@example.com",
            Rule.IF_BLANK,
        )

    def test_other_fields_are_inherited(self) -> None:
        assert sent(fields("City: customer.city"), LEAD)["Rating"] == "Hot"

    def test_a_removed_field_is_not_sent(self) -> None:
        assert "Rating" not in sent(fields("remove: [Rating]"), LEAD)

    def test_a_record_may_remove_its_fields_too(self) -> None:
        assert "Rating" not in sent(own("records: { lead: { remove: [Rating] } }"), LEAD)

    def test_a_removed_field_is_no_longer_withheld(self) -> None:
        assert "MobilePhone" not in sent(fields("remove: [MobilePhone]"), LEAD)

    def test_a_misspelt_removal_is_an_error(self) -> None:
        (found,) = load(fields("remove: [Ratting]")).diagnostics
        assert (found.code, found.severity, found.hint) == ("M110", Severity.ERROR, "did you mean 'Rating'?")

    def test_removing_what_is_not_there_is_a_warning(self) -> None:
        (found,) = load(fields("remove: [Medicare_Part_A__c]")).diagnostics
        assert (found.code, found.severity) == ("M110", Severity.WARNING)

    def test_a_condition_is_replaced_whole(self) -> None:
        event = an_event(status="Active")
        assert plan(event, compiled(own("filter: { customer.state: AZ }")), timezone=ZONE).writes

    def test_a_record_is_dropped_among_the_records_and_stays_guarded_until_then(self) -> None:
        loaded = load(contact("remove: [callback]\n"), shipped=SHIPPED, schema=None)
        (found,) = (found for found in loaded.diagnostics if found.severity is Severity.ERROR)
        assert (found.code, found.hint) == ("M110", "write  records: { remove: [callback] }")
        assert loaded.written is None or loaded.written[0].consent.skip["doNotCall"] == ["callback"]

    def test_tests_are_not_inherited(self) -> None:
        assert compiled(own("")).tests == ()

    def test_a_table_entry_is_changed_and_the_others_inherited(self) -> None:
        text = "extends: salesforce-contact\ntables: { status: { Inactive: Working } }\n"
        assert sent(text, an_event(status="Inactive"))["Status__c"] == "Working"
        assert sent(text, an_event(status="Lead"))["Status__c"] == "Open - Not Contacted"

    def test_a_flag_may_move_from_waived_to_carried(self) -> None:
        text = own("consent: { flags: { doNotMail: lead.Do_Not_Mail__c }, waive: [] }\n")
        assert compiled(text).flags["doNotMail"] == ("lead", "Do_Not_Mail__c")

    def test_the_condition_that_raises_a_flag_is_replaced_whole(self) -> None:
        assert (spoken("Opted Out", RAISES), spoken("DNC", RAISES)) == ({"doNotCall"}, set())

    def test_a_flag_that_an_event_raises_may_be_dropped(self) -> None:
        assert (spoken("DNC", ""), spoken("DNC", "consent: { raise: { remove: [doNotCall] } }")) == (
            {"doNotCall"},
            set(),
        )

    def test_an_inherited_condition_that_no_longer_applies_is_a_warning(self) -> None:
        calls_left_out = contact(
            "events: [customer.created, customer.updated]\nrecords: { remove: [call, callback] }\n"
        )
        waived = contact("consent: { flags: { remove: [doNotCall] }, waive: [doNotCall] }\n")
        for text, code in ((calls_left_out, "M102"), (waived, "M222")):
            loaded = load(text, shipped=SHIPPED, schema=None)
            assert (code, Severity.WARNING) in {(found.code, found.severity) for found in loaded.diagnostics}
            assert loaded.mapping is not None


RAISES = "consent: { raise: { doNotCall: { when: { call.disposition: Opted Out } } } }\n"


def contact(text: str) -> str:
    return "extends: salesforce-contact\n" + text


def spoken(disposition: str, text: str) -> set[str]:
    """The flags a call raises with a mapping laid over the shipped one for contacts."""
    loaded = load(contact(text), shipped=SHIPPED, schema=None)
    assert loaded.mapping is not None
    return set(plan(an_event("call.completed", disposition=disposition), loaded.mapping, timezone=ZONE).spoken)
