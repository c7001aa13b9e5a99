"""What is kept outside the database: whole, private, and never in the way."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest

from connector import telemetry
from connector.running.state import MOST_BYTES, State, open_state
from tests.builders import DATA_KEY


@pytest.fixture
def log() -> StringIO:
    lines = StringIO()
    telemetry.configure(stream=lines)
    return lines


def test_what_was_written_is_read_by_the_next_process(tmp_path: Path) -> None:
    State(tmp_path / "new").write("history", {"position": 7, "who": ["a"]})
    assert State(tmp_path / "new").read("history") == {"position": 7, "who": ["a"]}
    assert State(tmp_path / "new").read("alarms") is None


def test_only_the_owner_can_read_the_file_and_no_draft_stays(tmp_path: Path) -> None:
    state = State(tmp_path / "new")
    state.write("history", {})
    assert [file.name for file in state.path("history").parent.iterdir()] == ["connector.history.json"]
    assert state.path("history").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


def test_a_folder_that_cannot_be_written_is_reported_once_and_memory_goes_on(tmp_path: Path, log: StringIO) -> None:
    (tmp_path / "file").write_text("in the way of a folder")
    state = State(tmp_path / "file")
    state.write("history", {"position": 1})
    state.write("history", {"position": 2})
    assert state.read("history") == {"position": 2}
    assert [json.loads(line)["event"] for line in log.getvalue().splitlines()] == ["state not kept on disk"]


def test_once_the_folder_can_be_written_again_the_disk_has_the_newest(tmp_path: Path, log: StringIO) -> None:
    (tmp_path / "file").write_text("in the way of a folder")
    state = State(tmp_path / "file")
    state.write("history", {"position": 1})
    (tmp_path / "file").unlink()
    state.write("history", {"position": 2})
    assert State(tmp_path / "file").read("history") == {"position": 2}


@pytest.mark.parametrize("content", ["", "{", "[1]", "\x00" * 10, "[" * 100_000, "9" * (MOST_BYTES + 1)])
def test_a_damaged_file_counts_as_none_and_is_replaced(content: str, tmp_path: Path, log: StringIO) -> None:
    state = State(tmp_path)
    state.path("history").write_text(content)
    assert state.read("history") is None
    state.write("history", {"position": 2})
    assert State(tmp_path).read("history") == {"position": 2}


def test_content_that_is_too_large_stays_in_memory(tmp_path: Path, log: StringIO) -> None:
    state = State(tmp_path)
    state.write("history", {"position": 1})
    state.write("history", {"position": "9" * MOST_BYTES})
    assert state.read("history") == {"position": "9" * MOST_BYTES}
    assert State(tmp_path).read("history") == {"position": 1}


def test_an_embedded_database_has_its_state_beside_it(tmp_path: Path) -> None:
    paths = {open_state(f"sqlite:///{tmp_path}/{name}.db", {}).path("history") for name in ("a", "b")}
    assert paths == {tmp_path / "a.db.history.json", tmp_path / "b.db.history.json"}


def test_a_shared_database_has_its_state_where_the_environment_says_or_beside_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    url, beside_key = "postgresql://me@host/name", {"CONNECTOR_DATA_KEY_FILE": str(tmp_path / "keys/data_key")}
    assert open_state(url, {"CONNECTOR_DATA_KEY": DATA_KEY}).path("alarms") == Path("data/connector.alarms.json")
    assert open_state(url, beside_key).path("alarms") == Path("data/connector.alarms.json")
    (tmp_path / "keys").mkdir()
    assert open_state(url, beside_key).path("alarms") == tmp_path / "keys/connector.alarms.json"
    named = {**beside_key, "CONNECTOR_STATE_DIR": str(tmp_path / "named")}
    assert open_state(url, named).path("alarms") == tmp_path / "named/connector.alarms.json"
