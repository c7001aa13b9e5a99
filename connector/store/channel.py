"""The bell of a shared database: LISTEN and NOTIFY."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine import URL

from connector.store.dialect import CHANNEL, LINE

if TYPE_CHECKING:
    from psycopg import Connection


class Channel:
    """A Bell. Its own connection, apart from the pool: a listener must not sit in a transaction.

    psycopg is imported where it is used: it is 9 MB, which an embedded database does without.
    """

    def __init__(self, url: URL) -> None:
        self._address = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._connection: Connection[Any] | None = None

    def _connected(self) -> Connection[Any]:
        import psycopg

        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(self._address, autocommit=True, **LINE)
            self._connection.execute(f"LISTEN {CHANNEL}")
        return self._connection

    def ring(self) -> None:
        """Do nothing: `notify` rings inside the transaction that made something due, so that nobody wakes too early."""

    def wait(self, seconds: float) -> None:
        """Return at the next ring, or after `seconds`."""
        import psycopg

        try:
            for _ in self._connected().notifies(timeout=seconds, stop_after=1):
                pass
        except psycopg.Error:
            self._connection = None
            time.sleep(min(seconds, 1.0))

    def close(self) -> None:
        """Stop listening."""
        if self._connection is not None:
            self._connection.close()
