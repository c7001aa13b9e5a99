"""What wakes workers in other processes: a named pipe beside an embedded database, NOTIFY on a shared one."""

from __future__ import annotations

import os
import select
import time
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from sqlalchemy.engine import URL

from connector.store.channel import Channel
from connector.store.dialect import embedded_folder
from connector.store.line import Patience


class Bell(Protocol):
    """Wakes workers in other processes when something became due."""

    def ring(self) -> None:
        """Wake one or all of the waiting workers. Never raises: a missed ring costs one poll."""

    def wait(self, seconds: float) -> bool:
        """Return at the next ring, or after `seconds`; whether it rang."""

    def close(self) -> None:
        """Stop listening."""


def load_driver(url: URL) -> None:
    """Import a shared database's driver, which processes forked from this one then have in memory once."""
    if embedded_folder(url) is None:
        url.get_dialect().import_dbapi()


def open_bell(url: URL, patience: Patience) -> Bell:
    """A named pipe beside an embedded database; LISTEN and NOTIFY on a shared one.

    Where no pipe can be made or opened, as beside a database that is for reading alone, nobody hears or is heard.
    """
    if embedded_folder(url) is None:
        return Channel(url, patience)
    try:
        return _Pipe(Path(f"{url.database}.bell"))
    except OSError:
        return _Silence()


class _Silence:
    def ring(self) -> None:
        return

    def wait(self, seconds: float) -> bool:
        time.sleep(seconds)
        return False

    def close(self) -> None:
        return


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
            return  # full: there are enough rings to wake every waiting worker

    def wait(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._pipe], [], [], seconds)
        if ready:
            with suppress(BlockingIOError):  # another worker heard it first
                os.read(self._pipe, 65536)
        return bool(ready)

    def close(self) -> None:
        os.close(self._pipe)
