"""What would be read without a word and cannot mean what it says is a finding, with what to write instead."""

from __future__ import annotations

import pytest

from tests.mappings.build import found_and_marked, load, mapping_text

SLIPS = {
    "a field's name as a value": ("A__c: { value: §customer.city }", "M112", "write  from: customer.city"),
    "a field's name as a template": ("A__c: { template: §customer.city }", "M112", "write  from: customer.city"),
    "a field in braces as a value": (
        'A__c: { value: §"in {customer.city|upper}" }',
        "M112",
        'write  template: "in {customer.city|upper}"',
    ),
    "braces of another language": (
        'A__c: { value: §"{{customer.city}}" }',
        "M112",
        'write  template: "{{customer.city}}"',
    ),
    "a field's name as a default": (
        "A__c: { from: customer.county, default: §customer.city }",
        "M112",
        "name it last:  from: [..., customer.city]",
    ),
    "a value that is null": ("A__c: { value: §null }", "M112", "to empty a field write  if_null: clear"),
    "capitals after a format without any": (
        "A__c: { value: x, when: { call.disposition: { format: lower, in: [busy, §Voicemail Left] } } }",
        "M133",
        "write  voicemail left",
    ),
    "small letters after a format of capitals": (
        "A__c: { value: x, when: { customer.city: { format: [trim, upper], starts_with: §Me } } }",
        "M133",
        "write  ME",
    ),
    "a date of birth in the days to come": (
        "A__c: { value: x, when: { customer.dateOfBirth: { §within: { next: 7 months } } } }",
        "M133",
        "for the day somebody turns 65 write  format: [plus: 65 years]  before  within:",
    ),
    "a state in words": ("A__c: { value: x, when: { customer.state: §Arizona } }", "M133", "write 'AZ'"),
    "a state in small letters": ("A__c: { value: x, when: { customer.state: §az } }", "M133", "write 'AZ'"),
    "a state that is none": (
        "A__c: { value: x, when: { customer.state: { in: [AZ, §Mexico] } } }",
        "M133",
        "it is 2-letter US abbreviation",
    ),
    "a language in capitals": ("A__c: { value: x, when: { customer.language: §EN } }", "M133", "write 'en'"),
    "a state in words among an agent's": (
        "A__c: { value: x, when: { customer.assignedUser.licensedStates: { contains: §Arizona } } }",
        "M133",
        "write 'AZ'",
    ),
    "a code that is no state's": (
        "A__c: { value: x, when: { customer.state: §ZA } }",
        "M133",
        "it is 2-letter US abbreviation",
    ),
    "a language in words": ("A__c: { value: x, when: { customer.language: §Spanish } }", "M133", "write 'es'"),
    "a phone number as people write it": (
        'A__c: { value: x, when: { customer.phoneNumber: §"(312) 847-1928" } }',
        "M133",
        "write '+13128471928'",
    ),
    "a length of time with its unit": (
        "A__c: { value: x, when: { call.durationMs: { at_least: §2 minutes } } }",
        "M133",
        "write  120000",
    ),
    "several values in one text": (
        "A__c: { value: x, when: { customer.status: §Active or Lead } }",
        "M133",
        "write  [Active, Lead]",
    ),
    "a date as people write it": (
        'A__c: { value: x, when: { customer.dateOfBirth: { less_than: §"Jan 2, 1961" } } }',
        "M133",
        "write  1961-01-02",
    ),
    "a condition as a formula": (
        "A__c: { value: x, when: §customer.city != Mesa }",
        "M110",
        "write  { customer.city: { not: Mesa } }",
    ),
    "two fields compared": (
        "A__c: { value: x, when: { customer.city: §customer.county } }",
        "M133",
        "write a value",
    ),
    "an entry in capitals": (
        "A__c: { from: customer.language, table: { §EN: English, else: Other } }",
        "M152",
        "write 'en'",
    ),
    "entries that are ranges": (
        "A__c: { from: customer.householdIncome, table: { §0-20000: low, else: high } }",
        "M152",
        "write  bands: { 0: low, 20001: high, else: high }  in place of the table",
    ),
    "an entry in the letters of a format, which comes later": (
        "A__c: { from: customer.language, format: upper, table: { §EN: English, else: Other } }",
        "M152",
        "write 'en'",
    ),
    "entries that differ in quotation marks and spaces": (
        """A__c: { from: call.disposition, table: { "Don't call": a, §"Don\u2019t  call": b, else: c } }""",
        "M154",
        "a table tells them apart",
    ),
    "an entry for empty text": (
        'A__c: { from: customer.city, table: { §"": none, else: some } }',
        "M152",
        "for no value write  default:",
    ),
    "an entry with a space": (
        'A__c: { from: customer.state, table: { §"AZ ": Arizona, else: Other } }',
        "M152",
        "write 'AZ'",
    ),
    "else beside its table": (
        "A__c: { from: customer.city, table: { Mesa: here, else: there }, §else: x }",
        "M110",
        "write it inside  table:  or  bands:",
    ),
    "empty text": ('A__c: { value: x, when: { customer.city: §"" } }', "M133", "write  { exists: false }"),
    "empty text among others": (
        'A__c: { value: x, when: { customer.city: [Mesa, §""] } }',
        "M133",
        "write  { exists: false }",
    ),
    "other than empty text": (
        'A__c: { value: x, when: { customer.city: { not: §"" } } }',
        "M133",
        "write  { exists: true }",
    ),
    "contained empty text": (
        'A__c: { value: x, when: { customer.city: { contains: §"" } } }',
        "M133",
        "write  { exists: true }",
    ),
    "a field's name that is to be contained": (
        "A__c: { value: x, when: { customer.address: { contains: §customer.city } } }",
        "M133",
        "write  contains: { field: customer.city }",
    ),
    "entries that differ in capitals": (
        "A__c: { from: customer.county, table: { Pima: a, §PIMA: b, else: c } }",
        "M154",
        "a table tells them apart",
    ),
}


class TestASilentSlip:
    @pytest.mark.parametrize(("field", "code", "hint"), SLIPS.values(), ids=SLIPS)
    def test_is_found_where_it_is_with_what_to_write(self, field: str, code: str, hint: str) -> None:
        found, (marked,) = found_and_marked(mapping_text(field), schema=None)
        assert (code, *marked) in found
        hints = [d.hint for d in load(mapping_text(field.replace("§", "")), schema=None).diagnostics if d.code == code]
        assert hints == [hint]

    @pytest.mark.parametrize(
        "field",
        [
            "A__c: { value: customer }",
            "A__c: { value: customer.citty }",
            'A__c: { value: "{x} and {customer}" }',
            'A__c: { template: "{customer.city}" }',
            "A__c: { value: x, when: { customer.state: AZ } }",
            "A__c: { value: x, when: { customer.state: PR } }",
            'A__c: { value: x, when: { customer.phoneNumber: "+13128471928" } }',
            "A__c: { value: x, when: { customer.assignedUser.licensedStates: { contains: AZ } } }",
            "A__c: { value: x, when: { customer.state: { starts_with: A } } }",
            "A__c: { value: x, when: { customer.state: { format: lower, is: az } } }",
            "A__c: { value: x, when: { call.disposition: { format: lower, in: [busy, voicemail left] } } }",
            "A: { value: 1, when: { customer.dateOfBirth: { format: [plus: 65 years], within: { next: 7 days } } } }",
            "A__c: { value: x, when: { customer.dateOfBirth: { within: { last: 7 days } } } }",
            "A__c: { from: customer.county, table: { 65-70: a, else: b } }",
            "A__c: { value: x, when: { not: { customer.city: { exists: true } } } }",
            "A__c: { from: customer.county, table: { Pima: a, Pinal: b, else: c } }",
        ],
    )
    def test_is_not_seen_where_none_is(self, field: str) -> None:
        assert load(mapping_text(field), schema=None).diagnostics == ()

    def test_a_named_table_is_held_to_every_field_that_uses_it(self) -> None:
        top = "tables: { words: { EN: English, else: Other } }"
        alone = mapping_text("A__c: { from: customer.language, table: words }", top=top)
        shared = mapping_text(
            "A__c: { from: customer.language, table: words }", "B__c: { from: customer.city, table: words }", top=top
        )
        assert [[d.code for d in load(text, schema=None).diagnostics] for text in (alone, shared)] == [["M152"], []]

    def test_a_table_that_no_field_uses_is_named(self) -> None:
        top = "tables:\n  used: { Mesa: here, else: there }\n  §spare: { Mesa: a, else: b }"
        cases = "A__c: { cases: [{ else: { from: customer.city, table: used } }] }"
        found, (marked,) = found_and_marked(mapping_text(cases, top=top), schema=None)
        assert found == [("M156", *marked)]

    def test_a_table_that_is_inherited_may_be_left_unused(self) -> None:
        fields = "records: { contact: { fields: { Language__c: customer.language } } }"
        text = f"version: 1\ncrm: salesforce\nextends: salesforce-contact\n{fields}\n"
        assert "M156" not in {d.code for d in load(text, schema=None).diagnostics}


SECOND = """\
second:
  object: Contact
  mode: update
  key: { careCycle_Id__c: customer.id }
  fields: { %s: customer.firstName }
"""


class TestTwoRecordsOnOneKey:
    def test_may_not_write_the_same_field(self) -> None:
        found, (marked,) = found_and_marked(mapping_text(records=SECOND % "§LastName"), schema=None)
        assert found == [("M222", *marked)]

    def test_may_write_fields_of_their_own(self) -> None:
        assert load(mapping_text(records=SECOND % "FirstName"), schema=None).diagnostics == ()

    def test_may_write_the_same_field_if_the_keys_differ(self) -> None:
        other = (SECOND % "LastName").replace("customer.id", "customer.externalId")
        assert load(mapping_text(records=other), schema=None).diagnostics == ()

    def test_are_looked_at_together_for_what_the_crm_requires(self) -> None:
        text = mapping_text(records=(SECOND % "FirstName").replace("mode: update", "mode: upsert"))
        assert [d.code for d in load(text).diagnostics if d.code == "M240"] == []
