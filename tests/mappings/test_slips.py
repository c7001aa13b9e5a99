"""A slip of the hand is named where it is, in plain words, with the line as it should be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.mapping.diagnostics import Diagnostic
from connector.mapping.slips import slips
from tests.mappings.build import load, mapping_text

HEAD = mapping_text()
FIRST = HEAD.split("\n").index("      LastName: customer.lastName") + 1
"""The line of the first field; what is planted comes after it."""

A = "      A__c: customer.city"

SLIPS = {
    "a tab": (["\tA__c: customer.city"], A),
    "a tab deeper": (["      A__c:", "\t\tfrom: customer.city"], "        from: customer.city"),
    "spaces and a tab": (["    \tA__c: customer.city"], A),
    "curly quotes": (["      A__c: { value: \u201cPhone Inquiry\u201d }"], '      A__c: { value: "Phone Inquiry" }'),
    "curly quotes around braces": (
        ["      A__c: { template: \u201c{customer.city} x\u201d }"],
        '      A__c: { template: "{customer.city} x" }',
    ),
    "curly single quotes": (
        ["      A__c: { template: \u2018{customer.city}\u2019 }"],
        "      A__c: { template: '{customer.city}' }",
    ),
    "low curly quotes": (
        ["      A__c: { template: \u201e{customer.city}\u201c }"],
        '      A__c: { template: "{customer.city}" }',
    ),
    "no space after a colon": (["      A__c:customer.city", "      B__c: customer.state"], A),
    "no space in braces": (
        ["      A__c: {from:customer.city}", "      B__c:customer.state"],
        "      A__c: {from: customer.city}",
    ),
    "no space, before a quote": (['      A__c:"Phone"', "      B__c: customer.state"], '      A__c: "Phone"'),
    "no space after a dash": (
        ["      A__c:", "        join:", "          -customer.city", "          - customer.state"],
        "          - customer.city",
    ),
    "a special space": (["      A__c:\u00a0customer.city", "      B__c: customer.state"], A),
    "a special space before a key": (["\u00a0\u00a0    A__c: customer.city"], A),
    "an unclosed quote": (
        ['      A__c: { value: "Phone }', "      B__c: customer.state"],
        '      A__c: { value: "Phone" }',
    ),
    "an unclosed quote without braces": (
        ['      A__c: "customer.city', "      B__c: customer.state"],
        '      A__c: "customer.city"',
    ),
    "an unclosed single quote": (["      A__c: { value: 'Phone }"], "      A__c: { value: 'Phone' }"),
    "quotes in quotes": (['      Note__c: "say "hi" now"'], "      Note__c: 'say \"hi\" now'"),
    "a colon in a value": (["      A__c: { value: Note: call }"], '      A__c: { value: "Note: call" }'),
    "a colon in a plain value": (["      A__c: Note: call"], '      A__c: "Note: call"'),
    "a value with a percent sign": (["      A__c: %x"], '      A__c: "%x"'),
    "a value with an at sign": (["      A__c: @home"], '      A__c: "@home"'),
    "a value with a star": (["      A__c: *Call*"], '      A__c: "*Call*"'),
    "a value with a backtick": (["      A__c: `x`"], '      A__c: "`x`"'),
    "a field in braces, then text": (["      A__c: {customer.city} office"], '      A__c: "{customer.city} office"'),
    "an unclosed brace": (["      A__c: { value: Phone", "      B__c: customer.state"], "      A__c: { value: Phone }"),
    "an unclosed bracket": (
        ["      A__c: { join: [customer.city, customer.state }"],
        "      A__c: { join: [customer.city, customer.state] }",
    ),
    "a brace too many": (["      A__c: { from: customer.city } }"], "      A__c: { from: customer.city }"),
    "no colon": (["      A__c customer.city", "      B__c: customer.state"], A),
    "an equals sign": (["      A__c = customer.city", "      B__c: customer.state"], A),
    "no colon after a block's name": (["      A__c", "        from: customer.city"], "      A__c:"),
    "a wide colon": (["      A__c\uff1a customer.city"], A),
    "a bullet": (
        ["      A__c:", "        join:", "          \u2022 customer.city", "          - customer.state: x"],
        "          - customer.city",
    ),
    "a remark as in a program": (["      // where they live", "      A__c: customer.city"], "      # where they live"),
    "a comma at the end": (
        ['      A__c: "customer.city",', "      B__c: customer.state"],
        '      A__c: "customer.city"',
    ),
    "a dash too many": (["      - A__c: customer.city"], A),
    "a dash too few": (
        ["      A__c:", "        join:", "          - customer.city", "          customer.state: x"],
        "          - customer.state: x",
    ),
    "an apostrophe": (["      A__c: { value: 'Agent's note' }"], '      A__c: { value: "Agent\'s note" }'),
    "a hash": (["      A__c: { value: #1 Agency }"], '      A__c: { value: "#1 Agency" }'),
    "a comma left out": (
        ["      A__c: { from: customer.city format: upper }"],
        "      A__c: { from: customer.city, format: upper }",
    ),
    "a merge field": (["      A__c: {!customer.city}"], A),
    "a condition without its braces": (
        ["      A__c: { value: x, when: call.disposition: Voicemail }"],
        "      A__c: { value: x, when: { call.disposition: Voicemail } }",
    ),
    "a list compared without braces": (
        ["      A__c: { value: x, when: call.disposition: [Voicemail, Busy] }"],
        "      A__c: { value: x, when: { call.disposition: [Voicemail, Busy] } }",
    ),
    "a comparison without its braces": (
        ["      A__c: { value: x, when: { customer.city: not: Mesa } }"],
        "      A__c: { value: x, when: { customer.city: { not: Mesa } } }",
    ),
    "a condition on a line of its own, without braces": (
        ["      A__c:", "        value: x", "        when: customer.city: Mesa"],
        "        when: { customer.city: Mesa }",
    ),
    "a format without its brackets": (
        ["      A__c: { value: 1, when: { call.createdAt: { format: plus: 65 years, within: { next: 7 days } } } }"],
        "      A__c: { value: 1, when: { call.createdAt: { format: [plus: 65 years], within: { next: 7 days } } } }",
    ),
    "a template with a comma": (
        ["      A__c: { template: Dear {customer.firstName}, hello }"],
        '      A__c: { template: "Dear {customer.firstName}, hello" }',
    ),
    "too far left": (["     A__c: customer.city"], A),
    "too far right": (["        A__c: customer.city"], A),
    "a list too far right": (
        [
            "      A__c:",
            "        cases:",
            "          - { when: { customer.city: X }, value: y }",
            "           - { value: z }",
        ],
        "          - { value: z }",
    ),
}


def planted(lines: list[str]) -> str:
    whole = HEAD.split("\n")
    return "\n".join(whole[:FIRST] + lines + whole[FIRST:])


def first_of(lines: list[str]) -> Diagnostic:
    return load(planted(lines), schema=None).diagnostics[0]


class TestASlip:
    @pytest.mark.parametrize(("lines", "right"), SLIPS.values(), ids=SLIPS)
    def test_is_found_on_its_line_with_the_line_as_it_should_be(self, lines: list[str], right: str) -> None:
        found = first_of(lines)
        assert (found.code, found.hint) in (("Y001", f"write  {right}"), ("Y005", f"write  {right}"))
        mended = list(lines)
        mended[found.line - FIRST - 1] = right
        left = [finding.line for finding in load(planted(mended), schema=None).diagnostics if finding.code[0] == "Y"]
        assert found.line not in left

    def test_is_found_where_there_is_no_telling_what_was_meant(self) -> None:
        found = first_of(["      A__c: { value: 'Agents' note }"])
        assert (found.line, found.code, found.message) == (
            FIRST + 1,
            "Y001",
            "not YAML: did not find expected ',' or '}'",
        )
        assert "a quotation mark" in found.hint

    def test_that_is_no_line_of_the_file_is_to_be_deleted(self) -> None:
        found = load("```yaml\n" + HEAD, schema=None).diagnostics[0]
        assert (found.line, found.code, found.hint) == (1, "Y001", "delete this line")

    def test_every_one_that_shows_by_itself_is_named_at_once(self) -> None:
        text = planted(
            [
                "\tA__c: customer.city",
                "      B__c:customer.state",
                "      C__c: { template: \u201c{customer.city}\u201d }",
            ]
        )
        assert [(d.line - FIRST, d.code) for d in load(text, schema=None).diagnostics] == [
            (1, "Y001"),
            (2, "Y001"),
            (3, "Y001"),
        ]

    def test_that_is_yaml_all_the_same_is_found_too(self) -> None:
        text = mapping_text(
            "LeadSource: { value: \u201cPhone Inquiry\u201d }", "Title: {value:Phone}", "City: { value: New\u00a0York }"
        )
        found = [(d.code, d.line, d.hint) for d in load(text, schema=None).diagnostics if d.code == "Y005"]
        assert found == [
            ("Y005", 9, 'write        LeadSource: { value: "Phone Inquiry" }'),
            ("Y005", 10, "write        Title: {value: Phone}"),
            ("Y005", 11, "write        City: { value: New York }"),
        ]

    @pytest.mark.parametrize(
        "value",
        ["'\u201cPhone\u201d'", "O\u2019Neil", "10:30", "https://x.example/a", "'Agent''s note'", "a#b", "it\u2019s"],
    )
    def test_is_not_seen_in_a_good_value(self, value: str) -> None:
        assert load(mapping_text(f"Title: {{ value: {value} }}"), schema=None).diagnostics == ()

    def test_is_not_looked_for_in_a_text_of_several_lines(self) -> None:
        lines = ["      A__c:", "        value: |", "          \u201ca\u201d:b", "          \tx", "      B__c: @x"]
        assert [d.line - FIRST for d in load(planted(lines), schema=None).diagnostics] == [5]

    @given(st.text(alphabet=" \t\n:{}[]'\"#-|ab\u201c\u201d\u00a0,@", max_size=80), st.integers(1, 20))
    def test_is_looked_for_in_any_text_without_an_error(self, text: str, line: int) -> None:
        for slip in slips(text, line):
            assert 1 <= slip.line <= text.count("\n") + 1
