"""Commands that read work on a database that cannot be written; those that write say so in one line."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner

from connector.cli import cli
from connector.model import Stamp
from connector.settlement import FlagState, Settlement
from connector.store import open_store
from connector.store.agencies import Terms
from tests.builders import CUSTOMER, DATA_KEY, LANE, SECRET, an_arrival
from tests.contracts.test_questions import EDNA, HAROLD, ask
from tests.web.test_ready import read_only

READERS = (
    "status",
    "status --json",
    "consent status",
    "consent report --since 2020-01-01",
    "events list",
    "events show msg_1",
    "problems",
    "lanes list",
    "audit",
    "identity list",
    "keys list",
    "why msg_1",
    "retention show",
    "restored --plan",
    f"forget {CUSTOMER} --plan",
)
WRITERS = (
    "events replay --all",
    "events discard --destination sunrise/salesforce --yes",
    "events set-aside msg_1 --reason x",
    "events show msg_1 --reveal --reason x",
    "lanes pause sunrise/salesforce/0",
    "lanes resume sunrise/salesforce/0",
    "identity decide {question} --somebody-else",
    f"consent lower {CUSTOMER} doNotCall --reason x",
    f"forget {CUSTOMER} --yes --json",
    "keys rotate --yes",
    "restored",
    "retention resume",
)
NOBODY = 65534


def filled(address: str) -> None:
    store = open_store(address, {"CONNECTOR_DATA_KEY": DATA_KEY})
    store.lanes.open({"sunrise/salesforce/0": "sunrise/salesforce"})
    store.agencies.announce([Terms("sunrise", True, 90)])
    ask(store, HAROLD, EDNA)
    store.inbox.accept([an_arrival("msg_1"), an_arrival("msg_2", raised=frozenset({"doNotCall"}))])
    lease = store.lanes.lease("worker", [LANE], 60_000)
    assert lease is not None
    spoken = FlagState(Stamp(1, "a"), value=False, spoken=True)
    store.lanes.settle(lease, Settlement("v1", consents={CUSTOMER: {"doNotCall": spoken}}), 60_000)
    store.close()


def typed(command: str, address: str) -> tuple[int, str]:
    environment = {"CONNECTOR_DATABASE_URL": address, "CONNECTOR_DATA_KEY": DATA_KEY}
    result = CliRunner().invoke(cli, command.split(), env=environment)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def reads_and_does_not_write(address: str) -> None:
    for command in READERS:
        code, output = typed(command, address)
        assert code == (1 if command == "identity list" else 0), (command, output)  # 1: a question waits
        assert "error[" not in output, (command, output)
    assert "msg_1" in typed("events list", address)[1]
    question = typed("identity list", address)[1].split()[0]
    for command in WRITERS:
        code, output = typed(command.format(question=question), address)
        assert code == 1, (command, output)
        assert "read-only" in output
        assert len(output.strip().splitlines()) == 1, output


def doctor_finds_all_but_writing_sound(address: str, folder: Path) -> None:
    """Whatever it says of a CRM that is not there."""
    file = folder / "agency.yaml"
    file.write_text(
        f"agency: sunrise\nwebhook: {{secrets: [{SECRET}]}}\n"
        "destinations: {crm: {mapping: hubspot, auth: {access_token: x}, endpoint: 'http://127.0.0.1:1'}}\n"
    )
    code, output = typed(f"doctor -c {file}", address)
    assert "ok       database and data key" in output
    wrong = [line for line in output.splitlines() if line.startswith("WRONG") and "durable commits" not in line]
    assert (code, [line.split()[1] for line in wrong]) == (1, ["writing", "sunrise/crm:"]), output


class TestPostgres:
    @pytest.mark.slow
    def test_of_a_standby_or_a_read_only_database(self, postgres_address: str, tmp_path: Path) -> None:
        filled(postgres_address)
        with read_only(postgres_address):
            reads_and_does_not_write(postgres_address)
            doctor_finds_all_but_writing_sound(postgres_address, tmp_path)

    def test_an_older_one_says_what_to_do(self, postgres_address: str) -> None:
        filled(postgres_address)
        with psycopg.connect(postgres_address, autocommit=True) as admin:
            admin.execute("UPDATE alembic_version SET version_num = '0019'")
        with read_only(postgres_address):
            code, output = typed("status", postgres_address)
        assert code == 1
        assert "revision 0019" in output
        assert "can be written" in output


@contextmanager
def somebody_else() -> Iterator[None]:
    """Be a user without any permission of their own."""
    os.setresgid(NOBODY, NOBODY, 0)
    os.setresuid(NOBODY, NOBODY, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)
        os.setresgid(0, 0, 0)


class Disk:
    """A file system of the test's own, which can be made read-only."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(folder)], capture_output=True, check=False).returncode:
            pytest.skip("no file system can be mounted here: run the tests as root")

    def turn(self, how: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{how}", str(self.folder)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    disk = Disk(tmp_path / "disk")
    yield disk
    subprocess.run(["umount", "-l", str(disk.folder)], check=True)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Not below pytest's own folder, which a second pytest closes to others."""
    with tempfile.TemporaryDirectory(prefix="connector-open-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


class TestFile:
    @pytest.mark.slow
    def test_on_a_read_only_disk(self, disk: Disk, tmp_path: Path) -> None:
        address = f"sqlite:///{disk.folder}/connector.db"
        filled(address)
        disk.turn("ro")
        reads_and_does_not_write(address)
        doctor_finds_all_but_writing_sound(address, tmp_path)
        assert not list(disk.folder.glob("*-wal"))

    @pytest.mark.slow
    def test_a_copy_without_its_log(self, disk: Disk, sqlite_ready: str, tmp_path: Path) -> None:
        filled(sqlite_ready)
        shutil.copy(sqlite_ready.removeprefix("sqlite:///"), disk.folder / "copy.db")
        disk.turn("ro")
        reads_and_does_not_write(f"sqlite:///{disk.folder}/copy.db")

    def test_a_copy_with_changes_that_cannot_be_read_there_says_what_to_do(self, disk: Disk, sqlite_ready: str) -> None:
        file = Path(sqlite_ready.removeprefix("sqlite:///"))
        store = open_store(sqlite_ready, {"CONNECTOR_DATA_KEY": DATA_KEY})
        store.inbox.accept([an_arrival()])
        for name in (file, file.with_name(f"{file.name}-wal")):
            shutil.copy(name, disk.folder)
        store.close()
        disk.turn("ro")
        code, output = typed("status", f"sqlite:///{disk.folder}/{file.name}")
        assert code == 2
        assert "copy connector.db and connector.db-wal" in output

    def test_an_older_one_says_what_to_do(self, disk: Disk) -> None:
        address = f"sqlite:///{disk.folder}/connector.db"
        filled(address)
        old = sqlite3.connect(disk.folder / "connector.db")
        old.execute("UPDATE alembic_version SET version_num = '0019'")
        old.commit()
        old.close()
        disk.turn("ro")
        code, output = typed("status", address)
        assert code == 1
        assert "revision 0019" in output

    @pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
    @pytest.mark.parametrize("used", [False, True], ids=["nobody uses it", "the connector runs"])
    def test_of_another_user(self, open_folder: Path, *, used: bool) -> None:
        folder = open_folder
        address = f"sqlite:///{folder}/connector.db"
        filled(address)
        store = open_store(address, {"CONNECTOR_DATA_KEY": DATA_KEY}) if used else None
        for name in folder.glob("connector.db*"):
            name.chmod(0o644)
        typed("status", address)  # imports what another user may not
        with somebody_else():
            listed = typed("events list --json", address)
            refused = typed("lanes pause sunrise/salesforce/0", address)
        assert listed[0] == 0, listed
        assert {row["message_id"] for row in json.loads(listed[1])} >= {"msg_1", "msg_2"}
        assert refused[0] == 1
        assert "read-only" in refused[1]
        left = ["connector.db-shm", "connector.db-wal"] if used else []
        assert sorted(name.name for name in folder.glob("connector.db-*")) == left
        if store:
            store.close()
