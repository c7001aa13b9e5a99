"""console person: adding, listing, changing and removing the people who sign in by name."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from connector.cli import cli
from connector.store import open_store
from connector.web.passwords import check_password
from connector.web.roster import read_people
from tests.builders import DATA_KEY

WORDS = "plum tree under snow"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "own" / "people.yaml"


def run(file: Path, *arguments: str, typed: str = "") -> Result:
    environment = {
        "CONNECTOR_CONSOLE_PEOPLE": str(file),
        "CONNECTOR_DATABASE_URL": f"sqlite:///{file.parent / 'none.db'}",
    }
    return CliRunner().invoke(cli, ["console", "person", *arguments], input=f"{typed}\n{typed}\n", env=environment)


def test_a_person_is_added_with_role_agencies_and_a_hash(file: Path) -> None:
    assert run(file, "add", "ana", "--role", "operator", "--agency", "sunrise", typed=WORDS).exit_code == 0
    (ana,) = read_people(file).values()
    assert (ana.role, ana.agencies, check_password(WORDS, ana.hash)) == ("operator", {"sunrise"}, True)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert WORDS not in file.read_text()


def test_people_are_listed_without_their_hashes(file: Path) -> None:
    run(file, "add", "ana", "--role", "admin", typed=WORDS)
    listed = run(file, "list", "--json").stdout
    ana = {"name": "ana", "role": "admin", "agencies": None, "password": True, "openid": None}
    assert json.loads(listed) == [ana]


@pytest.mark.parametrize(
    ("given", "kept"), [("Ana@Agency.example", "ana@agency.example"), ("sub:auth0|Ana", "sub:auth0|Ana")]
)
def test_somebody_with_an_openid_account_needs_no_password(file: Path, given: str, kept: str) -> None:
    added = run(file, "add", "ana", "--role", "compliance", "--openid", given)
    assert (added.exit_code, "Password" in added.output) == (0, False)
    (ana,) = read_people(file).values()
    assert (ana.role, ana.openid, ana.hash) == ("compliance", kept, "")
    assert kept in run(file, "list").output


def test_a_password_given_later_stands_beside_the_account(file: Path) -> None:
    run(file, "add", "ana", "--role", "viewer", "--openid", "ana@agency.example")
    assert run(file, "password", "ana", typed=WORDS).exit_code == 0
    (ana,) = read_people(file).values()
    assert (ana.openid, check_password(WORDS, ana.hash)) == ("ana@agency.example", True)
    assert "password or ana@agency.example" in run(file, "list").output


@pytest.mark.parametrize(
    ("arguments", "typed", "problem"),
    [
        (["add", "Ana Ng", "--role", "admin"], WORDS, "A name is of lower-case letters"),
        (["add", "ana", "--role", "boss"], WORDS, "is not one of"),
        (["add", "ben", "--role", "admin"], WORDS, "is there already"),
        (["add", "ana", "--role", "admin"], "short", "too short"),
        (["add", "ana", "--role", "admin"], "Sunshine2026!", "too common"),
        (["add", "ana", "--role", "admin", "--openid", "ana"], "", "--openid is an e-mail address"),
        (["add", "ana", "--role", "admin", "--openid", ""], "", "--openid is an e-mail address"),
        (["add", "ana", "--role", "admin", "--openid", "Cleo@agency.example"], "", "is cleo already"),
        (["password", "eve"], WORDS, "There is no eve"),
        (["remove", "eve"], "", "There is no eve"),
    ],
)
def test_what_is_wrong_changes_nothing(file: Path, arguments: list[str], typed: str, problem: str) -> None:
    run(file, "add", "ben", "--role", "viewer", typed=WORDS)
    run(file, "add", "cleo", "--role", "viewer", "--openid", "cleo@agency.example")
    before = file.read_text()
    result = run(file, *arguments, typed=typed)
    assert (result.exit_code, problem in result.stderr) == (2, True)
    assert file.read_text() == before


@pytest.mark.slow
def test_a_person_gets_another_password_and_is_removed(file: Path) -> None:
    run(file, "add", "ana", "--role", "viewer", "--agency", "sunrise", typed=WORDS)
    assert run(file, "password", "ana", typed="another plum tree").exit_code == 0
    (ana,) = read_people(file).values()
    assert (ana.role, ana.agencies, check_password("another plum tree", ana.hash)) == ("viewer", {"sunrise"}, True)
    assert run(file, "remove", "ana").exit_code == 0
    assert read_people(file) == {}


@pytest.mark.slow
def test_each_change_is_in_the_audit_log(tmp_path: Path, sqlite_ready: str) -> None:
    environment = {"CONNECTOR_DATABASE_URL": sqlite_ready, "CONNECTOR_DATA_KEY": DATA_KEY}
    environment["CONNECTOR_CONSOLE_PEOPLE"] = str(tmp_path / "people.yaml")
    for words in (["add", "ana", "--role", "admin", "--agency", "sunrise"], ["password", "ana"], ["remove", "ana"]):
        asked = CliRunner().invoke(cli, ["console", "person", *words], input=f"{WORDS}\n{WORDS}\n", env=environment)
        assert asked.exit_code == 0
    store = open_store(sqlite_ready, environment)
    assert [(entry.action, entry.thing) for entry in reversed(store.audit.entries())] == [
        ("add person", "ana: admin of sunrise"),
        ("set password", "ana"),
        ("remove person", "ana"),
    ]
    store.close()


def test_postgres_needs_a_file_to_be_named() -> None:
    environment = {"CONNECTOR_DATABASE_URL": "postgresql://nobody@127.0.0.1/none", "CONNECTOR_CONSOLE_PEOPLE": ""}
    result = CliRunner().invoke(cli, ["console", "person", "list"], env=environment)
    assert (result.exit_code, "CONNECTOR_CONSOLE_PEOPLE" in result.stderr) == (2, True)
