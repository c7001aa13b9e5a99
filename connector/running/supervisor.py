"""The supervisor: starts a process for each role, restarts those that die, and lets none outlive it."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from connector import telemetry

CONFIGURATION_REFUSED: Final = 2
GRACE: Final = 25.0
"""Seconds a role has to finish its current work; a container is usually killed after 30."""

YOUNG: Final = 2.0
"""Seconds: a role that dies sooner than this after its start waits before it is restarted."""

AHEAD: Final = 3.0
"""Seconds the roles wait for what is done ahead of them: a server that does not answer must not hold them up."""

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class Ahead:
    """Does what the roles would do first, once and in a process of its own: what it imports is gone with that process.

    Whatever fails, or is not done within AHEAD seconds, is left to the roles, which report it.
    """

    def __init__(self, work: Callable[[], None]) -> None:
        self._pid = os.fork()
        if self._pid == 0:
            try:
                work()
            finally:
                os._exit(0)

    def wait(self, stopped: Callable[[], bool], seconds: float = AHEAD) -> None:
        """Wait until it has ended, until its time is up, or until `stopped`; then end it."""
        deadline = time.monotonic() + seconds
        while not (ended := os.waitpid(self._pid, os.WNOHANG)[0]) and not stopped() and time.monotonic() < deadline:
            time.sleep(0.005)
        if not ended:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)


def supervise(names: Sequence[str], stopping: Callable[[], None], ahead: Ahead) -> str | int:
    """Keep a process for each role until SIGTERM, or until one refuses its configuration. stopping: called then.

    Returns once in each of those processes, with its role's name, and finally in this one, with the exit status.
    They are forks of this process: imported modules are in memory once, and a role that died restarts quickly.
    """
    signals: list[int] = []  # not an Event: setting one in a signal handler deadlocks while this thread waits for it
    for number in _SIGNALS:
        signal.signal(number, lambda number, _: signals.append(number))
    ahead.wait(lambda: bool(signals))
    roles, lifeline, refused = [_Role(name) for name in names], os.pipe(), False
    gc.freeze()
    while not (refused or signals):
        for role in roles:
            refused |= role.ended(time.monotonic()) == CONFIGURATION_REFUSED
            if role.due(time.monotonic()) and not refused and role.fork(lifeline):
                return role.name
        time.sleep(0.05)
    stopping()
    _stop(roles)
    return CONFIGURATION_REFUSED if refused else 0


@dataclass(slots=True)
class _Role:
    """One role's process. When it dies it is restarted at once, or after 1 s, 2 s, ... 30 s if it keeps dying early."""

    name: str
    pid: int = 0
    began: float = 0.0
    wait: float = 0.0

    def due(self, now: float) -> bool:
        """Whether it is time to start it."""
        return self.pid == 0 and now >= self.began + self.wait

    def fork(self, lifeline: tuple[int, int]) -> bool:
        """Start it. Returns True in the new process."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # a signal during the fork would be lost
        self.began, self.pid = time.monotonic(), os.fork()
        if self.pid == 0:
            _become(self.name, lifeline)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        return self.pid == 0

    def ended(self, now: float) -> int | None:
        """Return its exit status, once, after it ended."""
        if self.pid == 0:
            return None
        pid, wait_status = os.waitpid(self.pid, os.WNOHANG)
        if pid == 0:
            return None
        status = os.waitstatus_to_exitcode(wait_status)
        if status != CONFIGURATION_REFUSED:
            telemetry.role_died(self.name, status)
        young = now - self.began < YOUNG
        self.pid, self.wait = 0, min(max(self.wait * 2, 1.0), 30.0) if young else 0.0
        return status


def _become(name: str, lifeline: tuple[int, int]) -> None:
    """Turn this new process into a role: it ends with its supervisor and has its own name in process lists."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    reading, writing = lifeline
    os.close(writing)
    threading.Thread(target=_end_with_supervisor, args=(reading,), name="lifeline", daemon=True).start()
    with suppress(OSError):
        Path("/proc/self/comm").write_text(name)


def _end_with_supervisor(lifeline: int) -> None:
    """Wait until the supervisor has ended, in whatever way; then stop, gracefully at first."""
    os.read(lifeline, 1)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os._exit(1)


def _stop(roles: Sequence[_Role]) -> None:
    """Ask each process to finish its current work, and kill those that take too long."""
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
