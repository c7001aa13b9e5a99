"""What people are told, when, and how often."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from connector.backoff import DAY, HOUR
from connector.insight.alarms import MINUTE, Alarm, Seen, news, raised, silence, written
from connector.settlement.listings import LaneOptOuts, LaneStatus, MappingStatus, PausedAt, RecentDead
from connector.settlement.oddities import Oddity
from connector.settlement.source import Compared, Comparison
from tests.builders import NOON

WINDOW = HOUR


def a_lane(**changes: Any) -> LaneStatus:
    return replace(LaneStatus("sunrise/crm/0", "sunrise/crm", ready=7), **changes)


def owed(**changes: Any) -> LaneOptOuts:
    return replace(LaneOptOuts("sunrise/crm/0", "sunrise/crm", oldest_ms=5 * MINUTE + 1), **changes)


def often(gap: int) -> list[int]:
    """Events at noon and before, so far apart."""
    return [NOON - number * gap for number in range(30)]


def kinds(now: int = NOON, **changes: Any) -> list[str]:
    return [one.kind for one in raised(Seen(now, **changes))]


class TestWhatIsRaised:
    def test_a_quiet_agency_raises_nothing(self) -> None:
        assert kinds(lanes=[a_lane()], silence=silence(often(MINUTE), NOON), looked_at=NOON - MINUTE) == []

    def test_a_paused_lane_names_the_event_it_paused_at(self) -> None:
        at = PausedAt(7, "msg_culprit", "contact", "Contact", "003A", 200, waits=True)
        lane = a_lane(paused_until=NOON + HOUR, pause_code="request", paused_at=at)
        (alarm,) = raised(Seen(NOON, lanes=[lane]))
        assert "It paused at event msg_culprit (record contact, Contact 003A), the first of 200 records" in alarm.text

    def test_a_lane_that_paused_again_and_again_is_told(self) -> None:
        assert kinds(lanes=[a_lane(paused_until=NOON + 5, pause_code="outage", failures=4)]) == ["lane paused"]

    def test_a_long_pause_is_told_at_once(self) -> None:
        assert kinds(lanes=[a_lane(paused_until=NOON + HOUR, pause_code="quota")]) == ["lane paused"]

    def test_a_first_short_pause_is_not(self) -> None:
        assert kinds(lanes=[a_lane(paused_until=NOON + 5_000, pause_code="outage", failures=1)]) == []

    def test_a_lane_somebody_paused_by_hand_is_known_already(self) -> None:
        assert kinds(lanes=[a_lane(paused_until=2**62, pause_code="operator")]) == []

    def test_an_opt_out_older_than_five_minutes_is_told(self) -> None:
        assert kinds(opt_outs=[owed(waiting=1)]) == ["opt-outs late"]
        assert kinds(opt_outs=[owed(waiting=1, oldest_ms=5 * MINUTE)]) == []

    def test_an_opt_out_that_is_refused_is_reported_with_what_to_do(self) -> None:
        (alarm,) = raised(Seen(NOON, opt_outs=[owed(refused=2)]))
        assert (alarm.kind, "consent report" in alarm.text, "lanes list" in alarm.text) == (
            "opt-outs late",
            True,
            False,
        )

    def test_many_dead_letters_of_one_cause_are_told(self) -> None:
        assert kinds(dead=[RecentDead("sunrise/crm", "BAD", 5)]) == ["dead letters"]

    def test_a_single_dead_letter_waits_for_the_console(self) -> None:
        assert kinds(dead=[RecentDead("sunrise/crm", "BAD", 4)]) == []

    def test_a_field_that_cannot_be_read_is_reported_once_however_often_it_comes(self) -> None:
        odd = Oddity("sunrise", "customer.agentNpn", expected="text", got="a list", count=213, since=NOON, until=NOON)
        (alarm,) = raised(Seen(NOON, odd=[odd]))
        assert alarm.key == "odd fields customer.agentNpn"
        assert "careCycle sends customer.agentNpn as a list; expected text. 213 events since 2026-06-18" in alarm.text

    def test_a_field_that_is_used_all_the_same_raises_nothing(self) -> None:
        assert kinds(odd=[Oddity("sunrise", "customer.agentNpn", expected="text", got="a number", used=True)]) == []

    def test_a_mapping_that_no_longer_fits_is_told(self) -> None:
        assert kinds(mappings=[MappingStatus("sunrise/crm", problem="own.yaml:3")]) == ["mapping refused"]

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
        (alarm,) = raised(Seen(NOON + DAY, silence=silence(often(HOUR), NOON + DAY)))
        assert (alarm.kind, "since 2026-06-18 12:00 UTC" in alarm.text) == ("silence", True)


class TestCareCycleAsked:
    """careCycle's API can say whether anything is missing."""

    def test_a_silence_is_none_while_nothing_is_missing_there(self) -> None:
        quiet = silence(often(HOUR), NOON + DAY)
        asked = Compared(Comparison({"listed": 9}), began_at=NOON + HOUR)
        assert kinds(now=NOON + DAY, silence=quiet, source=asked) == []

    @pytest.mark.parametrize(
        "asked",
        [
            Compared(Comparison({"listed": 9}), began_at=NOON - HOUR),
            Compared(running_since=NOON + DAY - HOUR),
            Compared(running_since=NOON + DAY - 1, problem="it does not answer"),
        ],
        ids=["compared before", "asked for an hour", "cannot be asked"],
    )
    def test_a_silence_rings_where_that_is_not_known(self, asked: Compared) -> None:
        assert "silence" in kinds(now=NOON + DAY, silence=silence(often(HOUR), NOON + DAY), source=asked)

    def test_a_silence_waits_while_it_is_asked(self) -> None:
        asked = Compared(running_since=NOON + DAY - 1)
        assert kinds(now=NOON + DAY, silence=silence(often(HOUR), NOON + DAY), source=asked) == []

    def test_a_silence_with_something_missing_rings_and_says_what(self) -> None:
        asked = Compared(Comparison({"unknown": 2, "fetched_customers": 2}), began_at=NOON + HOUR)
        alarms = raised(Seen(NOON + DAY, silence=silence(often(HOUR), NOON + DAY), source=asked))
        assert [alarm.kind for alarm in alarms] == ["silence", "not everybody here"]
        assert "2 customers unknown here" in alarms[1].text
        assert "All of it was fetched" in alarms[1].text

    def test_what_was_not_fetched_says_how_to(self) -> None:
        (alarm,) = raised(Seen(NOON, source=Compared(Comparison({"newer": 1}), began_at=NOON)))
        assert "connector reconcile source" in alarm.text


class TestSilence:
    @pytest.mark.parametrize(
        ("gap", "quiet", "unusual"),
        [
            (HOUR, 4 * HOUR, False),
            (HOUR, 4 * HOUR + 1, True),
            (MINUTE, 30 * MINUTE, False),
            (MINUTE, 30 * MINUTE + 1, True),
        ],
    )
    def test_it_is_unusual_beyond_four_usual_gaps_and_half_an_hour(self, gap: int, quiet: int, unusual: bool) -> None:
        found = silence(often(gap), NOON + quiet)
        assert found is not None
        assert (found.at, found.ms, found.usual_ms, found.unusual) == (NOON, quiet, gap, unusual)

    def test_nobody_knows_the_usual_gap_of_a_new_agency(self) -> None:
        found = silence(often(MINUTE)[:20], NOON + DAY)
        assert found is not None
        assert (found.usual_ms, found.unusual) == (None, False)

    def test_an_agency_of_which_nothing_ever_came_is_not_silent(self) -> None:
        assert silence([], NOON) is None

    def test_nights_are_usual(self) -> None:
        days = [day * DAY + minute * 10 * MINUTE for day in range(4) for minute in range(24)]
        found = silence(days, NOON)
        assert found is not None
        assert found.usual_ms == DAY - 23 * 10 * MINUTE


class TestNews:
    def test_an_alarm_is_told_once_a_window(self) -> None:
        first = news([Alarm("silence", "events", "x")], {}, NOON, WINDOW)
        again = news([Alarm("silence", "events", "x")], first.sent, NOON + WINDOW - 1, WINDOW)
        later = news([Alarm("silence", "events", "x")], again.sent, NOON + WINDOW, WINDOW)
        assert (len(first.raised), bool(again), len(later.raised)) == (1, False, 1)

    def test_its_end_is_told_once(self) -> None:
        first = news([Alarm("silence", "events", "x")], {}, NOON, WINDOW)
        over = news([], first.sent, NOON + MINUTE, WINDOW)
        assert (over.over, bool(news([], over.sent, NOON + 2 * MINUTE, WINDOW))) == (["silence events"], False)

    def test_one_that_comes_and_goes_is_not_told_each_time(self) -> None:
        sent = news([Alarm("silence", "events", "x")], {}, NOON, WINDOW).sent
        sent = news([], sent, NOON + MINUTE, WINDOW).sent
        assert not news([Alarm("silence", "events", "x")], sent, NOON + 2 * MINUTE, WINDOW)

    def test_what_is_long_over_is_forgotten(self) -> None:
        sent = news([Alarm("silence", "events", "x")], {}, NOON, WINDOW).sent
        assert news([], sent, NOON + WINDOW, WINDOW).sent == {}

    def test_the_message_names_the_agency_and_every_thing(self) -> None:
        both = news([Alarm("silence", "events", "what"), Alarm("renew", "crm", "do")], {}, NOON, WINDOW)
        assert written("sunrise", both) == (
            "[sunrise] silence events and 1 more",
            "silence: events\nwhat\n\nrenew: crm\ndo\n",
        )
