"""Lanes of one portal share its limits: what one of them learns holds for the others."""

from __future__ import annotations

from connector.destinations.hubspot.limits import SEARCHES, Limits


class Hands:
    """A clock that is moved by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_one_lane_that_is_told_to_wait_holds_the_others() -> None:
    clock = Hands()
    limits = Limits(clock)
    limits.rest(10.0)
    assert limits.wait(search=False, rested=False) == 10.0
    clock.now += 4.0
    assert limits.wait(search=False, rested=False) == 6.0
    assert limits.wait(search=False, rested=True) == 0.0


def test_a_shorter_wait_does_not_end_a_longer_one() -> None:
    limits = Limits(Hands())
    limits.rest(10.0)
    limits.rest(1.0)
    assert limits.wait(search=False, rested=False) == 10.0


def test_no_second_has_more_searches_than_a_portal_allows() -> None:
    clock = Hands()
    limits = Limits(clock)
    sent = []
    for _ in range(4 * SEARCHES):
        sent.append(clock.now + limits.wait(search=True, rested=False))
        clock.now += 0.01
    assert all(later - earlier >= 1.0 for earlier, later in zip(sent, sent[SEARCHES:], strict=False))
    assert limits.wait(search=False, rested=False) == 0.0
