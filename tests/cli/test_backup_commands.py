"""Backups as they are typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from connector.cli import cli
from connector.running.marks import Marks
from connector.running.state import open_state
from connector.store import open_store
from tests.builders import DATA_KEY, DESTINATION, LANE, an_arrival
from tests.contracts import older
from tests.ready import open_ready


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    environment = {"CONNECTOR_DATABASE_URL": f"sqlite:///{tmp_path}/desk.db", "CONNECTOR_DATA_KEY": DATA_KEY}
    open_ready(environment["CONNECTOR_DATABASE_URL"], environment).close()
    return environment


def run(environment: dict[str, str], *arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments, env=environment)


class TestBackup:
    def test_it_says_how_far_it_is_and_that_the_key_is_needed(
        self, environment: dict[str, str], tmp_path: Path
    ) -> None:
        result = run(environment, "backup", str(tmp_path / "copy.db"))
        assert (result.exit_code, "100%" in result.stderr, "NOT in it" in result.stdout) == (0, True, True)

    def test_the_copy_opens_as_a_database(self, environment: dict[str, str], tmp_path: Path) -> None:
        store = open_ready(environment["CONNECTOR_DATABASE_URL"], environment)
        store.inbox.accept([an_arrival("one")])
        store.close()
        run(environment, "backup", str(tmp_path / "copy.db"))
        copy = open_store(f"sqlite:///{tmp_path}/copy.db", environment)
        assert copy.desk.waiting() == 1
        copy.close()

    @pytest.mark.parametrize("how", ["copy.db", "--made-otherwise"])
    def test_when_it_was_made_is_noted(self, environment: dict[str, str], tmp_path: Path, how: str) -> None:
        assert "Last backup: none is noted." in run(environment, "status").stdout
        assert run(environment, "backup", how if how[0] == "-" else str(tmp_path / how)).exit_code == 0
        assert "Last backup: under a second ago." in run(environment, "status").stdout
        assert json.loads(run(environment, "status", "--json").stdout)["backup_at"][:2] == "20"
        assert "backup" in run(environment, "audit").stdout

    @pytest.mark.parametrize("words", [[], ["a.db", "--made-otherwise"]])
    def test_a_file_or_that_it_was_made_otherwise_is_needed(
        self, environment: dict[str, str], words: list[str]
    ) -> None:
        assert run(environment, "backup", *words).exit_code == 2

    def test_a_file_that_exists_is_refused(self, environment: dict[str, str], tmp_path: Path) -> None:
        assert run(environment, "backup", str(tmp_path / "copy.db")).exit_code == 0
        result = run(environment, "backup", str(tmp_path / "copy.db"))
        assert (result.exit_code, "never overwrites" in result.stderr) == (2, True)

    def test_postgresql_is_left_to_pg_dump(self, postgres_address: str, tmp_path: Path) -> None:
        environment = {"CONNECTOR_DATABASE_URL": postgres_address, "CONNECTOR_DATA_KEY": DATA_KEY}
        open_store(postgres_address, environment).close()
        result = run(environment, "backup", str(tmp_path / "copy.db"))
        assert (result.exit_code, "pg_dump" in result.stderr) == (2, True)


class TestRestored:
    def test_it_says_what_to_do_next(self, environment: dict[str, str]) -> None:
        result = run(environment, "restored")
        assert (result.exit_code, "dashboard, replay every message" in result.output) == (0, True)

    def test_a_plan_changes_nothing(self, environment: dict[str, str]) -> None:
        result = run(environment, "restored", "--plan", "--json")
        assert (result.exit_code, json.loads(result.stdout)["done"]) == (0, False)
        assert run(environment, "audit", "--json").stdout.strip() == "[]"

    def test_it_is_in_the_audit_log(self, environment: dict[str, str]) -> None:
        run(environment, "restored", "--since", "2026-06-18")
        assert "restored" in run(environment, "audit").stdout


@pytest.fixture
def gone_back(environment: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """A database that is older than the state beside it: two events are missing."""
    address = environment["CONNECTOR_DATABASE_URL"]
    store = open_store(address, environment)
    store.lanes.open({LANE: DESTINATION})
    store.inbox.accept([an_arrival("kept")])
    copy = older.keep(address)
    store.inbox.accept([an_arrival("lost 1"), an_arrival("lost 2")])
    Marks(store, open_state(address, environment), "receive").look()
    store.close()
    older.put_back(address, copy)
    return environment


class TestGoneBack:
    def test_status_says_what_is_missing_and_claims_nothing(self, gone_back: dict[str, str]) -> None:
        shown = run(gone_back, "status").stdout
        assert "lacks 2 events acknowledged between" in " ".join(shown.split())
        assert "connector restored" in shown
        assert "is in the CRM." not in shown
        assert json.loads(run(gone_back, "status", "--json").stdout)["lost"]["events"] == 2

    def test_consent_says_that_it_is_incomplete(self, gone_back: dict[str, str]) -> None:
        standing, report = (
            run(gone_back, "consent", "status"),
            run(gone_back, "consent", "report", "--since", "2026-06-01"),
        )
        assert ("INCOMPLETE" in standing.stderr, "INCOMPLETE" in report.stderr, report.exit_code) == (True, True, 1)
        (row,) = json.loads(run(gone_back, "consent", "status", "--json").stdout)
        assert row["lost"]["events"] == 2

    def test_lanes_are_paused_until_a_restore_is_declared(self, gone_back: dict[str, str]) -> None:
        (lane,) = json.loads(run(gone_back, "lanes", "list", "--json").stdout)
        assert (lane["paused"], lane["pause_code"]) == (True, "history")
        assert "lacks 2 events" in run(gone_back, "restored").stdout
        (lane,) = json.loads(run(gone_back, "lanes", "list", "--json").stdout)
        assert lane["paused"] is False
        assert "is in the CRM." in run(gone_back, "status").stdout
