"""Lanes of one portal share its limits: what one of them learns holds for the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from connector.destinations.hubspot.limits import LEAST, SEARCHES, SLACK, Limits
from connector.sandbox.hubspot.limits import Meter, Tier

READ, UPSERT, SEARCH = (f"/crm/v3/objects/contacts/{what}" for what in ("batch/read", "batch/upsert", "search"))


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


@dataclass
class Portal:
    """A portal's limits as its lanes meet them, in time that passes only as they wait. others: when they call."""

    tier: Tier
    others: list[float] = field(default_factory=list)
    clock: Hands = field(default_factory=Hands)
    refused: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.limits, self.meter = Limits(self.clock), Meter(self.tier)

    def pass_time(self, seconds: float) -> None:
        self.clock.now += seconds
        while self.others and self.others[0] <= self.clock.now:
            self.meter.refusing(UPSERT, self.others.pop(0))

    def call(self, path: str) -> None:
        self.pass_time(self.limits.wait(search=path is SEARCH, rested=False))
        if self.meter.refusing(path, self.clock()) is not None:
            self.refused.append(self.clock())
        self.pass_time(0.02)
        if path is not SEARCH:
            self.limits.hear({name.lower(): text for name, text in self.meter.headers(self.clock()).items()})

    def waits(self, arrivals: Sequence[float], calls: Sequence[str]) -> list[float]:
        """Deliver events, those that have come together in one batch; return how long each waited."""
        waits, left = list[float](), list(arrivals)
        while left:
            self.pass_time(max(self.limits.hold(), left[0] - self.clock(), 0.0))
            batch = [at for at in left if at <= self.clock()]
            for path in calls if batch else ():
                self.call(path)
            waits += [self.clock() - at for at in batch]
            del left[: len(batch)]
        return waits


def slowest(waits: Sequence[float]) -> float:
    """Return the wait that one in a hundred exceeds."""
    return sorted(waits)[len(waits) * 99 // 100]


def apart(seconds: float, many: int, since: float = 100.0) -> list[float]:
    return [since + seconds * number for number in range(many)]


@pytest.mark.parametrize("rolling", [True, False], ids=["rolling", "fixed"])
@pytest.mark.parametrize("calls", [[READ, READ, UPSERT], [READ, SEARCH, UPSERT]], ids=["reads", "searches"])
class TestSingleEventsCloseTogether:
    @pytest.mark.parametrize("most", [100, 190])
    def test_wait_a_second_at_most_and_are_never_refused(self, rolling: bool, calls: list[str], most: int) -> None:
        portal = Portal(Tier(burst=most, rolling=rolling))
        assert slowest(portal.waits(apart(0.05, 2_000), calls)) < 1.0
        assert portal.refused == []

    def test_wait_no_longer_once_it_is_known_that_others_take_a_third(self, rolling: bool, calls: list[str]) -> None:
        portal = Portal(Tier(burst=100, rolling=rolling), others=apart(0.3, 500, since=70.0))
        waits = portal.waits(apart(0.05, 2_000), calls)
        assert slowest(waits[600:]) < 1.0
        assert len(portal.refused) <= (
            0 if rolling else 15
        )  # of more than 500: what others will use can be guessed only


def test_a_few_events_after_a_quiet_time_wait_for_nothing() -> None:
    portal = Portal(Tier(burst=100))
    assert max(portal.waits(apart(1.5, 100), [READ, READ, UPSERT])) < 0.1


def test_a_backlog_uses_most_of_the_limit() -> None:
    portal = Portal(Tier(burst=100))
    for _ in range(100):
        portal.pass_time(portal.limits.hold())
        for _ in range(12):
            portal.call(UPSERT)
    assert 1_200 / (portal.clock() - 100.0) > 7.5
    assert portal.refused == []


@pytest.mark.parametrize("in_a_batch", [60, 100, 300])
def test_no_burst_holds_the_next_batch_for_longer_than_the_limit_counts_it(in_a_batch: int) -> None:
    portal = Portal(Tier(burst=100))
    for _ in range(in_a_batch):
        portal.call(UPSERT)
    assert portal.limits.hold() <= 10.0 + SLACK
    portal.pass_time(10.0 + SLACK)
    assert portal.limits.hold() == 0.0


def test_a_limit_of_a_shorter_span_is_not_taken_for_the_accounts() -> None:
    limits = Limits(Hands())
    limits.hear(said(most=4, left=0, milliseconds=1_000))
    assert [limits.wait(search=False, rested=False) for _ in range(9)] == [0.0] * 9


def test_the_limit_is_the_accounts_own() -> None:
    clock = Hands()
    limits = Limits(clock)
    for _ in range(500):
        assert limits.wait(search=False, rested=False) == 0.0  # nothing is known of a limit
    limits.hear(said(most=600, left=100))
    for _ in range(100):
        assert limits.wait(search=False, rested=False) == 0.0
    assert limits.wait(search=False, rested=False) == 10.0 + SLACK


def test_what_others_used_is_used() -> None:
    clock = Hands()
    limits = Limits(clock)
    limits.wait(search=False, rested=False)
    limits.hear(said(most=100, left=1))
    assert limits.wait(search=False, rested=False) == 0.0
    clock.now += 1.0
    assert limits.wait(search=False, rested=False) == 9.0 + SLACK
    assert 0 < limits.hold() < (10.0 + SLACK) / (LEAST * 100) + 10.0
    clock.now += 30.0
    assert limits.hold() == limits.wait(search=False, rested=False) == 0.0


def test_a_rejected_request_holds_the_next_batch_too() -> None:
    limits = Limits(Hands())
    limits.rest(10.0)
    assert limits.hold() == 10.0


@pytest.mark.parametrize(
    "odd", [{}, {"most": ""}, {"most": "0"}, {"left": "-1"}, {"milliseconds": "0"}, {"most": "9" * 50}, {"left": "1.5"}]
)
def test_a_limit_that_cannot_be_read_is_none(odd: dict[str, str]) -> None:
    limits = Limits(Hands())
    limits.hear(said(**{"most": 1, "left": 0, **odd}) if odd else {})
    assert [limits.wait(search=False, rested=False) for _ in range(3)] == [0.0] * 3


def said(*, most: object, left: object, milliseconds: object = 10_000) -> dict[str, str]:
    named = {"max": most, "remaining": left, "interval-milliseconds": milliseconds}
    return {f"x-hubspot-ratelimit-{name}": str(value) for name, value in named.items()}
