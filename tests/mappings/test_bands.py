"""Bands: what is sent, what is wrong with them, and where a table of ranges is told to be one."""

from __future__ import annotations

from typing import Any

import pytest

from connector.mapping.reached import unreached
from tests.core.test_mapping_meaning import value
from tests.mappings.build import found_and_marked, load, mapping_text

AGES = "{ from: customer.dateOfBirth, format: age, bands: { 65: 65-74, 75: 75 and over, else: under 65 } }"


class TestABand:
    @pytest.mark.parametrize(
        ("born", "sent"),
        [
            ("1961-06-18", "under 65"),
            ("1961-06-17", "65-74"),
            ("1951-06-18", "65-74"),
            ("1951-06-17", "75 and over"),
            (None, "not sent"),
        ],
    )
    def test_begins_with_its_lowest_number(self, born: str | None, sent: str) -> None:
        times = {"dateOfBirth": born, "updatedAt": "2026-06-17T19:00:00.000Z"}
        assert value(AGES, **times) == sent

    @pytest.mark.parametrize(
        ("amount", "sent"), [(-11, "debt"), (-10, "low"), (0, "low"), (24, "low"), (25, "high"), (10**14, "high")]
    )
    def test_may_begin_below_zero_and_between_whole_numbers(self, amount: int, sent: str) -> None:
        field = "{ from: customer.subsidyAmount, format: { divide: 10 }, bands: { else: debt, -1: low, 2.5: high } }"
        assert value(field, subsidyAmount=amount) == sent

    @pytest.mark.parametrize(("more", "sent"), [("", "not sent"), (", if_null: clear", None), (", default: x", "x")])
    def test_that_is_not_there_is_no_value(self, more: str, sent: Any) -> None:
        field = f"{{ from: customer.householdIncome, bands: {{ 50000: high }}{more} }}"
        assert value(field, householdIncome=49_999) == sent

    def test_may_give_numbers(self) -> None:
        assert value("{ from: customer.householdIncome, bands: { 0: 1, 50000: 2 } }", householdIncome=50_000) == 2

    def test_that_no_test_reaches_is_listed(self) -> None:
        test = "tests: [{ name: a, event: customer.created, expect: { contact: { A__c: low } } }]"
        field = "A__c: { from: customer.householdIncome, bands: { 0: low, 50000: high, else: none } }"
        spots = unreached(load(mapping_text(field, top=test), schema=None))
        assert [spot.name for spot in spots if spot.kind == "entry"] == ["contact.A__c: 50000", "contact.A__c: else"]


WRONG = {
    "a range": ("{ §65-74: a, 75: b }", "name the band by its lowest number:  65: ..."),
    "an amount": ('{ §"$1,000": a, 2000: b }', "name the band by its lowest number:  1000: ..."),
    "an end without a beginning": ("{ §<65: a, 65: b }", "what lies below the lowest band is  else:"),
    "a word": ("{ §Senior: 65 }", "name each band by its lowest number, for example  65: 65-74"),
    "bounds that fall": ("{ 75: b, §65: a }", "write the bands from the lowest to the highest, each once"),
    "a bound that is there twice": ("{ 75: b, §75.0: a }", "write the bands from the lowest to the highest, each once"),
    "no bands": ("§{ else: a }", "for example  bands: { 65: 65-74, 75: 75 and over }"),
}


class TestAWrongBand:
    @pytest.mark.parametrize(("bands", "hint"), WRONG.values(), ids=WRONG)
    def test_is_found_where_it_is(self, bands: str, hint: str) -> None:
        text = mapping_text(f"A__c: {{ from: customer.householdIncome, bands: {bands} }}")
        found, (marked,) = found_and_marked(text, schema=None)
        assert found == [("M155", *marked)]
        assert [d.hint for d in load(text.replace("§", ""), schema=None).diagnostics] == [hint]

    @pytest.mark.parametrize(
        ("source", "hint"),
        [
            ("from: customer.dateOfBirth", "add  format: age"),
            ("from: customer.city", "translate texts with  table:"),
            ("from: [customer.householdIncome, customer.status]", "translate texts with  table:"),
        ],
    )
    def test_takes_what_is_no_number(self, source: str, hint: str) -> None:
        text = mapping_text(f"A__c: {{ {source}, §bands: {{ 65: a }} }}")
        found, (marked,) = found_and_marked(text, schema=None)
        assert found == [("M155", *marked)]
        assert [d.hint for d in load(text.replace("§", ""), schema=None).diagnostics] == [hint]

    def test_gives_what_the_picklist_does_not_offer(self) -> None:
        text = mapping_text("Status__c: §{ from: customer.householdIncome, bands: { 0: Poor } }")
        found, (marked,) = found_and_marked(text)
        assert found == [("M204", *marked)]


RANGES = {
    "ages": (
        "from: customer.dateOfBirth, table: { §65-74: Senior, 75+: Elder, else: Younger }",
        "write  format: age, bands: { 65: Senior, 75: Elder, else: Younger }  in place of the table",
    ),
    "ages before their format": (
        'from: customer.dateOfBirth, format: age, table: { §under 65: "no", 65 and over: Senior, else: x }',
        'write  bands: { 65: Senior, else: "no" }  in place of the table',
    ),
    "amounts": (
        'from: customer.householdIncome, table: { §"$1,000-$2,000": low, "$2,000 to $3,000": mid, else: high }',
        "write  bands: { 1000: low, 2000: mid, 3001: high, else: high }  in place of the table",
    ),
    "a gap": (
        "from: customer.householdIncome, table: { §0..500: low, 1000..2000: high }",
        "write  bands: { 0: low, 501: null, 1000: high, 2001: null }  in place of the table",
    ),
    "thousands": (
        "from: customer.householdIncome, table: { §<50k: low, 50k-100k: mid, '>=100k': high, else: x }",
        "write  bands: { 50000: mid, 100000: high, else: low }  in place of the table",
    ),
}


class TestATableOfRanges:
    @pytest.mark.parametrize(("field", "hint"), RANGES.values(), ids=RANGES)
    def test_is_told_to_be_bands(self, field: str, hint: str) -> None:
        text = mapping_text(f"A__c: {{ {field} }}")
        found, (marked,) = found_and_marked(text, schema=None)
        assert found == [("M152", *marked)]
        assert [d.hint for d in load(text.replace("§", ""), schema=None).diagnostics] == [hint]

    @pytest.mark.parametrize("field", [own for own, _ in RANGES.values()])
    def test_checks_clean_as_the_hint_has_it(self, field: str) -> None:
        wrong = mapping_text(f"A__c: {{ {field.replace('§', '')} }}")
        (found,) = load(wrong, schema=None).diagnostics
        bands = found.hint.removeprefix("write  ").removesuffix("  in place of the table")
        source = field.partition(", table")[0]
        assert load(mapping_text(f"A__c: {{ {source}, {bands} }}"), schema=None).diagnostics == ()

    def test_is_named_where_it_is_written(self) -> None:
        text = mapping_text(
            "A__c: { from: customer.householdIncome, table: t }", top="tables: { t: { §1-2: a, else: b } }"
        )
        found, (marked,) = found_and_marked(text, schema=None)
        assert found == [("M152", *marked)]
