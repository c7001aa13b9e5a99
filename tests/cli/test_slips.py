"""A slip in the database's path or in a filter is an error of every command, whatever its arguments."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from connector.cli import cli
from connector.mapping import shipped_folder
from connector.sandbox.hubspot import HubSpotSandbox
from connector.store import open_store
from tests.cli.test_doctor import Installation
from tests.web.conftest import fill

MAPPING = str(shipped_folder() / "hubspot.yaml")
MAKE_IT = {"backfill", "demo", "receive", "reconcile source", "run", "sandbox", "work"}
"""Commands that fill a database, and so make one where there is none."""
READ_NONE = {
    *("alarms test", "check", "completion", "console password", "console person add", "console person list"),
    *(
        "console person password",
        "console person remove",
        "map",
        "provision",
        "schema agency",
        "schema editor",
        "schema json",
    ),
    *("schema pull", "send", "setup", "test", "trial"),
}
"""Commands that work without a database."""
NEEDED = {
    "backfill": "--plan",
    "backup": "{folder}/copy.db",
    "events discard": "--code BAD --yes",
    "events replay": "--all",
    "identity decide": "--somebody-else",
    "keys rotate": "--yes",
    "reconcile source": "--plan",
}
VALUES = {
    "paths": "-c {agency}",
    "name": "--destination crm",
    "mapping_file": MAPPING,
    "flag": "doNotCall",
    "reason": "--reason x",
    "since": "--since 2026-01-01",
}
FILTERS = {f"--{name}" for name in ("agency", "action", "code", "customer-id", "destination", "left-out")} | {
    f"--{name}" for name in ("message-id", "run", "type", "who")
}


def commands(command: click.Command = cli, words: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by its words."""
    if not isinstance(command, click.Group):
        yield " ".join(words), command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        if own := command.get_command(context, name):
            yield from commands(own, (*words, name))


EVERY = dict(commands())
READING = sorted((EVERY.keys() - READ_NONE - MAKE_IT) | {"backfill", "reconcile source"})
FILTERED = [
    (words, name)
    for words, command in EVERY.items()
    for option in command.params
    for name in option.opts
    if name in FILTERS and words not in READ_NONE
]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation with events, and a CRM that answers."""
    sandbox = HubSpotSandbox()
    with sandbox as url:
        made = Installation(tmp_path_factory.mktemp("slips"), url, sandbox)
        made.write(url, "carecycle: {api_key: k, endpoint: 'http://127.0.0.1:9'}\n")
        store = open_store(made.environment["CONNECTOR_DATABASE_URL"], made.environment)
        fill(store)
        store.close()
        yield made


def typed(installed: Installation, words: str, *more: str, **environment: str) -> Result:
    """Run a command with the arguments it needs, and more."""
    needed = [VALUES.get(str(own.name), "x") for own in EVERY[words].params if own.required and own.opts[0] not in more]
    line = " ".join([words, *needed, *more]).format(agency=installed.file, folder=installed.file.parent)
    return CliRunner().invoke(cli, line.split(), env={**installed.environment, **environment})


class TestAMistypedDatabase:
    @pytest.mark.parametrize("words", READING)
    def test_is_an_error_that_names_the_path_and_makes_nothing(
        self, installed: Installation, tmp_path: Path, words: str
    ) -> None:
        address = f"sqlite:///{tmp_path}/typo.db"
        result = typed(installed, words, NEEDED.get(words, ""), CONNECTOR_DATABASE_URL=address)
        assert (result.exit_code, list(tmp_path.iterdir())) == (1 if words == "doctor" else 2, []), result.output
        assert f"{tmp_path}/typo.db: there is no database (correct CONNECTOR_DATABASE_URL" in result.output

    def test_is_looked_for_by_every_other_command(self) -> None:
        assert EVERY.keys() >= (READ_NONE | MAKE_IT)


class TestAMistypedFilter:
    @pytest.mark.parametrize(("words", "option"), FILTERED)
    def test_is_an_error_that_names_it(self, installed: Installation, words: str, option: str) -> None:
        result = typed(installed, words, option, "typo", *(["--yes"] if words == "events discard" else []))
        assert (result.exit_code, "typo" in result.stderr) == (2, True), result.output

    def test_is_an_error_of_a_plan_too(self, installed: Installation) -> None:
        result = typed(installed, "events replay", "--code", "typo", "--plan", "-c", "{agency}")
        assert (result.exit_code, "typo" in result.stderr) == (2, True), result.output

    def test_of_a_known_customer_without_such_events_is_none(self, installed: Installation) -> None:
        result = typed(installed, "events list", "--customer-id", "c" * 64, "--state", "dead")
        assert (result.exit_code, result.stdout) == (0, "No delivery matches.\n")
