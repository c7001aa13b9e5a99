"""Compare this machine's clock with the database's and the CRMs', and say so where every process can read it."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

import requests

from connector import telemetry
from connector.destinations import deadline
from connector.errors import StoreUnavailable
from connector.settlement.clocks import CLOCK_TOLERANCE
from connector.store import Store
from connector.store.clock import RemoteClock, moment_of
from connector.store.processes import Beat

EVERY: Final = 5.0
"""Seconds between two signs of life."""

_ASK_AGAIN: Final = 30.0
_LIMITS: Final = deadline.Limits(connect=3.0, read=3.0, total=5.0, size=1 << 20)


class OwnClock:
    """The clock of this machine, compared with others'.

    crms: each CRM's address and its clock. wall: this machine's clock, in epoch seconds; tick: monotonic seconds.
    """

    def __init__(
        self,
        store: Store,
        role: str,
        crms: Sequence[tuple[str, RemoteClock]],
        wall: Callable[[], float] = time.time,
        tick: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._role, self._crms, self._wall, self._tick = store, role, crms, wall, tick
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._shared = store.database.folder() is None  # an embedded database has the clock of this machine
        self._ask_at = self._tick()
        self._was_wrong = False
        self._stopping = threading.Event()

    def is_wrong(self) -> bool:
        """Whether this clock agrees with no other that is known: neither a shared database's nor any CRM's."""
        offsets = self._crm_offsets()
        if self._shared:
            offsets.append(self._wall() - self._store.database.time() / 1000)
        return bool(offsets) and all(abs(offset) * 1000 > CLOCK_TOLERANCE for offset in offsets)

    def _crm_offsets(self) -> list[float]:
        moments = [clock.now() for _, clock in self._crms]
        return [self._wall() - moment for moment in moments if moment is not None]

    def beat(self) -> None:
        """Note a sign of life, how far this clock is off, and whether it keeps this worker from working."""
        is_unsure = self.is_wrong() or not (self._shared or self._crm_offsets())
        if is_unsure and self._tick() >= self._ask_at:
            self._ask_crms()
        is_wrong, offset = self.is_wrong(), min(self._crm_offsets(), key=abs, default=None)
        crm_offset_ms = None if offset is None else int(offset * 1000)
        try:
            back = self._store.processes.beat(
                Beat(self._name, self._role, crm_offset_ms, halted=is_wrong and bool(self._crms))
            )
        except StoreUnavailable as error:
            telemetry.store_unavailable("clock", error.problem)
            return
        if back:
            telemetry.clock_went_back(back / 1000)
        if is_wrong is not self._was_wrong:
            self._was_wrong = is_wrong
            telemetry.clock_judged(self._role, self._offset(), wrong=is_wrong)

    def _offset(self) -> float:
        database = self._wall() - self._store.database.time() / 1000
        return database if self._shared else min(self._crm_offsets(), key=abs, default=database)

    def _ask_crms(self) -> None:
        """Learn the CRMs' time, which may have moved on while this machine slept, without logging in."""
        self._ask_at = self._tick() + _ASK_AGAIN
        for address, clock in self._crms:
            if (moment := crm_time(address)) is not None:
                clock.set(moment)

    def keep_beating(self) -> Callable[[], None]:
        """Beat now, and every few seconds in a thread. Returns a function that stops it."""
        self.beat()
        threading.Thread(target=self._beat_on, name="clock", daemon=True).start()
        return self._stopping.set

    def _beat_on(self) -> None:
        while not self._stopping.wait(EVERY):
            self.beat()


def crm_time(address: str) -> float | None:
    """Ask a CRM for its time, without logging in: epoch seconds; None where that cannot be learned."""
    try:
        with deadline.session(_LIMITS, insecure=True) as session:  # it is asked nothing but the time
            reply = session.head(address, allow_redirects=False)
    except requests.RequestException:
        return None
    return moment_of(reply.headers.get("Date", ""))
