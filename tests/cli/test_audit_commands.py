"""audit, as it is typed: list, verify and export."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text

from connector.cli import cli
from connector.running.state import State
from connector.running.witness import Witness
from connector.store import Store
from tests.builders import DATA_KEY
from tests.ready import open_ready

LONG = f"msg_{'0123456789' * 12}"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"CONNECTOR_DATABASE_URL": f"sqlite:///{tmp_path}/connector.db", "CONNECTOR_DATA_KEY": DATA_KEY}


@pytest.fixture
def store(environment: dict[str, str]) -> Iterator[Store]:
    store = open_ready(environment["CONNECTOR_DATABASE_URL"], environment)
    store.audit.note("ana", "pause", "sunrise/crm/0", "the CRM is moved", agency="sunrise")
    store.audit.note("console:ben", "replay", "3 dead deliveries: code X", customer_id="c-1", agency="harbor")
    store.audit.note("ana", "reveal", f"sunrise/{LONG}", "the agent called", agency="sunrise")
    yield store
    store.close()


def run(environment: dict[str, str], *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["audit", *arguments], env=environment)


def change(store: Store, statement: str) -> None:
    with store.database.transaction() as connection:
        connection.execute(text(statement))


class TestListing:
    def test_the_newest_is_first_with_the_whole_id_and_the_reason(
        self, store: Store, environment: dict[str, str]
    ) -> None:
        lines = run(environment).output.splitlines()
        assert lines[0].startswith("3  ")
        assert lines[0].endswith("ana: reveal")
        assert lines[1:3] == [f"    sunrise/{LONG}", "    why: the agent called"]

    def test_options_of_the_list_need_no_word_before_them(self, store: Store, environment: dict[str, str]) -> None:
        (row,) = json.loads(run(environment, "--limit", "1", "--json").output)
        assert (row["number"], row["reason"]) == (3, "the agent called")

    @pytest.mark.parametrize(
        ("options", "numbers"),
        [
            (("--who", "ana"), [3, 1]),
            (("--action", "replay"), [2]),
            (("--agency", "sunrise"), [3, 1]),
            (("--thing", "CODE x"), [2]),
            (("--thing", "moved"), [1]),
            (("--thing", "c-1"), [2]),
            (("--since", "2100-01-01"), []),
            (("--until", "2000-01-01"), []),
            (("--who", "ana", "--action", "pause"), [1]),
        ],
    )
    def test_each_filter_chooses(
        self, store: Store, environment: dict[str, str], options: tuple[str, ...], numbers: list[int]
    ) -> None:
        listed = json.loads(run(environment, "list", *options, "--json").output)
        assert [row["number"] for row in listed] == numbers

    @pytest.mark.parametrize("option", ["--who", "--action", "--agency"])
    def test_a_name_that_does_not_occur_is_an_error_that_lists_those_that_do(
        self, store: Store, environment: dict[str, str], option: str
    ) -> None:
        known = {"--who": "ana, console:ben", "--action": "pause, replay, reveal", "--agency": "harbor, sunrise"}
        result = run(environment, "list", option, "nobody")
        assert result.exit_code == 2
        assert f"{option}: 'nobody' does not occur (known are {known[option]})" in result.output


class TestVerifying:
    def test_a_whole_log_ends_with_its_head_and_status_0(self, store: Store, environment: dict[str, str]) -> None:
        result = run(environment, "verify")
        assert result.exit_code == 0
        assert result.output.splitlines()[-1] == f"head: {store.audit.head()}"

    def test_a_changed_entry_is_named_with_its_time_and_status_1(
        self, store: Store, environment: dict[str, str]
    ) -> None:
        change(store, "UPDATE audit SET who = 'eve' WHERE number = 2")
        result = run(environment, "verify")
        assert result.exit_code == 1
        assert result.output.startswith("Entry 2 (20")
        assert "was changed or moved" in result.output
        (fault,) = json.loads(run(environment, "verify", "--json").output)["faults"]
        assert (fault["kind"], fault["number"]) == ("changed", 2)

    def test_times_that_cannot_be_are_no_traceback(self, store: Store, environment: dict[str, str]) -> None:
        change(store, "UPDATE audit SET at = 9000000000000000000 WHERE number = 2")
        change(store, "UPDATE audit SET at = 'x' WHERE number = 3")
        assert "Entry 2 (at no possible time" in run(environment, "verify").output
        assert run(environment).exit_code == 0

    def test_a_head_that_was_written_down_is_compared(self, store: Store, environment: dict[str, str]) -> None:
        head = str(store.audit.head())
        assert run(environment, "verify", "--head", head).exit_code == 0
        later = f"9-{head.partition('-')[2]}"
        result = run(environment, "verify", "--head", later)
        assert result.exit_code == 1
        assert result.output.startswith("Entry 9 was seen earlier, but the log ends at entry 3")

    def test_a_head_that_is_none_is_wrong_usage(self, store: Store, environment: dict[str, str]) -> None:
        assert run(environment, "verify", "--head", "yesterday").exit_code == 2

    def test_a_log_that_went_back_is_shorter_than_what_a_process_here_saw(
        self, store: Store, environment: dict[str, str], tmp_path: Path
    ) -> None:
        change(store, "CREATE TABLE kept AS SELECT * FROM audit_head")
        store.audit.note("ana", "pause", "sunrise/crm/0")
        Witness(store, State(tmp_path, "connector.db")).look()
        assert run(environment, "verify").exit_code == 0
        change(store, "DELETE FROM audit WHERE number = 4")
        change(store, "DELETE FROM audit_head")
        change(store, "INSERT INTO audit_head SELECT * FROM kept")
        result = run(environment, "verify")
        assert (result.exit_code, "Entry 4 was seen earlier" in result.output) == (1, True)

    def test_a_restore_that_was_declared_is_no_fault_on_this_machine(
        self, store: Store, environment: dict[str, str], tmp_path: Path
    ) -> None:
        state = State(tmp_path, "connector.db")
        state.write("audit-head", {"database": store.database.identity, "number": 40, "digest": "0" * 32})
        assert run(environment, "verify").exit_code == 1
        assert CliRunner().invoke(cli, ["restored"], env=environment).exit_code == 0
        assert run(environment, "verify").exit_code == 0


class TestExporting:
    def test_csv_has_every_entry_and_no_formula(self, store: Store, environment: dict[str, str]) -> None:
        formulas = ('=HYPERLINK("http://x")', "+1", "-1", "@SUM(A1)")
        for formula in formulas:
            store.audit.note("ana", "act", formula, formula)
        rows = list(csv.DictReader(io.StringIO(run(environment, "export").output)))
        assert len(rows) == 7
        assert [row["reason"] for row in rows[:4]] == [f"'{formula}" for formula in reversed(formulas)]
        assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]

    def test_json_lines_are_filtered_as_the_list_is(self, store: Store, environment: dict[str, str]) -> None:
        output = run(environment, "export", "--format", "jsonl", "--who", "ana").output
        rows = [json.loads(line) for line in output.splitlines()]
        assert [row["number"] for row in rows] == [3, 1]
        assert rows[0]["time"].endswith("Z")
