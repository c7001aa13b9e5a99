"""`check -c` notes what a mapping compares dispositions with and no stored call has had."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from connector.cli import cli
from connector.mapping.example_events import example
from connector.store import open_store
from tests.builders import DATA_KEY, SECRET, an_arrival

MAPPING = """\
version: 1
crm: salesforce
extends: salesforce-contact
records:
  contact:
    fields:
      Rating__c: { value: Hot, when: { call.disposition: [Callback, Call Back] } }
      Other__c: { value: x, when: { call.disposition: { format: lower, in: [enrolled, nowhere] } } }
      Third__c: { value: x, when: { call.endedReason: { contains: nobody } } }
"""
LOGIN = "{flow: session, session_id: s, instance_url: https://acme.my.salesforce.com}"
AGENCY = f"""\
agency: sunrise
webhook: {{secrets: ["${{HOOK_SECRET}}"]}}
destinations:
  salesforce: {{mapping: own.yaml, auth: {LOGIN}, endpoint: "http://127.0.0.1:1"}}
"""
SEEN = {"Callback": 10, "Enrolled": 9, "Mrs. Smith of 12 Oak Street wants to be called on Monday": 5, "Rare": 2}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "agency.yaml").write_text(AGENCY)
    (tmp_path / "own.yaml").write_text(MAPPING)
    return tmp_path


@pytest.fixture
def calls(sqlite_ready: str) -> str:
    """A database with calls of another agency as well."""
    environment = {"CONNECTOR_DATA_KEY": DATA_KEY}
    store = open_store(sqlite_ready, environment)
    said = [word for word, times in SEEN.items() for _ in range(times)]
    for agency, dispositions in (("sunrise", said), ("other", ["Call Back"] * 30)):
        payloads = [example("call.completed", {"call.disposition": word}) for word in dispositions]
        store.inbox.accept(
            [
                an_arrival(f"{agency}_{number}", payload, agency=agency, type="call.completed")
                for number, payload in enumerate(payloads)
            ]
        )
    store.close()
    return sqlite_ready


def check(folder: Path, address: str) -> str:
    environment = {
        "HOOK_SECRET": SECRET,
        "CONNECTOR_DATABASE_URL": address,
        "CONNECTOR_DATA_KEY": DATA_KEY,
    }
    result = CliRunner().invoke(cli, ["check", "-c", str(folder / "agency.yaml")], env=environment)
    assert result.exit_code == 0, result.output
    return result.output


class TestAWordThatNoCallHad:
    def test_is_noted_with_those_that_were_seen(self, folder: Path, calls: str) -> None:
        shown = [line for line in check(folder, calls).splitlines() if "own.yaml" in line and "M134" in line]
        assert [line.partition("own.yaml:")[2] for line in shown] == [
            "7:69: note[M134] none of the last 26 calls had call.disposition 'Call Back'",
            "8:87: note[M134] none of the last 26 calls had call.disposition 'nowhere'",
        ]

    def test_shows_no_value_that_may_be_about_a_customer(self, folder: Path, calls: str) -> None:
        output = check(folder, calls)
        assert "did you mean 'Callback'?; seen: Callback (10), Enrolled (9)" in output
        assert ("Smith" in output, "Rare" in output) == (False, False)

    def test_is_not_looked_for_without_a_database(self, folder: Path) -> None:
        address = f"sqlite:///{folder}/none.db"
        assert ("M134" in check(folder, address), (folder / "none.db").exists()) == (False, False)

    def test_of_a_shipped_mapping_is_not_noted(self, folder: Path, calls: str) -> None:
        (folder / "own.yaml").write_text(MAPPING.partition("records:")[0])
        assert "M134" not in check(folder, calls)

    def test_is_not_noted_after_a_few_calls(self, folder: Path, sqlite_ready: str) -> None:
        assert "M134" not in check(folder, sqlite_ready)
