"""Calls that do not depend on each other, a few side by side: an org answers several as fast as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import copy_context
from typing import TypeVar

Answer = TypeVar("Answer")


class Abreast:
    """At most `width` calls at a time. Threads are started when they are first needed."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._pool = ThreadPoolExecutor(width, thread_name_prefix="salesforce")

    def __call__(self, calls: Sequence[Callable[[], Answer]]) -> list[Answer]:
        """Every answer, in order. When one raises, the others are waited for first: what they wrote, they wrote."""
        if len(calls) < 2 or self._width < 2:
            return [call() for call in calls]
        begun = [self._pool.submit(copy_context().run, call) for call in calls]  # logs keep the batch's name
        wait(begun)
        return [one.result() for one in begun]

    def close(self) -> None:
        """Let the threads go."""
        self._pool.shutdown(wait=False)
