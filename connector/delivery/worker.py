"""Run a worker: lease a lane, drain it, release it, sleep until something is due."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from connector import telemetry
from connector.delivery.deliver import fault_in, rest
from connector.delivery.plan_ahead import PlannedAhead
from connector.delivery.route import Pace, Route
from connector.delivery.turn import deliver
from connector.errors import LeaseLost, StoreUnavailable
from connector.store import Store
from connector.store.lanes import Lease

LONGEST_SLEEP_MS = 2_000
"""How long a worker sleeps at most: a missed ring of the bell costs no more than this."""

STOPPING_POLL_MS = 50
"""How often a stopping worker checks whether its last batch is finished: no bell announces that."""


class Worker:
    """Drains lanes (lane -> its destination's route), each in its own thread: a CRM never waits for another.

    most: lanes held at once. Other workers take the rest, or the lanes take turns. may_work: asked before each lease.
    """

    def __init__(
        self,
        store: Store,
        lanes: Mapping[str, Route],
        pace: Pace,
        beside: Sequence[Callable[[], None]] = (),
        clock: Callable[[], float] = time.monotonic,
        most: int = 64,
        may_work: Callable[[], bool] = lambda: True,
    ) -> None:
        self._may_work = may_work
        self._beside = beside
        self._slots = threading.BoundedSemaphore(most)
        self._clock = clock
        self._store, self._lanes, self._pace = store, lanes, pace
        self._owner = f"{socket.gethostname()}:{os.getpid()}"
        self._stopping = threading.Event()
        self._awake = {lane: threading.Event() for lane in lanes}
        self._held: dict[str, Lease] = {}

    def run(self) -> None:
        """Work until stop(); then finish the current batches and release every lease."""
        threads = [threading.Thread(target=self._serve, args=(lane,), name=lane) for lane in self._lanes]
        # Upkeep may wait for a CRM, so it must not delay this loop, which renews leases, nor the end.
        upkeep = threading.Thread(target=self._keep_up, name="upkeep", daemon=True)
        for thread in (*threads, upkeep):
            thread.start()
        renew_at = self._clock()
        while any(thread.is_alive() for thread in threads):
            if not all(thread.is_alive() for thread in threads):
                self._stopping.set()  # a bug ended this thread and was reported: a restart beats a lane left alone
            self._wait_for_bell()
            if self._clock() >= renew_at:
                self._renew()
                renew_at = self._clock() + self._pace.hold_ms / 4000
        for thread in threads:
            thread.join()

    def _wait_for_bell(self) -> None:
        """Wait until the bell rings or the next poll is due, then wake every lane."""
        longest = STOPPING_POLL_MS if self._stopping.is_set() else LONGEST_SLEEP_MS
        self._store.database.bell.wait(min(longest, self._pace.hold_ms / 4) / 1000)
        for awake in self._awake.values():
            awake.set()

    def stop(self) -> None:
        """Ask run() to return. Safe to call from a signal handler."""
        self._stopping.set()
        self._store.database.bell.ring()

    def _keep_up(self) -> None:
        while not self._stopping.is_set():
            for task in self._beside:
                task()
            self._stopping.wait(1.0)

    def _renew(self) -> None:
        """Renew the leases held: a slow CRM must not cost a lease, a stopped process must."""
        try:
            for lease in list(self._held.values()):
                self._store.lanes.renew(lease, self._pace.hold_ms)
        except StoreUnavailable as error:
            telemetry.store_unavailable("worker", error.problem)

    def _serve(self, lane: str) -> None:
        awake = self._awake[lane]
        while not self._stopping.is_set():
            awake.clear()
            sleep = self._turn(lane)
            awake.wait(sleep / 1000)

    def _turn(self, lane: str) -> int:
        """Drain the lane if something is due; return how many milliseconds to sleep afterwards."""
        if not self._may_work():
            return LONGEST_SLEEP_MS
        try:
            with self._slots:
                lease = self._store.lanes.lease(self._owner, [lane], self._pace.hold_ms)
                if lease is not None:
                    self._drain(lease)
            return self._store.lanes.next_due_ms([lane], LONGEST_SLEEP_MS)
        except LeaseLost:
            telemetry.lease_lost(lane)
        except StoreUnavailable as error:
            telemetry.store_unavailable("worker", error.problem)
        return LONGEST_SLEEP_MS

    def _drain(self, lease: Lease) -> None:
        route = self._lanes[lease.lane]
        self._held[lease.lane] = lease
        turn_ends, ahead = self._clock() + self._pace.hold_ms / 1000, PlannedAhead()

        def batches() -> None:
            while self._batch(route, lease, ahead):
                if self._stopping.is_set() or self._clock() > turn_ends:
                    break

        try:
            if fault := fault_in(lease.lane, batches):
                rest(self._store, lease, fault, self._pace)
        finally:
            del self._held[lease.lane]
            self._store.lanes.release(lease)

    def _batch(self, route: Route, lease: Lease, ahead: PlannedAhead) -> bool:
        with telemetry.batch(lease.lane):
            return deliver(self._store, route, lease, self._pace, ahead)
