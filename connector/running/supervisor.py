"""The process above the roles: makes one for each, makes it anew when it dies, and none outlives it."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from connector import telemetry

CONFIGURATION_REFUSED: Final = 2
GRACE: Final = 25.0
"""Seconds a role has to finish what is in hand; a container is commonly killed after 30."""

YOUNG: Final = 2.0
"""A role that died within so many seconds of its start will hardly live longer when started again at once."""

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


def supervise(names: Sequence[str]) -> str | int:
    """Keep a process for each role until SIGTERM, or until one refuses its configuration.

    Returns once in each of those processes, with its role's name, and at last in this one, with the exit status.
    They are forks of this one: what was imported is in memory once, and a role that died is back in a moment.
    """
    told: list[int] = []  # no Event: setting one in a signal while this thread waits for it locks up for good
    for number in _SIGNALS:
        signal.signal(number, lambda number, _: told.append(number))
    roles, lifeline, refused = [_Role(name) for name in names], os.pipe(), False
    gc.freeze()
    while not (refused or told):
        for role in roles:
            refused |= role.ended(time.monotonic()) == CONFIGURATION_REFUSED
            if role.due(time.monotonic()) and not refused and role.fork(lifeline):
                return role.name
        time.sleep(0.05)
    _stop(roles)
    return CONFIGURATION_REFUSED if refused else 0


@dataclass(slots=True)
class _Role:
    """One role's process: started again at once when it dies, or after 1 s, 2 s, ... 30 s when it keeps dying young."""

    name: str
    pid: int = 0
    began: float = 0.0
    wait: float = 0.0

    def due(self, now: float) -> bool:
        """Whether it is time to start it."""
        return self.pid == 0 and now >= self.began + self.wait

    def fork(self, lifeline: tuple[int, int]) -> bool:
        """Start it; whether this is the new process."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # a signal to a process half made would be lost
        self.began, self.pid = time.monotonic(), os.fork()
        if self.pid == 0:
            _become(self.name, lifeline)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        return self.pid == 0

    def ended(self, now: float) -> int | None:
        """Its exit status, once, when it is over."""
        if self.pid == 0:
            return None
        pid, told = os.waitpid(self.pid, os.WNOHANG)
        if pid == 0:
            return None
        status = os.waitstatus_to_exitcode(told)
        if status != CONFIGURATION_REFUSED:
            telemetry.role_died(self.name, status)
        young = now - self.began < YOUNG
        self.pid, self.wait = 0, min(max(self.wait * 2, 1.0), 30.0) if young else 0.0
        return status


def _become(name: str, lifeline: tuple[int, int]) -> None:
    """Make a role of this new process: it ends with its supervisor, and is told apart in lists of processes."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    reading, writing = lifeline
    os.close(writing)
    threading.Thread(target=_end_with_supervisor, args=(reading,), name="lifeline", daemon=True).start()
    with suppress(OSError):
        Path("/proc/self/comm").write_text(name)


def _end_with_supervisor(lifeline: int) -> None:
    """Wait until nobody holds the other end any more, however the supervisor ended; then stop, gracefully at first."""
    os.read(lifeline, 1)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os._exit(1)


def _stop(roles: Sequence[_Role]) -> None:
    """Ask each process to finish what is in hand, and end those that take too long."""
    alive = [role for role in roles if role.pid]
    for role in alive:
        os.kill(role.pid, signal.SIGTERM)
    deadline = time.monotonic() + GRACE
    while (
        alive := [role for role in alive if not os.waitpid(role.pid, os.WNOHANG)[0]]
    ) and time.monotonic() < deadline:
        time.sleep(0.02)
    for role in alive:
        os.kill(role.pid, signal.SIGKILL)
