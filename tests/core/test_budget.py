"""When the day's API calls are used up: pure, with the day of each CRM."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from connector.backoff import DAY, HOUR
from connector.delivery.budget import Allowance, Stop, verdict
from connector.store.usage import STEP, Report
from tests.builders import NOON

ROLLING = Allowance(share=0.2)
PHOENIX = Allowance(share=0.2, limit=250_000, timezone="America/Phoenix")  # noon UTC is 05:00 there


def told(used: int, *, limit: int = 100_000, at: int = NOON) -> Report:
    return Report(used, limit, at)


def stopped(allowance: Allowance, ours: dict[int, int], said: Report | None, now: int = NOON) -> Stop:
    stop = verdict(allowance, ours, said, now)
    assert stop is not None
    return stop


class TestTheBudget:
    def test_below_it_goes_on(self) -> None:
        assert verdict(ROLLING, {NOON - HOUR: 19_999}, told(50_000), NOON) is None

    def test_it_is_our_calls_against_the_whole_days_limit(self) -> None:
        assert verdict(ROLLING, {NOON - HOUR: 10}, told(90_000), NOON) is None
        reason = stopped(ROLLING, {NOON - HOUR: 20_000}, told(20_500)).reason
        assert "20,000 of 20,000 calls, 20 % of 100,000" in reason

    def test_without_one_everything_may_be_used(self) -> None:
        assert verdict(Allowance(), {NOON: 94_000}, told(94_000), NOON) is None

    def test_nothing_is_stopped_while_nobody_knows_the_limit(self) -> None:
        assert verdict(ROLLING, {NOON: 10**9}, None, NOON) is None


class TestSalesforcesDay:
    def test_it_goes_on_when_a_tenth_of_the_budget_is_older_than_24_hours(self) -> None:
        early, late = NOON - 20 * HOUR, NOON - HOUR
        stop = stopped(ROLLING, {early: 2_500, late: 17_500}, told(30_000))
        assert NOON + stop.wait_ms == early + STEP + DAY
        assert "goes on 2026-06-18 16:15 UTC" in stop.reason

    def test_calls_of_yesterday_no_longer_count(self) -> None:
        assert verdict(ROLLING, {NOON - DAY - STEP: 20_000}, told(0), NOON) is None


class TestHubSpotsDay:
    def test_it_goes_on_at_midnight_of_the_agencys_time_zone(self) -> None:
        stop = stopped(PHOENIX, {NOON - HOUR: 50_000}, None)
        assert datetime.fromtimestamp((NOON + stop.wait_ms) / 1000, UTC).isoformat() == "2026-06-19T07:00:00+00:00"

    def test_calls_before_midnight_no_longer_count(self) -> None:
        assert verdict(PHOENIX, {NOON - 6 * HOUR: 50_000}, None, NOON) is None

    def test_the_limit_hubspot_tells_stands_above_the_assumed_one(self) -> None:
        assert verdict(PHOENIX, {NOON - HOUR: 50_000}, told(60_000, limit=1_000_000), NOON) is None

    @pytest.mark.parametrize("now", [1_772_953_200_000, 1_793_510_000_000])  # both changes of the clock in New York
    def test_a_day_of_23_or_25_hours_ends_at_midnight_too(self, now: int) -> None:
        allowance = Allowance(share=0.2, limit=1_000, timezone="America/New_York")
        assert 22 * HOUR < allowance.ends(now) - allowance.since(now) < 26 * HOUR
        assert allowance.since(allowance.ends(now)) == allowance.ends(now)


class TestTheAccountsTotal:
    def test_nearly_used_up_by_whomever_is_a_reason_to_stop(self) -> None:
        stop = stopped(Allowance(), {}, told(95_000))
        assert "95,000 of 100,000 by all programs" in stop.reason
        assert "checked again 2026-06-18 12:15 UTC" in stop.reason

    def test_what_was_said_long_ago_is_asked_again_by_trying(self) -> None:
        assert verdict(Allowance(), {}, told(95_000, at=NOON - HOUR), NOON) is None

    def test_what_was_said_yesterday_does_not_count_today(self) -> None:
        midnight = PHOENIX.since(NOON)
        assert verdict(PHOENIX, {}, told(95_000, at=midnight - 1), midnight + 1) is None
