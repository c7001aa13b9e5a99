"""What is written in another place than where it belongs is told where that is."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.mapping.diagnostics import Severity
from tests.mappings.build import SHIPPED, load, mapping_text

CASES = """\
Title:
        cases:
          - when: { call.disposition: Enrolled }
          - then: { value: x }"""

IN_A_FIELD = {
    "else beside a lookup": (
        "OwnerId: { lookup: { object: User, match: { Email: customer.email } }, else: { value: x } }",
        "write it inside  lookup:",
    ),
    "else beside cases": (
        "Title: { cases: [{ when: { customer.city: Mesa }, then: { value: x } }], else: { value: y } }",
        "write it as the last of the cases:  - else: ...",
    ),
    "text after the else of a lookup": (
        "OwnerId: { lookup: { object: User, match: { Email: customer.email }, else: 00G01 } }",
        "write  else: { value: 00G01 }",
    ),
    "the default of a lookup": (
        "OwnerId: { lookup: { object: User, match: { Email: customer.email }, default: 00G01 } }",
        "write  else: { value: 00G01 }",
    ),
    "words for a count": ("Title: count calls", "write  { count: calls }"),
    "a source without its colon": ("Title: last call.disposition", "write  { last: call.disposition }"),
    "a count of a field": (
        "Title: { count: call.disposition }",
        "write  count: calls  for all of them, or  count: calls, when: { call.disposition: ... }",
    ),
    "a count of a condition": (
        "Title: { count: { call.disposition: Voicemail } }",
        "write  count: calls  for all of them, or  count: calls, when: { call.disposition: Voicemail }",
    ),
    "a count with its condition": (
        "Title: { count: attempts, when: { call.disposition: Voicemail } }",
        "write  count: calls",
    ),
    "a fixed value in capitals": ("Title: CALL", "for fixed text write  value: CALL"),
    "a case in two": (CASES, "remove the dash before  then:"),
    "a comparison that is wrong, after a format": (
        "Title: { value: x, when: { customer.dateOfBirth: { format: [plus: 65 years], within: 7 months } } }",
        "for example  within: { next: 7 months }",
    ),
    "a source at its field's indentation": (
        "Title:\n      from: customer.city",
        "write line 10 and what belongs to 'Title:' two spaces further right",
    ),
}

BOTH = "extends: [salesforce-lead, recipes/follow-up]\n"
WHOLE = {
    "fields at their block's indentation": (
        BOTH + "records:\n  callback:\n    fields:\n    Subject: { value: x }\n    Priority: { value: High }\n",
        "write line 5 and what belongs to 'fields:' two spaces further right",
    ),
    "another record's name": (
        BOTH + "records:\n  zebra:\n    fields:\n      Subject: { value: x }\n",
        "nothing called 'zebra' is inherited; there is: callback, lead",
    ),
    "a record's name in capitals": (
        BOTH + "records:\n  Callback:\n    fields:\n      Subject: { value: x }\n",
        "did you mean 'callback'?",
    ),
    "a section among the records": (
        BOTH + "records:\n  tables:\n    language: { vi: Vietnamese }\n",
        "it belongs at the top: begin its line at the very left, and indent what is under it less",
    ),
    "a section in a record": (
        BOTH + "records:\n  callback:\n    consent: { withheld: clear }\n",
        "it belongs at the top: begin its line at the very left, and indent what is under it less",
    ),
    "the whole mapping after its recipe": (
        "extends: [recipes/last-call, salesforce-lead]\n",
        "name the mapping first that it adds to:  extends: [salesforce-lead, recipes/last-call]",
    ),
    "records without their flag": (
        BOTH + "consent:\n  skip: [callback]\n",
        "write  skip: { doNotCall: [callback] }",
    ),
    "a file without its ending": ("extends: [salesforce-lead, ./our-base]\n", "write  ./our-base.yaml"),
}


def hints(text: str, shipped: Path | None = None) -> list[str]:
    found = load(text, schema=None, **({"shipped": shipped} if shipped else {})).diagnostics
    return [finding.hint for finding in found if finding.severity is Severity.ERROR]


class TestWhatIsInAnotherPlace:
    @pytest.mark.parametrize(("field", "hint"), IN_A_FIELD.values(), ids=IN_A_FIELD)
    def test_of_a_field_is_told_where_it_belongs(self, field: str, hint: str) -> None:
        assert hints(mapping_text(field)) == [hint]

    @pytest.mark.parametrize(("text", "hint"), WHOLE.values(), ids=WHOLE)
    def test_of_a_file_is_told_where_it_belongs(self, text: str, hint: str) -> None:
        assert hints(text, SHIPPED) == [hint]
