"""Formats: the examples in their descriptions run, and what they cannot read degrades as described."""

from __future__ import annotations

import doctest
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from connector.carecycle import coercions, decode
from connector.insight import oddities
from connector.mapping import scope, spelling, suggestions, templates, times, tree_builder
from connector.mapping.formats import FORMATS
from connector.mapping.steps import calendar, contact, dates, lengths, names, numbers, patterns, spans, texts
from connector.mapping.steps.step import Format

MODULES = [coercions, contact, dates, decode, numbers, oddities, scope, spelling, suggestions, templates, texts, times]
MODULES += [calendar, lengths, names, patterns, spans, tree_builder]
ZONE = times.zone("America/Phoenix", UTC)


def applied(step: Format, value: Any) -> Any:
    if step.timed:
        return step.apply(value, ZONE, datetime(2026, 6, 17, 19, 3, tzinfo=UTC))
    return step.apply(value, ZONE) if step.zoned else step.apply(value)


class TestExamples:
    @pytest.mark.parametrize("module", MODULES, ids=lambda m: m.__name__)
    def test_every_documented_example_holds(self, module: object) -> None:
        result = doctest.testmod(module, extraglobs={"ZoneInfo": ZoneInfo, "UTC": UTC})  # type: ignore[arg-type]
        assert (result.failed, result.attempted > 0) == (0, True)

    @pytest.mark.parametrize("name", FORMATS)
    def test_every_format_documents_itself_with_an_example_that_runs(self, name: str) -> None:
        step = FORMATS[name]
        assert step.about
        assert applied(step.shown, step.example.value) == step.example.result
        assert step.example.argument is None or step.argument is not None


class TestDates:
    def test_a_timestamp_without_offset_has_no_date(self) -> None:
        assert dates.date("2026-06-17T02:00:00", UTC) is None

    def test_a_date_beyond_the_calendar_is_no_date(self) -> None:
        assert dates.date("9999-12-31T23:59:59Z", times.zone("Pacific/Kiritimati", UTC)) is None

    def test_an_american_winter_day_ends_at_midnight_there(self) -> None:
        assert dates.date("2026-01-02T05:59:59Z", times.zone("America/Chicago", UTC)) == "2026-01-01"

    @pytest.mark.parametrize("name", ["", "Mars", "../etc/passwd", "America", "\0", "x" * 5000, "\ud800", 5, None])
    def test_an_unknown_zone_falls_back(self, name: object) -> None:
        assert times.zone(name, UTC) is UTC


class TestPhones:
    @pytest.mark.parametrize("number", ["", "front desk", "911", "+", "+1", "12", "\ud800", "9" * 300])
    def test_what_is_no_phone_number_stays_as_it_came(self, number: str) -> None:
        assert contact.e164(number) == number

    def test_a_foreign_number_keeps_its_country(self) -> None:
        assert contact.e164("+44 20 7946 0958") == "+442079460958"
