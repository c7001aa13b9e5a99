"""Eight lanes of one CRM account, on both databases and into both sandboxes: they pause and recover together."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Response, request

from connector.carecycle.signature import Verifier
from connector.delivery.pausing import OPT_OUTS_TRY_AFTER
from connector.delivery.route import Pace, Route, Running
from connector.delivery.turn import deliver
from connector.errors import PauseReason
from connector.mapping import shipped_folder
from connector.receive import Agency, lane_for, read
from connector.running.bootstrap import load_mapping
from connector.settlement import Pause, Settlement
from connector.settlement.listings import LaneStatus
from connector.store import Store
from tests.builders import SECRET, a_customer, a_message_id
from tests.conftest import Clock
from tests.destinations import hubspot_fixtures, salesforce_fixtures

COUNT = 8
AGENCY = Agency("sunrise", Verifier("sunrise", [SECRET]), {"crm": COUNT})
LANES = [f"sunrise/crm/{number}" for number in range(COUNT)]
DESTINATION, HOLD, SECOND = "sunrise/crm", 60_000, 1_000
DOWN = Response("", 503)


def a_customer_of(lane: str, number: int = 0) -> str:
    """The id of a customer whose events wait in this lane."""
    of_lane = (name for name in map(str, range(10_000)) if lane_for("sunrise", "crm", COUNT, name) == lane)
    return [next(of_lane) for _ in range(number + 1)][-1]


@dataclass
class Account:
    """The lanes of one account, a worker that takes a turn when asked, and what becomes of both."""

    store: Store
    clock: Clock
    sandbox: Any
    route: Route
    held: str
    turns: int = 0

    def accept(self, lane: str, number: int = 0, **changes: Any) -> None:
        payload = a_customer(id=a_customer_of(lane, number), email=f"{lane[-1]}{number}@example.com", **changes)
        self.store.inbox.accept([read(AGENCY, a_message_id(), json.dumps(payload).encode(), self.clock())])

    def turn(self, *lanes: str) -> str:
        """A turn of one of these lanes, or of any; its name, empty where none may be taken."""
        lease = self.store.lanes.lease("worker", lanes or LANES, HOLD)
        if lease is None:
            return ""
        self.turns += 1
        pace = Pace(hold_ms=HOLD, roll=lambda: 0.5)
        while deliver(self.store, self.route, lease, pace):
            continue
        self.store.lanes.release(lease)
        return lease.lane

    def work(self, seconds: int = 0) -> list[str]:
        """Take turns for so long; the lanes that had one."""
        taken: list[str] = []
        for _ in range(seconds + 1):
            while lane := self.turn():
                taken.append(lane)
            self.clock.forward(SECOND)
        return taken

    def fail(self, answer: Response | Callable[[Callable[[], Response]], Response] = DOWN, text: str = "") -> None:
        """From now on the CRM answers like this to every request that holds the text."""

        def act(handle: Callable[[], Response]) -> Response:
            if text not in request.get_data(as_text=True):
                return handle()
            return answer if isinstance(answer, Response) else answer(handle)

        self.sandbox.fault("", act, times=100_000)

    def recover(self) -> None:
        self.sandbox.faults.clear()

    def lane(self, name: str) -> LaneStatus:
        (lane,) = (lane for lane in self.store.desk.lanes() if lane.name == name)
        return lane

    def paused(self) -> list[str]:
        return [lane.name for lane in self.store.desk.lanes() if lane.paused]

    def opted_out(self) -> int:
        return sum(str(person.get(self.held)).lower() == "true" for person in self.people())

    def people(self) -> list[dict[str, Any]]:
        return list(self.sandbox.records("contacts" if self.held == "do_not_call" else "Contact"))

    def pause(self, lane: str, reason: PauseReason, seconds: int = 60) -> None:
        """Have a lane pause for this reason, after one event of it that waits."""
        lease = self.store.lanes.lease("worker", [lane], HOLD)
        assert lease is not None
        self.store.lanes.settle(lease, Settlement("", pause=Pause(seconds * SECOND, reason, "planned")), HOLD)


@pytest.fixture(params=["salesforce", "hubspot"])
def house(request: pytest.FixtureRequest, store: Store, clock: Clock) -> Iterator[Account]:
    store.lanes.open(dict.fromkeys(LANES, DESTINATION))
    hubspot = request.param == "hubspot"
    opened: Any = hubspot_fixtures if hubspot else salesforce_fixtures
    mapping = load_mapping(shipped_folder() / ("hubspot.yaml" if hubspot else "salesforce-contact.yaml"))
    with opened.sandbox_and_destination() as (sandbox, destination):
        route = Route(DESTINATION, destination, Running(mapping), "America/New_York")
        yield Account(store, clock, sandbox, route, "do_not_call" if hubspot else "DoNotCall")


class TestAnAccountThatIsDown:
    @pytest.fixture
    def down(self, house: Account) -> Account:
        for lane in LANES:
            house.accept(lane)
        house.work()
        for lane in LANES:
            house.accept(lane, updatedAt="2026-06-18T13:00:00.000Z", doNotCall=lane < LANES[4], lastName="Newer")
        house.fail()
        house.turns = 0
        return house

    @pytest.mark.slow
    def test_is_tried_by_two_lanes_and_then_by_one_at_a_time(self, down: Account) -> None:
        assert len(down.work()) == 2
        assert down.paused() == LANES
        assert down.work(300).__len__() <= 16  # after 5, 10, 20, 30, 30 ... seconds: opt-outs wait

    @pytest.mark.slow
    def test_is_usable_for_all_as_soon_as_for_one_and_opt_outs_go_first(self, down: Account) -> None:
        down.work(240)
        down.recover()
        while not (first := down.turn()):
            down.clock.forward(SECOND)
        taken = [first, *down.work()]
        assert sorted(taken[:4]) == LANES[:4]
        assert sorted({*taken}) == LANES
        assert (down.opted_out(), down.store.desk.waiting(), down.paused()) == (4, 0, [])

    @pytest.mark.slow
    def test_keeps_opt_outs_waiting_no_longer_than_needed(self, down: Account) -> None:
        down.work(1800)
        down.recover()
        down.work(OPT_OUTS_TRY_AFTER // SECOND)
        assert (down.opted_out(), down.store.desk.waiting()) == (4, 0)

    @pytest.mark.slow
    def test_pauses_for_longer_each_time_whichever_lane_tries(self, down: Account) -> None:
        down.work(60)
        counts = [down.lane(lane).failures for lane in LANES]
        assert max(counts) >= 4
        assert counts.count(0) >= 3

    @pytest.mark.slow
    def test_is_tried_at_once_when_one_of_its_lanes_is_resumed(self, down: Account) -> None:
        down.work(240)
        down.recover()
        idle = next(lane for lane in LANES if down.lane(lane).paused and lane >= LANES[4])
        down.store.desk.resume(idle, "ana")
        assert down.turn() == idle
        down.work()
        assert (down.opted_out(), down.store.desk.waiting()) == (4, 0)

    @pytest.mark.slow
    def test_does_not_end_the_pause_of_a_lane_that_people_paused(self, down: Account) -> None:
        down.store.desk.pause(LANES[7], "ana")
        down.work(60)
        down.recover()
        down.work(60)
        assert down.paused() == [LANES[7]]
        assert down.lane(LANES[7]).pause_code == "operator"


class TestALimitOfTheAccount:
    def test_that_one_lane_learned_of_holds_for_the_others(self, house: Account) -> None:
        for lane in LANES:
            house.accept(lane)
        house.pause(LANES[3], PauseReason.RATE)
        assert house.turn() == ""
        assert house.paused() == LANES
        assert house.store.lanes.next_due_ms(LANES, 100 * SECOND) == 60 * SECOND
        house.clock.forward(60 * SECOND)
        assert house.store.lanes.next_due_ms(LANES, 100 * SECOND) == 0

    def test_is_tried_by_one_lane_when_it_is_over(self, house: Account) -> None:
        for lane in LANES:
            house.accept(lane)
        house.pause(LANES[3], PauseReason.QUOTA)
        house.clock.forward(60 * SECOND)
        trying = house.store.lanes.lease("worker one", LANES, HOLD)
        assert trying is not None
        assert house.store.lanes.lease("worker two", LANES, HOLD) is None
        assert house.store.lanes.next_due_ms([name for name in LANES if name != trying.lane], HOLD) == HOLD


class TestATroubleOfOneLane:
    @pytest.mark.parametrize("reason", [PauseReason.REQUEST, PauseReason.REFUSED, PauseReason.FAULT])
    def test_is_no_pause_of_the_others(self, house: Account, reason: PauseReason) -> None:
        house.accept(LANES[0])
        house.pause(LANES[0], reason)
        assert house.paused() == LANES[:1]

    @pytest.mark.slow
    def test_stays_its_own_where_one_event_makes_the_crm_fail(self, house: Account) -> None:
        house.accept(LANES[0], lastName="Poison")
        house.fail(text="Poison")
        for minute in range(1, 20):
            house.accept(LANES[1], minute)
            house.clock.forward(59 * SECOND)
            house.work()
            assert set(house.paused()) <= {LANES[0]}
        assert len(house.people()) == 19
        assert house.turns < 19 + 2 * 20

    def test_is_found_out_when_another_lane_gets_through(self, house: Account) -> None:
        house.accept(LANES[0])
        house.accept(LANES[1])
        house.pause(LANES[0], PauseReason.PERMISSIONS)
        assert house.paused() == LANES
        house.clock.forward(60 * SECOND)
        house.turn(LANES[1])
        assert house.paused() == []
        house.accept(LANES[0], 1)
        house.pause(LANES[0], PauseReason.PERMISSIONS)
        house.accept(LANES[1], 2)
        house.turn()
        assert (house.paused(), len(house.people())) == (LANES[:1], 2)
