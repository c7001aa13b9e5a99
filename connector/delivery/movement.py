"""Whether a thread that delivers still moves: it calls its CRM, or goes on to another batch."""

from __future__ import annotations

import sys
import threading
import traceback
from contextvars import ContextVar
from pathlib import PurePath
from typing import Final

LONGEST: Final = 600.0
"""Seconds without a movement after which a thread is stuck: every wait within a batch has a much earlier deadline."""

_CURRENT: ContextVar[Movement | None] = ContextVar("movement", default=None)


def moved() -> None:
    """Note that the current thread, or the one that it works for, has called a CRM."""
    if movement := _CURRENT.get():
        movement.moved()


class Movement:
    """Counts looks at a thread since it moved, not time: a process that was itself stopped for long is not stuck."""

    def __init__(self) -> None:
        self._still = 0.0
        self._thread = 0

    def follow(self) -> None:
        """Follow the thread that calls this."""
        self._thread = threading.get_ident()
        _CURRENT.set(self)

    def moved(self) -> None:
        """Note that it moves."""
        self._still = 0.0

    def is_stuck(self, since_last_look: float, longest: float = LONGEST) -> bool:
        """Look, `since_last_look` seconds after the last time; return whether it has not moved for too long."""
        self._still += since_last_look
        return self._still > longest

    def place(self) -> str:
        """Describe where the thread is, by file and line, the innermost last."""
        frame = sys._current_frames().get(self._thread)  # documented, for debugging deadlocks
        frames = traceback.extract_stack(frame) if frame else []
        return " ".join(f"{PurePath(at.filename).name}:{at.lineno}" for at in frames[-4:])
