"""A field that only moves forward: its list, and what of an event is on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connector.destinations import VENDORS
from connector.mapping import load_text
from connector.mapping.target import Option
from connector.model import FieldWrite, Rule
from tests.mappings.build import SCHEMAS, SHARED, an_event, found_and_marked, load, mapping_text, planned

TABLE = "from: customer.status, table: { Lead: New, Active: Working, Inactive: null }"
HUBSPOT = """\
version: 1
crm: hubspot
consent: { waive: [doNotCall, doNotSMS, doNotEmail, doNotMail] }
records:
  contact:
    object: contacts
    key: { carecycle_id: customer.id }
    fields:
      lastname: customer.lastName
      lifecyclestage:
        from: customer.status
        table: { Lead: lead, Active: customer, Inactive: null }
        write: forward
        order: %s
"""
SLIPS = {
    "no list": (f"A__c: {{ {TABLE}, write: §forward }}", "M162", "add  order: [<first value>, ..., <last value>]"),
    "a list for another rule": (f"A__c: {{ {TABLE}, §order: [New] }}", "M162", "add  write: forward  or remove it"),
    "a value twice": (f"A__c: {{ {TABLE}, write: forward, order: [New, Working, §new] }}", "M162", "keep one"),
    "an entry that is not on the list": (
        f"A__c: {{ {TABLE.replace('Working', '§Workin')}, write: forward, order: [New, Working] }}",
        "M162",
        "did you mean 'Working'?",
    ),
    "a default that is not on the list": (
        f"A__c: {{ {TABLE}, default: §Open, write: forward, order: [New, Working] }}",
        "M162",
        "add it, or use one of: New, Working",
    ),
    "a case that gives something else": (
        "A__c: { cases: [{ when: { customer.veteran: true }, then: { value: §Vet } }], write: forward, order: [New] }",
        "M162",
        "add it, or use one of: New",
    ),
    "free text": (
        "A__c: §{ from: call.disposition, write: forward, order: [Callback, Enrolled] }",
        "M162",
        "add a table: with else:  whose values are in the list",
    ),
    "erasing": (
        f"A__c: {{ {TABLE}, §if_null: clear, write: forward, order: [New, Working] }}",
        "M162",
        "remove it",
    ),
}  # fmt: skip


def write_of(field: str, **given: Any) -> FieldWrite | None:
    (write,) = planned(mapping_text(field), an_event(**given), schema=None).writes
    return write.fields.get("A__c")


class TestASlip:
    @pytest.mark.parametrize(("field", "code", "hint"), SLIPS.values(), ids=SLIPS)
    def test_is_found_where_it_stands(self, field: str, code: str, hint: str) -> None:
        found, marked = found_and_marked(mapping_text(field), schema=None)
        assert (code, *marked[0]) in found
        assert hint in [one.hint for one in load(mapping_text(field.replace("§", "")), schema=None).diagnostics]

    def test_of_a_value_that_the_picklist_does_not_offer(self) -> None:
        text = mapping_text("Status__c: { value: New, write: forward, order: [New, §Enroled] }")
        found, marked = found_and_marked(text)
        assert ("M204", *marked[0]) in found

    def test_of_a_name_that_people_see_in_the_crm(self) -> None:
        portal = SCHEMAS["hubspot"].model_copy(deep=True)
        stage = portal.objects["contacts"].fields["lifecyclestage"]
        seen = (*stage.options, Option(value="salesqualifiedlead", label="Sales Qualified Lead"))
        portal.objects["contacts"].fields["lifecyclestage"] = stage.model_copy(update={"options": seen})
        text = HUBSPOT % "[lead, Sales Qualified Lead, customer]"
        loaded = load_text(text, "it.yaml", schema=portal, shipped=SHARED, crms=VENDORS)
        hints = [one.hint for one in loaded.diagnostics if one.code == "M204"]
        assert hints == ["that is what people see: its value is 'salesqualifiedlead'"]

    def test_of_an_order_that_the_crm_has_otherwise(self) -> None:
        loaded = load(HUBSPOT % "[customer, lead]", schema="hubspot")
        hints = [one.hint for one in loaded.diagnostics if one.code == "M214"]
        assert hints == ["write them as  [lead, customer]"]

    def test_is_no_list_left_behind_by_another_rule_for_an_inherited_field(self, tmp_path: Path) -> None:
        base = mapping_text(f"Status__c: {{ {TABLE}, write: forward, order: [New, Working] }}")
        (tmp_path / "base.yaml").write_text(base)
        adjusted = "records: { contact: { fields: { Status__c: { write: always } } } }"
        text = f"version: 1\ncrm: salesforce\nextends: base\n{adjusted}"
        assert "M162" not in [one.code for one in load(text, schema=None, shipped=tmp_path).diagnostics]


class TestAnEvent:
    FIELD = f"A__c: {{ {TABLE}, write: forward, order: [New, Working, Enrolled] }}"

    def test_says_a_value_with_its_list(self) -> None:
        made = write_of(self.FIELD, status="Active")
        assert made is not None
        assert (made.value, made.rule, made.order) == ("Working", Rule.FORWARD, ("New", "Working", "Enrolled"))

    def test_says_it_as_the_list_spells_it(self) -> None:
        made = write_of(self.FIELD.replace("order: [New, W", "order: [New, w"), status="Active")
        assert made is not None
        assert made.value == "working"

    def test_says_nothing_that_is_not_on_the_list(self) -> None:
        assert (
            write_of("A__c: { from: customer.status, write: forward, order: [Lead, Active, Inactive] }", status="VIP")
            is None
        )
