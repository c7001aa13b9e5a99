"""Requests to careCycle keep one pace, whichever process makes them."""

from __future__ import annotations

from connector.store import Store
from tests.conftest import Clock


class TestThePace:
    def test_requests_are_evenly_spread_over_all_processes(self, store: Store, clock: Clock) -> None:
        one, other = store.source_pace("sunrise", 30), store.source_pace("sunrise", 30)
        assert (one.take(), other.take(), one.take()) == (0.0, 2.0, 2.0)
        clock.forward(1500)
        assert one.take() == 0.5
        clock.forward(500)
        assert (other.take(), one.take()) == (0.0, 2.0)

    def test_another_agency_has_its_own(self, store: Store) -> None:
        assert [store.source_pace(agency, 30).take() for agency in ("sunrise", "sunset")] == [0.0, 0.0]

    def test_all_keep_off_for_as_long_as_one_was_asked_to(self, store: Store, clock: Clock) -> None:
        one, other = store.source_pace("sunrise", 30), store.source_pace("sunrise", 30)
        one.hold(23)
        one.hold(5)
        assert other.take() == 23.0
        clock.forward(23_000)
        assert other.take() == 0.0

    def test_a_clock_that_was_set_back_holds_nothing_up(self, store: Store, clock: Clock) -> None:
        pace = store.source_pace("sunrise", 30)
        pace.take()
        clock.forward(-3_600_000)
        assert pace.take() == 0.0
