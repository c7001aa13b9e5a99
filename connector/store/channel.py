"""The bell of a shared database: LISTEN and NOTIFY."""

from __future__ import annotations

import time
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy.engine import URL

from connector.store.dialect import CHANNEL
from connector.store.line import Patience, connect, is_pooled, parameters

if TYPE_CHECKING:
    from psycopg import Connection

_QUIET: Final = 10.0
"""Seconds without a ring after which the server is asked whether it is still there."""

_LOOK, _REST, _POOLED = 1.0, 1.0, 60.0
"""Seconds between two looks at whether to stop, until another connection is tried, and beside a pooler."""


class Channel:
    """A Bell. It listens in a thread of its own: nobody who waits for a ring waits for the database.

    Through a pooler nothing is listened to: what another session hears is not for us. Workers then find what is due
    by looking. psycopg is imported where it is used: it is 9 MB, which an embedded database does without.
    """

    def __init__(self, url: URL, patience: Patience) -> None:
        self._parameters, self._patience = parameters(url), patience
        self._rung, self._closing = Event(), Event()
        self._thread: Thread | None = None

    def ring(self) -> None:
        """Do nothing: `notify` rings inside the transaction that made something due, so that nobody wakes too early."""

    def wait(self, seconds: float) -> bool:
        """Return at the next ring, or after `seconds`; whether it rang."""
        if self._thread is None:  # not before: a fork of this process has no threads of it
            self._thread = Thread(target=self._listen, name="bell", daemon=True)
            self._thread.start()
        rang = self._rung.wait(seconds)
        self._rung.clear()
        return rang

    def close(self) -> None:
        """Stop listening."""
        self._closing.set()

    def _listen(self) -> None:
        import psycopg

        while not self._closing.is_set():
            rest = _REST
            try:
                with connect(self._patience, self._parameters) as line:
                    if is_pooled(line):
                        rest = _POOLED
                    else:
                        self._hear(line)
            except psycopg.Error:
                pass  # the server is away or mute: the next statement of any other part reports it
            self._closing.wait(rest)

    def _hear(self, line: Connection[Any]) -> None:
        line.execute(f"LISTEN {CHANNEL}")
        self._rung.set()  # it may have rung before
        heard = time.monotonic()
        while not self._closing.is_set():
            for _ in line.notifies(timeout=_LOOK, stop_after=1):
                self._rung.set()
                heard = time.monotonic()
            if time.monotonic() - heard > _QUIET:
                line.execute("SELECT 1")
                heard = time.monotonic()
