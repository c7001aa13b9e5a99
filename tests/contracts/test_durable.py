"""A commit of ours is on disk before it is acknowledged, whatever the server, the database or the role is set to."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.errors import FixConfiguration
from connector.store import Store
from connector.store.database import open_database
from connector.store.durable import forced, require, weaknesses
from tests.acceptance.product import AGENCY
from tests.builders import DATA_KEY, SECRET
from tests.chaos.postgres import Postgres
from tests.patience import PATIENCE

KEYS = {"CONNECTOR_DATA_KEY": DATA_KEY}


@pytest.fixture
def server() -> Iterator[Postgres]:
    server = Postgres()
    server.start()
    yield server
    server.close()


def used(store: Store) -> str:
    """The setting in force in a transaction of ours."""
    with store.database.transaction() as connection:
        return str(connection.exec_driver_sql("SHOW synchronous_commit").scalar_one())


class TestServer:
    @pytest.mark.slow
    def test_every_transaction_of_ours_waits_for_the_disk(self, server: Postgres) -> None:
        levels = {"off": "on", "local": "on", "remote_write": "on", "remote_apply": "remote_apply"}
        store = Store(open_database(server.address, KEYS))
        with server.connection() as admin:
            for where in ("SYSTEM", "DATABASE postgres", "ROLE postgres"):  # each goes before those to its left
                for usual, ours in levels.items():
                    admin.execute(f"ALTER {where} SET synchronous_commit = {usual}")
                    admin.execute("SELECT pg_reload_conf()")
                    store.database.engine.dispose()
                    assert used(store) == ours, (where, usual)
            admin.execute("ALTER ROLE postgres SET synchronous_commit = off")
        store.database.engine.dispose()
        assert forced(store.database) == "synchronous_commit = off"
        assert weaknesses(store.database) == []
        store.close()

    @pytest.mark.slow
    def test_a_server_that_does_not_wait_for_its_disk_is_refused_unless_that_is_accepted(
        self, server: Postgres
    ) -> None:
        store = Store(open_database(server.address, KEYS))
        require(store.database, accepted=False)
        with server.connection() as admin:
            for name in ("fsync", "full_page_writes"):
                admin.execute(f"ALTER SYSTEM SET {name} = off")
            admin.execute("SELECT pg_reload_conf()")
        server.restart()
        with pytest.raises(FixConfiguration, match="fsync = off") as refused:
            require(store.database, accepted=False)
        assert "CONNECTOR_ACCEPT_DATA_LOSS" in refused.value.hint
        require(store.database, accepted=True)
        assert [(weak.setting, weak.loses) for weak in weaknesses(store.database)] == [
            ("fsync = off", True),
            ("full_page_writes = off", False),
        ]
        store.close()

    @pytest.mark.slow
    @pytest.mark.parametrize("role", ["run", "receive", "work"])
    def test_no_role_starts_on_it(self, tmp_path: Path, role: str) -> None:
        server = Postgres(fsync="off")
        server.start()
        agency = tmp_path / "agency.yaml"
        agency.write_text(AGENCY.format(client="c", salesforce="http://127.0.0.1:1", hubspot="http://127.0.0.1:1"))
        environment = {"CONNECTOR_DATABASE_URL": server.address, "CONNECTOR_DATA_KEY": DATA_KEY, "HOOK_SECRET": SECRET}
        environment |= {"SF_SECRET": "s", "HUBSPOT_TOKEN": "t", "CONNECTOR_LISTEN": "127.0.0.1:0"}
        environment |= {"CONNECTOR_ADMIN_LISTEN": "off"}
        command = [sys.executable, "-m", "connector", role, "-c", str(agency)]
        ended = subprocess.run(
            command, env={**os.environ, **environment}, capture_output=True, check=False, timeout=PATIENCE
        )
        server.close()
        assert ended.returncode != 0
        assert b"fsync = off" in ended.stderr
        assert b"CONNECTOR_ACCEPT_DATA_LOSS" in ended.stderr


class TestFile:
    def test_a_file_waits_for_the_disk(self, sqlite_ready: str) -> None:
        store = Store(open_database(sqlite_ready, KEYS))
        assert weaknesses(store.database) == []
        assert forced(store.database) == ""
        store.close()
