"""Run independent calls in parallel: an org answers several calls as fast as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import copy_context
from typing import TypeVar

Answer = TypeVar("Answer")


class Abreast:
    """Runs at most `width` calls at a time, in threads that start when first needed."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._pool = ThreadPoolExecutor(width, thread_name_prefix="salesforce")

    def __call__(self, calls: Sequence[Callable[[], Answer]]) -> list[Answer]:
        """Every answer, in order. If a call raises, the others finish first, because they may be writing."""
        if len(calls) < 2 or self._width < 2:
            return [call() for call in calls]
        running = [self._pool.submit(copy_context().run, call) for call in calls]  # logs keep the batch's name
        wait(running)
        return [future.result() for future in running]

    def close(self) -> None:
        """Stop the threads."""
        self._pool.shutdown(wait=False)
