"""Run a worker: ask for all of its lanes at once what is due, and give each lane its turn in a thread."""

from __future__ import annotations

import math
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from queue import Empty, SimpleQueue
from typing import Final

from connector import telemetry
from connector.delivery.deliver import fault_in, read_waiting, rest
from connector.delivery.fair import OLDEST_EVERY, choose, may_start
from connector.delivery.movement import LONGEST, Movement
from connector.delivery.plan_ahead import PlannedAhead
from connector.delivery.read_later import ReadLater
from connector.delivery.route import Pace, Route
from connector.delivery.turn import deliver
from connector.errors import LeaseLost, StoreUnavailable
from connector.store import Store
from connector.store.lanes import Lease, Waiting

LONGEST_SLEEP_MS: Final = 2_000
"""How long a worker sleeps at most: a missed ring of the bell costs no more than this."""

FEW_SECONDS: Final = 2.0
"""How long a lane keeps its turn at least, one batch excepted, when others wait for it."""

_LISTEN: Final = 0.5  # seconds: so that the thread that waits for the bell ends soon when the worker does
_BEATEN: Final = 0.02  # seconds to wait where another worker was faster: it may not be finished yet
_UNAVAILABLE: Final = 1.0
_LAST_TURNS: Final = 20.0
_LAST_LOOKS: Final = 5.0  # seconds: these threads end within half a second, unless the database is mute


class Worker:
    """Drains lanes (lane -> its destination's route), each in its own thread: a CRM never waits for another.

    most: lanes held at once. Other workers take the rest, or the lanes take turns. may_work: asked before each turn.
    beside: tasks repeated every second, each in its own thread: one that waits for a CRM delays no other.
    stuck: a lane whose thread has not moved for `longest` seconds, or ""; such a process must end.
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
        longest: float = LONGEST,
    ) -> None:
        self._store, self._lanes, self._pace, self._clock = store, lanes, pace, clock
        self._may_work, self._longest = may_work, longest
        self._most, self._beside, self._names = most, beside, list(lanes)
        self._agencies = len({name.partition("/")[0] for name in lanes})
        self._owner = f"{socket.gethostname()}:{os.getpid()}"
        self._stopping, self._ended = threading.Event(), threading.Event()
        self._rings: SimpleQueue[None] = SimpleQueue()  # an Event set by a signal's handler may deadlock, this may not
        self._turns: dict[str, _Turn] = {}
        self._later: dict[str, ReadLater] = {}
        self._started, self._wanted, self._wanted_soon = 0, 0, 0
        self._lock = threading.Lock()
        self.stuck = ""

    def run(self) -> None:
        """Work until stop(); then finish the current batches and release every lease."""
        helpers = {"bell": self._listen, "leases": self._renew}
        helpers |= {f"upkeep {number}": partial(self._keep_up, task) for number, task in enumerate(self._beside)}
        threads = {name: threading.Thread(target=act, name=name, daemon=True) for name, act in helpers.items()}
        for thread in threads.values():
            thread.start()
        try:
            while not self._stopping.is_set():
                self._wait(self._give_turns())
        finally:
            self._stopping.set()
            self._finish()
            self._ended.set()
            self._store.database.bell.ring()
            for name in ("bell", "leases"):
                threads[name].join(_LAST_LOOKS)

    def stop(self) -> None:
        """Ask run() to return. Safe to call from a signal handler."""
        self._stopping.set()
        self._rings.put(None)

    def _finish(self) -> None:
        """Wait for the last batches, but not for ever where one is stuck."""
        until = self._clock() + _LAST_TURNS
        while self._turns and not (self.stuck and self._clock() > until):
            if set(self._turns) == {self.stuck}:
                break
            self._wait(0.1)

    def _wait(self, seconds: float) -> None:
        """Return when the bell rings, a turn ends or the worker is to stop, or after `seconds`."""
        try:
            self._rings.get(timeout=max(seconds, 0.0))
            while True:
                self._rings.get_nowait()
        except Empty:
            return

    def _listen(self) -> None:
        while not self._stopping.is_set():
            if self._store.database.bell.wait(_LISTEN):
                self._rings.put(None)

    def _keep_up(self, task: Callable[[], None]) -> None:
        while not self._stopping.is_set():
            task()
            self._stopping.wait(1.0)

    def _give_turns(self) -> float:
        """Start what is due, as far as turns are free; return the seconds until more may be due."""
        if not self._may_work():
            return LONGEST_SLEEP_MS / 1000
        try:
            waiting = list(map(self._held_up, self._store.lanes.waiting(self._names)))
        except StoreUnavailable as error:
            telemetry.store_unavailable("worker", error.problem)
            return _UNAVAILABLE
        with self._lock:
            while True:
                startable = may_start(waiting, self._held(), self._most, self._agencies)
                if not startable or len(self._turns) >= self._most:
                    break
                self._start(choose(startable, self._turns.keys(), oldest=(self._started + 1) % OLDEST_EVERY == 0))
            self._wanted = len(startable)
            self._wanted_soon = sum(turn.opt_outs for turn in startable)
        later = (turn.wait_ms for turn in waiting if turn.wait_ms > 0 and turn.name not in self._turns)
        return min([LONGEST_SLEEP_MS, *later]) / 1000

    def _held_up(self, turn: Waiting) -> Waiting:
        """The lane, due when its account can take another batch, with what comes meanwhile. No opt-out waits for it."""
        hold = 0.0 if turn.opt_outs else self._lanes[turn.name].destination.hold()
        return replace(turn, wait_ms=max(turn.wait_ms, math.ceil(1000 * hold)))

    def _held(self) -> dict[str, Waiting]:
        return {name: turn.of for name, turn in self._turns.items()}

    def _start(self, of: Waiting) -> None:
        self._started += 1
        turn = self._turns[of.name] = _Turn(of, Movement())
        threading.Thread(target=self._take_turn, args=(turn,), name=of.name, daemon=True).start()

    def _take_turn(self, turn: _Turn) -> None:
        """Lease the lane and drain it. A bug in here was reported: a restart beats a lane left alone."""
        sound = False
        try:
            turn.movement.follow()
            self._work(turn)
            sound = True
        finally:
            with self._lock:
                del self._turns[turn.of.name]
            if not sound:
                self._stopping.set()
            self._rings.put(None)

    def _work(self, turn: _Turn) -> None:
        try:
            lease = self._store.lanes.lease(self._owner, [turn.of.name], self._pace.hold_ms)
            if lease is None:
                self._stopping.wait(_BEATEN)
                return
            turn.lease = lease
            self._drain(turn, lease)
        except LeaseLost:
            telemetry.lease_lost(turn.of.name)
        except StoreUnavailable as error:
            telemetry.store_unavailable("worker", error.problem)
            self._stopping.wait(_UNAVAILABLE)

    def _drain(self, turn: _Turn, lease: Lease) -> None:
        route, began, ahead = self._lanes[lease.lane], self._clock(), PlannedAhead()
        later = self._later.setdefault(lease.lane, ReadLater())

        def batches() -> None:
            while self._batch(route, lease, ahead, later):
                turn.movement.moved()
                if self._stopping.is_set():
                    break
                if self._is_over(self._clock() - began):
                    return  # the next turn goes on
            read_waiting(self._store, route, lease, self._pace, later)

        try:
            if fault := fault_in(lease.lane, batches):
                rest(self._store, lease, fault, self._pace)
        finally:
            turn.lease = None
            self._store.lanes.release(lease)

    def _is_over(self, seconds: float) -> bool:
        """Whether a turn that has lasted so long makes way for others."""
        with self._lock:
            if self._wanted_soon:
                self._wanted_soon -= 1
                return True
            if self._wanted and seconds > FEW_SECONDS:
                self._wanted -= 1
                return True
        return seconds > self._pace.hold_ms / 1000

    def _batch(self, route: Route, lease: Lease, ahead: PlannedAhead, later: ReadLater) -> bool:
        with telemetry.batch(lease.lane):
            held = route.destination.hold() > 0
            return deliver(self._store, route, lease, self._pace, ahead, later, held=held)

    def _renew(self) -> None:
        """Renew the leases held: a slow CRM must not cost a lease; a stopped process and a stuck thread must."""
        often = self._pace.hold_ms / 4000
        wait = often
        while not self._ended.wait(wait):
            self._look_for_stuck(often)
            held = [turn.lease for turn in list(self._turns.values()) if turn.lease and turn.of.name != self.stuck]
            try:
                self._store.lanes.renew(held, self._pace.hold_ms)
                wait = often
            except StoreUnavailable as error:
                telemetry.store_unavailable("leases", error.problem)
                wait = min(often, 0.2)  # over another connection, before the leases end

    def _look_for_stuck(self, seconds: float) -> None:
        for name, turn in list(self._turns.items()):
            if turn.movement.is_stuck(seconds, self._longest) and not self.stuck:
                self.stuck = name
                telemetry.lane_stuck(name, turn.movement.place())
                self.stop()


@dataclass(slots=True)
class _Turn:
    """A lane's turn. lease: while it has one."""

    of: Waiting
    movement: Movement
    lease: Lease | None = None
