"""check, test and schema as they are typed, against files and against both sandboxes over HTTP."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from connector.cli import cli
from connector.delivery.reload import UNTESTED, Watched
from connector.mapping import Loaded, shipped_folder, target
from connector.mapping.example_events import example
from connector.mapping.target import TargetSchema
from connector.running.bootstrap import open_route, open_routes
from connector.running.config import read_agencies, read_process
from connector.sandbox.hubspot import HubSpotSandbox
from connector.sandbox.salesforce import INSTANCE_URL, SalesforceSandbox
from connector.store import Store
from tests.builders import SECRET
from tests.mappings.build import CALL, WAIVED, mapping_text

SHIPPED = sorted(map(str, shipped_folder().glob("*.yaml")))


def run(*arguments: object, **environment: str) -> Result:
    return CliRunner().invoke(cli, list(map(str, arguments)), env={"HOOK_SECRET": SECRET} | environment)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return tmp_path / "own.yaml"


def told_by(own: Path, text: str) -> dict[str, Any]:
    own.write_text(text)
    told: dict[str, Any] = json.loads(run("test", "--json", own).output)
    return told


def left_out(own: Path, *fields: str, tests: str, **more: str) -> list[str]:
    """What the tests of a small mapping do not reach."""
    text = mapping_text(*fields, top=f"tests:\n{tests}", **more)
    return [f"{spot['kind']} {spot['name']}" for spot in told_by(own, text)["unreached"]]


A_CALL = "  - { name: a call, event: call.completed, expect: { contact: { LastName: Delacroix } } }\n"
A_LEAD = "  - { name: a lead, event: customer.created, expect: { contact: { LastName: Delacroix } } }\n"
A_CALL = "  - { name: a call, event: call.completed, expect: { contact: { LastName: Delacroix } } }\n"
INACTIVE = "  - { name: no, event: customer.updated, given: { status: Inactive }, expect: { contact: {} } }\n"
NOT_LEAD = "  - { name: yes, event: customer.updated, given: { status: Active }, expect: { contact: {} } }\n"


class TestTest:
    def test_a_difference_stands_one_below_the_other(self, own: Path) -> None:
        own.write_text(mapping_text(top=f"tests:\n{A_LEAD.replace('Delacroix', 'Smith')}"))
        result = run("test", own)
        assert result.exit_code == 1
        assert result.output.splitlines() == [
            f"FAILED {own}:11 a lead",
            "         contact.LastName",
            "           expected 'Smith'",
            "           got      'Delacroix'",
            "0 of 1 tests pass",
        ]

    def test_a_difference_is_told_to_programs_too(self, own: Path) -> None:
        (test,) = told_by(own, mapping_text(top=f"tests:\n{A_LEAD.replace('Delacroix', 'Smith')}"))["tests"]
        assert (test["ok"], test["line"]) == (False, 11)
        assert test["differences"] == [{"what": "contact.LastName", "expected": "'Smith'", "got": "'Delacroix'"}]

    def test_a_field_no_test_sends_is_told_where_it_stands(self, own: Path) -> None:
        own.write_text(mapping_text("Suffix: customer.suffix", top=f"tests:\n{A_LEAD}"))
        result = run("test", own)
        assert (result.exit_code, result.output.splitlines()[-2:]) == (
            0,
            ["not covered by any test", f"  {own}:9:7 field contact.Suffix"],
        )

    def test_what_is_made_of_a_call_is_not_reached_by_an_event_without_one(self, own: Path) -> None:
        fields = (
            "Outcome__c: call.disposition",
            "A__c: { from: campaign.name, table: { else: Some } }",
            "N__c: { count: calls }",
        )
        left = [f"field contact.{name}" for name in ("Outcome__c", "A__c", "N__c")]
        assert [spot for spot in left_out(own, *fields, tests=A_LEAD) if spot in left] == left
        assert [spot for spot in left_out(own, *fields, tests=A_LEAD + A_CALL) if spot in left] == []

    def test_a_mapping_without_tests_reaches_nothing(self, own: Path) -> None:
        assert [spot["name"] for spot in told_by(own, mapping_text())["unreached"]] == ["contact.LastName"]

    def test_a_flag_no_test_raises_is_told(self, own: Path) -> None:
        consent = WAIVED.replace("doNotCall, ", "").replace("{ ", "{ flags: { doNotCall: contact.DoNotCall }, ")
        assert left_out(own, tests=A_LEAD, consent=consent) == ["field contact.DoNotCall"]

    def test_values_entries_and_fields_behind_them_are_told(self, own: Path) -> None:
        status = "Status__c: { from: customer.status, table: { Lead: Working, Active: Closed, else: null } }"
        assert left_out(own, status, tests=A_LEAD) == [
            "value customer.status = Active",
            "value customer.status = Inactive",
            "entry contact.Status__c: Active",
            "entry contact.Status__c: else",
        ]

    def test_an_entry_that_leaves_the_field_alone_is_reached_as_well(self, own: Path) -> None:
        status = "Status__c: { from: customer.status, table: { Lead: Working, Active: Closed, else: null } }"
        assert left_out(own, status, tests=A_LEAD + INACTIVE + NOT_LEAD) == []

    def test_entries_of_a_named_table_are_told_where_the_table_stands(self, own: Path) -> None:
        field, table = "FirstName: { from: customer.veteran, table: t }", "tables: { t: { true: A, false: B } }\n"
        text = mapping_text(field, top=f"tests:\n{A_LEAD}{table}")
        assert [(s["name"], s["line"]) for s in told_by(own, text)["unreached"]] == [("t: false", 13)]

    def test_cases_are_told_by_their_number(self, own: Path) -> None:
        first, last = "{ when: { customer.veteran: true }, then: customer.city }", "{ else: { value: B } }"
        cases = f"FirstName: {{ cases: [ {first}, {last} ] }}"
        assert left_out(own, cases, tests=A_LEAD) == ["case contact.FirstName: case 2"]

    def test_a_table_inside_a_case_is_reached_when_the_case_is(self, own: Path) -> None:
        inner = "{ from: customer.city, table: { Mesa: M, else: O } }"
        cases = f"FirstName: {{ cases: [ {{ when: {{ customer.state: AZ }}, then: {inner} }}, {{ else: {inner} }} ] }}"
        assert left_out(own, cases, tests=A_LEAD) == [
            "entry contact.FirstName: else",
            "case contact.FirstName: case 2",
            "entry contact.FirstName: Mesa",
            "entry contact.FirstName: else",
        ]

    def test_what_a_condition_keeps_out_is_not_reached(self, own: Path) -> None:
        field = "FirstName: { from: customer.firstName, table: { else: x }, when: { customer.state: NM } }"
        assert left_out(own, field, tests=A_LEAD) == ["field contact.FirstName", "entry contact.FirstName: else"]

    def test_a_record_only_some_events_make_needs_a_test_of_one(self, own: Path) -> None:
        assert left_out(own, tests=A_LEAD, records=CALL) == ["field call.Status"]
        assert left_out(own, tests=A_CALL, records=CALL) == []

    def test_a_test_customer_that_is_dropped_reaches_nothing(self, own: Path) -> None:
        tests = "  - { name: it, event: customer.created, given: { testCustomer: true }, expect: { contact: none } }\n"
        assert left_out(own, tests=tests) == ["field contact.LastName"]

    def test_what_is_inherited_is_the_other_files_business(self, own: Path) -> None:
        own.write_text(
            "extends: salesforce-lead\nrecords: {lead: {fields: {Rating: {value: Hot}}}}\n"
            "tests: [{name: it, event: customer.created, expect: {lead: {Rating: Hot}}}]\n"
        )
        assert json.loads(run("test", "--json", own).output)["unreached"] == []

    @pytest.mark.parametrize("path", SHIPPED, ids=lambda path: Path(path).stem)
    def test_the_shipped_mappings_reach_everything(self, path: str) -> None:
        told = json.loads(run("test", "--json", path).output)
        assert (told["unreached"], all(test["ok"] for test in told["tests"])) == ([], True)


class TestSarif:
    @pytest.fixture
    def log(self, tmp_path: Path) -> dict[str, Any]:
        broken = tmp_path / "our map.yaml"
        broken.write_text(
            mapping_text("FirstName: customer.fristName", "Phone: { from: customer.city, write: if_blank }")
        )
        result = run("check", "--sarif", broken)
        assert result.exit_code == 1
        told: dict[str, Any] = json.loads(result.output)
        return told

    def test_it_is_one_run_of_a_named_tool(self, log: dict[str, Any]) -> None:
        (one,) = log["runs"]
        assert (log["version"], one["tool"]["driver"]["name"]) == ("2.1.0", "connector")
        assert log["$schema"].endswith("sarif-2.1.0.json")

    def test_every_result_names_a_rule_a_level_and_a_message(self, log: dict[str, Any]) -> None:
        (one,) = log["runs"]
        rules = [rule["id"] for rule in one["tool"]["driver"]["rules"]]
        assert [(r["ruleId"], r["level"]) for r in one["results"]] == [("M101", "error"), ("M161", "note")]
        assert {r["ruleId"] for r in one["results"]} == set(rules)
        assert all(r["message"]["text"] for r in one["results"])

    def test_every_result_has_its_place_as_a_uri_line_and_column(self, log: dict[str, Any]) -> None:
        places = [result["locations"][0]["physicalLocation"] for result in log["runs"][0]["results"]]
        assert all(place["artifactLocation"]["uri"].endswith("/our%20map.yaml") for place in places)
        assert [(p["region"]["startLine"], p["region"]["startColumn"]) for p in places] == [(9, 18), (10, 44)]

    def test_nothing_found_is_an_empty_run(self, own: Path) -> None:
        own.write_text(mapping_text())
        result = run("check", "--sarif", own)
        assert (result.exit_code, json.loads(result.output)["runs"][0]["results"]) == (0, [])

    def test_two_forms_at_once_are_wrong_usage(self) -> None:
        assert run("check", "--sarif", "--json", SHIPPED[0]).exit_code == 2


@pytest.fixture
def agency(tmp_path: Path) -> Iterator[Path]:
    """An agency with both CRMs, in sandboxes."""
    salesforce, hubspot = SalesforceSandbox(), HubSpotSandbox()
    with salesforce as one, hubspot as other:
        path = tmp_path / "agency.yaml"
        session = f"{{flow: session, session_id: {salesforce.token}, instance_url: '{INSTANCE_URL}'}}"
        path.write_text(
            "agency: sunrise\nwebhook: {secrets: ['${HOOK_SECRET}']}\ndestinations:\n"
            f"  salesforce: {{mapping: salesforce-contact, auth: {session}, endpoint: '{one}'}}\n"
            f"  hubspot: {{mapping: hubspot, auth: {{access_token: {hubspot.token}}}, endpoint: '{other}'}}\n"
        )
        yield path


FAILING = mapping_text(top=f"tests:\n{A_LEAD.replace('Delacroix', 'Smith')}")
PASSING = mapping_text(top=f"tests:\n{A_LEAD}")


class TestAMappingWhoseOwnTestsFail:
    @pytest.fixture
    def file(self, agency: Path) -> Path:
        agency.write_text(agency.read_text().replace("salesforce-contact,", "own.yaml,"))
        return agency.parent / "own.yaml"

    def opened(self, agency: Path, store: Store, *, allowed: bool = False) -> Watched:
        files = read_agencies([agency], {"HOOK_SECRET": SECRET})
        return open_routes(files, store, allow_failing_tests=allowed)[0]

    def test_does_not_go_live_at_a_start_until_it_is_corrected(self, agency: Path, file: Path, store: Store) -> None:
        file.write_text(FAILING)
        watched = self.opened(agency, store)
        watched.refresh()
        assert watched.route.running.barred is UNTESTED
        assert "own.yaml:11" in store.mappings.all()[0].problem
        file.write_text(PASSING)
        watched.refresh()
        assert (watched.route.running.barred, store.mappings.all()[0].problem) == (None, "")

    def test_keeps_no_other_from_going_live(self, agency: Path, file: Path, store: Store) -> None:
        file.write_text(FAILING)
        files = read_agencies([agency], {"HOOK_SECRET": SECRET})
        bars = {watched.route.name: watched.route.running.barred for watched in open_routes(files, store)}
        assert bars == {"sunrise/salesforce": UNTESTED, "sunrise/hubspot": None}

    def test_that_takes_its_place_between_two_looks_at_it_does_not_run(
        self, agency: Path, file: Path, store: Store
    ) -> None:
        file.write_text(PASSING)
        watched = self.opened(agency, store)
        before, load = watched.route.mapping.version, watched.load

        def load_and_edit(schema: TargetSchema | None = None, *, checked: bool = True) -> Loaded:
            loaded = load(schema, checked=checked)
            file.write_text(FAILING)
            return loaded

        watched.load = load_and_edit
        file.write_text(PASSING.replace("version: 1", "version: 1 "))
        watched.refresh()
        watched.refresh()
        assert watched.route.mapping.version == before

    def test_does_not_replace_the_running_one(self, agency: Path, file: Path, store: Store) -> None:
        file.write_text(PASSING)
        watched = self.opened(agency, store)
        before = watched.route.mapping
        file.write_text(FAILING)
        watched.refresh()
        assert watched.route.mapping is before
        assert "own.yaml:11" in store.mappings.all()[0].problem

    @pytest.mark.slow
    def test_does_if_that_is_asked_for(self, agency: Path, file: Path, store: Store) -> None:
        file.write_text(FAILING)
        watched = self.opened(agency, store, allowed=True)
        before = watched.route.mapping.version
        file.write_text(FAILING.replace("Smith", "Jones"))
        watched.refresh()
        assert watched.route.mapping.version != before

    @pytest.mark.parametrize(("how", "allowed"), [({}, False), ({"CONNECTOR_ALLOW_FAILING_TESTS": "yes"}, True)])
    def test_can_be_allowed_by_the_environment(self, how: dict[str, str], allowed: bool) -> None:
        assert read_process(how).allow_failing_tests is allowed

    def test_fails_or_passes_the_same_in_every_time_zone(self, agency: Path, file: Path, store: Store) -> None:
        given = "{ customer.createdAt: '2026-06-18T03:30:00Z', customer.timezone: null }"
        expected = "{ contact: { Birthdate: '2026-06-17' } }"
        test = f"  - {{ name: a day, event: customer.created, given: {given}, expect: {expected} }}\n"
        file.write_text(mapping_text("Birthdate: { from: customer.createdAt, format: date }", top=f"tests:\n{test}"))
        assert run("test", file).exit_code == 0
        agency.write_text("timezone: Asia/Tokyo\n" + agency.read_text())
        self.opened(agency, store)


class TestTheNameOfAShippedMapping:
    @pytest.mark.parametrize("command", [["check"], ["test"]])
    def test_does_for_a_file(self, command: list[str]) -> None:
        assert run(*command, "salesforce-contact").exit_code == 0

    def test_does_to_map_an_event(self, tmp_path: Path) -> None:
        event = tmp_path / "event.json"
        event.write_text(json.dumps(example("customer.created", {})))
        assert run("map", "hubspot", event).exit_code == 0

    def test_that_is_unknown_is_told_with_those_there_are(self) -> None:
        result = run("check", "salesforce-contacts")
        assert (result.exit_code, "Shipped are hubspot, salesforce-contact" in result.output) == (
            2,
            True,
        )

    def test_gives_way_to_a_file_of_that_name(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        Path("hubspot").write_text("extends: nothing\n")
        assert run("check", "hubspot").exit_code == 1


class TestPull:
    def test_it_saves_what_each_crm_says_beside_the_agency_file(self, agency: Path) -> None:
        result = run("schema", "pull", "-c", agency)
        saved = [target.load(agency.parent / f"sunrise-{name}.schema.json") for name in ("salesforce", "hubspot")]
        assert result.exit_code == 0, result.output
        assert [sorted(one.objects) for one in saved] == [["Contact", "Task", "User"], ["calls", "contacts", "owners"]]
        assert saved[0].objects["Contact"].fields["careCycle_Id__c"].unique

    def test_it_prints_a_line_for_each_and_no_call(self, agency: Path) -> None:
        lines = run("schema", "pull", "-c", agency).output.splitlines()
        assert [line.split(": ")[1].split(";")[0] for line in lines] == [
            "Contact, Task, User",
            "calls, contacts, owners",
        ]

    def test_twice_the_same_is_the_same_file(self, agency: Path) -> None:
        run("schema", "pull", "-c", agency)
        before = (agency.parent / "sunrise-salesforce.schema.json").read_bytes()
        run("schema", "pull", "-c", agency)
        assert (agency.parent / "sunrise-salesforce.schema.json").read_bytes() == before
        assert target.dump(target.load(agency.parent / "sunrise-salesforce.schema.json")).encode() == before

    def test_another_folder_may_take_the_files(self, agency: Path, tmp_path: Path) -> None:
        (tmp_path / "saved").mkdir()
        run("schema", "pull", "-c", agency, "-o", tmp_path / "saved")
        assert sorted(path.name for path in (tmp_path / "saved").iterdir()) == [
            "sunrise-hubspot.schema.json",
            "sunrise-salesforce.schema.json",
        ]

    def test_one_file_cannot_take_two(self, agency: Path, tmp_path: Path) -> None:
        assert run("schema", "pull", "-c", agency, "-o", tmp_path / "one.json").exit_code == 2

    def test_a_crm_that_cannot_be_used_is_told(self, agency: Path) -> None:
        agency.write_text(agency.read_text().replace("access_token: ", "access_token: un"))
        result = run("schema", "pull", "-c", agency)
        assert (result.exit_code, "agency.yaml: hubspot" in result.stderr) == (2, True)

    def test_an_object_the_account_does_not_have_is_named(self, agency: Path) -> None:
        policy = "{object: p_policies, key: {policy_id: customer.id}, fields: {name: customer.lastName}}"
        (agency.parent / "ours.yaml").write_text(f"extends: hubspot\nrecords: {{policy: {policy}}}\n")
        agency.write_text(agency.read_text().replace("mapping: hubspot", "mapping: ours.yaml"))
        result = run("schema", "pull", "-c", agency)
        assert (result.exit_code, "hubspot: the account does not have p_policies" in result.stderr) == (0, True)

    def test_an_object_that_is_not_mapped_yet_is_saved_as_well_and_stays(self, agency: Path) -> None:
        saved = agency.parent / "sunrise-salesforce.schema.json"
        for more in (["--object", "Lead", "--object", "Evnt"], [], ["--object", "Contact"]):
            result = run("schema", "pull", "-c", agency, *more)
            assert (result.exit_code, sorted(target.load(saved).objects)) == (0, ["Contact", "Lead", "Task", "User"])
            assert ("does not have Evnt" in result.stderr) is ("Evnt" in more)
        record = json.loads(run("schema", "editor", "--schema", saved).output)["$defs"]["Record"]
        assert "Lead" in record["properties"]["object"]["enum"]

    def test_a_saved_file_that_cannot_be_used_is_replaced(self, agency: Path) -> None:
        (agency.parent / "sunrise-salesforce.schema.json").write_text("{")
        assert run("schema", "pull", "-c", agency).exit_code == 0
        assert "Task" in target.load(agency.parent / "sunrise-salesforce.schema.json").objects

    def test_a_file_that_cannot_be_written_is_told(self, agency: Path) -> None:
        (agency.parent / "sunrise-salesforce.schema.json").mkdir()
        result = run("schema", "pull", "-c", agency)
        assert (result.exit_code, "cannot be written" in result.stderr) == (2, True)


class TestCheckAgainstTheCrm:
    def test_live_finds_nothing_in_what_is_shipped(self, agency: Path) -> None:
        told = json.loads(run("check", "-c", agency, "--live", "--json").stdout)
        assert [one for one in told if one["severity"] == "error"] == []

    def test_a_saved_schema_beside_the_agency_file_is_used(self, agency: Path) -> None:
        own = agency.parent / "ours.yaml"
        own.write_text("extends: hubspot\nrecords: {contact: {fields: {favourite_colour: {value: blue}}}}\n")
        agency.write_text(agency.read_text().replace("mapping: hubspot", "mapping: ours.yaml"))
        codes = [one["code"] for one in json.loads(run("check", "-c", agency, "--json").output)]
        run("schema", "pull", "-c", agency)
        saved = [one["code"] for one in json.loads(run("check", "-c", agency, "--json").output)]
        assert ("M201" in codes, "M201" in saved) == (False, True)


class TestSettingsOfSalesforce:
    def test_they_reach_the_calls_we_make(self, agency: Path) -> None:
        wanted = "mapping: salesforce-contact, salesforce: {assignment_rules: true, duplicate_warnings: stop}"
        agency.write_text(agency.read_text().replace("mapping: salesforce-contact", wanted))
        sandbox = SalesforceSandbox()
        with sandbox as url:
            text = re.sub(r"endpoint: '[^']+'", f"endpoint: '{url}'", agency.read_text())
            agency.write_text(re.sub(r"session_id: [^,]+", f"session_id: {sandbox.token}", text))
            (file,) = read_agencies([agency], {"HOOK_SECRET": SECRET})
            salesforce = open_route(file, "salesforce").destination
            salesforce.describe(["User"])
            salesforce.close()
            (call,) = sandbox.calls()
        assert [call.headers[name] for name in ("Sforce-Auto-Assign", "Sforce-Duplicate-Rule-Header")] == [
            "TRUE",
            "allowSave=false",
        ]


class TestWhatWillNotWorkForEver:
    PASSWORD = "{flow: password, client_id: a, client_secret: b, username: c, password: canary}"

    @pytest.fixture
    def old(self, agency: Path) -> Path:
        agency.write_text(re.sub(r"\{flow: session.*?\}", self.PASSWORD, agency.read_text()))
        return agency

    def test_check_warns_of_a_login_by_password(self, old: Path) -> None:
        result = run("check", "-c", old)
        assert (result.exit_code, "sunrise/salesforce: warning: flow: password is deprecated" in result.stderr) == (
            0,
            True,
        )

    def test_so_does_every_start(self, old: Path, store: Store, capsys: pytest.CaptureFixture[str]) -> None:
        files = read_agencies([old], {"HOOK_SECRET": SECRET})
        assert [len(open_routes(files, store)), capsys.readouterr().out.count("password is deprecated")] == [2, 1]

    def test_no_other_login_is_warned_of(self, agency: Path) -> None:
        assert "deprecated" not in run("check", "-c", agency).stderr

    def test_check_and_every_start_warn_of_a_version_that_ended(
        self, agency: Path, store: Store, capsys: pytest.CaptureFixture[str]
    ) -> None:
        agency.write_text(agency.read_text().replace("salesforce-contact,", "salesforce-contact, api_version: 30.0,"))
        told = "Salesforce has not supported version 30.0 of its API since 2025-06-01: remove `api_version` from"
        checked = run("check", "-c", agency)
        assert (checked.exit_code, f"sunrise/salesforce: warning: {told}" in checked.stderr) == (0, True)
        open_routes(read_agencies([agency], {"HOOK_SECRET": SECRET}), store)
        assert told in capsys.readouterr().out
