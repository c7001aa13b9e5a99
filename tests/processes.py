"""A process with those that it started, stopped or killed as one.

Between two signals another may be started, and one may end by itself: the first is not to be missed, and the second
is no error.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from tests.patience import until


def state(pid: int) -> str:
    """`T` for one that is stopped, `Z` for one that waits for whoever reaps it; empty: there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def ended(pid: int) -> bool:
    """Whether it holds nothing any more: no port, no lock, no memory that it shared."""
    return state(pid) in ("", "Z")


def children(pid: int) -> list[int]:
    with suppress(FileNotFoundError, ProcessLookupError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def send(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def freeze(pid: int) -> list[int]:
    """Stop a process where it is, and then all that it started: from then on it starts no other. Returns them all."""
    _stop(pid)
    started = children(pid)
    _stop(*started)
    return [pid, *started]


def _stop(*pids: int) -> None:
    for pid in pids:
        send(pid, signal.SIGSTOP)
    until(lambda: all(state(pid) == "T" or ended(pid) for pid in pids))


def kill(pid: int) -> None:
    """End them all at once, and return when nothing of them is left but what waits to be reaped."""
    frozen = freeze(pid)
    for one in frozen:
        send(one, signal.SIGKILL)
    until(lambda: all(map(ended, frozen)))
