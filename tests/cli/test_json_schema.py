"""The JSON Schema of what `--json` prints: each command, with trouble in the store and in the CRM."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click import unstyle
from click.testing import CliRunner, Result
from jsonschema import Draft202012Validator

from connector.cli import cli
from connector.cli.json_schema import output_schema, printed
from connector.mapping import shipped_folder
from connector.sandbox.carecycle import KEY, CareCycleSandbox
from connector.sandbox.carecycle.book import Book
from connector.sandbox.hubspot import HubSpotSandbox
from tests.builders import CUSTOMER, DESTINATION, a_call, a_customer, an_odd_arrival
from tests.cli.conftest import hold_to_the_schema
from tests.cli.test_doctor import Installation
from tests.cli.test_undo import write
from tests.ready import open_ready
from tests.web.conftest import RECORD, fill, leave_out

FILE = Path(__file__).parents[2] / "docs" / "json-output.schema.json"
COMMANDS = {
    "audit list": ("",),
    "audit verify": ("",),
    "backfill": ("-c {agency} --from {rows} --plan", "-c {agency} --from {rows}"),
    "check": ("-c {agency}", "-c {agency} --classes", "{broken}"),
    "consent status": ("",),
    "console person list": ("",),
    "doctor": ("-c {agency}",),
    "events list": ("", "--state dead"),
    "events replay": ("--code INVALID_EMAIL --plan -c {agency}", "--code INVALID_EMAIL"),
    "events show": ("msg_left_out", "msg_refused", "msg_odd", "crm-0"),
    "forget": (f"{CUSTOMER} --plan", "c-1 --yes"),
    "identity list": ("--all",),
    "keys list": ("",),
    "lanes list": ("",),
    "map": ("{mapping} {event}",),
    "people find": (CUSTOMER,),
    "plan": ("{changed} -c {agency}",),
    "problems": ("", "--people", "-c {agency}"),
    "provision": ("-c {agency}",),
    "reapply": ("-c {agency} --plan", "-c {agency}"),
    "rebind": ("-c {elsewhere} --destination crm --plan",),
    "reconcile crm": ("-c {agency} --all", "-c {agency} --all --repair --plan"),
    "reconcile source": ("-c {agency} --plan", "-c {agency}"),
    "restored": ("--plan", ""),
    "retention show": ("",),
    "setup": ("-c {agency}",),
    "status": ("",),
    "test": ("{mapping}",),
    "trial": ("-c {agency} --yes --keep",),
    "undo": ("-c {agency}", "-c {agency} --mapping {version} --plan", "-c {agency} --mapping {version} --anyway"),
    "why": (CUSTOMER, "crm-1 -c {agency}"),
}


SHOWN = 10
"""Letters of an ID by which it is recognised if the rest of it is cut off, or on another line."""
IDS = (
    *(CUSTOMER, "c" * 64, RECORD.crm_id or "", "msg_" + "waiting" * 20, "msg_delivered", "msg_left_out"),
    *("msg_refused", "0123456789abcdef", DESTINATION),
)
TERMINAL = {"COLUMNS": "80", "TTY_COMPATIBLE": "1", "NO_COLOR": "1", "TERM": "xterm"}


class Story:
    """An installation whose store and whose CRM have trouble, and the files that its commands are given."""

    def __init__(self, folder: Path, crm: HubSpotSandbox, other: HubSpotSandbox, source: CareCycleSandbox) -> None:
        self.installed = Installation(folder, other.url, crm)
        elsewhere = self.installed.file.rename(folder / "elsewhere.yaml")
        settings = f"api_key: '{KEY}', endpoint: '{source.url}', requests_a_minute: 6000"
        self.installed.write(crm.url, f"carecycle: {{{settings}}}\n")
        self.files = {
            "agency": self.installed.file,
            "elsewhere": elsewhere,
            "mapping": shipped_folder() / "hubspot.yaml",
            "event": self._file(folder / "event.json", json.dumps(a_call(a_customer(doNotSMS=True)))),
            "rows": self._file(folder / "people.csv", "id,updatedAt,city,extra\nc-9,2026-06-18,Mesa,1\n,,Yuma,2\n"),
            "broken": self._file(folder / "broken.yaml", "extends: hubspot\nrecords: {contact: {fields: {a: b}}}\n"),
            "changed": self._file(
                folder / "own.yaml", "extends: hubspot\nrecords: {contact: {fields: {city: customer.state}}}\n"
            ),
        }
        store = open_ready(self.installed.environment["CONNECTOR_DATABASE_URL"], self.installed.environment)
        leave_out(store)
        store.inbox.accept([an_odd_arrival("msg_odd", doNotCall="yes")])
        fill(store)
        store.close()
        write(self.installed, crm, 2, 1)
        crm.change("contacts", crm.records("contacts")[0]["id"], city="Changed")
        self.run("console person add ana --role viewer", typed="plum tree under snow\n" * 2)
        self.version = json.loads(self.run("undo -c {agency} --json").stdout)[0]["version"]

    def _file(self, path: Path, text: str) -> Path:
        path.write_text(text)
        return path

    def run(self, command: str, typed: str = "", **more: str) -> Result:
        """Run a command with the files it names."""
        arguments = [part.format(**self.files) for part in command.split()]
        return CliRunner().invoke(cli, arguments, input=typed, env={**self.installed.environment, **more})


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    crm, other, source = (
        HubSpotSandbox(index_lag=0.0),
        HubSpotSandbox(portal_id=7),
        CareCycleSandbox(Book(5), a_minute=0),
    )
    with crm, other, source:
        yield Story(tmp_path_factory.mktemp("story"), crm, other, source)


class TestIds:
    @pytest.mark.slow
    @pytest.mark.xdist_group("story")
    @pytest.mark.parametrize("command", COMMANDS)
    def test_are_never_cut_or_broken_in_a_terminal_of_80_columns(self, story: Story, command: str) -> None:
        for arguments in COMMANDS[command]:
            result = story.run(f"{command} {arguments}".replace("{version}", story.version), **TERMINAL)
            assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
            output = unstyle(result.output)
            rest = output
            for own in (*IDS, story.version):
                rest = rest.replace(own, "")
            assert [own for own in (*IDS, story.version) if own[:SHOWN] in rest] == [], output
            tables = [line for line in output.splitlines() if line.startswith(tuple("┏┃┡│└"))]
            assert [line for line in tables if len(line) > 80 or "…" in line] == []


class TestEveryCommand:
    def test_has_its_runs_here(self) -> None:
        assert sorted(COMMANDS) == sorted(dict(printed(cli)))

    @pytest.mark.xdist_group("story")
    @pytest.mark.parametrize("command", COMMANDS)
    def test_prints_what_its_schema_says(self, story: Story, command: str) -> None:
        for arguments in COMMANDS[command]:
            result = story.run(f"{command} {arguments} --json".replace("{version}", story.version))
            assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
            assert hold_to_the_schema(command.split(), result.stdout), result.output


class TestTheSchema:
    def test_is_the_one_in_the_docs(self) -> None:
        """If this fails: connector schema json -o docs/json-output.schema.json, and see what it says of versions."""
        assert json.loads(FILE.read_text()) == output_schema(cli)

    def test_is_one(self) -> None:
        Draft202012Validator.check_schema(output_schema(cli))

    def test_of_one_command_refers_to_its_own(self) -> None:
        result = CliRunner().invoke(cli, ["schema", "json", "events", "list"])
        assert json.loads(result.stdout)["$ref"] == "#/$defs/events%20list"

    def test_of_a_command_without_json_is_an_error(self) -> None:
        result = CliRunner().invoke(cli, ["schema", "json", "events", "lost"])
        assert (result.exit_code, "events list" in result.stderr) == (2, True)
