"""Time by the database's clock: what is deleted, who disagrees, and what happens when that clock is set back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import structlog
from sqlalchemy import update

from connector.backoff import DAY, HOUR, SECOND
from connector.cli.options import who
from connector.insight.alarm_watch import look
from connector.insight.alarms import raised
from connector.insight.overview import overview
from connector.running.upkeep import Keep, Upkeep
from connector.settlement import ObligationState
from connector.settlement.clocks import HELD_FOR
from connector.store import Store
from connector.store.consent_tables import obligations
from connector.store.desk import Filter
from connector.store.processes import Beat, Processes
from connector.store.tables import deliveries
from tests.builders import DESTINATION, LANE, NOON, an_arrival
from tests.conftest import Clock

KEEP = {"sunrise": Keep(payloads=30, dead_letters=90)}


def upkeep_of(store: Store, keep: dict[str, Keep] = KEEP) -> Callable[[], None]:
    """Upkeep that does at every call what is due every hour."""
    ticks = iter(range(0, 10**9, 3600))
    return Upkeep(store, keep, [], lambda: float(next(ticks)))


def pass_by(clock: Clock, upkeep: Callable[[], None], days: int) -> None:
    """Let time go on evenly."""
    for _ in range(days * 2):
        clock.forward(DAY // 2)
        upkeep()


def kept(store: Store) -> list[str]:
    return sorted(row.message_id for row in store.desk.deliveries(Filter()))


class TestDeletion:
    def test_it_goes_on_while_time_does(self, store: Store, clock: Clock) -> None:
        store.inbox.accept([an_arrival("one", state="skipped"), an_arrival("dead", state="dead")])
        upkeep = upkeep_of(store)
        pass_by(clock, upkeep, 31)
        assert (store.desk.payload("one"), store.desk.payload("dead") != {}) == ({}, True)
        pass_by(clock, upkeep, 61)
        assert kept(store) == []

    @pytest.mark.parametrize("days", [2, 100])
    def test_a_clock_that_jumps_ahead_deletes_nothing(self, store: Store, clock: Clock, days: int) -> None:
        upkeep = upkeep_of(store, {"sunrise": Keep(payloads=1, dead_letters=1)})
        store.inbox.accept([an_arrival("one", state="skipped"), an_arrival("dead", state="dead")])
        upkeep()
        clock.forward(days * DAY)
        with structlog.testing.capture_logs() as log:
            for _ in range(50):
                upkeep()
        assert kept(store) == ["dead", "one"]
        assert store.desk.payload("one") != {}
        assert {(entry["payloads"], entry["dead_letters"]) for entry in log if "payloads" in entry} == {(1, 1)}

    def test_nor_where_no_worker_ever_ran_before(self, store: Store, clock: Clock) -> None:
        store.inbox.accept([an_arrival("one", state="skipped")])
        clock.forward(100 * DAY)
        upkeep_of(store)()
        assert store.desk.payload("one") != {}

    def test_dead_letters_survive_months_switched_off_until_people_had_a_week_to_see_them(
        self, store: Store, clock: Clock
    ) -> None:
        upkeep = upkeep_of(store)
        store.inbox.accept([an_arrival("dead", state="dead")])
        upkeep()
        clock.forward(100 * DAY)
        upkeep()
        pass_by(clock, upkeep, 6)
        assert kept(store) == ["dead"]
        pass_by(clock, upkeep, 2)
        assert kept(store) == []

    def test_a_clock_set_right_deletes_by_the_right_time(self, store: Store, clock: Clock) -> None:
        upkeep = upkeep_of(store)
        store.inbox.accept([an_arrival("one", state="skipped")])
        upkeep()
        clock.forward(100 * DAY)
        upkeep()
        clock.forward(-100 * DAY)
        pass_by(clock, upkeep, 29)
        assert store.desk.payload("one") != {}
        pass_by(clock, upkeep, 2)
        assert store.desk.payload("one") == {}

    def test_people_can_let_it_go_on(self, store: Store, clock: Clock) -> None:
        upkeep = upkeep_of(store)
        store.inbox.accept([an_arrival("dead", state="dead")])
        upkeep()
        clock.forward(100 * DAY)
        upkeep()
        store.retention.resume(who())
        upkeep()
        assert kept(store) == []

    def test_a_shorter_retention_counts_at_once(self, store: Store, clock: Clock) -> None:
        store.inbox.accept([an_arrival("one", state="skipped"), an_arrival("dead", state="dead")])
        pass_by(clock, upkeep_of(store, {"sunrise": Keep(365, 365)}), 60)
        upkeep_of(store, {"sunrise": Keep(30, 30)})()
        assert kept(store) == []

    def test_it_is_told_by_an_alarm_and_by_the_status(self, store: Store, clock: Clock) -> None:
        upkeep = upkeep_of(store)
        store.inbox.accept([an_arrival("dead", state="dead")])
        upkeep()
        clock.forward(100 * DAY)
        upkeep()
        alarms = {alarm.kind: alarm.text for alarm in raised(look(store, "sunrise", clock()))}
        assert "1 dead letters" in alarms["deletion waits"]
        assert overview(store, clock()).hold.left_ms == HELD_FOR

    @pytest.mark.parametrize("state", [ObligationState.OWED, ObligationState.REFUSED])
    def test_a_dead_letter_is_kept_while_it_owes_an_opt_out(self, store: Store, clock: Clock, state: str) -> None:
        store.inbox.accept([an_arrival("dead", state="dead", raised=frozenset({"doNotCall"}))])
        with store.database.transaction() as connection:
            connection.execute(update(obligations).values(state=state))
        upkeep = upkeep_of(store)
        pass_by(clock, upkeep, 120)
        assert kept(store) == ["dead"]
        with store.database.transaction() as connection:
            connection.execute(update(obligations).values(state=ObligationState.APPLIED))
        upkeep()
        assert kept(store) == []


class TestArrivals:
    def test_they_are_stamped_by_the_database(self, store: Store, clock: Clock) -> None:
        store.inbox.accept([an_arrival("one", received_at=None, source_time=None, raised=frozenset({"doNotCall"}))])
        assert store.watches.arrivals("sunrise") == [NOON]
        (delivery,) = store.inbox.due(LANE, 1)
        assert (delivery.event.received_at, delivery.event.source_time, delivery.first_at) == (NOON, NOON, NOON)
        assert [owed.since for owed in store.obligations.due(LANE, 9)] == [NOON]


class TestSignsOfLife:
    def ahead(self, store: Store, clock: Clock, seconds: float) -> Processes:
        """The processes as a machine sees them whose clock is ahead."""
        return Processes(store.database, lambda: clock() / 1000 + seconds, lambda: 1_000.0)

    @pytest.mark.parametrize("seconds", [0, 600, -3600, 8_640_000])
    def test_everybody_sees_how_far_each_machine_is_off(self, store: Store, clock: Clock, seconds: int) -> None:
        right, far = self.ahead(store, clock, 0), self.ahead(store, clock, seconds)
        if store.database.folder():  # an embedded database has the clock of whoever asks
            far = self.ahead(store, clock, 0)
        for _ in range(3):
            moved = seconds * 1000 if store.database.folder() else 0
            clock.forward(moved)
            far.beat(Beat("far:7", "work"))
            clock.forward(-moved)
            for _ in range(2):
                right.beat(Beat("here:1", "receive"))
                offsets = {one.name: one.offset_ms for one in right.all()}
                assert offsets == {"here:1": 0, "far:7": seconds * 1000}

    def test_a_process_that_ended_is_not_listed_for_long(self, store: Store, clock: Clock) -> None:
        processes = Processes(store.database, lambda: clock() / 1000, lambda: clock() / 1000)
        processes.beat(Beat("here:1", "work"))
        clock.forward(HOUR)
        assert processes.all() == []

    def test_a_wrong_clock_is_an_alarm(self, store: Store, clock: Clock) -> None:
        store.processes = self.ahead(store, clock, 0)
        self.ahead(store, clock, 600).beat(Beat("far:7", "work", 600_000, halted=True))
        (alarm,) = [one for one in raised(look(store, "sunrise", clock())) if one.kind == "clock wrong"]
        assert alarm.thing == "work on far:7"
        assert "takes no lane" in alarm.text


class TestADatabaseSetBack:
    @pytest.fixture
    def processes(self, store: Store, clock: Clock) -> Processes:
        processes = Processes(store.database, lambda: clock() / 1000, lambda: 0.0)
        processes.beat(Beat("here:1", "work"))
        return processes

    @pytest.mark.parametrize("back", [HOUR, 10 * DAY])
    def test_nothing_waits_for_the_lost_time(self, store: Store, clock: Clock, processes: Processes, back: int) -> None:
        store.lanes.open({LANE: DESTINATION})
        store.inbox.accept([an_arrival("one", received_at=None, raised=frozenset({"doNotCall"}))])
        store.lanes.lease("a worker that died", [LANE], 15_000)
        clock.forward(-back)
        assert store.lanes.lease("another", [LANE], 15_000) is None
        assert processes.beat(Beat("here:1", "work")) == back
        assert [owed.flag for owed in store.obligations.due(LANE, 9)] == ["doNotCall"]
        clock.forward(15 * SECOND)
        assert store.lanes.lease("another", [LANE], 15_000) is not None

    def test_what_waited_for_a_while_waits_for_as_long(self, store: Store, clock: Clock, processes: Processes) -> None:
        store.lanes.open({LANE: DESTINATION})
        store.inbox.accept([an_arrival("one", received_at=None)])
        with store.database.transaction() as connection:
            connection.execute(update(deliveries).values(due_at=clock() + 20 * SECOND))
        clock.forward(-HOUR)
        processes.beat(Beat("here:1", "work"))
        assert store.lanes.next_due_ms([LANE], HOUR) == 20 * SECOND

    def test_a_lane_paused_by_hand_stays_paused(self, store: Store, clock: Clock, processes: Processes) -> None:
        store.lanes.open({LANE: DESTINATION})
        store.desk.pause(LANE, "ana")
        (before,) = store.desk.lanes()
        clock.forward(-HOUR)
        processes.beat(Beat("here:1", "work"))
        moved = replace(before, stopped_since=before.stopped_since - HOUR)
        assert store.desk.lanes() == [moved]

    def test_nothing_happened_in_the_future(self, store: Store, clock: Clock, processes: Processes) -> None:
        store.inbox.accept([an_arrival("one", received_at=None)])
        clock.forward(-HOUR)
        processes.beat(Beat("here:1", "work"))
        assert store.watches.arrivals("sunrise") == [clock()]

    def test_of_several_processes_one_puts_it_right(self, store: Store, clock: Clock, processes: Processes) -> None:
        processes.beat(Beat("here:2", "receive"))
        clock.forward(-HOUR)
        assert [processes.beat(Beat(f"here:{number}", "work")) for number in (1, 2)] == [HOUR, 0]

    def test_a_few_seconds_are_no_matter(self, store: Store, clock: Clock, processes: Processes) -> None:
        clock.forward(-20 * SECOND)
        assert processes.beat(Beat("here:1", "work")) == 0
