"""The agency's file and the process's environment."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from connector.destinations import read_settings
from connector.destinations.hubspot.auth import HubSpotAuth
from connector.errors import FixConfiguration
from connector.running.config import read_agencies, read_process

AGENCY = """\
agency: sunrise
webhook: {secrets: ["${HOOK_SECRET}"]}
destinations:
  hubspot: {mapping: hubspot, auth: {access_token: "file:token.txt"}}
"""
ENVIRONMENT = {"HOOK_SECRET": "whsec_AAAA"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sunrise.yaml").write_text(AGENCY)
    (tmp_path / "token.txt").write_text("pat-1\n")
    return tmp_path


def refusal(path: Path, environment: dict[str, str] = ENVIRONMENT) -> str:
    with pytest.raises(FixConfiguration) as told:
        read_agencies([path], environment)
    return str(told.value)


class TestAgencyFile:
    def test_secrets_come_from_the_environment_and_from_files(self, folder: Path) -> None:
        (file,) = read_agencies([folder / "sunrise.yaml"], ENVIRONMENT)
        auth = file.settings.destinations["hubspot"].auth
        assert isinstance(auth, HubSpotAuth)
        assert auth.access_token.get_secret_value() == "pat-1"

    def test_no_secret_shows_when_it_is_printed(self, folder: Path) -> None:
        (file,) = read_agencies([folder / "sunrise.yaml"], ENVIRONMENT)
        assert not {"pat-1", "whsec_AAAA"} & set(repr(file).replace("'", " ").split())

    def test_every_secret_that_is_missing_is_named_at_once(self, folder: Path) -> None:
        (folder / "token.txt").unlink()
        told = refusal(folder / "sunrise.yaml", {})
        assert "sunrise.yaml:2:21: the environment variable HOOK_SECRET is not set" in told
        assert re.search(r"sunrise.yaml:4:\d+: the file", told)

    @pytest.mark.parametrize(
        ("old", "new", "told"),
        [
            ("agency: sunrise", "agency: Sun Rise", ":1:9: agency:"),
            ("agency: sunrise", "agency: sunrise\ntimezone: Arizona", ":2:11: timezone: must be an IANA time zone"),
            ("mapping: hubspot, ", "", "destinations.hubspot"),
            ("access_token", "acces_token", "destinations.hubspot.auth"),
            ("hubspot, auth", "hubspot, salesforce: {converted_leads: stop}, auth", "salesforce: is for a Salesforce"),
            ("hubspot, auth", "hubspot, partitions: 0, auth", "destinations.hubspot.partitions"),
            ("hubspot, auth", "hubspot, endpoint: localhost, auth", "destinations.hubspot.endpoint"),
            ("agency: sunrise", "agency: sunrise\nagency: other", "'agency' is written twice"),
            ('["${HOOK_SECRET}"]', "[]", "webhook.secrets"),
        ],
    )
    def test_what_is_wrong_is_told_with_its_place(self, folder: Path, old: str, new: str, told: str) -> None:
        (folder / "sunrise.yaml").write_text(AGENCY.replace(old, new))
        assert told in refusal(folder / "sunrise.yaml")

    def test_a_wrong_secret_is_not_repeated(self, folder: Path) -> None:
        (folder / "token.txt").write_text("two words é\n")
        assert "two words" not in refusal(folder / "sunrise.yaml")

    def test_a_version_written_as_a_number_is_one(self, folder: Path) -> None:
        login = {"flow": "session", "session_id": "s", "instance_url": "https://acme.my.salesforce.com"}
        given = {"mapping": "salesforce-contact", "auth": login, "api_version": 67.0}
        assert read_settings(given).api_version == "67.0"

    def test_another_crms_version_is_refused(self, folder: Path) -> None:
        (folder / "sunrise.yaml").write_text(AGENCY.replace("hubspot, auth", "hubspot, api_version: 67.0, auth"))
        assert "destinations.hubspot.api_version" in refusal(folder / "sunrise.yaml")

    @pytest.mark.parametrize("version", ["2026-03", '"2026-09"', "legacy"])
    def test_hubspots_versions_are_dated_or_legacy(self, folder: Path, version: str) -> None:
        written = AGENCY.replace("hubspot, auth", f"hubspot, api_version: {version}, auth")
        (folder / "sunrise.yaml").write_text(written)
        (file,) = read_agencies([folder / "sunrise.yaml"], ENVIRONMENT)
        assert file.settings.destinations["hubspot"].api_version == version.strip('"')


MISTAKES = {
    "a misspelled setting": (
        "agency: sunrise",
        "agncy: sunrise",
        "1:1: agncy: there is no such setting; did you mean agency?",
    ),
    "a misspelled setting inside": (
        "mapping: hubspot",
        "maping: hubspot",
        "maping: there is no such setting; did you mean mapping?",
    ),
    "a misspelled login": ("access_token", "acess_token", "auth: are no CRM's credentials; expected one of"),
    "a name with capitals": (
        "agency: sunrise",
        "agency: Sunrise Agency",
        "agency: must be of lowercase letters, digits, - and _ only",
    ),
    "a setting that nothing is like": (
        "agency: sunrise",
        "agency: sunrise\nxyzzy: 1",
        "xyzzy: there is no such setting; there are agency, webhook",
    ),
    "a missing setting": (
        "mapping: hubspot, ",
        "",
        "mapping: is missing: a shipped mapping's name, or a file beside this one",
    ),
    "a text for a number": ("hubspot, auth", "hubspot, partitions: many, auth", "partitions: must be a whole number"),
    "a number too small": ("hubspot, auth", "hubspot, partitions: 0, auth", "partitions: must be at least 1"),
    "a number too large": ("hubspot, auth", "hubspot, partitions: 65, auth", "partitions: must be at most 64"),
    "a word for yes or no": (
        "agency: sunrise",
        "agency: sunrise\nreveal_values: maybe",
        "reveal_values: must be true or false",
    ),
    "a secret that is no list": (
        '["${HOOK_SECRET}"]',
        '"${HOOK_SECRET}"',
        "webhook.secrets: must be a list: each entry on its own line",
    ),
    "no secret": ('["${HOOK_SECRET}"]', "[]", "webhook.secrets: must not be empty"),
    "a reference without braces": (
        "${HOOK_SECRET}",
        "$HOOK_SECRET",
        "with braces and capital letters, and nothing else: write  ${HOOK_SECRET}",
    ),
    "a reference of another language": (
        "${HOOK_SECRET}",
        "{{ hook_secret }}",
        "with braces and capital letters, and nothing else: write  ${HOOK_SECRET}",
    ),
    "a reference in small letters": (
        "${HOOK_SECRET}",
        "${hook_secret}",
        "with braces and capital letters, and nothing else: write  ${HOOK_SECRET}",
    ),
    "a reference of Windows": (
        "${HOOK_SECRET}",
        "%HOOK_SECRET%",
        "with braces and capital letters, and nothing else: write  ${HOOK_SECRET}",
    ),
    "a secret in the file": (
        "${HOOK_SECRET}",
        "whsec_AAAA",
        "webhook.secrets.0: is a secret: set the environment variable CARECYCLE_WEBHOOK_SECRET to it",
    ),
    "an address that is none": (
        "hubspot, auth",
        "hubspot, endpoint: localhost, auth",
        "endpoint: must be scheme://host:port",
    ),
    "a date that is none": (
        "hubspot, auth",
        "hubspot, renew_by: soon, auth",
        "renew_by: must be a date, for example 2027-03-31",
    ),
    "a flow that is none": (
        '{access_token: "file:token.txt"}',
        "{flow: sesion}",
        "auth.flow: must be one of client_credentials, jwt, session, password; did you mean session?",
    ),
}


class TestAMistake:
    @pytest.mark.parametrize(("old", "new", "text"), MISTAKES.values(), ids=MISTAKES)
    def test_is_explained_in_the_words_of_the_file(self, folder: Path, old: str, new: str, text: str) -> None:
        assert old in AGENCY
        (folder / "sunrise.yaml").write_text(AGENCY.replace(old, new))
        lines = refusal(folder / "sunrise.yaml").splitlines()[2:]
        assert [text in line for line in lines] == [True], lines
        assert all(line.startswith(f"{folder / 'sunrise.yaml'}:") for line in lines)

    def test_never_shows_the_secret(self, folder: Path) -> None:
        (folder / "sunrise.yaml").write_text(AGENCY.replace("${HOOK_SECRET}", "whsec_AAAA"))
        assert "whsec" not in refusal(folder / "sunrise.yaml")

    @pytest.mark.parametrize("mark", "&*!")
    def test_never_shows_a_secret_that_yaml_takes_for_something_else(self, folder: Path, mark: str) -> None:
        (folder / "sunrise.yaml").write_text(AGENCY.replace('"file:token.txt"', f"{mark}pat-S3cr3t"))
        text = refusal(folder / "sunrise.yaml")
        assert ("sunrise.yaml:4:" in text, "S3cr3t" in text) == (True, False)

    @pytest.mark.parametrize(
        "written",
        [
            '"S3cr3t',
            "S3cr3t: x",
            "{ S3cr3t",
            "'S3cr3t'S3cr3t'",
            "\u201cS3cr3t\u201d",
            "%S3cr3t",
            "`S3cr3t`",
            "{ value: @S3cr3t }",
            "[S3cr3t, S3cr3t]",
            "{ S3cr3t: }",
        ],
    )
    def test_never_shows_a_secret_of_which_something_else_is_wrong(self, folder: Path, written: str) -> None:
        login = f"\n    mapping: hubspot\n    auth:\n      access_token: {written}\n    partitions: 1\n"
        (folder / "sunrise.yaml").write_text(AGENCY.partition("{mapping")[0] + login)
        assert "S3cr3t" not in refusal(folder / "sunrise.yaml")

    def test_shows_the_corrected_line_where_it_holds_no_secret(self, folder: Path) -> None:
        (folder / "sunrise.yaml").write_text(f"{AGENCY}timezone:America/Phoenix\n")
        assert "write  timezone: America/Phoenix" in refusal(folder / "sunrise.yaml")

    def test_what_logs_in_to_a_sandbox_is_no_secret(self, folder: Path) -> None:
        text = AGENCY.replace("${HOOK_SECRET}", "whsec_AAAA").replace(
            "hubspot, auth", "hubspot, endpoint: 'http://127.0.0.1:1', auth"
        )
        (folder / "sunrise.yaml").write_text(text)
        assert len(read_agencies([folder / "sunrise.yaml"], {})) == 1


class TestAFolder:
    def test_mappings_beside_the_agency_file_are_no_agencies(self, folder: Path) -> None:
        (folder / "own.yaml").write_text("extends: hubspot\n")
        assert len(read_agencies([folder], ENVIRONMENT)) == 1

    def test_every_file_with_a_problem_is_told(self, folder: Path) -> None:
        for name in ("a.yaml", "b.yml"):
            (folder / name).write_text("agency: [")
        told = refusal(folder)
        assert "a.yaml:1:9: error[Y001] this [ is not closed" in told
        assert "b.yml:1:9: error[Y001] this [ is not closed" in told

    def test_one_agency_in_two_files_is_refused(self, folder: Path) -> None:
        (folder / "again.yaml").write_text(AGENCY)
        assert "agency 'sunrise' is in more than one file" in refusal(folder)

    def test_a_folder_without_agency_files_is_refused(self, tmp_path: Path) -> None:
        assert "names no agency file" in refusal(tmp_path)


class TestProcess:
    def test_its_defaults_serve_one_machine(self) -> None:
        process = read_process({})
        assert (process.database_url, process.listen, process.admin_listen) == (
            "sqlite:///data/connector.db",
            ("0.0.0.0", 8080),
            ("127.0.0.1", 8081),
        )

    @pytest.mark.parametrize("address", ["8080", "host:", "host:port", "host:99999"])
    def test_an_address_that_is_none_is_refused(self, address: str) -> None:
        with pytest.raises(FixConfiguration, match="CONNECTOR_LISTEN"):
            read_process({"CONNECTOR_LISTEN": address})

    def test_the_admin_listener_can_be_turned_off(self) -> None:
        assert read_process({"CONNECTOR_ADMIN_LISTEN": "off"}).admin_listen is None


class TestTheBudget:
    @pytest.mark.parametrize(("written", "share"), [("20%", 0.2), ("0.5 %", 0.005), ("100%", 1.0)])
    def test_is_a_share_of_the_day(self, written: str, share: float) -> None:
        given = {"mapping": "hubspot", "auth": {"access_token": "t"}, "budget": written}
        assert read_settings(given).budget == share

    @pytest.mark.parametrize("written", ["0%", "101%", "20", 20, 0.2, "a fifth", True])
    def test_anything_else_is_refused_with_an_example(self, written: object) -> None:
        given = {"mapping": "hubspot", "auth": {"access_token": "t"}, "budget": written}
        with pytest.raises(ValidationError, match="for example 20%"):
            read_settings(given)


class TestCareCycle:
    """The block of careCycle's API, which an agency may leave out."""

    def block(self, folder: Path, text: str) -> Path:
        file = folder / "sunrise.yaml"
        file.write_text(f"{AGENCY}carecycle: {text}\n")
        return file

    def test_without_it_the_api_is_not_asked(self, folder: Path) -> None:
        (file,) = read_agencies([folder / "sunrise.yaml"], ENVIRONMENT)
        assert file.settings.carecycle is None

    def test_the_key_alone_is_enough_and_never_shows(self, folder: Path) -> None:
        path = self.block(folder, '{api_key: "${CARECYCLE_API_KEY}"}')
        (file,) = read_agencies([path], {**ENVIRONMENT, "CARECYCLE_API_KEY": "cc_secret"})
        settings = file.settings.carecycle
        assert settings is not None
        assert (settings.endpoint, settings.requests_a_minute) == ("https://api.carecycle.ai", 30)
        assert "cc_secret" not in repr(file)

    @pytest.mark.parametrize(
        ("more", "told"),
        [
            ("endpoint: http://api.carecycle.ai", "carecycle.endpoint: must begin with https://"),
            ("endpoint: http://127.0.0.1.example", "carecycle.endpoint: must begin with https://"),
            ("requests_a_minute: 0", "carecycle.requests_a_minute"),
            ("parameters: {page: ''}", "carecycle.parameters.page"),
            ("parameters: {size: 'a b'}", "carecycle.parameters.size"),
            ("password: x", "carecycle.password"),
        ],
    )
    def test_mistakes_are_named(self, folder: Path, more: str, told: str) -> None:
        assert told in refusal(self.block(folder, f"{{api_key: cc_x, {more}}}"))

    def test_a_key_that_is_none_is_named_and_not_shown(self, folder: Path) -> None:
        problem = refusal(self.block(folder, '{api_key: "cc_x Bearer"}'))
        assert "carecycle.api_key: must be a key" in problem
        assert "Bearer" not in problem

    @pytest.mark.parametrize("host", ["127.0.0.1:8093", "localhost:8093", "[::1]:8093"])
    def test_a_sandbox_on_this_machine_needs_no_encryption(self, folder: Path, host: str) -> None:
        (file,) = read_agencies([self.block(folder, f'{{api_key: cc_x, endpoint: "http://{host}"}}')], ENVIRONMENT)
        assert file.settings.carecycle is not None


DESTINATION = "destinations: {{hubspot: {{mapping: hubspot, auth: {{access_token: 'file:token.txt'}}, {0}}}}}"
CARECYCLE = "carecycle: {{api_key: '${{HOOK_SECRET}}', {0}}}"
MAIL = "alarms: {{mail: {{to: [a@x.example], sender: b@x.example, {0}}}}}"
OUTGOING = {
    "destinations.hubspot.endpoint": (DESTINATION, "endpoint: 'http://crm-proxy:8080'"),
    "carecycle.endpoint": (CARECYCLE, "endpoint: 'http://crm-proxy:8080'"),
    "alarms.webhook": ("alarms: {{{0}}}", "webhook: '${{WEBHOOK}}'"),
    "alarms.heartbeat": ("alarms: {{{0}}}", "heartbeat: '${{WEBHOOK}}'"),
    "alarms.mail.security": (MAIL, "server: 'mail:25', security: none"),
}
LINK_LOCAL = {
    "destinations.hubspot.endpoint": (DESTINATION, "endpoint: 'https://169.254.169.254'"),
    "carecycle.endpoint": (CARECYCLE, "endpoint: 'https://2852039166'"),
    "alarms.webhook": ("alarms: {{{0}}}", "webhook: '${{METADATA}}'"),
    "alarms.mail.server": (MAIL, "server: '169.254.1.1:25'"),
}
WEBHOOKS = {**ENVIRONMENT, "WEBHOOK": "http://chat/x?secret", "METADATA": "http://[::ffff:a9fe:a9fe]/x?secret"}


class TestWhereThingsAreSent:
    """The address of every part that sends something somewhere."""

    def file(self, folder: Path, around: str, written: str) -> Path:
        own = "" if around == DESTINATION else "destinations" + AGENCY.partition("destinations")[2]
        text = f"{AGENCY.partition('destinations')[0]}{own}{around.format(written.format())}\n"
        (folder / "sunrise.yaml").write_text(text)
        return folder / "sunrise.yaml"

    @pytest.mark.parametrize("place", OUTGOING)
    def test_plain_http_to_another_machine_is_refused_with_its_line_and_what_to_do(
        self, folder: Path, place: str
    ) -> None:
        problem = refusal(self.file(folder, *OUTGOING[place]), WEBHOOKS)
        assert re.search(rf"sunrise\.yaml:\d+:\d+: {place}: must (be|begin with) .*write  insecure: true", problem)
        assert "secret" not in problem.replace("HOOK_SECRET", "")

    @pytest.mark.parametrize("place", OUTGOING)
    def test_it_is_allowed_on_a_network_of_your_own(self, folder: Path, place: str) -> None:
        around, written = OUTGOING[place]
        assert read_agencies([self.file(folder, around, f"{written}, insecure: true")], WEBHOOKS)

    @pytest.mark.parametrize("place", LINK_LOCAL)
    def test_a_link_local_address_is_never_allowed(self, folder: Path, place: str) -> None:
        around, written = LINK_LOCAL[place]
        problem = refusal(self.file(folder, around, f"{written}, insecure: true"), WEBHOOKS)
        assert re.search(rf"sunrise\.yaml:\d+:\d+: {place}: leads to a link-local address", problem)

    def test_a_session_opened_elsewhere_cannot_lead_there_either(self, folder: Path) -> None:
        auth = "auth: {flow: session, session_id: 'file:token.txt', instance_url: 'https://169.254.169.254'}"
        text = f"destinations: {{salesforce: {{mapping: salesforce-contact, {auth}}}}}\n"
        (folder / "sunrise.yaml").write_text(AGENCY.partition("destinations")[0] + text)
        assert "instance_url: leads to a link-local" in refusal(folder / "sunrise.yaml")

    def test_whoever_stands_in_another_container_excuses_no_secret_in_the_file(self, folder: Path) -> None:
        written = "endpoint: 'http://crm-proxy:8080', insecure: true"
        path = self.file(folder, DESTINATION, written)
        path.write_text(path.read_text().replace("file:token.txt", "pat-in-the-file"))
        assert "destinations.hubspot.auth.access_token: is a secret" in refusal(path)

    @pytest.mark.parametrize("setting", ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"])
    def test_traces_go_unencrypted_to_another_machine_only_if_somebody_said_so(self, setting: str) -> None:
        given = {setting: "http://collector:4318"}
        with pytest.raises(FixConfiguration, match="set OTEL_EXPORTER_OTLP_INSECURE=true"):
            read_process(given)
        assert read_process({**given, "OTEL_EXPORTER_OTLP_INSECURE": "true"})
        with pytest.raises(FixConfiguration, match="link-local"):
            read_process({setting: "http://169.254.169.254", "OTEL_EXPORTER_OTLP_INSECURE": "true"})
