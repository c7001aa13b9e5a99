"""Group commit: arrivals that come in during a commit share the next one."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Final

from connector import telemetry
from connector.errors import InboxFull, StoreUnavailable
from connector.store.inbox import Arrival

Outcome = bool | InboxFull
"""Of an arrival: new, a duplicate, or refused."""

Accept = Callable[[Sequence[Arrival]], Sequence[Outcome]]
Keeper = Callable[[Arrival], "Future[bool]"]
_Waiting = tuple[Arrival | None, "Future[bool]"]
"""An arrival, or None for a trial; and who waits for it."""

MOST: Final = 256
"""Arrivals in one commit."""

MOST_BYTES: Final = 2 * 1024 * 1024
"""Of their bodies, each of which is in memory several times while it is stored; one of any size may come on top."""

STUCK: Final = 12.0
"""Seconds after which a commit no longer moves: its senders have been answered, and no others join them."""

_STOP: Final = 20.0
"""Seconds in which close() lets it commit what waits."""


def _nothing_to_try() -> None:
    raise StoreUnavailable("database", "whether it can be written is not tried here")


_NEVER: Final = float("-inf")


class Bounded:
    """Accepts no more while `limit` deliveries wait, except what raises an opt-out.

    waiting: counts deliveries up to a number; it is asked once a second at most.
    """

    def __init__(
        self,
        accept: Callable[[Sequence[Arrival]], Sequence[bool]],
        waiting: Callable[[int], int],
        limit: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._accept, self._waiting, self._limit, self._clock = accept, waiting, limit, clock
        self._look_at, self._full = clock(), False

    def __call__(self, arrivals: Sequence[Arrival]) -> list[Outcome]:
        """Keep them in one commit. Raises StoreUnavailable."""
        self.look()
        if not self._full:
            return [*self._accept(arrivals)]
        kept = iter(self._accept([arrival for arrival in arrivals if arrival.priority > 0]))
        full = InboxFull("inbox", f"{self._limit} deliveries wait", "CONNECTOR_INBOX_LIMIT")
        return [next(kept) if arrival.priority > 0 else full for arrival in arrivals]

    def look(self) -> None:
        """Count what waits, unless that was done within the last second. Raises StoreUnavailable."""
        now = self._clock()
        if now >= self._look_at:
            self._look_at = now + 1.0
            self._full = self._waiting(self._limit) >= self._limit

    def full(self) -> str:
        """Why ordinary events are refused now; empty if they are not."""
        if not self._full:
            return ""
        return f"full: {self._limit:,} deliveries wait (CONNECTOR_INBOX_LIMIT). Only opt-outs are accepted until then"


class Writer:
    """One thread that commits arrivals and completes their futures once they are on disk.

    trial: a write that keeps nothing; it shows that arrivals could be kept. Raises StoreUnavailable.
    written_at: when something last was on disk, by the monotonic clock, if nothing has failed since.
    tell: runs the call that completes a group's futures; in this thread unless set. `Door.soon` runs it on the event
    loop, where a single wake-up serves the whole group.
    """

    def __init__(
        self,
        accept: Accept,
        trial: Callable[[], None] = _nothing_to_try,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._accept, self._trial, self._clock = accept, trial, clock
        self.written_at = _NEVER
        self._began: float | None = None
        self._reported: float | None = None
        self.tell: Callable[[Callable[[], None]], object] = lambda complete: complete()
        self._waiting: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="inbox writer", daemon=True)
        self._thread.start()

    def __call__(self, arrival: Arrival) -> Future[bool]:
        """Done once the arrival is on disk: True when new, False for a duplicate; or fails with StoreUnavailable.

        Cancelled before its commit begins, it is not kept.
        """
        kept: Future[bool] = Future()
        if (seconds := self.stuck_for(self._clock())) > STUCK:
            self._report(seconds)
            kept.set_exception(StoreUnavailable("database", f"a commit has not ended for {seconds:.0f} s"))
        else:
            self._waiting.put((arrival, kept))
        return kept

    def try_out(self) -> Future[bool]:
        """Done once a write of this very thread is on disk; or fails with StoreUnavailable."""
        done: Future[bool] = Future()
        self._waiting.put((None, done))
        return done

    def lives(self) -> bool:
        """Whether its thread still runs."""
        return self._thread.is_alive()

    def stuck_for(self, now: float) -> float:
        """Return for how many seconds of its clock the present commit has been going on; 0.0 between commits.

        A wait for PostgreSQL ends by itself. A disk that does not answer cannot be interrupted: the writer goes on
        when the disk does, and what it then commits late is sent again as a duplicate.
        """
        began = self._began
        return 0.0 if began is None else now - began

    def _report(self, seconds: float) -> None:
        """Log it, once for each commit."""
        if (began := self._began) != self._reported:
            self._reported = began
            telemetry.writer_stuck(seconds)

    def close(self) -> None:
        """Commit what waits, then stop. It waits no longer for a commit that does not end."""
        self._waiting.put(None)
        self._thread.join(_STOP)

    def _run(self) -> None:
        while (first := self._waiting.get()) is not None:
            group, more = self._collect(first)
            self._commit(group)
            if not more:
                return

    def _collect(self, first: _Waiting) -> tuple[list[_Waiting], bool]:
        group, size = [first], _size(first)
        while len(group) < MOST and size < MOST_BYTES:
            try:
                waiting = self._waiting.get_nowait()
            except queue.Empty:
                break
            if waiting is None:
                return group, False
            group.append(waiting)
            size += _size(waiting)
        return group, True

    def _commit(self, group: list[_Waiting]) -> None:
        group = [waiting for waiting in group if waiting[1].set_running_or_notify_cancel()]
        if not group:
            return
        self._began = self._clock()
        arrivals = [arrival for arrival, _ in group if arrival is not None]
        outcomes = self._write(partial(self._accept, arrivals), len(arrivals)) if arrivals else []
        tried = self._tried(outcomes) if len(arrivals) < len(group) else True
        remaining = iter(outcomes)
        results = [tried if arrival is None else next(remaining) for arrival, _ in group]
        self._began = None
        self.tell(partial(_tell, [done for _, done in group], results))

    def _write(self, write: Callable[[], Sequence[Outcome]], count: int) -> Sequence[Outcome | Exception]:
        try:
            outcomes = write()
        except Exception as error:  # noqa: BLE001  # each waiting request must be answered, whatever happened here
            self.written_at = _NEVER  # what was written before says nothing any more
            return [error] * count
        if True in outcomes:
            self.written_at = time.monotonic()
        return outcomes

    def _tried(self, outcomes: Sequence[Outcome | Exception]) -> Outcome | Exception:
        """Whether a write gets through: what has just been written, or not, says it already."""
        for outcome in outcomes:
            if outcome is True or not isinstance(outcome, bool | InboxFull):
                return outcome
        return self._write(lambda: [self._trial() is None], 1)[0]


def _size(waiting: _Waiting) -> int:
    arrival, _ = waiting
    return 0 if arrival is None else len(arrival.body)


def _tell(waiting: Sequence[Future[bool]], outcomes: Sequence[Outcome | Exception]) -> None:
    for kept, outcome in zip(waiting, outcomes, strict=True):
        if isinstance(outcome, Exception):
            kept.set_exception(outcome)
        else:
            kept.set_result(outcome)
