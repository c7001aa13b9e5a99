"""Start a role whose database cannot be used yet: try again until it can, and say why meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import Final

from connector import telemetry
from connector.errors import StoreUnavailable

_REST: Final = 1.0
"""Seconds between two tries."""


class Opening:
    """Opens what a role needs. A process that ended instead would be restarted again and again, and answer nobody.

    open: puts what must be closed later on the stack. Raises StoreUnavailable while it must be tried again.
    failed: is given each failure. problem: why it is not open yet, until is_open.
    """

    def __init__(self, open: Callable[[ExitStack], None], failed: Callable[[StoreUnavailable], None]) -> None:
        self._open, self._failed, self._stopping = open, failed, threading.Event()
        self.problem, self.is_open = "is being opened", False

    def until_open(self, closing: ExitStack) -> None:
        """Return once everything is open, or after stop(). Raises FixConfiguration."""
        while not self._stopping.is_set():
            with ExitStack() as undo:
                try:
                    self._open(undo)
                except StoreUnavailable as error:
                    self._failed(error)
                    self._complain(error.problem)
                else:
                    closing.push(undo.pop_all())
                    self.is_open = True
                    return
            self._stopping.wait(_REST)

    def stop(self) -> None:
        """Try no more."""
        self._stopping.set()

    def _complain(self, problem: str) -> None:
        if problem != self.problem:
            telemetry.store_unavailable("start", problem)
        self.problem = problem


def in_background(steps: Sequence[Opening], closing: ExitStack) -> Future[None]:
    """Open one after the other in a thread of its own."""
    thread = ThreadPoolExecutor(1, thread_name_prefix="opening")
    opened = thread.submit(_open_all, steps, closing)
    thread.shutdown(wait=False)
    return opened


def _open_all(steps: Sequence[Opening], closing: ExitStack) -> None:
    for step in steps:
        step.until_open(closing)


class Announced:
    """Does something once, as soon as the database can be written; then another thing after whatever may change that.

    again: what an older database in the place of ours would lack. doubts: a number that grows with each broken
    connection, behind which another database may be. Call it again and again.
    """

    def __init__(self, announce: Callable[[], None], again: Callable[[], None], doubts: Callable[[], int]) -> None:
        self._announce, self._again, self._doubts = announce, again, doubts
        self._done: int | None = None

    def __call__(self) -> None:
        """Try, unless it is done."""
        if (doubts := self._doubts()) == self._done:
            return
        first, problem = self._done is None, ""
        try:
            (self._announce if first else self._again)()
        except StoreUnavailable as error:
            problem = error.problem
        else:
            self._done = doubts
        if first and problem:  # later, those who work report it
            telemetry.store_unavailable("start", problem)
