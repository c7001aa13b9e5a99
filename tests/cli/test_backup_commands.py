"""Backups as they are typed."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from connector.cli import cli
from connector.store import open_store
from tests.builders import DATA_KEY, an_arrival


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"CONNECTOR_DATABASE_URL": f"sqlite:///{tmp_path}/desk.db", "CONNECTOR_DATA_KEY": DATA_KEY}


def run(environment: dict[str, str], *arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments, env=environment)


class TestBackup:
    def test_it_says_how_far_it_is_and_that_the_key_is_needed(
        self, environment: dict[str, str], tmp_path: Path
    ) -> None:
        result = run(environment, "backup", str(tmp_path / "copy.db"))
        assert (result.exit_code, "100%" in result.stderr, "NOT in it" in result.stdout) == (0, True, True)

    def test_the_copy_opens_as_a_database(self, environment: dict[str, str], tmp_path: Path) -> None:
        store = open_store(environment["CONNECTOR_DATABASE_URL"], environment)
        store.inbox.accept([an_arrival("one")])
        store.close()
        run(environment, "backup", str(tmp_path / "copy.db"))
        copy = open_store(f"sqlite:///{tmp_path}/copy.db", environment)
        assert copy.desk.waiting() == 1
        copy.close()

    def test_a_file_that_exists_is_refused(self, environment: dict[str, str], tmp_path: Path) -> None:
        assert run(environment, "backup", str(tmp_path / "copy.db")).exit_code == 0
        result = run(environment, "backup", str(tmp_path / "copy.db"))
        assert (result.exit_code, "never overwrites" in result.stderr) == (2, True)

    def test_postgresql_is_left_to_pg_dump(self, postgres_address: str, tmp_path: Path) -> None:
        environment = {"CONNECTOR_DATABASE_URL": postgres_address, "CONNECTOR_DATA_KEY": DATA_KEY}
        result = run(environment, "backup", str(tmp_path / "copy.db"))
        assert (result.exit_code, "pg_dump" in result.stderr) == (2, True)


class TestRestored:
    def test_it_says_what_to_do_next(self, environment: dict[str, str]) -> None:
        result = run(environment, "restored")
        assert (result.exit_code, "dashboard, replay every message" in result.output) == (0, True)
