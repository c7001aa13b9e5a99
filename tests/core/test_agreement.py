"""Whether a record that people created is the customer's: by name and date of birth, and nothing is guessed."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.delivery.agreement import HandMade, Verdict, judge
from connector.model import Fact, FactKind, Person, PersonFields

AGREES, UNSURE, CONTRADICTS = Verdict.AGREES, Verdict.UNSURE, Verdict.CONTRADICTS
FIELDS = PersonFields("First", "Middle", "Last", "Suffix", "Born", frozenset({"No Name Given"}))
STEP = (Fact("Email", "whitakers@example.com", FactKind.EMAIL),)
BORN, OTHER = "1958-04-12", "1961-11-30"


def a_person(first: str = "Harold", last: str = "Whitaker", **more: str) -> Person:
    return Person(first=first, last=last, **more, fields=FIELDS)


def verdict(person: Person | None, step: tuple[Fact, ...] = STEP, crm_id: str = "003", **values: str) -> Verdict:
    return judge(person, step, HandMade(crm_id, values), "Id", str.__eq__).verdict


def of_names(ours: str, theirs: str, **more: str) -> Verdict:
    """Judge a record with another way of writing "First | Last"; more: `born` of both, if given."""
    first, _, last = (part.strip() for part in ours.partition("|"))
    other, _, surname = (part.strip() for part in theirs.partition("|"))
    dated = {"Born": more["born"]} if "born" in more else {}
    return verdict(a_person(first, last, **more), First=other, Last=surname, **dated)


class TestNames:
    @pytest.mark.parametrize(
        ("ours", "theirs"),
        [
            ("Harold | Whitaker", "HAROLD | whitaker"),
            ("José | Núñez", "Jose | Nunez"),
            ("Łukasz | Sørensen", "Lukasz | Sorensen"),
            ("Anne-Marie | O'Neil", "Anne Marie | O\u2019Neil"),
            ("Maryann | Oneil", "Mary Ann | O Neil"),
            ("Edna M | Whitaker", "Edna | Whitaker"),
            ("Edna | Whitaker", "Edna M. | Whitaker"),
            ("Mary Ann | Whitaker", "Mary A. | Whitaker"),
            ("Harold | Whitaker", "Dr. Harold | Whitaker, Jr."),
            ("Harold | Whitaker III", "Mr. Harold J. | Whitaker"),
            ("Harold | Whitaker", "Harold | Whitaker, MD"),
            ("Maria | de la Cruz", "Maria | DeLaCruz"),
            ("J. Robert | Hale", "Robert | Hale"),
            ("Harold | Whitaker", "| Harold Whitaker"),
            ("Harold | Whitaker", "| Whitaker, Harold J."),
            ("Edna | Whitaker", "Edna M Whitaker |"),
            ("小明 | 王", "小明 | 王"),
            ("Мария | Иванова", "мария | Иванова"),
            ("Thanh | Do", "Thanh | Do"),
            ("Robert | Hale", "Robert (Bob) | Hale"),
        ],
    )
    def test_the_same_name_written_in_another_way_agrees(self, ours: str, theirs: str) -> None:
        assert of_names(ours, theirs) is AGREES

    @pytest.mark.parametrize(
        ("ours", "theirs"),
        [
            ("Robert | Hale", "Bob | Hale"),
            ("Peggy | Hale", "Margaret | Hale"),
            ("William | Hale", "Bill | Hale"),
            ("Nathaniel | Hale", "Nath | Hale"),
            ("Harold | Whitaker", "H. | Whitaker"),
            ("Harold | Whitaker", "| Whitaker"),
            ("Harold | Whitaker", "Unknown | Whitaker"),
            ("Harold | Whitaker", "N/A | Whitaker"),
            ("| Whitaker", "Harold | Whitaker"),
            ("Maria | Garcia", "Maria | Garcia-Lopez"),
            ("Maria | Lopez", "Maria | Garcia Lopez"),
            ("Maria | Cruz", "Maria | de la Cruz"),
            ("Maria | Garcia", "Maria Elena | Garcia"),
            ("John A. | Hale", "John B. | Hale"),
            ("Bob | Hale", 'Robert "Bob" | Hale'),
            ("Harold | Whitaker", "Mrs. Harold | Whitaker"),
            ("Harold | Whitaker", "| Mrs Harold Whitaker"),
            ("Harold | Whitaker", "Mrs. | Harold Whitaker"),
            ("Harold | Whitaker", "| Whitaker, Mrs. Harold"),
            ("John | Doe", "John | Doe"),
            ("First | Last", "First | Last"),
        ],
    )
    def test_a_short_or_missing_name_needs_the_same_date_of_birth(self, ours: str, theirs: str) -> None:
        assert of_names(ours, theirs) is UNSURE
        assert of_names(ours, theirs, born=BORN) is AGREES

    @pytest.mark.parametrize(
        "theirs",
        [
            "Harold & Edna | Whitaker",
            "Edna and Harold | Whitaker",
            "Harold/Edna | Whitaker",
            "Harold | No Name Given",
            "Mr. and Mrs. Harold | Whitaker",
            "Mr & Mrs Harold | Whitaker",
            "Mr & Mrs | Whitaker",
            "Dr. and Mrs. | Harold Whitaker",
            "Harold | Mr and Mrs Whitaker",
            "| Mr. & Mrs. Harold Whitaker",
        ],
    )
    def test_no_date_of_birth_makes_the_record_of_two_people_the_record_of_one(self, theirs: str) -> None:
        assert of_names("Harold | Whitaker", theirs, born=BORN) is UNSURE

    @pytest.mark.parametrize(
        ("ours", "theirs"),
        [
            ("Edna | Whitaker", "Harold | Whitaker"),
            ("Edna | Whitaker", "Harold & Susan | Whitaker"),
            ("Eric | Hale", "Erica | Hale"),
            ("Daniel | Hale", "Danielle | Hale"),
            ("Jon | Hale", "Jan | Hale"),
            ("Mary Ann | Hale", "Mary Beth | Hale"),
            ("Harold | Whitaker", "E. | Whitaker"),
            ("Harold | Whitaker, Jr.", "Harold | Whitaker Sr"),
            ("Edna | Whitaker", "Harold Whitaker |"),
            ("Bob | Hale", "Robert | Whitaker"),
        ],
    )
    def test_a_different_person_is_never_adopted_whatever_else_agrees(self, ours: str, theirs: str) -> None:
        assert of_names(ours, theirs, born=BORN) is CONTRADICTS

    def test_another_last_name_may_be_a_maiden_name_and_is_a_question(self) -> None:
        assert of_names("Edna | Whitaker", "Edna | Smith") is UNSURE
        assert of_names("Edna | Whitaker", "Edna | Smith", born=BORN) is UNSURE

    def test_a_name_in_another_script_cannot_be_compared(self) -> None:
        assert of_names("Maria | Ivanova", "Мария | Иванова") is UNSURE

    def test_the_wife_is_asked_about_a_couple_under_her_husband_s_name(self) -> None:
        assert of_names("Edna | Whitaker", "Mr. and Mrs. Harold | Whitaker") is UNSURE

    @pytest.mark.parametrize("title", ["Mrs.", "Mr. and Mrs."])
    def test_the_same_title_on_both_sides_says_nothing(self, title: str) -> None:
        assert of_names(f"{title} Edna | Whitaker", f"{title} Edna | Whitaker") is AGREES

    def test_a_name_that_is_swapped_is_a_question(self) -> None:
        assert of_names("Harold | Whitaker", "Whitaker | Harold") is UNSURE
        assert of_names("Harold | Whitaker", "Whitaker | Harold", born=BORN) is UNSURE
        swapped = verdict(a_person(born=BORN), First="Whitaker", Last="Harold", Born=OTHER)
        assert swapped is CONTRADICTS

    def test_a_short_form_in_another_script_is_a_question_if_the_date_of_birth_is_the_same(self) -> None:
        assert of_names("Владимир | Иванов", "Володя | Иванов", born=BORN) is UNSURE
        assert of_names("Владимир | Иванов", "Володя | Иванов") is CONTRADICTS
        assert of_names("Владимир | Иванов", "Володя | Петров", born=BORN) is CONTRADICTS

    def test_a_suffix_in_a_field_of_its_own_counts(self) -> None:
        son = a_person(suffix="Jr")
        assert verdict(son, First="Harold", Last="Whitaker", Suffix="Sr.") is CONTRADICTS
        assert verdict(son, First="Harold", Last="Whitaker, Sr.") is CONTRADICTS
        assert verdict(son, First="Harold", Last="Whitaker", Suffix="II") is AGREES

    def test_what_care_cycle_also_knows_of_a_name_helps(self) -> None:
        james = a_person("James", middle="Robert", preferred="Chip")
        assert verdict(james, First="James R.", Last="Whitaker") is AGREES
        assert verdict(james, First="James Robert", Last="Whitaker") is AGREES
        for goes_by in ("Robert", "Chip"):
            assert verdict(james, First=goes_by, Last="Whitaker") is UNSURE

    @given(st.text(max_size=40), st.text(max_size=40))
    def test_any_text_can_be_a_name(self, first: str, last: str) -> None:
        same = verdict(a_person(first, last), First=first, Last=last)
        assert same in (AGREES, UNSURE)

    @given(st.text(st.characters(codec="utf-8", categories=["L"]), min_size=2), st.data())
    def test_case_and_composed_accents_never_matter(self, first: str, data: st.DataObject) -> None:
        form = data.draw(st.sampled_from(["NFC", "NFD"]))
        written = unicodedata.normalize(form, f"  {first} ")
        assert verdict(a_person(first), First=written, Last="WHITAKER") is verdict(
            a_person(first), First=first, Last="Whitaker"
        )

    @given(*[st.sampled_from(["Harold", "Edna", "Bob", "Robert", "H.", "", "Mary Ann", "Mary"])] * 2)
    def test_it_does_not_matter_which_side_has_which_name(self, one_side: str, other_side: str) -> None:
        assert of_names(f"{one_side} | Hale", f"{other_side} | Hale") is of_names(
            f"{other_side} | Hale", f"{one_side} | Hale"
        )


class TestDatesOfBirth:
    @pytest.mark.parametrize(
        "written", [BORN, "4/12/1958", "04-12-1958", "April 12, 1958", "1958-04-12T00:00:00Z", "-369964800000"]
    )
    def test_a_date_is_read_however_it_is_written(self, written: str) -> None:
        assert verdict(a_person("Bob", born=BORN), First="Robert", Last="Whitaker", Born=written) is AGREES

    @pytest.mark.parametrize("unknown", ["", "soon", "1900-01-01", "04/12/58", "1958-02-31"])
    def test_a_date_that_is_none_says_nothing(self, unknown: str) -> None:
        assert verdict(a_person("Bob", born=BORN), First="Robert", Last="Whitaker", Born=unknown) is UNSURE
        assert verdict(a_person(born=BORN), First="Harold", Last="Whitaker", Born=unknown) is AGREES

    def test_another_date_with_the_same_name_is_for_people_to_decide(self) -> None:
        assert verdict(a_person(born=BORN), First="Harold", Last="Whitaker", Born=OTHER) is UNSURE

    def test_another_date_with_a_short_name_contradicts(self) -> None:
        assert verdict(a_person("Bob", born=BORN), First="Robert", Last="Whitaker", Born=OTHER) is CONTRADICTS
        assert verdict(a_person(born=BORN), First="", Last="Whitaker", Born=OTHER) is CONTRADICTS


class TestExternalIds:
    @pytest.mark.parametrize("external_id", ["003Hs00000ABCDE", "003Hs00000ABCDEIA3"])
    def test_an_external_id_that_is_the_record_s_own_id_decides_alone(self, external_id: str) -> None:
        edna = a_person("Edna", external_id=external_id)
        assert verdict(edna, crm_id="003Hs00000ABCDEIA3", First="Harold", Last="Whitaker") is AGREES

    def test_a_step_by_external_id_decides_alone(self) -> None:
        step = (Fact("Ext", "C-17", FactKind.EXTERNAL_ID),)
        assert verdict(a_person("Edna", external_id="C-17"), step, Ext="C-17", First="Harold") is AGREES

    def test_a_step_by_external_id_may_ask_for_more(self) -> None:
        step = (Fact("Ext", "C-17", FactKind.EXTERNAL_ID), Fact("First", "Edna", FactKind.FIRST_NAME))
        assert verdict(a_person("Edna", external_id="C-17"), step, Ext="C-17", First="Harold") is CONTRADICTS


class TestSteps:
    @pytest.mark.parametrize(
        ("kind", "ours", "theirs", "other"),
        [
            (FactKind.EMAIL, "Harold@Example.com", " harold@example.com", "h@example.com"),
            (FactKind.PHONE, "+13125550123", "(312) 555-0123", "312-555-0124"),
            (FactKind.PHONE, "+13125550123", "312.555.0123 ext. 4", "front desk"),
            (FactKind.FIRST_NAME, "Harold", "harold j.", "Edna"),
            (FactKind.BIRTH_DATE, BORN, "4/12/1958", OTHER),
            (FactKind.TEXT, "85204", "85204", "85205"),
        ],
    )
    def test_every_fact_must_agree(self, kind: FactKind, ours: str, theirs: str, other: str) -> None:
        step = (*STEP, Fact("More", ours, kind))
        names = {"First": "Harold", "Last": "Whitaker"}
        assert verdict(a_person(), step, **names, More=theirs) is AGREES
        assert verdict(a_person(), step, **names) is UNSURE
        assert verdict(a_person(), step, **names, More=other) is CONTRADICTS

    def test_a_last_name_that_a_step_asks_for_must_be_the_same(self) -> None:
        step = (*STEP, Fact("Last", "Whitaker", FactKind.LAST_NAME))
        assert verdict(a_person("Edna"), step, First="Edna", Last="Smith") is CONTRADICTS

    def test_a_phone_that_the_crm_matched_too_loosely_contradicts(self) -> None:
        step = (Fact("Phone", "+13125550123", FactKind.PHONE),)
        assert verdict(a_person(), step, First="Harold", Last="Whitaker", Phone="+44 3125550123") is CONTRADICTS

    def test_an_address_that_the_record_does_not_show_was_matched_by_the_crm(self) -> None:
        assert verdict(a_person(), First="Harold", Last="Whitaker", Email="main@example.com") is AGREES

    def test_a_record_that_is_no_person_s_is_judged_by_its_step(self) -> None:
        step = (Fact("Sid", "CA1"), Fact("Type", "Call"))
        assert verdict(None, step, Sid="CA1", Type="Call") is AGREES
        assert verdict(None, step, Sid="CA1", Type="Other") is CONTRADICTS

    def test_the_fields_that_agree_differ_and_are_blank_are_named(self) -> None:
        step = (*STEP, Fact("City", "Mesa"), Fact("Zip", "85204"))
        person = a_person("Bob", born=BORN)
        values = {"First": "Robert", "Last": "Whitaker", "Born": OTHER, "City": "Mesa"}
        candidate = judge(person, step, HandMade("003", values), "Id", str.__eq__).candidate
        assert (set(candidate.agrees), set(candidate.differs)) == ({"Email", "Last", "City"}, {"Born"})
        assert set(candidate.blank) == {"First", "Zip", "Suffix"}
