"""Times on pages: in the agency's zone, which is named."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from connector.web.times import Times

NOON = 1_781_784_000_000  # 2026-06-18T12:00:00Z
HOUR = 3_600_000
ONE = Times({"sunrise": ZoneInfo("America/Phoenix")})
TWO = Times({"sunrise": ZoneInfo("America/Phoenix"), "harbor": ZoneInfo("America/New_York")})


class TestTimes:
    def test_a_moment_is_the_agencys_and_names_the_zone(self) -> None:
        assert ONE.moment(NOON) == '<time datetime="2026-06-18T12:00:00Z">Jun 18, 2026, 05:00 MST</time>'

    def test_of_several_agencies_each_has_its_own_and_all_together_utc(self) -> None:
        texts = [TWO.text(NOON, name) for name in ("sunrise/hubspot", "harbor", "", "unknown")]
        assert [text.partition(", ")[2] for text in texts] == [
            "2026, 05:00 MST", "2026, 08:00 EDT", "2026, 12:00 UTC", "2026, 12:00 UTC"
        ]  # fmt: skip

    def test_agencies_with_the_same_zone_share_it(self) -> None:
        same = Times({"sunrise": ZoneInfo("America/Phoenix"), "mesa": ZoneInfo("America/Phoenix")})
        assert same.zone_name(NOON) == "MST"

    def test_a_zone_without_a_name_is_named_by_its_distance(self) -> None:
        assert Times({"sur": ZoneInfo("America/Sao_Paulo")}).zone_name(NOON) == "UTC-03"

    def test_nothing_is_a_dash(self) -> None:
        assert ONE.moment(None) == "&ndash;"

    def test_the_day_begins_at_the_agencys_midnight(self) -> None:
        assert ONE.midnight(NOON) == NOON - 5 * HOUR
        assert TWO.midnight(NOON) == NOON - 12 * HOUR

    def test_a_day_with_a_change_of_clocks_begins_at_its_own_midnight(self) -> None:
        noon = 1_772_992_800_000  # 2026-03-08T18:00:00Z, after New York's clocks went forward
        assert TWO.midnight(noon, "harbor") == 1_772_946_000_000  # 2026-03-08T05:00:00Z

    def test_a_forms_time_is_the_agencys(self) -> None:
        assert ONE.read("2026-06-18T05:00") == NOON
        assert ONE.read("2026-06-18T05:00+00:00") == NOON - 7 * HOUR

    @pytest.mark.parametrize("text", ["", "yesterday", "0001-01-01"])
    def test_what_is_no_time_is_none(self, text: str) -> None:
        assert ONE.read(text) == 0

    def test_a_start_today_names_the_zone_and_an_older_one_the_day(self) -> None:
        starts = [NOON - HOUR, NOON - 30 * HOUR, NOON - 20 * 24 * HOUR, NOON - 400 * 24 * HOUR]
        assert [ONE.since(start, NOON) for start in starts] == [
            "since 04:00 MST", "since Tuesday", "since May 29", "since May 14, 2025"
        ]  # fmt: skip
