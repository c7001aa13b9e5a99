"""A batch is recorded in several commits: what happens between two of them changes nothing of what is promised."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from connector.delivery.turn import deliver
from connector.errors import LeaseLost, StoreUnavailable
from connector.store.lanes import Lease
from tests.patience import one_in_three
from tests.promises.crm import Fault, Killed
from tests.promises.stage import DESTINATION, HOLD, Stage, a_person, a_talk

CUSTOMERS = [f"c-{number}" for number in range(1, 7)]


def taken(stage: Stage) -> Lease:
    lease = stage.lease()
    assert lease is not None
    return lease


def recording(stage: Stage, lease: Lease) -> None:
    """Deliver what is due, in parts of one delivery."""
    deliver(stage.store, stage.route, lease, stage.pace())


def after_parts(stage: Stage, parts: int, act: Callable[[], None]) -> None:
    """Have something happen when so many deliveries are settled, before the next transaction."""

    def look() -> None:
        if settled(stage) >= parts:
            act()
        else:
            stage.meanwhile = look

    stage.meanwhile = look


def six_people(stage: Stage, **changes: Any) -> None:
    for customer in CUSTOMERS:
        stage.accept(customer, a_person(customer, 1, **changes))


def settled(stage: Stage) -> int:
    return sum(stage.state(customer)[0] != "ready" for customer in CUSTOMERS)


def die() -> None:
    raise Killed


class TestAWorkerKilledBetweenTwoParts:
    def killed(self, stage: Stage, **changes: Any) -> None:
        six_people(stage, **changes)
        after_parts(stage, 3, die)
        with pytest.raises(Killed):
            recording(stage, taken(stage))
        stage.clock.forward(HOLD + 1)

    def test_leaves_the_rest_due(self, stage: Stage) -> None:
        self.killed(stage)
        assert 3 <= settled(stage) < len(CUSTOMERS)
        assert stage.store.desk.waiting() == len(CUSTOMERS) - settled(stage)

    def test_leaves_nothing_lost_and_nothing_twice(self, stage: Stage) -> None:
        self.killed(stage)
        stage.drain()
        assert settled(stage) == len(CUSTOMERS)
        assert {customer: len(stage.crm.all("Contact", customer)) for customer in CUSTOMERS} == dict.fromkeys(
            CUSTOMERS, 1
        )

    def test_leaves_no_opt_out_unpaid(self, stage: Stage) -> None:
        self.killed(stage, doNotCall=True)
        stage.drain()
        assert all(stage.contact(customer)["NoCall"] for customer in CUSTOMERS)
        assert [row.waiting for row in stage.store.opt_outs.standing()] == [0]

    def test_lets_no_older_state_replace_a_newer_one(self, stage: Stage) -> None:
        self.killed(stage, city="Mesa")
        for number, customer in enumerate(CUSTOMERS):
            stage.accept(f"late{number}", a_person(customer, 0, city="Yuma"))
        stage.drain()
        assert {stage.contact(customer)["City"] for customer in CUSTOMERS} == {"Mesa"}

    def test_counts_each_call_once(self, stage: Stage) -> None:
        for number, customer in enumerate(CUSTOMERS):
            stage.accept(customer, a_talk(f"k{number}", a_person("c-1", 1), number))
        after_parts(stage, 3, die)
        with pytest.raises(Killed):
            recording(stage, taken(stage))
        stage.clock.forward(HOLD + 1)
        stage.drain()
        assert stage.contact()["Attempts"] == len(CUSTOMERS)

    def test_keeps_what_the_records_had_before(self, stage: Stage) -> None:
        self.killed(stage)
        stage.drain()
        (kept,) = stage.store.lanes.previous.versions([DESTINATION])
        assert (kept.records, kept.created) == (len(CUSTOMERS), len(CUSTOMERS))


class TestALaneLostBetweenTwoParts:
    def test_ends_as_its_new_holder_leaves_it(self, stage: Stage) -> None:
        six_people(stage, city="Mesa")

        def lose() -> None:
            stage.clock.forward(HOLD + 1)
            stage.accept("newer", a_person("c-6", 9, city="Tempe"))
            stage.drain()

        after_parts(stage, 3, lose)
        with pytest.raises(LeaseLost):
            recording(stage, taken(stage))
        stage.drain_in_time()
        assert settled(stage) == len(CUSTOMERS)
        assert [stage.contact(customer)["City"] for customer in CUSTOMERS] == [*["Mesa"] * 5, "Tempe"]
        assert len(stage.crm.records) == len(CUSTOMERS)


class TestADatabaseThatFailsBetweenTwoParts:
    def test_has_what_came_before_and_gets_the_rest_later(self, stage: Stage) -> None:
        six_people(stage)

        def fail() -> None:
            raise StoreUnavailable("database", "planned")

        lease = taken(stage)
        after_parts(stage, 3, fail)
        with pytest.raises(StoreUnavailable):
            recording(stage, lease)
        assert 3 <= settled(stage) < len(CUSTOMERS)
        stage.store.lanes.release(lease)
        stage.drain()
        assert settled(stage) == len(CUSTOMERS)
        assert len(stage.crm.records) == len(CUSTOMERS)


class TestARefusedRunOfRecords:
    def test_pauses_the_lane_with_the_last_part_and_ends_what_was_written(self, stage: Stage) -> None:
        six_people(stage)
        stage.crm.faults = [Fault.CUT]
        recording(stage, taken(stage))
        assert stage.lane().pause_code
        assert settled(stage) < len(CUSTOMERS)


class TestANewEvent:
    def test_is_accepted_while_a_batch_is_recorded(self, stage: Stage) -> None:
        def attempt() -> None:
            stage.wipe()
            six_people(stage)
            accepted = threading.Event()

            def accept() -> None:
                stage.accept("new", a_person("c-7", 1))
                accepted.set()

            def begin() -> None:
                threading.Thread(target=accept).start()
                after_parts(stage, len(CUSTOMERS) - 1, lambda: seen.append(accepted.is_set()))

            seen: list[bool] = []
            after_parts(stage, 1, begin)
            recording(stage, taken(stage))
            assert seen == [True]

        one_in_three(attempt)
