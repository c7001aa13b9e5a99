"""What people are told, when, and how often."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from connector.alarms import MINUTE, Alarm, Seen, news, raised, silent, usual, written
from connector.backoff import DAY, HOUR
from tests.builders import NOON

WINDOW = HOUR


def a_lane(**changes: Any) -> dict[str, Any]:
    quiet = {"name": "sunrise/crm/0", "destination": "sunrise/crm", "paused_until": 0, "pause_code": "", "failures": 0}
    return {**quiet, "pause_reason": "", "ready": 7, "opt_outs": 0, "opt_out_ms": None, **changes}


def kinds(**changes: Any) -> list[str]:
    return [one.kind for one in raised(Seen(NOON, **changes))]


class TestWhatIsRaised:
    def test_a_quiet_agency_raises_nothing(self) -> None:
        assert kinds(lanes=[a_lane()], last_event_at=NOON, usual_gap=MINUTE, looked_at=NOON - MINUTE) == []

    def test_a_lane_that_paused_again_and_again_is_told(self) -> None:
        assert kinds(lanes=[a_lane(paused_until=NOON + 5, pause_code="outage", failures=4)]) == ["lane paused"]

    def test_a_long_pause_is_told_at_once(self) -> None:
        assert kinds(lanes=[a_lane(paused_until=NOON + HOUR, pause_code="quota")]) == ["lane paused"]

    def test_a_first_short_pause_is_not(self) -> None:
        assert kinds(lanes=[a_lane(paused_until=NOON + 5_000, pause_code="outage", failures=1)]) == []

    def test_a_lane_somebody_paused_by_hand_is_known_already(self) -> None:
        assert kinds(lanes=[a_lane(paused_until=2**62, pause_code="operator")]) == []

    def test_an_opt_out_older_than_five_minutes_is_told(self) -> None:
        assert kinds(lanes=[a_lane(opt_out_ms=5 * MINUTE + 1, opt_outs=1)]) == ["opt-outs late"]

    def test_many_dead_letters_of_one_cause_are_told(self) -> None:
        assert kinds(dead=[{"destination": "sunrise/crm", "code": "BAD", "count": 5}]) == ["dead letters"]

    def test_a_single_dead_letter_waits_for_the_console(self) -> None:
        assert kinds(dead=[{"destination": "sunrise/crm", "code": "BAD", "count": 4}]) == []

    def test_a_mapping_that_no_longer_fits_is_told(self) -> None:
        assert kinds(mappings=[{"destination": "sunrise/crm", "problem": "own.yaml:3"}]) == ["mapping refused"]

    @pytest.mark.parametrize(("by", "told"), [(date(2026, 7, 2), ["renew"]), (date(2026, 7, 3), [])])
    def test_credentials_are_to_be_renewed_two_weeks_ahead(self, by: date, told: list[str]) -> None:
        assert kinds(renewals=[("sunrise/crm", by)]) == told

    def test_a_short_outage_of_ours_needs_no_replay(self) -> None:
        (alarm,) = raised(Seen(NOON, looked_at=NOON - 2 * HOUR))
        assert (alarm.kind, "replay" in alarm.text) == ("was down", False)

    def test_a_long_one_says_since_when_to_replay(self) -> None:
        (alarm,) = raised(Seen(NOON, looked_at=NOON - DAY))
        assert "replay what failed since 2026-06-17 12:00 UTC" in alarm.text

    def test_a_long_silence_says_since_when_to_replay(self) -> None:
        (alarm,) = raised(Seen(NOON, last_event_at=NOON - DAY, usual_gap=HOUR))
        assert (alarm.kind, "since 2026-06-17 12:00 UTC" in alarm.text) == ("silence", True)


class TestSilence:
    def test_four_usual_gaps_are_silence(self) -> None:
        assert silent(NOON - 4 * HOUR - 1, HOUR, NOON)

    def test_less_is_none(self) -> None:
        assert not silent(NOON - 4 * HOUR, HOUR, NOON)

    def test_a_busy_agency_may_be_quiet_for_half_an_hour(self) -> None:
        assert not silent(NOON - 30 * MINUTE, 1_000, NOON)

    def test_nobody_knows_the_usual_gap_of_a_new_agency(self) -> None:
        assert usual([NOON + number for number in range(20)]) is None

    def test_nights_are_usual(self) -> None:
        days = [day * DAY + minute * 10 * MINUTE for day in range(4) for minute in range(24)]
        assert usual(days) == DAY - 23 * 10 * MINUTE


class TestNews:
    def test_an_alarm_is_told_once_a_window(self) -> None:
        first = news([Alarm("silence", "events", "x")], {}, NOON, WINDOW)
        again = news([Alarm("silence", "events", "x")], first.told, NOON + WINDOW - 1, WINDOW)
        later = news([Alarm("silence", "events", "x")], again.told, NOON + WINDOW, WINDOW)
        assert (len(first.raised), bool(again), len(later.raised)) == (1, False, 1)

    def test_its_end_is_told_once(self) -> None:
        first = news([Alarm("silence", "events", "x")], {}, NOON, WINDOW)
        over = news([], first.told, NOON + MINUTE, WINDOW)
        assert (over.over, bool(news([], over.told, NOON + 2 * MINUTE, WINDOW))) == (["silence events"], False)

    def test_one_that_comes_and_goes_is_not_told_each_time(self) -> None:
        told = news([Alarm("silence", "events", "x")], {}, NOON, WINDOW).told
        told = news([], told, NOON + MINUTE, WINDOW).told
        assert not news([Alarm("silence", "events", "x")], told, NOON + 2 * MINUTE, WINDOW)

    def test_what_is_long_over_is_forgotten(self) -> None:
        told = news([Alarm("silence", "events", "x")], {}, NOON, WINDOW).told
        assert news([], told, NOON + WINDOW, WINDOW).told == {}

    def test_the_message_names_the_agency_and_every_thing(self) -> None:
        both = news([Alarm("silence", "events", "what"), Alarm("renew", "crm", "do")], {}, NOON, WINDOW)
        assert written("sunrise", both) == (
            "[sunrise] silence events and 1 more",
            "silence: events\nwhat\n\nrenew: crm\ndo\n",
        )
