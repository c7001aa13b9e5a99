"""The figures of the overview, on both databases."""

from __future__ import annotations

from dataclasses import replace

from connector.settlement.listings import LaneStatus
from connector.store import Store
from connector.store.desk import Filter
from connector.store.figures import HOUR, Pace
from connector.web.chart import HEIGHT, chart
from connector.web.words import forecast, since
from tests.builders import DESTINATION, LANE, NOON, an_arrival
from tests.conftest import Clock
from tests.web.conftest import MINUTE, settle


class TestTheDay:
    def test_events_are_counted_once_however_many_accounts_they_are_owed_to(self, store: Store) -> None:
        store.inbox.accept([an_arrival(), an_arrival(received_at=NOON - HOUR)])
        assert (store.figures.events_since(NOON), store.figures.events_since(NOON - HOUR)) == (1, 2)

    def test_each_hour_tells_what_came_and_what_was_done(self, store: Store, clock: Clock) -> None:
        store.inbox.accept([an_arrival(), an_arrival()])
        clock.forward(HOUR)
        settle(store, "delivered")
        assert store.figures.hours(NOON, [DESTINATION]) == [(NOON, 2, 0), (NOON + HOUR, 0, 2)]

    def test_what_was_delivered_again_within_an_hour_counts_once(self, store: Store) -> None:
        store.inbox.accept([an_arrival()])
        settle(store, "delivered")
        store.desk.replay(Filter(state="delivered"), "ana")
        settle(store, "delivered")
        assert store.figures.hours(NOON, [DESTINATION]) == [(NOON, 1, 1)]

    def test_what_was_put_off_or_died_is_not_done(self, store: Store) -> None:
        store.inbox.accept([an_arrival()])
        settle(store, "ready", outcome="deferred")
        settle(store, "dead")
        assert store.figures.hours(NOON, [DESTINATION]) == [(NOON, 1, 0)]


class TestThePace:
    def test_it_is_that_of_the_last_ten_minutes(self, store: Store, clock: Clock) -> None:
        store.inbox.accept([an_arrival() for _ in range(10)])
        settle(store, "delivered")
        assert store.figures.paces() == {LANE: Pace(60.0, 60.0)}
        clock.forward(11 * MINUTE)
        assert store.figures.paces() == {}

    def test_a_lane_that_is_given_more_than_it_writes_is_never_empty(self) -> None:
        assert Pace(60, 120).hours_left(10) is None
        assert Pace(60, 0).hours_left(30) == 0.5


class TestTheForecast:
    LANE = LaneStatus(LANE, "sunrise/crm", ready=30)

    def test_it_says_when_the_lane_is_empty(self) -> None:
        assert "empty in about 30 minutes" in forecast(self.LANE, Pace(60, 0), NOON)

    def test_it_says_when_it_only_grows_or_nothing_is_known(self) -> None:
        assert "not shrinking" in forecast(self.LANE, Pace(60, 90), NOON)
        assert "cannot be estimated" in forecast(self.LANE, None, NOON)

    def test_it_says_when_a_pause_ends(self) -> None:
        paused = replace(self.LANE, paused=True, paused_until=NOON + 5 * MINUTE)
        assert forecast(paused, None, NOON) == "The next try is in 5 minutes."

    def test_an_empty_lane_needs_none(self) -> None:
        assert forecast(replace(self.LANE, ready=0), None, NOON) == ""


class TestTheChart:
    def test_it_has_a_bar_for_each_hour_the_empty_ones_too(self) -> None:
        drawn = chart([(NOON, 4, 2)], NOON, str)
        assert (len(drawn.bars), drawn.top) == (24, 4)
        assert (drawn.bars[-1].came_height, drawn.bars[-1].done_height) == (HEIGHT, HEIGHT / 2)

    def test_a_day_without_anything_is_empty(self) -> None:
        assert chart([], NOON, str).empty


class TestWords:
    def test_since_is_told_as_one_says_it(self) -> None:
        days = (0, 2, 10, 400)
        told = [since(NOON - days_ago * 24 * HOUR, NOON) for days_ago in days]
        assert told == ["since 12:00", "since Tuesday", "since June 8", "since May 14, 2025"]
