"""The loop of a worker: lease a lane, drain it, give it back, sleep until something is due."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from connector import telemetry
from connector.delivery.deliver import Pace, Route, rest
from connector.delivery.plan_ahead import Beforehand
from connector.delivery.turn import deliver
from connector.errors import DestinationUnusable, LeaseLost, PauseReason, StoreUnavailable
from connector.store import Store
from connector.store.lanes import Lease

LONGEST_SLEEP_MS = 2_000
"""The poll behind the bell: a ring that was missed costs no more than this."""

STOPPING_POLL_MS = 50
"""How often a worker that stops looks whether the last batch is finished: nobody rings then."""


class Worker:
    """Drains lanes (lane -> its destination's route), each in a thread of its own: one CRM never waits for another.

    most: lanes held at once; more workers take the others, and beyond that lanes take turns.
    """

    def __init__(
        self,
        store: Store,
        lanes: Mapping[str, Route],
        pace: Pace,
        beside: Sequence[Callable[[], None]] = (),
        clock: Callable[[], float] = time.monotonic,
        most: int = 64,
    ) -> None:
        self._beside = beside
        self._slots = threading.BoundedSemaphore(most)
        self._clock = clock
        self._store, self._lanes, self._pace = store, lanes, pace
        self._owner = f"{socket.gethostname()}:{os.getpid()}"
        self._stopping = threading.Event()
        self._awake = {lane: threading.Event() for lane in lanes}
        self._held: dict[str, Lease] = {}

    def run(self) -> None:
        """Work until stop(); what is in hand is finished and every lease given back."""
        threads = [threading.Thread(target=self._serve, args=(lane,), name=lane) for lane in self._lanes]
        # It may wait for a CRM, so it holds nobody up: not this loop, which renews leases, and not the end.
        beside = threading.Thread(target=self._keep_up, name="upkeep", daemon=True)
        for thread in (*threads, beside):
            thread.start()
        renew_at = self._clock()
        while any(thread.is_alive() for thread in threads):
            if not all(thread.is_alive() for thread in threads):
                self._stopping.set()  # one met a fault of ours, and told it: better to start over than to lack it
            longest = STOPPING_POLL_MS if self._stopping.is_set() else LONGEST_SLEEP_MS
            self._store.database.bell.wait(min(longest, self._pace.hold_ms / 4) / 1000)
            for awake in self._awake.values():
                awake.set()
            if self._clock() >= renew_at:
                self._renew()
                renew_at = self._clock() + self._pace.hold_ms / 4000
        for thread in threads:
            thread.join()

    def stop(self) -> None:
        """Ask run() to return. Safe from a signal."""
        self._stopping.set()
        self._store.database.bell.ring()

    def _keep_up(self) -> None:
        while not self._stopping.is_set():
            for one in self._beside:
                one()
            self._stopping.wait(1.0)

    def _renew(self) -> None:
        """Hold the lanes in hand for longer: a slow CRM must not cost a lease, a stopped process must."""
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
        """Drain the lane if it owes something; how many milliseconds to sleep then."""
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
        turn_ends, beforehand = self._clock() + self._pace.hold_ms / 1000, Beforehand()
        try:
            while self._batch(route, lease, beforehand):
                if self._stopping.is_set() or self._clock() > turn_ends:
                    break
        except (LeaseLost, StoreUnavailable):
            raise
        except Exception as error:  # noqa: BLE001  # a fault of ours must stop one lane, loudly, not the worker
            self._give_up(lease, error)
        finally:
            del self._held[lease.lane]
            self._store.lanes.release(lease)

    def _batch(self, route: Route, lease: Lease, beforehand: Beforehand) -> bool:
        with telemetry.batch(lease.lane):
            return deliver(self._store, route, lease, self._pace, beforehand)

    def _give_up(self, lease: Lease, error: Exception) -> None:
        problem = f"the connector itself failed ({telemetry.place(error)}): please report it as a bug"
        rest(self._store, lease, DestinationUnusable(lease.lane, PauseReason.FAULT, problem), self._pace)
