"""What wakes workers in other processes: a named pipe beside an embedded database, NOTIFY on a shared one."""

from __future__ import annotations

import os
import select
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import psycopg
from sqlalchemy.engine import URL

from connector.errors import StoreUnavailable
from connector.store.dialect import CHANNEL, LINE, embedded_folder


class Bell(Protocol):
    """Wakes workers in other processes when something became due."""

    def ring(self) -> None:
        """Wake one or all of those who wait. Never raises: a missed ring costs one poll."""

    def wait(self, seconds: float) -> None:
        """Return at the next ring, or after so many seconds."""

    def close(self) -> None:
        """Stop listening."""


def open_bell(url: URL) -> Bell:
    """A named pipe beside an embedded database; LISTEN and NOTIFY on a shared one. Raises StoreUnavailable."""
    try:
        return _Pipe(Path(f"{url.database}.bell")) if embedded_folder(url) else _Channel(url)
    except OSError as error:
        raise StoreUnavailable(f"{url.database}.bell", f"cannot be made: {error.strerror}") from None


class _Pipe:
    def __init__(self, path: Path) -> None:
        with suppress(FileExistsError):
            os.mkfifo(path, 0o600)
        # Open for both directions: it then never blocks at opening and never reads as ended.
        self._pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK)

    def ring(self) -> None:
        try:
            os.write(self._pipe, b".")
        except BlockingIOError:
            return  # full: whoever waits has plenty of rings to hear

    def wait(self, seconds: float) -> None:
        ready, _, _ = select.select([self._pipe], [], [], seconds)
        if ready:
            try:
                os.read(self._pipe, 65536)
            except BlockingIOError:
                return  # another worker heard it first

    def close(self) -> None:
        os.close(self._pipe)


class _Channel:
    """Its own connection, apart from the pool: a listener must not sit in a transaction."""

    def __init__(self, url: URL) -> None:
        self._address = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._connection: psycopg.Connection[Any] | None = None

    def _connected(self) -> psycopg.Connection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(self._address, autocommit=True, **LINE)
            self._connection.execute(f"LISTEN {CHANNEL}")
        return self._connection

    def ring(self) -> None:
        """Nothing: `notify` rings inside the transaction that made something due, so that nobody wakes too early."""

    def wait(self, seconds: float) -> None:
        try:
            for _ in self._connected().notifies(timeout=seconds, stop_after=1):
                pass
        except psycopg.Error:
            self._connection = None
            time.sleep(min(seconds, 1.0))

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
