"""doctor, alarms and completion, as they are typed."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import update

from connector.cli import cli
from connector.sandbox.hubspot import HubSpotSandbox
from connector.store import Store, open_store
from connector.store.tables import events
from tests.builders import DATA_KEY, SECRET, an_arrival
from tests.web.test_hooks import Served
from tests.web.test_ready import read_only


class Installation:
    """An agency file, a database and a HubSpot sandbox."""

    def __init__(self, folder: Path, crm: str, sandbox: HubSpotSandbox) -> None:
        self.file, self.sandbox = folder / "agency.yaml", sandbox
        self.write(crm)
        self.environment = {
            "CONNECTOR_DATABASE_URL": f"sqlite:///{folder}/connector.db",
            "CONNECTOR_DATA_KEY": DATA_KEY,
            "TOKEN": sandbox.token,
        }
        open_store(self.environment["CONNECTOR_DATABASE_URL"], self.environment).close()

    def write(self, crm: str, more: str = "") -> None:
        self.file.write_text(
            f"agency: sunrise\nwebhook: {{secrets: [{SECRET}]}}\n{more}destinations:\n"
            f"  {{crm: {{mapping: hubspot, auth: {{access_token: '${{TOKEN}}'}}, endpoint: '{crm}'}}}}\n"
        )

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(cli, [*arguments, "-c", str(self.file)], env=self.environment)

    def found(self, *arguments: str) -> dict[str, dict[str, Any]]:
        return {one["thing"]: one for one in json.loads(self.run("doctor", "--json", *arguments).stdout)}


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Installation]:
    sandbox = HubSpotSandbox()
    with sandbox as url:
        yield Installation(tmp_path, url, sandbox)


class TestDoctor:
    def test_a_sound_installation_has_nothing_wrong(self, installed: Installation) -> None:
        result = installed.run("doctor")
        assert (result.exit_code, "WRONG" in result.stdout) == (0, False)

    def test_a_key_that_does_not_fit_is_found(self, installed: Installation) -> None:
        installed.run("doctor")
        installed.environment["CONNECTOR_DATA_KEY"] = DATA_KEY.replace("a", "b")
        assert installed.found()["database and data key"]["health"] == "wrong"

    @pytest.mark.slow
    def test_a_database_that_can_be_read_but_not_written_is_found(
        self, installed: Installation, postgres_address: str
    ) -> None:
        installed.environment["CONNECTOR_DATABASE_URL"] = postgres_address
        open_store(postgres_address, installed.environment).close()
        assert installed.found()["writing to the database"]["health"] == "fine"
        with read_only(postgres_address):
            writing = installed.found()["writing to the database"]
        assert (writing["health"], "read-only" in writing["found"]) == ("wrong", True)
        assert "503" in writing["do"]

    def test_payloads_that_cannot_be_decrypted_are_counted_by_key_and_named(self, installed: Installation) -> None:
        assert installed.found()["payloads"]["health"] == "fine"
        store = open_store(installed.environment["CONNECTOR_DATABASE_URL"], installed.environment)
        store.inbox.accept([an_arrival("msg_locked"), an_arrival("msg_cut"), an_arrival("msg_sound")])
        with store.database.transaction() as connection:
            for message_id, payload in (("msg_locked", b"n" * 80), ("msg_cut", b"n" * 8)):
                mine = update(events).where(events.c.message_id == message_id)
                connection.execute(mine.values(payload=payload))
        store.close()
        payloads = installed.found()["payloads"]
        assert payloads["health"] == "wrong"
        assert payloads["found"] == (
            "2 of 3 cannot be decrypted: 1 need the key 6e6e6e6e, 1 changed or cut short (msg_cut, msg_locked)"
        )

    def test_a_refused_token_is_found(self, installed: Installation) -> None:
        installed.environment["TOKEN"] = "another"
        assert "(auth)" in installed.found()["sunrise/crm"]["found"]

    @pytest.mark.slow
    def test_a_crm_that_does_not_answer_is_found(self, installed: Installation) -> None:
        installed.write("http://127.0.0.1:1")
        assert installed.found()["sunrise/crm"]["health"] == "wrong"

    def test_a_version_that_ends_soon_is_doubtful(self, installed: Installation) -> None:
        assert installed.found()["sunrise/crm: API version"]["found"] == "2026-03, supported until 2027-09-30"
        installed.file.write_text(installed.file.read_text().replace("hubspot,", "hubspot, api_version: legacy,"))
        version = installed.found()["sunrise/crm: API version"]
        assert (version["health"], "remove `api_version`" in version["do"]) == ("doubtful", True)

    def test_fields_the_crm_lost_are_found(self, installed: Installation) -> None:
        (installed.file.parent / "own.yaml").write_text(
            "extends: hubspot\nrecords: {contact: {fields: {favourite_colour: {value: blue}}}}\n"
        )
        installed.file.write_text(installed.file.read_text().replace("mapping: hubspot", "mapping: own.yaml"))
        result = installed.run("doctor")
        assert (result.exit_code, "does not fit the account's fields: 1 problem" in result.stdout) == (1, True)

    def test_an_endpoint_nobody_answers_is_found(self, installed: Installation) -> None:
        found = installed.found("--url", "http://127.0.0.1:1")
        assert found["http://127.0.0.1:1/hooks/sunrise"]["health"] == "wrong"

    def test_the_real_endpoint_is_recognised_by_its_refusal(self, installed: Installation, served: Served) -> None:
        found = installed.found("--url", served.url.removesuffix("/hooks/sunrise"))
        assert found[served.url]["found"] == "reached; unsigned messages are rejected"

    def test_it_shows_no_secret(self, installed: Installation) -> None:
        assert installed.sandbox.token not in installed.run("doctor").output


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    store: Store = open_store(f"sqlite:///{tmp_path}/other.db", {"CONNECTOR_DATA_KEY": DATA_KEY})
    served = Served(store)
    yield served
    served.stop()
    store.close()


class TestAlarmsTest:
    def test_an_agency_that_tells_nobody_is_said(self, installed: Installation) -> None:
        result = installed.run("alarms", "test")
        assert (result.exit_code, "no one is alerted" in result.output) == (0, True)

    def test_a_webhook_that_does_not_answer_is_said(self, installed: Installation) -> None:
        installed.write("http://127.0.0.1:1", "alarms: {webhook: 'http://127.0.0.1:1/secret'}\n")
        result = installed.run("alarms", "test")
        assert (result.exit_code, "alarms.webhook: does not answer" in result.output) == (1, True)
        assert "secret" not in result.output

    def test_a_webhook_that_is_no_address_is_refused_with_its_line(self, installed: Installation) -> None:
        installed.write("http://127.0.0.1:1", "alarms: {webhook: chat}\n")
        result = installed.run("alarms", "test")
        assert (result.exit_code, "agency.yaml:3:" in result.output) == (2, True)


class TestCompletion:
    @pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
    def test_it_prints_a_script_for_the_shell(self, shell: str) -> None:
        result = CliRunner().invoke(cli, ["completion", shell])
        assert (result.exit_code, "_CONNECTOR_COMPLETE" in result.output) == (0, True)

    def test_bash_takes_it(self) -> None:
        script = CliRunner().invoke(cli, ["completion", "bash"]).output
        assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0
