"""Other machines' clocks, clocks that differ, and deletion that waits because time jumped."""

from __future__ import annotations

import pytest

from connector.backoff import DAY, HOUR
from connector.insight.clocks import about_clock, about_deletion
from connector.settlement.clocks import HELD_FOR, STEADY, Hold, ProcessClock
from connector.store.clock import RemoteClock, moment_of
from tests.builders import NOON


class TestAnotherClock:
    def test_it_goes_on_by_itself_from_what_it_said_last(self) -> None:
        ticks = [100.0]
        clock = RemoteClock(lambda: ticks[0])
        assert clock.now() is None
        clock.set(5_000.0)
        ticks[0] += 7.5
        assert clock.now() == 5_007.5

    def test_a_reply_may_lack_a_date_or_have_a_strange_one(self) -> None:
        assert moment_of("Sun, 29 Nov 2026 02:00:00 GMT") == 1_795_917_600.0
        assert [moment_of(date) for date in ("", "yesterday", "Sun, 99 Foo 2026")] == [None] * 3


class TestEvenTime:
    def test_deletion_does_not_wait_while_it_is_checked_every_hour(self) -> None:
        hold = Hold(NOON)
        for hour in range(1, 1_000):
            hold = hold.at(NOON + hour * HOUR)
            assert not hold.left_ms

    @pytest.mark.parametrize("days", [2, 100, 4_000])
    def test_a_jump_of_days_makes_it_wait_a_week(self, days: int) -> None:
        assert Hold(NOON).at(NOON + days * DAY) == Hold(NOON + days * DAY, NOON, HELD_FOR)

    def test_a_night_switched_off_is_no_jump(self) -> None:
        assert not Hold(NOON).at(NOON + 16 * HOUR).left_ms

    def test_the_week_passes_while_it_runs(self) -> None:
        hold = Hold(NOON).at(start := NOON + 100 * DAY)
        for hour in range(1, 7 * 24 + 1):
            assert hold.left_ms
            hold = hold.at(start + hour * HOUR)
        assert hold == Hold(start + 7 * DAY)

    def test_further_jumps_do_not_end_the_week(self) -> None:
        hold = Hold(NOON).at(NOON + 100 * DAY)
        for jump in range(6):
            hold = hold.at(NOON + (jump + 2) * 100 * DAY)
        assert hold.left_ms == DAY

    def test_a_clock_set_right_again_ends_it(self) -> None:
        assert Hold(NOON).at(NOON + 100 * DAY).at(NOON + HOUR) == Hold(NOON + HOUR)

    def test_an_hour_back_changes_nothing(self) -> None:
        assert Hold(NOON).at(NOON - HOUR) == Hold(NOON - HOUR)

    def test_it_matters_only_if_something_is_kept_by_it(self) -> None:
        assert not Hold(NOON, NOON, DAY).matters
        assert Hold(NOON, NOON, DAY, dead_letters=1).matters

    def test_what_is_said_names_what_is_kept_and_what_to_do(self) -> None:
        text = about_deletion(Hold(NOON + 100 * DAY, NOON, HELD_FOR, events=121, dead_letters=49))
        assert "121 events" in text
        assert "49 dead letters" in text
        assert "connector retention resume" in text
        assert about_deletion(STEADY) == ""


class TestWhatIsSaidOfAClock:
    @pytest.mark.parametrize("offset", [-29_000, 0, 29_000])
    def test_nothing_of_one_that_is_nearly_right(self, offset: int) -> None:
        assert about_clock(ProcessClock("a:1", "work", offset)) == ""

    def test_a_worker_says_that_it_stands_still(self) -> None:
        text = about_clock(ProcessClock("a:1", "work", 600_000, 600_000, halted=True))
        assert "600 s ahead" in text
        assert "takes no lane" in text

    def test_a_receiver_says_what_it_refuses(self) -> None:
        text = about_clock(ProcessClock("a:1", "receive", -3_600_000))
        assert "3,600 s behind the database's" in text
        assert "refused" in text

    def test_where_the_crms_agree_with_the_machine_the_database_is_blamed(self) -> None:
        text = about_clock(ProcessClock("a:1", "work", 600_000, 400))
        assert "database server's clock is 600 s behind" in text
