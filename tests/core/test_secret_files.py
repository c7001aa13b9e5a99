"""Secrets that are files: one by one, or a folder of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import make_url

from connector.errors import FixConfiguration
from connector.running.config import read_agencies, read_process

AGENCY = """\
agency: sunrise
webhook: {secrets: ["${HOOK_SECRET}"]}
destinations:
  hubspot: {mapping: hubspot, auth: {access_token: "${TOKEN}"}}
"""
POSTGRES = {"CONNECTOR_DATABASE_URL": "postgresql://connector@database:5432/connector"}


@pytest.fixture
def agency(tmp_path: Path) -> Path:
    file = tmp_path / "sunrise.yaml"
    file.write_text(AGENCY)
    return file


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """A folder as a container has it under /run/secrets."""
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "HOOK_SECRET").write_text("whsec_c2VjcmV0\n")
    (folder / "TOKEN").write_text("pat-1\n")
    return folder


def signing(agency: Path, environment: dict[str, str]) -> str:
    (file,) = read_agencies([agency], environment)
    return file.settings.webhook.secrets[0].get_secret_value()


def refusal(agency: Path, environment: dict[str, str]) -> str:
    with pytest.raises(FixConfiguration) as told:
        read_agencies([agency], environment)
    return str(told.value)


class TestReferences:
    def test_a_reference_is_a_file_of_the_folder_of_secrets(self, agency: Path, secrets: Path) -> None:
        assert signing(agency, {"CONNECTOR_SECRETS_DIR": str(secrets)}) == "whsec_c2VjcmV0"

    def test_a_reference_is_the_file_that_its_own_variable_names(self, agency: Path, secrets: Path) -> None:
        environment = {"HOOK_SECRET_FILE": str(secrets / "HOOK_SECRET"), "TOKEN": "pat-1"}
        assert signing(agency, environment) == "whsec_c2VjcmV0"

    def test_a_value_of_the_environment_comes_first(self, agency: Path, secrets: Path) -> None:
        environment = {"CONNECTOR_SECRETS_DIR": str(secrets), "HOOK_SECRET": "whsec_dmFsdWU="}
        assert signing(agency, environment) == "whsec_dmFsdWU="

    def test_one_that_is_nowhere_is_named_with_the_folder(self, agency: Path, secrets: Path) -> None:
        (secrets / "TOKEN").unlink()
        told = refusal(agency, {"CONNECTOR_SECRETS_DIR": str(secrets)})
        assert f": the environment variable TOKEN is not set, and {secrets} has no file TOKEN" in told

    def test_an_empty_file_is_no_secret(self, agency: Path, secrets: Path) -> None:
        (secrets / "TOKEN").write_text("\n")
        told = refusal(agency, {"CONNECTOR_SECRETS_DIR": str(secrets)})
        assert f"the file {secrets / 'TOKEN'} is empty" in told

    def test_the_mark_that_windows_begins_a_file_with_is_no_part_of_it(self, agency: Path, secrets: Path) -> None:
        (secrets / "HOOK_SECRET").write_bytes(b"\xef\xbb\xbfwhsec_c2VjcmV0\r\n")
        assert signing(agency, {"CONNECTOR_SECRETS_DIR": str(secrets)}) == "whsec_c2VjcmV0"

    def test_a_file_that_cannot_be_read_is_named_and_not_shown(self, agency: Path, secrets: Path) -> None:
        (secrets / "TOKEN").write_bytes(b"pat-\xff-canary")
        told = refusal(agency, {"CONNECTOR_SECRETS_DIR": str(secrets)})
        assert f"the file {secrets / 'TOKEN'} cannot be read: UnicodeDecodeError" in told
        assert "canary" not in told

    def test_a_folder_that_is_none_is_named(self, agency: Path, tmp_path: Path) -> None:
        told = refusal(agency, {"CONNECTOR_SECRETS_DIR": str(tmp_path / "nowhere")})
        assert f"CONNECTOR_SECRETS_DIR: {tmp_path / 'nowhere'} is no folder that can be read" in told


class TestProcess:
    def test_the_password_of_the_database_is_a_file_with_any_character(self, secrets: Path) -> None:
        (secrets / "password").write_text("p@ss/w:rd% 1\n")
        process = read_process({**POSTGRES, "CONNECTOR_DATABASE_PASSWORD_FILE": str(secrets / "password")})
        url = make_url(process.database_url)
        assert (url.username, url.password, url.host) == ("connector", "p@ss/w:rd% 1", "database")

    def test_an_address_may_have_its_place_for_a_password_empty(self) -> None:
        address = "postgresql://connector:@database/connector?sslmode=verify-full"
        process = read_process({"CONNECTOR_DATABASE_URL": address, "CONNECTOR_DATABASE_PASSWORD": "abc"})
        url = make_url(process.database_url)
        assert (url.password, dict(url.query)) == ("abc", {"sslmode": "verify-full"})

    def test_the_folder_of_secrets_has_it_too_and_the_hash_of_the_console(self, secrets: Path) -> None:
        (secrets / "CONNECTOR_DATABASE_PASSWORD").write_text("abc")
        (secrets / "CONNECTOR_CONSOLE_PASSWORD_HASH").write_text("scrypt$1$2")
        process = read_process({**POSTGRES, "CONNECTOR_SECRETS_DIR": str(secrets)})
        assert make_url(process.database_url).password == "abc"
        assert process.console_password_hash == "scrypt$1$2"

    def test_two_passwords_of_the_database_are_refused_and_neither_is_shown(self) -> None:
        environment = {"CONNECTOR_DATABASE_URL": "postgresql://a:canary1@b/c", "CONNECTOR_DATABASE_PASSWORD": "canary2"}
        with pytest.raises(FixConfiguration, match="has a password, and CONNECTOR_DATABASE_PASSWORD as well") as told:
            read_process(environment)
        assert "canary" not in str(told.value)

    def test_a_file_of_sqlite_has_no_password(self) -> None:
        process = read_process({"CONNECTOR_DATABASE_URL": "sqlite:///a.db", "CONNECTOR_DATABASE_PASSWORD": "abc"})
        assert process.database_url == "sqlite:///a.db"
