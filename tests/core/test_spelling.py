"""One value in several spellings is one value; two values stay two."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.destinations.hubspot import values as hubspot
from connector.destinations.salesforce import values as salesforce
from connector.mapping.spelling import phone, usual

PHONE = "+13128471928"
ALIKE = [
    (PHONE, ["(312) 847-1928", "(312)847-1928", "312-847-1928", "312.847.1928", "+1 (312) 847-1928", "1-312-847-1928"]),
    ("+442079460958", ["+44 20 7946 0958", "+44 (20) 7946-0958"]),
    ("priya@youragency.com", ["Priya@YourAgency.com", " priya@youragency.com "]),
    ("AZ;AR", ["AR;AZ"]),
    ("Domestic Partnership;Married", ["Married;Domestic Partnership"]),
    ("line one\nline two", ["line one\r\nline two", "line one\nline two  \n", "line one\rline two"]),
    ("42000", ["42000.0", "42000.00"]),
    ("-0.5", ["-0.50"]),
    ("true", ["TRUE", "True"]),
    ("2026-06-18", ["2026-06-18T00:00:00.000Z", "2026-06-18T00:00:00.000+0000", "2026-06-17T19:00:00-05:00"]),
    ("2026-06-18T14:22:09.120Z", ["2026-06-18T14:22:09.000+0000", "2026-06-18T10:22:09-04:00", "2026-06-18 14:22:09Z"]),
]
APART = [
    ("12500.00", "1250000"),
    ("12500.5", "12500.05"),
    ("85204-1234", "852041234"),
    ("00852", "852"),
    ("8419302", "08419302"),
    ("3128471928", "13128471928"),
    (PHONE, "+13128471929"),
    ("312-847-1928", "312-847-1928 x5"),
    ("123-45-6789", "123456789"),
    ("1EG4TE5MK73", "1eg4te5mk73"),
    ("AZ;AR", "AZ"),
    ("AZ;AR", "AZ;AR;AR"),
    ("call first; then write", "then write; call first"),
    ("Ann", "ann"),
    ("2026-06-18", "2026-06-19"),
    ("2026-06-18T14:22:09Z", "2026-06-18T14:22:10Z"),
    ("1.10.2", "1.1.2"),
    ("truest", "TRUEST"),
]


class TestAlike:
    @pytest.mark.parametrize(("one", "others"), ALIKE, ids=[one for one, _ in ALIKE])
    def test_a_value_is_itself_in_every_spelling_a_crm_gives_it(self, one: str, others: list[str]) -> None:
        assert {usual(other) for other in others} == {usual(one)}

    @pytest.mark.parametrize(("one", "other"), APART, ids=[f"{one}, {other}" for one, other in APART])
    def test_two_values_stay_two(self, one: str, other: str) -> None:
        assert usual(one) != usual(other)

    @pytest.mark.parametrize("value", [PHONE, "priya@youragency.com", "AR;AZ", "Mesa", "85204", "42000", "true"])
    @pytest.mark.parametrize("normal", [salesforce.normal, hubspot.normal], ids=["salesforce", "hubspot"])
    def test_what_carecycle_sends_keeps_the_digest_it_has_in_older_ledgers(self, value: str, normal: object) -> None:
        assert callable(normal)
        assert normal(usual(value)) == normal(value) == value

    @pytest.mark.parametrize("value", [True, 42000, 42000.5, None])
    def test_what_is_no_text_stays_as_it_is(self, value: object) -> None:
        assert usual(value) is value  # type: ignore[arg-type]

    def test_text_that_is_no_phone_number_is_left_alone(self) -> None:
        assert [phone(text) for text in ("front desk", "911", "", "+", "1958-04-12")] == [
            "front desk",
            "911",
            "",
            "+",
            "1958-04-12",
        ]


_digits = st.text("0123456789", min_size=1, max_size=16)
_text = st.text(st.sampled_from("aB09 ;.,-+()@/\r\n") | st.characters(), max_size=40)
_marks = st.text("0123456789 .-+();", min_size=1, max_size=16)


class TestEveryText:
    @given(_text)
    def test_the_usual_spelling_has_itself_as_its_usual_spelling(self, text: str) -> None:
        assert usual(usual(text)) == usual(text)

    @given(_digits, _digits)
    def test_digits_alone_are_never_changed(self, one: str, other: str) -> None:
        assert (usual(one), usual(one) == usual(other)) == (one, one == other)

    @given(_text, _text)
    def test_texts_of_different_letters_stay_two(self, one: str, other: str) -> None:
        assert usual(one) != usual(other) or _letters(one) == _letters(other)

    @given(_marks, _marks)
    def test_texts_of_different_digits_stay_two(self, one: str, other: str) -> None:
        assert usual(one) != usual(other) or _digits_of(one) == _digits_of(other)

    @given(st.lists(st.sampled_from(["AZ", "AR", "NV", "Domestic Partnership"]), min_size=2, unique=True))
    def test_a_choice_is_the_same_in_every_order(self, chosen: list[str]) -> None:
        assert usual(";".join(chosen)) == usual(";".join(reversed(chosen)))


def _letters(text: str) -> list[str]:
    return sorted(char for char in text.lower() if char.isalpha())


def _digits_of(text: str) -> list[str]:
    """The digits that no reformatting adds or drops: a fraction's zeros and the country code 1 may come and go."""
    return sorted(char for char in text if char.isdigit() and char not in "01")
