"""The steps of `format:`: whatever the value, a step gives what it says it gives, or nothing, and never raises."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.carecycle.catalogue import Kind
from connector.mapping.formats import FORMATS, read
from connector.mapping.steps import names, texts
from connector.mapping.steps.calendar import day_of
from connector.mapping.steps.spans import DAYS, EXACT, Span
from connector.mapping.steps.step import NUMBER, SAME_KIND, Format
from tests.core.test_mapping_property import VALID

ZONES = st.sampled_from(["America/Phoenix", "America/New_York", "Pacific/Apia", "UTC"]).map(ZoneInfo)
PLAIN = [step.shown for step in FORMATS.values()]
WORDS = st.text(alphabet="aB1 -'\u2019\u0300é\U0001f600\nßİ", max_size=12)
TRIED: dict[str, st.SearchStrategy[Any]] = {str(kind): values for kind, values in VALID.items()} | {
    Kind.TEXT: st.text() | WORDS,
    Kind.ENUM: st.text(),
    NUMBER: st.floats(-1e15, 1e15),
}
GIVES = {Kind.TEXT: str, Kind.DATE: str, Kind.DATETIME: str, Kind.INTEGER: int, NUMBER: (int, float)}


@st.composite
def steps(draw: st.DrawFn) -> Format:
    """A step of any kind, also with other arguments than its example's."""
    count, number = draw(st.integers(2, 12)), draw(st.sampled_from([0.001, 3, 60, 1e9]))
    made = [{"first": count}, {"last": count}, {"excerpt": count}, {"round": min(count, 10)}]
    made += [{"multiply": number}, {"divide": number}, {"replace": {"a": "bb", "B": "", "1": "\U0001f600"}}, "round"]
    span = f"{draw(st.integers(1, 99_999))} {draw(st.sampled_from([*EXACT, *DAYS]))}s"
    made += [{"plus": span}, {"minus": span}, {"pattern": "dddd, MMMM D, YYYY"}, {"pattern": "hh:mm A"}]
    made += [{"last_of": f"next {draw(st.sampled_from(['week', 'month', 'quarter', 'year']))}"}]
    return draw(st.sampled_from([*PLAIN, *map(read, made)]))


def applied(step: Format, value: Any, zone: ZoneInfo) -> Any:
    if step.timed:
        return step.apply(value, zone, datetime(2026, 6, 17, 19, 3, tzinfo=UTC))
    return step.apply(value, zone) if step.zoned else step.apply(value)


class TestAnyStep:
    @settings(max_examples=400, deadline=None)
    @given(step=steps(), zone=ZONES, data=st.data())
    def test_gives_what_it_says_or_nothing(self, step: Format, zone: ZoneInfo, data: st.DataObject) -> None:
        kind = data.draw(st.sampled_from(sorted(step.takes)))
        value = data.draw(TRIED[kind])
        result = applied(step, value, zone)
        assert result == applied(step, value, zone)
        if result is None:
            return
        assert isinstance(result, GIVES[step.gives] if step.gives else type(value))
        longest = step.longest(len(value) if isinstance(value, str) and kind != Kind.DATETIME else None)
        assert longest is None or len(texts.text(result)) <= longest or step.name in ("upper", "lower")
        if isinstance(value, str) and step.gives in (Kind.DATE, Kind.DATETIME, SAME_KIND):
            assert day_of(result, zone)

    @given(step=steps(), value=st.text() | WORDS)
    def test_of_texts_never_raises_for_any_text(self, step: Format, value: str) -> None:
        if step.takes & {Kind.TEXT, Kind.DATE, Kind.DATETIME}:
            applied(step, value, ZoneInfo("America/Phoenix"))


class TestNames:
    @pytest.mark.parametrize(
        ("written", "wanted"),
        [
            ("MARIA DE LA CRUZ", "Maria de la Cruz"),
            ("de la cruz", "de la Cruz"),
            ("mcdonald-o\u2019neil", "McDonald-O\u2019Neil"),
            ("LA MESA", "La Mesa"),
            ("ROBERT E LEE JR.", "Robert E Lee Jr."),
            ("HENRY FORD II", "Henry Ford II"),
            ("MACK", "Mack"),
            ("MC", "Mc"),
            ("DEL", "Del"),
            ("MARY'S", "Mary's"),
            ("LeAnn MCCOY", "LeAnn McCoy"),
            ("NU\u0303N\u0303EZ", "Nu\u0303n\u0303ez"),
            ("42ND STREET", "42ND Street"),
            ("李 小龍", "李 小龍"),
            ("", ""),
        ],
    )
    def test_in_upper_and_lower_case(self, written: str, wanted: str) -> None:
        assert names.title(written) == wanted

    @given(WORDS)
    def test_in_title_case_are_not_changed_again_and_keep_their_letters(self, value: str) -> None:
        assert names.title(value).lower() == value.lower()


def moved(value: str, zone: str = "America/Chicago", **step: str) -> Any:
    return applied(read(step), value, ZoneInfo(zone))


class TestDates:
    @pytest.mark.parametrize(
        ("value", "span", "wanted"),
        [
            ("1960-02-29", "65 years", "2025-02-28"),
            ("1960-02-29", "68 years", "2028-02-29"),
            ("1899-12-31", "1 day", "1900-01-01"),
            ("2026-01-31", "1 month", "2026-02-28"),
            ("2026-12-31", "2 days", "2027-01-02"),
            ("2026-06-19", "1 business day", "2026-06-22"),
            ("2026-06-20", "1 business day", "2026-06-22"),
            ("2026-06-21", "5 business days", "2026-06-26"),
            ("2026-06-18", "10 business days", "2026-07-02"),
            ("9999-12-31", "1 day", None),
            ("12/31", "1 day", None),
        ],
    )
    def test_later(self, value: str, span: str, wanted: str | None) -> None:
        assert moved(value, plus=span) == wanted

    @pytest.mark.parametrize(
        ("value", "span", "wanted"),
        [
            ("2028-02-29", "1 year", "2027-02-28"),
            ("2026-06-20", "1 business day", "2026-06-19"),
            ("2026-06-22", "1 business day", "2026-06-19"),
            ("2026-06-21", "6 business days", "2026-06-12"),
            ("0001-01-01", "1 month", None),
        ],
    )
    def test_earlier(self, value: str, span: str, wanted: str | None) -> None:
        assert moved(value, minus=span) == wanted

    @pytest.mark.parametrize(
        ("value", "span", "wanted"),
        [
            ("2026-03-07T18:00:00Z", "1 day", "2026-03-08T17:00:00.000Z"),  # noon stays noon when clocks change
            ("2026-03-07T18:00:00Z", "24 hours", "2026-03-08T18:00:00.000Z"),
            ("2026-03-07T08:30:00Z", "1 day", "2026-03-08T08:30:00.000Z"),  # 2:30 does not exist: 3:30
            ("2026-10-31T06:30:00Z", "1 day", "2026-11-01T06:30:00.000Z"),  # 1:30 comes twice: the first
            ("2026-06-20T04:30:00Z", "1 business day", "2026-06-23T04:30:00.000Z"),  # still Friday there
        ],
    )
    def test_of_a_time_are_those_of_the_customers_clock(self, value: str, span: str, wanted: str) -> None:
        assert moved(value, plus=span) == wanted

    def test_a_month_begins_where_the_customer_is(self) -> None:
        assert moved("2026-07-01T04:00:00Z", first_of="month") == "2026-06-01"
        assert moved("2026-07-01T04:00:00Z", "America/New_York", first_of="month") == "2026-07-01"

    @pytest.mark.parametrize(
        ("value", "pattern", "wanted"),
        [
            ("1958-04-12", "M/D/YY", "4/12/58"),
            ("0033-04-03", "MM/DD/YYYY", "04/03/0033"),
            ("2026-06-18T05:05:00Z", "dddd, MMMM D, YYYY", "Thursday, June 18, 2026"),
            ("2026-06-18T04:05:00Z", "ddd MMM DD hh:mm A", "Wed Jun 17 11:05 PM"),
            ("2026-06-18T05:05:00Z", "h:mm A", "12:05 AM"),
            ("2026-06-18T05:05:00Z", "HH:mm", "00:05"),
        ],
    )
    def test_are_written_as_people_do(self, value: str, pattern: str, wanted: str) -> None:
        assert moved(value, pattern=pattern) == wanted

    @given(day=st.dates().map(str), count=st.integers(1, 4000), unit=st.sampled_from(["day", "week", "business day"]))
    def test_plus_and_minus_are_each_others_opposite(self, day: str, count: int, unit: str) -> None:
        there = moved(day, plus=f"{count} {unit}s")
        if there and (unit != "business day" or date.fromisoformat(day).weekday() < 5):
            assert moved(there, minus=f"{count} {unit}s") == day

    @given(day=st.dates(), count=st.integers(1, 300))
    def test_business_days_are_counted_one_by_one(self, day: date, count: int) -> None:
        later = Span(1, "business day")
        if day.year < 9990:
            assert Span(count + 1, "business day").after(day) == later.after(Span(count, "business day").after(day))
