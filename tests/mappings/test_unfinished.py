"""A line that nobody finished is an error, never a blank."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.mapping import formulas, other_names, template_slips
from tests.mappings.build import found_and_marked, load, mapping_text

SOURCES = ["from", "template", "join", "lookup", "ref", "cases"]


class TestAnUnfinishedLine:
    @pytest.mark.parametrize("source", SOURCES)
    def test_of_a_source_is_refused(self, source: str) -> None:
        found, marked = found_and_marked(mapping_text(f"FirstName: {{ §{source}: }}"), schema=None)
        assert found == [("M111", *marked[0])]

    @pytest.mark.parametrize("modifier", ["when", "table", "format", "cut", "write", "note"])
    def test_of_a_modifier_is_refused(self, modifier: str) -> None:
        text = mapping_text(f"FirstName: {{ from: customer.firstName, §{modifier}: }}")
        assert len(found_and_marked(text, schema=None)[0]) == 1

    @pytest.mark.parametrize("key", ["tests", "tables", "filter", "consent"])
    def test_of_the_file_is_refused(self, key: str) -> None:
        text = mapping_text(top=f"{key}:") if key != "consent" else mapping_text(consent="")
        assert f"nothing is written after '{key}:'" in [found.message for found in load(text, schema=None).diagnostics]

    def test_says_what_to_do(self) -> None:
        (found,) = load(mapping_text("FirstName:"), schema=None).diagnostics
        assert (found.code, found.col, found.hint) == ("M111", 7, "finish the line, or delete this line")

    def test_is_none_where_null_means_something(self) -> None:
        text = mapping_text(
            "FirstName: { from: customer.city, table: { Mesa: null, else: x }, if_null: clear }",
            top="tests: [{ name: a, event: customer.created, given: { city: null }, expect: { contact: {} } }]",
        )
        assert load(text, schema=None).diagnostics == ()


class TestWhatWasMeant:
    @given(st.text(alphabet="customer.city()[]{}+&\"',=<>!%| \\/*-#$10IF", max_size=60))
    def test_is_looked_for_in_any_text_without_an_error(self, text: str) -> None:
        for look in (formulas.instead, formulas.comparison, other_names.meant, template_slips.meant):
            assert isinstance(look(text), str)
