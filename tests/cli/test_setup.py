"""setup against both sandboxes over HTTP: every step of an account's set-up, failing in turn."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask import Response

from connector.cli import cli
from connector.sandbox.hubspot import SCOPES, HubSpotSandbox
from connector.sandbox.salesforce import CLIENT, INSTANCE_URL, SalesforceSandbox
from connector.sandbox.salesforce.setup import RIGHTS
from connector.sandbox.wire import Wire
from tests.mappings.build import mapping_text

APP = f"{{flow: client_credentials, client_id: {CLIENT[0]}, client_secret: '${{TOKEN}}', domain: youragency.my}}"
OPEN = f"{{flow: session, session_id: '${{TOKEN}}', instance_url: '{INSTANCE_URL}'}}"
KEY = "{access_token: '${TOKEN}'}"
EVERYTHING = 99

Salesforce = Callable[..., "Account"]


class Account:
    """An agency with one destination, and the command that looks at its set-up."""

    def __init__(self, folder: Path, sandbox: Any, mapping: str, auth: str, secret: str) -> None:
        self.sandbox, self.secret, self.file = sandbox, secret, folder / "agency.yaml"
        if "\n" in mapping:
            (folder / "own.yaml").write_text(mapping)
            mapping = "own.yaml"
        self.file.write_text(
            "agency: sunrise\nwebhook: {secrets: ['${UNSET}']}\nalarms: {webhook: '${UNSET}'}\n"
            f"destinations: {{crm: {{mapping: {mapping}, auth: {auth}, endpoint: '{sandbox.url}'}}}}\n"
        )

    def run(self, *arguments: str) -> Result:
        command = ["setup", "-c", str(self.file), *arguments]
        return CliRunner().invoke(cli, command, env={"TOKEN": self.secret, "CONNECTOR_DATABASE_URL": "nowhere"})

    def steps(self) -> dict[str, dict[str, Any]]:
        """How each step stands, in the order in which they are shown."""
        result = self.run("--json")
        (told,) = json.loads(result.stdout)
        assert result.exit_code == (0 if told["done"] else 1)
        return {step["step"]: step for step in told["steps"]}

    def left(self) -> dict[str, str]:
        """What is not done: step -> how it stands."""
        return {name: step["standing"] for name, step in self.steps().items() if step["standing"] != "done"}

    def found(self, step: str) -> str:
        return "\n".join(self.steps()[step]["seen"])


@pytest.fixture
def org(tmp_path: Path) -> Iterator[Salesforce]:
    with ExitStack() as closing:

        def opened(
            mapping: str = "salesforce-contact", auth: str = APP, secret: str = CLIENT[1], **knobs: Any
        ) -> Account:
            sandbox = SalesforceSandbox(**knobs)
            closing.enter_context(sandbox)
            return Account(tmp_path, sandbox, mapping, auth, secret or sandbox.token)

        yield opened


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[Callable[..., Account]]:
    with ExitStack() as closing:

        def opened(mapping: str = "hubspot", **knobs: Any) -> Account:
            sandbox = HubSpotSandbox(**knobs)
            closing.enter_context(sandbox)
            return Account(tmp_path, sandbox, mapping, KEY, sandbox.token)

        yield opened


UNREACHED = ["user", "license", "tasks", "objects", "fields", "keys"]


class TestAnOrgThatIsReady:
    @pytest.mark.parametrize("mapping", ["salesforce-contact", "salesforce-lead", "salesforce-person-account"])
    def test_nothing_is_left_to_do(self, org: Salesforce, mapping: str) -> None:
        result = org(mapping).run()
        assert result.exit_code == 0, result.output
        assert [line[5:18].strip() for line in result.output.splitlines()[1:]] == ["done"] * 9
        assert "integration@youragency.com" in result.output

    def test_an_open_session_will_do(self, org: Salesforce) -> None:
        assert org(auth=OPEN, secret="").left() == {}

    def test_what_else_check_finds_is_only_counted(self, org: Salesforce) -> None:
        account = org(mapping_text("Birthdate: customer.firstName"))
        assert "1 more finding: connector check" in account.run().output

    def test_nothing_in_the_org_is_changed(self, org: Salesforce) -> None:
        account = org()
        before = account.sandbox.writes()
        account.run()
        assert account.sandbox.writes() == before


class TestSalesforceSteps:
    @pytest.mark.parametrize(
        ("error", "description", "step"),
        [
            ("invalid_grant", "no client credentials user enabled", "run_as"),
            ("invalid_grant", "request not supported on this domain", "address"),
            ("invalid_grant", "client credentials flow not enabled", "credentials"),
            ("invalid_client", "invalid client credentials", "credentials"),
            ("invalid_app_access", "user is not admin approved to access this app", "run_as"),
            ("invalid_grant", "inactive user", "user"),
            ("invalid_grant", "ip restricted", "user"),
            ("invalid_grant", "something new", "credentials"),
        ],
    )
    def test_a_refused_login_names_its_step(self, org: Salesforce, error: str, description: str, step: str) -> None:
        account = org()
        account.sandbox.deny_login(error, description, times=EVERYTHING)
        steps = account.steps()
        names = list(steps)
        before, after = names[: names.index(step)], names[names.index(step) + 1 :]
        assert {steps[name]["standing"] for name in before} <= {"done"}
        assert steps[step]["standing"] == "to do"
        assert description in "".join(steps[step]["seen"])
        assert {steps[name]["standing"] for name in after} == {"not looked at"}

    @pytest.mark.parametrize(
        ("error", "description"), [("invalid_grant", "login rate exceeded"), ("unknown_error", "retry your request")]
    )
    def test_a_login_that_only_has_to_wait_is_nothing_to_do(
        self, org: Salesforce, error: str, description: str
    ) -> None:
        account = org()
        account.sandbox.deny_login(error, description, times=EVERYTHING)
        assert set(account.left().values()) == {"not looked at"}
        assert "wait" in account.found("address")

    def test_a_login_is_tried_once(self, org: Salesforce) -> None:
        account = org(secret="wrong")
        assert list(account.left()) == ["credentials", "run_as", *UNREACHED]
        assert len(account.sandbox.calls()) == 1

    def test_an_address_where_nobody_answers_is_a_step(self, org: Salesforce) -> None:
        account = org()
        account.sandbox.fault("/oauth2", Wire.refuse, times=EVERYTHING)
        assert account.left()["address"] == "to do"
        assert account.found("address").endswith("the network\nyouragency.my.salesforce.com")

    def test_a_user_without_the_api_is_a_step(self, org: Salesforce) -> None:
        account = org()
        account.sandbox.fail(403, "API_DISABLED_FOR_ORG", times=EVERYTHING)
        assert list(account.left()) == UNREACHED
        assert "API Enabled" in account.steps()["user"]["click"]

    def test_an_integration_user_needs_a_permission_set_license(self, org: Salesforce) -> None:
        account = org()
        del account.sandbox.org.tables["contact"], account.sandbox.org.tables["task"]
        for assigned in ([], ["Another"]):
            account.sandbox.license("Salesforce Integration", *assigned)
            assert account.left()["license"] == "to do"
        account.sandbox.license("Salesforce")
        assert "not needed" in account.found("license")

    def test_a_license_that_shows_by_its_effect_need_not_be_listed(self, org: Salesforce) -> None:
        account = org()
        account.sandbox.license("Salesforce Integration")
        assert account.left() == {}

    def test_an_assignment_the_user_may_not_ask_for_is_left_to_people(self, org: Salesforce) -> None:
        account = org()
        del account.sandbox.org.tables["contact"], account.sandbox.org.tables["task"]
        del account.sandbox.org.tables["permissionsetlicense"]
        assert account.left()["license"] == "check by hand"

    def test_a_license_the_user_may_not_ask_for_is_left_to_people(self, org: Salesforce) -> None:
        account = org()
        account.sandbox.fail(400, "INVALID_TYPE", times=EVERYTHING, path="/query")
        assert account.left() == {"license": "check by hand", "tasks": "check by hand"}
        assert account.run().exit_code == 0

    def test_tasks_need_a_permission_of_the_user(self, org: Salesforce) -> None:
        account = org()
        account.sandbox.let_edit_tasks(False)
        assert account.left() == {"tasks": "to do"}

    def test_a_mapping_without_tasks_does_not(self, org: Salesforce) -> None:
        account = org("salesforce-lead")
        account.sandbox.let_edit_tasks(False)
        assert account.left() == {}

    def test_a_hidden_object_hides_no_other_finding(self, org: Salesforce) -> None:
        account = org()
        del account.sandbox.org.tables["task"]
        account.sandbox.hide("Contact", "DoNotCall")
        assert account.left() == {"objects": "to do", "fields": "to do", "keys": "not looked at"}
        assert account.found("keys") == "Task.careCycle_Call_Id__c: first the object"
        assert "Task: does not exist, or is hidden" in account.found("objects")
        assert "Contact.DoNotCall: it exists but is hidden" in account.found("fields")

    def test_an_object_that_may_not_be_written_is_one_step_and_not_one_for_each_field(self, org: Salesforce) -> None:
        account = org()
        account.sandbox.close("Contact", "createable")
        assert account.found("objects") == "Contact: the user lacks Create"
        account.sandbox.close("Contact", "createable", "updateable")
        account.sandbox.keep_from_editing("Contact", "LastName", "Phone")
        assert account.found("objects") == "Contact: the user lacks Create and Edit"
        assert account.found("fields") == ""

    def test_a_right_that_salesforce_does_not_tell_is_not_called_missing(self, org: Salesforce) -> None:
        account = org()

        def without_rights(reply: Any) -> Any:
            for part in reply["compositeResponse"]:
                part["body"] |= {"createable": None, "updateable": None}
            return reply

        account.sandbox.reshape(without_rights, times=EVERYTHING, path="/composite")
        assert account.left() == {}

    def test_every_field_is_named_with_its_object(self, org: Salesforce) -> None:
        account = org()
        account.sandbox.keep_from_editing("Contact", "HasOptedOutOfEmail")
        account.sandbox.hide("Contact", "Do_Not_Text__c")
        del account.sandbox.org.tables["contact"].columns["do_not_mail__c"]
        assert account.found("fields").splitlines() == [
            "Contact.HasOptedOutOfEmail: the connector's user can see it but not edit it",
            "Contact.Do_Not_Text__c: it exists but is hidden from the connector's user",
            "Contact.Do_Not_Mail__c is missing: checkbox",
        ]

    @pytest.mark.slow
    def test_a_hidden_standard_field_is_not_called_misspelled_where_that_is_not_known(self, org: Salesforce) -> None:
        account = org(rights=RIGHTS - {"view setup"})
        account.sandbox.hide("Contact", "DoNotCall", "Do_Not_Text__c")
        assert "hidden from the connector's user, or does not exist" in account.found("fields")
        assert "Contact.Do_Not_Text__c is missing: checkbox, unless it exists and is only hidden" in account.found(
            "fields"
        )

    def test_keys_are_looked_at_by_themselves(self, org: Salesforce) -> None:
        account = org(mapping_text().replace("careCycle_Id__c", "External_Id__c"))
        assert account.left() == {"keys": "to do"}
        assert "not marked Unique and External ID" in account.found("keys")

    def test_the_keys_wait_for_fields_that_are_missing(self, org: Salesforce) -> None:
        account = org(custom_fields=False)
        assert account.left() == {"fields": "to do", "keys": "not looked at"}


class TestHubSpotSteps:
    @pytest.mark.slow
    def test_a_portal_that_is_ready_leaves_nothing_to_do(self, portal: Callable[..., Account]) -> None:
        account = portal()
        assert account.left() == {}
        assert "12345678" in account.found("credentials")

    def test_a_token_that_does_not_work_is_the_first_step(self, portal: Callable[..., Account]) -> None:
        account = portal()
        account.secret = "pat-na1-wrong"
        assert next(iter(account.left().items())) == ("credentials", "to do")
        assert set(list(account.left().values())[1:]) == {"not looked at"}

    @pytest.mark.parametrize(
        # What only `undo --delete-created` needs is not asked for.
        "scope",
        sorted(scope for scope in SCOPES if not scope.endswith((".write", "sitive.read", "custom.read"))),
    )
    def test_each_missing_scope_is_named(self, portal: Callable[..., Account], scope: str) -> None:
        assert f"{scope} is missing" in portal(scopes=SCOPES - {scope}).found("scopes")

    def test_every_missing_scope_is_named_at_once(self, portal: Callable[..., Account]) -> None:
        account = portal(scopes=["crm.schemas.contacts.read"])
        assert account.left() == {"scopes": "to do"}
        assert len(account.steps()["scopes"]["seen"]) == 4

    def test_sensitive_properties_need_a_scope(self, portal: Callable[..., Account]) -> None:
        own = "extends: hubspot\nrecords: {contact: {fields: {carecycle_mbi: customer.mbiNumber}}}\n"
        scope = "crm.objects.contacts.sensitive.read"
        account = portal(own, scopes=SCOPES - {scope})
        assert f"{scope} is missing" in account.found("scopes")

    @pytest.mark.parametrize(
        "body",
        [
            {"category": "MISSING_SCOPES", "context": {"requiredGranularScopes": ["crm.objects.owners.read"]}},
            {"errors": [{"context": {"requiredScopes": ["crm.objects.owners.read"]}}]},
            {"errors": [{"context": "{missingScopes=[crm.objects.owners.read]}"}]},
            {"category": "MISSING_SCOPES", "context": {"requiredGranularScopes": ["crm.objects.contacts.read"]}},
        ],
    )
    def test_the_scope_is_named_in_every_form_of_the_refusal(self, portal: Callable[..., Account], body: Any) -> None:
        account = portal()
        answer = Response(json.dumps({"status": "error", "message": "no"} | body), 403, content_type="application/json")
        account.sandbox.fault("/owners", answer, times=EVERYTHING)
        assert account.found("scopes").startswith("crm.objects.owners.read is missing")

    @pytest.mark.parametrize("page", ["<html>", "null", "[null]"])
    def test_a_page_of_somebody_in_between_grants_no_scope(self, portal: Callable[..., Account], page: str) -> None:
        account = portal()
        answer = Response(page, 200, content_type="application/json")
        account.sandbox.fault("/owners", answer, times=EVERYTHING)
        assert account.left()["scopes"] != "done"
        assert "not HubSpot's" in account.found("scopes")

    def test_properties_and_keys_are_named(self, portal: Callable[..., Account]) -> None:
        account = portal(unique_calls=False)
        del account.sandbox.definitions.schema["contacts"]["do_not_call"]
        assert account.found("fields") == "contacts.do_not_call is missing: yes or no"
        assert account.found("keys") == "calls.carecycle_call_id: is the key, but its values are not unique"

    def test_a_key_declared_not_to_be_unique_need_not_be(self, portal: Callable[..., Account]) -> None:
        own = "extends: hubspot\nrecords: {call: {unique_key: false, key: {hs_call_external_id: call.id}}}\n"
        assert portal(own, unique_calls=False).left() == {}

    def test_an_object_that_is_not_there_hides_no_other(self, portal: Callable[..., Account]) -> None:
        account = portal()
        del account.sandbox.definitions.schema["contacts"]["do_not_call"]
        account.sandbox.fault(
            "/properties/2026-03/calls", HubSpotSandbox.refused(400, "VALIDATION_ERROR"), times=EVERYTHING
        )
        assert [line.partition(":")[0] for line in account.steps()["fields"]["seen"]] == [
            "calls",
            "contacts.do_not_call is missing",
        ]

    def test_a_custom_object_that_the_portal_does_not_have_is_named(self, portal: Callable[..., Account]) -> None:
        policy = "{object: p_policies, key: {policy_id: customer.id}, fields: {name: customer.lastName}}"
        account = portal(f"extends: hubspot\nrecords: {{policy: {policy}}}\n")
        assert account.left() == {"fields": "to do", "keys": "not looked at"}
        assert account.found("fields") == "p_policies: HubSpot has no such object: create it, or correct the mapping"
        assert account.found("keys") == "p_policies.policy_id: first the object"

    def test_an_outage_is_nothing_to_do(self, portal: Callable[..., Account]) -> None:
        account = portal()
        account.sandbox.fault("/", HubSpotSandbox.migration_477(3600), times=EVERYTHING)
        assert set(account.left().values()) == {"not looked at"}

    def test_nothing_in_the_portal_is_changed(self, portal: Callable[..., Account]) -> None:
        account = portal()
        account.run()
        writing = {(call.method, call.path) for call in account.sandbox.calls() if call.method != "GET"}
        assert writing == {
            ("POST", f"/crm/objects/2026-03/{kind}/batch/{way}") for kind in ("contacts",) for way in ("read", "update")
        }
        assert all(call.body["inputs"] == [] for call in account.sandbox.calls("/batch/"))


class TestBeforeAnythingWorks:
    @pytest.mark.parametrize(
        ("auth", "says"),
        [
            (APP.replace("TOKEN", "NOT_SET"), "the environment variable NOT_SET is not set"),
            (KEY.replace("TOKEN", "NOT_SET"), "the environment variable NOT_SET is not set"),
            (
                "{flow: jwt, client_id: x, username: a@b.c, private_key: 'file:no.key', domain: login}",
                "no.key cannot be read",
            ),
        ],
    )
    def test_a_missing_secret_is_a_step(self, org: Salesforce, auth: str, says: str) -> None:
        account = org("hubspot" if "access" in auth else "salesforce-contact", auth=auth)
        assert account.left()["credentials"] == "to do"
        assert says in account.found("credentials")
        assert account.sandbox.calls() == []

    def test_one_without_its_secret_hides_no_other_destination(self, org: Salesforce) -> None:
        account = org()
        text = account.file.read_text()
        other = "  other: {mapping: hubspot, auth: {access_token: '${UNSET}'}}\n"
        account.file.write_text(text.replace("destinations: {", "destinations:\n  ").removesuffix("}\n") + "\n" + other)
        shown = json.loads(account.run("--json").stdout)
        assert [(told["destination"], told["done"]) for told in shown] == [
            ("sunrise/crm", True),
            ("sunrise/other", False),
        ]
        assert account.run("--destination", "crm").exit_code == 0

    @pytest.mark.parametrize(
        ("before", "after", "says"),
        [
            ("salesforce-contact", "nowhere", "there is no mapping nowhere"),
            ("salesforce-contact", "hubspot", "the mapping is for HubSpot"),
            ("domain: youragency.my", "domain: login", "needs the org's own My Domain"),
            ("destinations: {", "destinations: {a: [", "cannot be used"),
            ("crm:", "Crm:", "cannot be used"),
            ("{crm: {", "['${UNSET}', {", "cannot be used"),
            ("{mapping: salesforce-contact, auth", "'${UNSET}', more: {auth", "cannot be used"),
            ("destinations:", "destination:", "there is no such setting; did you mean destinations?"),
            ("auth: ", "authh: ", "cannot be used"),
        ],
    )
    def test_a_wrong_configuration_ends_with_2(self, org: Salesforce, before: str, after: str, says: str) -> None:
        account = org()
        account.file.write_text(account.file.read_text().replace(before, after))
        result = account.run()
        assert (result.exit_code, says in result.output) == (2, True), result.output
        assert "Traceback" not in result.output

    def test_a_wrong_destination_hides_no_other(self, org: Salesforce) -> None:
        account = org()
        broken = "{crm: {mapping: nowhere, auth: {access_token: x}}, b: {mapping: hubspot, auth: {access_tok: x}}, sf:"
        account.file.write_text(account.file.read_text().replace("{crm:", broken))
        result = account.run()
        assert (result.exit_code, result.output.count("error[E100]"), result.output.count("done")) == (2, 2, 9)

    def test_an_unknown_destination_ends_with_2(self, org: Salesforce) -> None:
        assert org().run("--destination", "other").exit_code == 2

    def test_no_secret_is_shown(self, org: Salesforce) -> None:
        account = org(secret="opensesame")
        account.sandbox.deny_login("invalid_grant", "opensesame is wrong", times=EVERYTHING)
        assert "opensesame" not in account.run().output


@pytest.mark.slow
class TestOnATerminal:
    def test_enter_looks_again(self, org: Salesforce) -> None:
        account = org()
        account.sandbox.let_edit_tasks(False)
        ours, theirs = pty.openpty()
        command = [str(Path(sys.executable).parent / "connector"), "setup", "-c", str(account.file)]
        environment = {**os.environ, "TOKEN": account.secret}
        with subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE, env=environment, text=True) as running:
            os.close(theirs)
            assert running.stdout is not None
            shown = ""
            while "Press Enter" not in shown and (letter := running.stdout.read(1)):
                shown += letter
            account.sandbox.let_edit_tasks()
            os.write(ours, b"\n")
            rest = running.stdout.read()
        os.close(ours)
        assert ("to do" in shown, "to do" in rest, running.returncode) == (True, False, 0)
