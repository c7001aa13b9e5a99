"""A worker with many lanes, on both databases: what it asks, whose turn it is, and what becomes of a stuck thread."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import event

from connector.carecycle.signature import Verifier
from connector.delivery.route import Pace, Route, Running
from connector.delivery.worker import LONGEST_SLEEP_MS, Worker
from connector.destinations.base import Outcome, Row
from connector.receive import Agency, read
from connector.settlement.listings import LaneStatus
from connector.store import Store, open_store
from tests.builders import DATA_KEY, SECRET, a_message_id
from tests.patience import PATIENCE, in_the_end, until
from tests.promises.crm import Crm
from tests.promises.stage import MAPPINGS, ZONE, a_person

LATER = 10**9


@dataclass
class Slow(Crm):
    """A CRM whose calls wait until they are let through, and that knows how many wait."""

    open: threading.Event = field(default_factory=threading.Event)
    waiting: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def write(self, rows: Sequence[Row]) -> list[Outcome]:
        self.waiting.release()
        self.open.wait()
        return super().write(rows)


@dataclass
class Works:
    """Lanes of one account each, their CRMs, and a worker that serves them in a thread."""

    store: Store
    crms: dict[str, Slow]

    def accept(self, destination: str, **changes: Any) -> None:
        agency, _, name = destination.partition("/")
        receiver = Agency(agency, Verifier(agency, [SECRET]), {name: 1})
        message_id = a_message_id()
        payload = a_person(f"c-{message_id}", 1, **changes)
        self.store.inbox.accept([read(receiver, message_id, json.dumps(payload).encode(), 0)])

    @contextmanager
    def working(self, **how: Any) -> Iterator[Worker]:
        routes = {f"{name}/0": Route(name, crm, Running(MAPPINGS[0]), ZONE) for name, crm in self.crms.items()}
        worker = Worker(
            self.store,
            routes,
            Pace(batch=how.pop("batch", 10), hold_ms=how.pop("hold_ms", 1000 * int(PATIENCE))),
            **how,
        )
        thread = threading.Thread(target=worker.run)
        thread.start()
        try:
            yield worker
        finally:
            worker.stop()
            for crm in self.crms.values():
                crm.open.set()
            for last in (thread, *(other for other in threading.enumerate() if other.name in routes)):
                last.join(PATIENCE)  # a worker leaves a stuck lane's thread behind
                assert not last.is_alive()

    def lane(self, destination: str) -> LaneStatus:
        (lane,) = (lane for lane in self.lanes() if lane.destination == destination)
        return lane

    def lanes(self) -> Sequence[LaneStatus]:
        return in_the_end(self.store.desk.lanes)  # many threads share few connections


@pytest.fixture
def works(database_address: str) -> Iterator[Callable[[Sequence[str]], Works]]:
    stores: list[Store] = []

    def build(destinations: Sequence[str]) -> Works:
        store = open_store(database_address, {"CONNECTOR_DATA_KEY": DATA_KEY})
        stores.append(store)
        store.lanes.open({f"{name}/0": name for name in destinations})
        return Works(store, {name: Slow() for name in destinations})

    yield build
    for store in stores:
        store.close()


Build = Callable[[Sequence[str]], Works]


class TestAnIdleWorker:
    @pytest.mark.slow
    def test_asks_once_for_all_of_its_lanes(self, works: Build) -> None:
        idle = works([f"a{number}/crm" for number in range(240)])
        asked: list[float] = []
        event.listen(idle.store.database.engine, "before_cursor_execute", lambda *_: asked.append(time.monotonic()))
        with idle.working():
            until(lambda: bool(asked) and asked[-1] - asked[0] > 4.0)
        assert len(asked) < 25  # a few for each look, every two seconds

    def test_delivers_at_once_what_arrives(self, works: Build) -> None:
        idle = works([f"a{number}/crm" for number in range(240)])
        idle.crms["a77/crm"].open.set()
        with idle.working():
            seconds: list[float] = []
            for number in range(5):
                idle.accept("a77/crm")
                began = time.monotonic()
                until(lambda count=number: len(idle.crms["a77/crm"].records) > count)
                seconds.append(time.monotonic() - began)
            assert min(seconds[1:]) < LONGEST_SLEEP_MS / 2000  # by looking alone, each of them takes twice as long


class TestFewTurnsForManyLanes:
    def test_begin_with_opt_outs(self, works: Build) -> None:
        busy = works([f"a{number}/crm" for number in range(12)])
        for name in busy.crms:
            busy.accept(name, doNotCall=name in ("a9/crm", "a11/crm"))
        with busy.working(most=2):
            for name in ("a9/crm", "a11/crm"):
                assert busy.crms[name].waiting.acquire(timeout=PATIENCE)
            assert [lane.destination for lane in busy.store.desk.lanes() if lane.leased] == ["a11/crm", "a9/crm"]

    def test_are_given_up_after_a_batch_for_an_opt_out(self, works: Build) -> None:
        busy = works(["a/crm", "b/crm", "c/crm"])
        for name in ("a/crm", "b/crm"):
            for _ in range(3):
                busy.accept(name)
        with busy.working(most=2, batch=1) as worker:
            for name in ("a/crm", "b/crm"):
                busy.crms[name].waiting.acquire()
            busy.accept("c/crm", doNotCall=True)
            until(lambda: worker._wanted_soon == 1)  # the bell has rung
            first, other = busy.crms["a/crm"], busy.crms["c/crm"]
            written: list[int] = []
            other.meanwhile.append(("before", lambda: written.append(len(first.records))))
            other.open.set()
            first.open.set()
            until(lambda: busy.lane("c/crm").opt_outs == 0)
            assert written[0] < 3

    def test_leave_no_agency_waiting_for_another(self, works: Build) -> None:
        busy = works([*(f"a/crm{number}" for number in range(6)), "b/crm"])
        for name in busy.crms:
            if name != "b/crm":
                busy.accept(name)
        with busy.working(most=3):
            until(lambda: sum(lane.leased for lane in busy.lanes()) == 2)
            busy.crms["b/crm"].open.set()
            busy.accept("b/crm")
            until(lambda: busy.lane("b/crm").ready == 0)

    @pytest.mark.slow
    def test_reach_every_lane(self, works: Build) -> None:
        busy = works([f"a{number}/crm" for number in range(40)])
        for name, crm in busy.crms.items():
            crm.open.set()
            busy.accept(name)
        with busy.working(most=4):
            until(lambda: in_the_end(busy.store.desk.waiting) == 0)


class TestAnAccountWhoseCallsHaveToLast:
    def test_gets_what_comes_meanwhile_in_one_batch(self, works: Build) -> None:
        busy = works(["a/crm"])
        crm = busy.crms["a/crm"]
        crm.open.set()
        crm.held = 3600.0
        for _ in range(5):
            busy.accept("a/crm")
        looked: list[float] = []
        event.listen(busy.store.database.engine, "before_cursor_execute", lambda *_: looked.append(time.monotonic()))
        with busy.working():
            until(lambda: bool(looked))
            seen = len(looked)
            busy.accept("a/crm")
            until(lambda: len(looked) > seen + 1)
            assert crm.calls == 0
            crm.held = 0.0
            until(lambda: busy.lane("a/crm").ready == 0)
        assert len(crm.records) == 6
        assert crm.calls <= 3

    def test_gets_opt_outs_at_once(self, works: Build) -> None:
        busy = works(["a/crm"])
        crm = busy.crms["a/crm"]
        crm.open.set()
        busy.accept("a/crm")
        with busy.working():
            until(lambda: busy.lane("a/crm").ready == 0)
            crm.held = 3600.0
            busy.accept("a/crm")
            busy.accept("a/crm", doNotCall=True)
            until(lambda: busy.lane("a/crm").opt_outs == 0)
            assert busy.lane("a/crm").ready == 2


class TestAThreadThatDoesNotMove:
    def test_loses_its_lease_and_ends_the_worker(self, works: Build) -> None:
        stuck = works(["a/crm"])
        stuck.accept("a/crm")
        with stuck.working(hold_ms=400, longest=0.5) as worker:
            until(lambda: bool(worker.stuck))
            until(lambda: stuck.store.lanes.lease("another", ["a/crm/0"], LATER) is not None)
            assert worker.stuck == "a/crm/0"


class TestATaskBeside:
    def test_that_hangs_holds_up_no_other(self, works: Build) -> None:
        hung, done = threading.Event(), threading.Event()
        with works(["a/crm"]).working(beside=(hung.wait, done.set)):
            assert done.wait(PATIENCE)
        hung.set()


class TestAWorkerThatStops:
    def test_gives_all_of_its_lanes_back(self, works: Build) -> None:
        busy = works([f"a{number}/crm" for number in range(20)])
        for name in busy.crms:
            busy.accept(name)
        with busy.working():
            until(lambda: all(lane.leased for lane in busy.lanes()))
        assert not any(lane.leased for lane in busy.store.desk.lanes())
