"""`--json`: fields by name, times in ISO 8601."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from connector.cli import cli
from connector.cli.json_output import as_data
from connector.settlement import Refusal
from connector.store import open_store
from connector.store.desk import FOREVER
from tests.builders import DATA_KEY, DESTINATION, LANE, NOON, an_arrival
from tests.web.conftest import settle

COMMANDS = (
    *("status", "events list", "events show one", "lanes list", "audit list", "audit verify", "problems"),
    *("consent status", "keys list", "retention show", "restored --plan", "identity list", "why one"),
)


class TestTimes:
    def test_are_iso_8601_in_utc_with_milliseconds(self) -> None:
        assert as_data({"accepted_at": NOON + 7})["accepted_at"] == "2026-06-18T12:00:00.007Z"

    @pytest.mark.parametrize("never", [None, 0, FOREVER])
    def test_that_are_none_are_null(self, never: int | None) -> None:
        assert as_data({"paused_until": never}) == {"paused_until": None}

    def test_durations_and_counts_stay_numbers(self) -> None:
        assert as_data({"oldest_ms": 5, "count": 3, "late": True}) == {"oldest_ms": 5, "count": 3, "late": True}

    @pytest.mark.parametrize("command", COMMANDS)
    def test_no_command_prints_milliseconds_since_1970(self, tmp_path: Path, command: str) -> None:
        environment = {"CONNECTOR_DATABASE_URL": f"sqlite:///{tmp_path}/c.db", "CONNECTOR_DATA_KEY": DATA_KEY}
        store = open_store(environment["CONNECTOR_DATABASE_URL"], environment)
        store.inbox.accept([an_arrival("one", raised=frozenset({"doNotCall"}))])
        settle(store, "dead", why=Refusal("BAD"))
        store.mappings.refused(DESTINATION, "problem")
        store.desk.pause(LANE, "ana")
        store.close()
        result = CliRunner().invoke(cli, [*command.split(), "--json"], env=environment)
        assert [number for number in numbers(json.loads(result.stdout)) if number > 1_000_000_000_000] == []


def numbers(value: object) -> list[int | float]:
    match value:
        case bool() | None | str():
            return []
        case int() | float():
            return [value]
        case dict():
            return [number for each in value.values() for number in numbers(each)]
        case list():
            return [number for each in value for number in numbers(each)]
    return []
