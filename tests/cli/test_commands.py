"""Each command as it is typed."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import update

from connector.cli import cli
from connector.errors import InFlight, PauseReason
from connector.mapping import shipped_folder
from connector.mapping.example_events import example
from connector.settlement import Pause, Settlement
from connector.store import Store
from connector.store.agencies import Terms
from connector.store.tables import events
from tests.builders import CUSTOMER, DATA_KEY, DESTINATION, LANE, SECRET, a_call, a_customer, an_arrival
from tests.ready import open_ready
from tests.web.test_hooks import Served

CONTACT = str(shipped_folder() / "salesforce-contact.yaml")


def run(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(cli, arguments, env=environment)


@pytest.fixture
def event(tmp_path: Path) -> str:
    path = tmp_path / "event.json"
    path.write_text(json.dumps(a_call(a_customer(doNotSMS=True))))
    return str(path)


@pytest.fixture
def agency(tmp_path: Path) -> str:
    path = tmp_path / "agency.yaml"
    path.write_text(
        "agency: sunrise\nwebhook: {secrets: ['${HOOK_SECRET}']}\n"
        "destinations: {hubspot: {mapping: hubspot, auth: {access_token: '${TOKEN}'}}}\n"
    )
    return str(path)


class TestCheck:
    def test_a_good_mapping_has_no_problems(self) -> None:
        result = run("check", str(shipped_folder() / "salesforce-lead.yaml"))
        assert (result.exit_code, "no problems" in result.output) == (0, True)

    def test_a_note_is_no_problem(self) -> None:
        result = run("check", CONTACT)
        assert (result.exit_code, "note[M161]" in result.output) == (0, True)

    def test_a_broken_one_is_told_with_line_and_column(self, tmp_path: Path) -> None:
        broken = tmp_path / "own.yaml"
        broken.write_text("extends: hubspot\nrecords: {contact: {fields: {city: customer.citty}}}\n")
        result = run("check", str(broken))
        assert result.exit_code == 1
        assert f"{broken}:2:" in result.output

    def test_problems_come_as_json_too(self, tmp_path: Path) -> None:
        broken = tmp_path / "own.yaml"
        broken.write_text("extends: hubspot\nrecords: {contact: {fields: {city: customer.citty}}}\n")
        told = json.loads(run("check", "--json", str(broken)).output)
        assert [(one["code"], one["line"]) for one in told if one["severity"] == "error"] == [("M101", 2)]

    def test_an_agency_file_is_checked_with_its_mappings(self, agency: str) -> None:
        assert run("check", "-c", agency, HOOK_SECRET=SECRET, TOKEN="t").exit_code == 0

    def test_an_agency_file_without_its_secret_is_wrong_configuration(self, agency: str) -> None:
        result = run("check", "-c", agency, TOKEN="t")
        assert (result.exit_code, "HOOK_SECRET is not set" in result.stderr) == (2, True)

    def test_a_signing_secret_that_is_none_is_wrong_configuration(self, agency: str) -> None:
        result = run("check", "-c", agency, HOOK_SECRET="whsec_!", TOKEN="t")
        assert (result.exit_code, "webhook.secrets[0]" in result.stderr) == (2, True)

    def test_a_failing_test_inside_a_mapping_is_a_problem(self, tmp_path: Path) -> None:
        own = tmp_path / "own.yaml"
        own.write_text(
            "extends: hubspot\ntests: [{name: x, event: customer.created, expect: {contact: {city: Rome}}}]\n"
        )
        result = run("check", str(own))
        assert (result.exit_code, "T001" in result.output) == (1, True)

    def test_nothing_to_check_is_wrong_usage(self) -> None:
        assert run("check").exit_code == 2


class TestTest:
    def test_the_shipped_mappings_pass_their_own_tests(self) -> None:
        result = run("test", *map(str, sorted(shipped_folder().glob("*.yaml"))))
        assert (result.exit_code, "FAILED" in result.output) == (0, False)


class TestMap:
    def test_it_tells_records_and_what_is_withheld(self, event: str) -> None:
        output = run("map", CONTACT, event).output
        assert "call: upsert Task by careCycle_Call_Id__c" in output
        assert "withheld by doNotSMS: contact.MobilePhone" in output

    def test_it_shows_the_flags_the_event_itself_raises(self, tmp_path: Path) -> None:
        call = tmp_path / "call.json"
        call.write_text(json.dumps(example("call.completed", {"call.disposition": "Do Not Call"})))
        told = run("map", CONTACT, str(call)).output
        assert ("DoNotCall = true" in told, "raised by this event itself: doNotCall" in told) == (True, True)
        assert json.loads(run("map", "--json", CONTACT, str(call)).output)["spoken"] == ["doNotCall"]

    def test_it_says_which_required_field_has_no_value(self, tmp_path: Path) -> None:
        mapping, event = tmp_path / "own.yaml", tmp_path / "event.json"
        mapping.write_text(
            "version: 1\ncrm: salesforce\nextends: salesforce-contact\n"
            "records: { contact: { fields: { Suffix: { required: true } } } }\n"
        )
        event.write_text(json.dumps(a_customer(event_type="customer.updated", suffix=None)))
        told = run("map", str(mapping), str(event)).output
        assert "Suffix is required and has no value: not written until an event has one" in told

    def test_it_tells_the_same_as_json(self, event: str) -> None:
        told = json.loads(run("map", "--json", CONTACT, event).output)
        assert [record["record"] for record in told["records"]] == ["contact", "call"]

    @pytest.mark.parametrize("text", ["{", "[" * 100_000])
    def test_an_event_that_is_not_json_is_told(self, text: str, tmp_path: Path) -> None:
        (tmp_path / "e.json").write_text(text)
        result = run("map", CONTACT, str(tmp_path / "e.json"))
        assert (result.exit_code, "is not JSON" in result.stderr) == (2, True)


class TestSend:
    @pytest.fixture
    def hook(self, tmp_path: Path) -> Iterator[Served]:
        store = open_ready(f"sqlite:///{tmp_path}/hook.db", {"CONNECTOR_DATA_KEY": DATA_KEY})
        served = Served(store)
        yield served
        served.stop()
        store.close()

    def test_a_sample_is_signed_and_accepted(self, hook: Served) -> None:
        result = run("send", hook.url, "--secret", SECRET, "--sample", "call.completed", "--count", "3")
        assert (result.exit_code, result.output.count(" 204")) == (0, 3)

    def test_a_file_is_signed_and_accepted(self, hook: Served, event: str) -> None:
        assert run("send", hook.url, event, CARECYCLE_WEBHOOK_SECRET=SECRET).exit_code == 0

    def test_the_secret_may_be_a_file(self, hook: Served, event: str, tmp_path: Path) -> None:
        (tmp_path / "CARECYCLE_WEBHOOK_SECRET").write_text(f"{SECRET}\n")
        assert run("send", hook.url, event, CONNECTOR_SECRETS_DIR=str(tmp_path)).exit_code == 0

    def test_where_the_secret_belongs_is_said(self, event: str) -> None:
        result = run("send", "http://127.0.0.1:1/x", event)
        assert (result.exit_code, "CARECYCLE_WEBHOOK_SECRET_FILE" in result.stderr) == (2, True)

    def test_fields_are_changed_first_as_in_a_mappings_tests(self, hook: Served, event: str) -> None:
        given = {
            "call.disposition": "Callback",
            "customer.doNotCall": "true",
            "customer.externalId": "'12'",
            "customer.annualIncome": "52000",
            "customer.assignedUser.licensedStates": "[TX, NM]",
            "customer.assignedUser.licensedStates.0": "NV",
            "summary": "",
        }
        changes = [part for name, value in given.items() for part in ("--given", f"{name}={value}")]
        for source in ([event], ["--sample", "call.completed"]):
            sent = run("send", hook.url, *source, "--secret", SECRET, *changes).output
            payload = hook.store.desk.payload(re.findall(r"msg_\w+", sent)[0])
            customer = payload["customer"]
            assert (payload["disposition"], payload["summary"]) == ("Callback", None)
            assert [customer[name] for name in ("doNotCall", "externalId", "annualIncome")] == [True, "12", 52000]
            assert customer["assignedUser"]["licensedStates"] == ["NV", "NM"]

    @pytest.mark.parametrize(
        ("given", "told"),
        [
            ("call.dispositon=Callback", "call.completed has no such field: did you mean call.disposition?"),
            ("event.type=customer.created", "has no such field"),
            ("call.disposition", "write FIELD=VALUE"),
            ("call.disposition='Callback", "the value is not YAML"),
            ("customer.firstName.0=A", "has no such field"),
        ],
    )
    def test_what_cannot_be_changed_is_told_before_anything_is_sent(self, event: str, given: str, told: str) -> None:
        result = run("send", "http://127.0.0.1:1/hooks/x", event, "--secret", SECRET, "--given", given)
        assert (result.exit_code, told in result.stderr) == (2, True)

    @pytest.mark.slow
    def test_a_refusal_is_told_by_the_exit_status(self, hook: Served, event: str) -> None:
        assert run("send", hook.url, event, "--secret", "whsec_YW5vdGhlcg==").exit_code == 1

    def test_a_hook_nobody_answers_is_told(self, event: str) -> None:
        result = run("send", "http://127.0.0.1:1/hooks/x", event, "--secret", SECRET)
        assert (result.exit_code, "cannot be reached" in result.stderr) == (2, True)
        assert "is the connector running" in result.stderr

    @pytest.mark.parametrize("url", ["127.0.0.1:8080/hooks/sunrise", "localhost/hooks/sunrise", "http://"])
    def test_what_is_no_address_is_told(self, event: str, url: str) -> None:
        result = run("send", url, event, "--secret", SECRET)
        assert (result.exit_code, "must begin with http:// or https://" in result.stderr) == (2, True)

    def test_no_field_is_suggested_that_was_named(self, event: str) -> None:
        result = run("send", "http://127.0.0.1:1/x", event, "--secret", SECRET, "--given", "event_type=call.completed")
        assert ("has no such field" in result.stderr, "did you mean" in result.stderr) == (True, False)


class TestDesk:
    @pytest.fixture
    def environment(self, tmp_path: Path) -> dict[str, str]:
        return {"CONNECTOR_DATABASE_URL": f"sqlite:///{tmp_path}/desk.db", "CONNECTOR_DATA_KEY": DATA_KEY}

    @pytest.fixture
    def store(self, environment: dict[str, str]) -> Iterator[Store]:  # type: ignore[override]  # this one is on a file
        store = open_ready(environment["CONNECTOR_DATABASE_URL"], environment)
        store.lanes.open({LANE: DESTINATION})
        yield store
        store.close()

    def test_events_are_listed_newest_first(self, store: Store, environment: dict[str, str]) -> None:
        store.inbox.accept([an_arrival("one"), an_arrival("two")])
        rows = json.loads(run("events", "list", "--json", **environment).output)
        assert [row["message_id"] for row in rows] == ["two", "one"]

    def test_an_events_story_shows_no_value_but_operational_ones(
        self, store: Store, environment: dict[str, str]
    ) -> None:
        store.inbox.accept([an_arrival("one", a_customer(firstName="Canary"))])
        output = run("events", "show", "one", **environment).output
        assert ("customer.firstName" in output, "Canary" in output) == (True, False)

    def test_an_events_story_says_what_became_of_its_opt_outs(self, store: Store, environment: dict[str, str]) -> None:
        store.inbox.accept([an_arrival("one", a_customer(), priority=1, raised=frozenset({"doNotCall"}))])
        assert "opt-out doNotCall is not in the CRM: waiting" in run("events", "show", "one", **environment).output

    def test_values_are_revealed_for_a_reason_where_the_agency_allows_it(
        self, store: Store, environment: dict[str, str]
    ) -> None:
        store.inbox.accept([an_arrival("one", a_customer(firstName="[/Canary]\x1b[2J"))])
        asked = ("events", "show", "one", "--reveal", "--reason", "the agent called")
        assert run(*asked, **environment).exit_code == 2
        store.agencies.announce([Terms("sunrise", True, 90)])
        assert "[/Canary]\ufffd[2J" in run(*asked, **environment).output
        (row,) = json.loads(run("audit", "--json", **environment).output)
        assert (row["who"].partition(":")[0], row["thing"], row["reason"]) == ("cli", "sunrise/one", "the agent called")
        assert "the agent called" in run("audit", **environment).output

    @pytest.mark.parametrize("options", [["--reveal"], ["--reveal", "--reason", " "], ["--reason", "x"]])
    def test_revealing_and_a_reason_belong_together(
        self, store: Store, environment: dict[str, str], options: list[str]
    ) -> None:
        store.inbox.accept([an_arrival("one")])
        assert run("events", "show", "one", *options, **environment).exit_code == 2

    def test_a_person_is_forgotten_after_being_asked(self, store: Store, environment: dict[str, str]) -> None:
        store.inbox.accept([an_arrival("one")])
        assert "waiting: they will not be written" in run("forget", CUSTOMER, "--plan", **environment).output
        assert CliRunner().invoke(cli, ["forget", CUSTOMER], env=environment, input="n\n").exit_code == 1
        assert json.loads(run("forget", CUSTOMER, "--yes", "--json", **environment).output)["forgotten"]
        output = run("forget", CUSTOMER, **environment).output
        assert ("was already deleted" in output, "Nothing is stored" in output) == (True, True)

    def test_keys_are_rotated_and_the_old_one_let_go(self, store: Store, environment: dict[str, str]) -> None:
        store.inbox.accept([an_arrival("one")])
        new = base64.b64encode(b"n" * 32).decode()
        both = {**environment, "CONNECTOR_DATA_KEY": f"{new} {DATA_KEY}"}
        assert [one["payloads"] for one in json.loads(run("keys", "list", "--json", **both).output)] == [0, 1]
        output = run("keys", "rotate", "--yes", **both).output
        assert ("1 payload re-encrypted" in output, "no longer needed" in output) == (True, True)
        assert run("events", "show", "one", **{**environment, "CONNECTOR_DATA_KEY": new}).exit_code == 0

    @pytest.mark.slow
    def test_an_event_that_cannot_be_decrypted_says_so_in_every_command(
        self, store: Store, environment: dict[str, str]
    ) -> None:
        store.inbox.accept([an_arrival("one", state="dead", code="UNOPENABLE")])
        with store.database.transaction() as connection:
            connection.execute(update(events).values(payload=b"n" * 80))
        shown = run("events", "show", "one", **environment)
        assert "Nothing of the content can be shown: the content is encrypted with the key 6e6e6e6e" in shown.output
        assert "1 payload cannot be decrypted" in run("keys", "rotate", "--yes", **environment).output
        assert run("why", CUSTOMER, **environment).exit_code == 0
        assert run("forget", CUSTOMER, "--plan", **environment).exit_code == 0

    def test_forgetting_says_what_it_could_not_look_into(self, store: Store, environment: dict[str, str]) -> None:
        store.inbox.accept([an_arrival("one", customer_id=None)])
        with store.database.transaction() as connection:
            connection.execute(update(events).values(payload=b"n" * 80))
        output = run("forget", CUSTOMER, "--plan", **environment).output
        assert "1 unreadable message cannot be decrypted and may be about this customer" in output

    def test_the_event_a_lane_paused_at_is_shown_and_set_aside(self, store: Store, environment: dict[str, str]) -> None:
        store.inbox.accept([an_arrival("msg_culprit")])
        lease = store.lanes.lease("worker", [LANE], 60_000)
        assert lease is not None
        pause = Pause(900_000, PauseReason.REQUEST, "rejected", in_flight=InFlight(1, "contact", "Contact"))
        store.lanes.settle(lease, Settlement("", pause=pause), 60_000)
        (lane,) = json.loads(run("lanes", "list", "--json", **environment).output)
        assert (lane["paused_at"]["message_id"], lane["paused_at"]["count"]) == ("msg_culprit", 1)
        for command in (("lanes", "list"), ("status",)):
            assert "msg_culprit" in run(*command, **environment).output
        assert run("events", "set-aside", "msg_culprit", **environment).exit_code == 2
        assert run("events", "set-aside", "msg_culprit", "--reason", "why", **environment).exit_code == 0
        assert not store.desk.lanes()[0].paused
        assert run("events", "set-aside", "msg_culprit", "--reason", "why", **environment).exit_code == 2

    def test_dead_letters_are_replayed_by_cause(self, store: Store, environment: dict[str, str]) -> None:
        store.inbox.accept([an_arrival(state="dead", code="X")])
        assert "1 delivery queued again" in run("events", "replay", "--code", "X", **environment).output

    def test_discarding_everything_must_be_said(self, store: Store, environment: dict[str, str]) -> None:
        assert run("events", "discard", "--yes", **environment).exit_code == 2

    def test_opt_outs_not_in_the_crm_are_told(self, store: Store, environment: dict[str, str]) -> None:
        store.inbox.accept([an_arrival(priority=1, raised=frozenset({"doNotCall"}))])
        (told,) = json.loads(run("consent", "status", "--json", **environment).output)
        assert (told["destination"], told["waiting"], told["refused"]) == (DESTINATION, 1, 0)
        assert DESTINATION in run("consent", "status", **environment).output

    def test_opt_outs_are_reported_as_csv(self, store: Store, environment: dict[str, str]) -> None:
        store.inbox.accept([an_arrival("=HYPERLINK(1)", priority=1, raised=frozenset({"doNotCall"}))])
        said = run("consent", "report", "--since", "2026-06-18", "--until", "2026-06-18", **environment).stdout_bytes
        assert said == (
            b"customer_id,flag,message_id,received_at,destination,status,applied_at,object,crm_id,why,"
            b"crm_check,checked_at\r\n"
            b"b1f7c0e2-3a4d-4e5f-8a9b-0c1d2e3f4a5b,doNotCall,'=HYPERLINK(1),2026-06-18T12:00:00Z,"
            b"sunrise/salesforce,waiting,,,,,not verified,\r\n"
        )

    def test_opt_outs_of_another_agency_or_day_are_not_reported(
        self, store: Store, environment: dict[str, str], agency: str
    ) -> None:
        store.inbox.accept([an_arrival(agency="harvest", priority=1, raised=frozenset({"doNotCall"}))])
        secrets = {"HOOK_SECRET": SECRET, "TOKEN": "t"}
        for options in (["--since", "2026-06-18", "-c", agency], ["--since", "2026-06-19"]):
            assert run("consent", "report", *options, **environment, **secrets).output.count("\n") == 1

    def test_a_lane_is_paused_and_resumed(self, store: Store, environment: dict[str, str]) -> None:
        assert run("lanes", "pause", LANE, **environment).exit_code == 0
        assert json.loads(run("lanes", "list", "--json", **environment).output)[0]["paused"] == 1
        assert run("lanes", "resume", LANE, **environment).exit_code == 0
        assert "nothing to resume" in run("lanes", "resume", LANE, **environment).stderr


class TestConsolePassword:
    def test_it_prints_a_hash_and_not_the_password(self) -> None:
        result = CliRunner().invoke(cli, ["console", "password"], input="s3cret garden words\ns3cret garden words\n")
        assert (result.output.splitlines()[-1].startswith("scrypt:"), "s3cret" in result.output) == (True, False)

    @pytest.mark.parametrize("password", ["", "11 chars!!!"])
    def test_it_rejects_an_empty_or_short_password(self, password: str) -> None:
        result = CliRunner().invoke(cli, ["console", "password", "--password", password])
        assert (result.exit_code, result.stdout) == (2, "")
        assert "use at least 12 characters" in result.stderr

    def test_it_rejects_a_common_one(self) -> None:
        result = CliRunner().invoke(cli, ["console", "password", "--password", "Sunshine2026!"])
        assert (result.exit_code, result.stdout) == (2, "")
        assert "is too common" in result.stderr

    def test_it_accepts_a_password_of_twelve_characters(self) -> None:
        assert CliRunner().invoke(cli, ["console", "password", "--password", "12 long nut!"]).exit_code == 0


class TestHelp:
    @pytest.mark.parametrize("group", ["alarms", "consent", "console", "events", "keys", "lanes", "schema"])
    def test_no_summary_of_a_subcommand_is_cut_off(self, group: str) -> None:
        assert "...\n" not in run(group, "--help").output.partition("Commands:")[2]

    def test_it_names_every_command_without_loading_one(self) -> None:
        code = "import sys; from connector.cli import cli; cli(['--help'], standalone_mode=False)"
        code += "; print([name for name in ('flask', 'sqlalchemy', 'hubspot', 'pydantic') if name in sys.modules])"
        told = subprocess.run(
            [
                sys.executable,
                "-c",
                code,
            ],
            capture_output=True,
            check=True,
        )
        assert told.stdout.decode().strip().endswith("[]")
        assert all(name in told.stdout.decode() for name in ("run", "check", "demo", "send", "events"))
