"""PgBouncer between the product and a PostgreSQL server of the case's own."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.chaos.postgres import DATABASE, Postgres, as_user
from tests.patience import PATIENCE
from tests.ports import free_port

SETTINGS = """\
[databases]
{database} = host=127.0.0.1 port={server} dbname={database}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {users}
pool_mode = {mode}
default_pool_size = 40
max_client_conn = 400
logfile = {log}
pidfile =
{more}
"""


class PgBouncer:
    """As its documentation sets it up, in `mode` session or transaction. more: lines of pgbouncer.ini."""

    def __init__(self, server: Postgres, mode: str = "session", more: str = "") -> None:
        program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
        if program is None:
            pytest.skip("pgbouncer is not installed: apt-get install pgbouncer")
        self.server, self.mode, self.port, self.program = server, mode, free_port(), program
        self.folder = Path(tempfile.mkdtemp(prefix="connector-chaos-pgbouncer-"))
        users, log = self.folder / "users.txt", self.folder / "log"
        users.write_text('"postgres" ""\n')
        values: dict[str, Any] = {"database": DATABASE, "server": server.port, "port": self.port, "mode": mode}
        (self.folder / "pgbouncer.ini").write_text(SETTINGS.format(**values, users=users, log=log, more=more))
        if server.user is not None:
            for path in (self.folder, *self.folder.iterdir()):
                shutil.chown(path, server.user)
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return Postgres.address_at(self.port)

    def start(self, patience: float = PATIENCE) -> None:
        command = [self.program, "-q", str(self.folder / "pgbouncer.ini")]
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(command, **quiet, **as_user(self.server.user))
        deadline = time.monotonic() + patience
        while not self.answers():
            assert time.monotonic() < deadline, (self.folder / "log").read_text()[-2000:]
            time.sleep(0.05)  # between two looks at another process there is nothing to wait on

    def answers(self) -> bool:
        try:
            with psycopg.connect(self.address, connect_timeout=3, autocommit=True) as connection:
                connection.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True

    def kill(self) -> None:
        """End it with every connection through it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(PATIENCE)
            self.process = None

    def restart(self) -> None:
        self.kill()
        self.start()

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
