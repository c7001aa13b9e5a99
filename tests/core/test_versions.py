"""How long a version of a CRM's API is supported, and who is told to use another one."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from connector.destinations import VENDORS
from connector.destinations.versions import SOON, Versions

OLD, MIDDLE, NEW = date(2027, 3, 30), date(2027, 9, 30), date(2028, 3, 8)
VERSIONS = Versions("Acme", "middle", {"old": OLD, "middle": MIDDLE, "new": NEW}, {"new": "which is stricter"})


class TestAVersionThatEnds:
    def test_is_no_news_until_half_a_year_before(self) -> None:
        assert VERSIONS.notice("old", OLD - SOON - timedelta(days=1)) == ""
        assert VERSIONS.notice("old", OLD - SOON) != ""

    def test_is_replaced_by_the_default_if_that_lasts_longer(self) -> None:
        assert VERSIONS.notice("old", date(2026, 12, 1)) == (
            "Acme ends support of version old of its API on 2027-03-30: "
            "remove `api_version` from the agency file, which then means middle"
        )

    @pytest.mark.parametrize("named", [None, "middle"])
    def test_is_replaced_by_the_newest_where_it_is_the_default(self, named: str | None) -> None:
        assert VERSIONS.notice(named, MIDDLE) == (
            "Acme has not supported version middle of its API since 2027-09-30: "
            "write `api_version: new` in the agency file (which is stricter)"
        )

    def test_is_replaced_by_that_of_a_newer_connector_where_none_lasts_longer(self) -> None:
        assert VERSIONS.notice("new", NEW).endswith("update the connector, which then uses a newer one")

    def test_says_until_when(self) -> None:
        assert VERSIONS.about(None) == "middle, supported until 2027-09-30"


class TestAVersionOfWhichNoEndIsKnown:
    def test_is_never_warned_of(self) -> None:
        assert VERSIONS.notice("newest", date(2100, 1, 1)) == ""
        assert VERSIONS.about("newest") == "newest, whose end is not announced"

    def test_outlasts_all_others(self) -> None:
        assert "remove `api_version`" in Versions("Acme", "newest", {"old": OLD}).notice("old", OLD)


class TestTheCrms:
    @pytest.mark.parametrize(
        ("crm", "named", "told"),
        [
            ("hubspot", "legacy", "2027-03-30"),
            ("hubspot", None, ""),
            ("hubspot", "2026-09", ""),
            ("salesforce", "30.0", "2025-06-01"),
            ("salesforce", "40.0", "2027-06-01"),
            ("salesforce", "59.0", ""),
            ("salesforce", None, ""),
        ],
    )
    def test_warn_at_the_end_of_2026_of(self, crm: str, named: str | None, told: str) -> None:
        versions = VENDORS[crm].versions
        assert versions is not None
        notice = versions.notice(named, date(2026, 12, 31))
        assert told in notice
        assert bool(notice) is bool(told)

    def test_the_default_of_hubspot_is_replaced_by_the_next_before_it_ends(self) -> None:
        versions = VENDORS["hubspot"].versions
        assert versions is not None
        assert "write `api_version: 2026-09`" in versions.notice(None, date(2027, 6, 1))
