"""Waiting in tests: a machine may stand still for ten seconds, or be five times slower than it should be.

What becomes true is waited for patiently. A bound on time is far above what a stall adds, and far below what the fault
would take. Where a limit of the product itself is a second or two, a stall spoils an attempt, a fault every attempt.
"""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TypeVar

from connector.errors import ConnectorError

PATIENCE: Final = 120.0
"""Seconds. Nothing that works needs them: they are over only where it fails."""

Result = TypeVar("Result")


def until(holds: Callable[[], object]) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "not in time"
        threading.Event().wait(0.01)


def in_the_end(call: Callable[[], Result]) -> Result:
    """Call it until it raises no error of ours."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return call()
        except ConnectorError:
            assert time.monotonic() < deadline, "not in time"


def one_in_three(attempt: Callable[[], Result]) -> Result:
    """Try it up to three times. Only for what is about a limit, of ours or of a library, that a stall exceeds."""
    for _ in range(2):
        with suppress(AssertionError, ConnectorError, threading.BrokenBarrierError, subprocess.TimeoutExpired):
            return attempt()
    return attempt()
