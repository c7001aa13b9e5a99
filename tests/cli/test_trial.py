"""trial against both sandboxes over HTTP: what works, everything it can report, and what it leaves."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Response, request

from connector.sandbox.hubspot import SCOPES, HubSpotSandbox
from connector.sandbox.hubspot.owners import Owner
from connector.sandbox.salesforce import SalesforceSandbox
from tests.cli.provisioning import Agency, Opened, opening

MATCHED = """\
extends: hubspot
records:
  contact:
    also_match:
      - { email: customer.email, firstname: customer.firstName, lastname: customer.lastName }
      - { phone: customer.phoneNumber, firstname: customer.firstName, lastname: customer.lastName }
"""


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[Opened]:
    yield from opening(tmp_path, HubSpotSandbox, "hubspot")


@pytest.fixture
def org(tmp_path: Path) -> Iterator[Opened]:
    yield from opening(tmp_path, SalesforceSandbox, "salesforce-contact")


def tried(agency: Agency, *arguments: str) -> dict[str, Any]:
    """What `trial --json` says of the one destination, with the result of each thing tried by its name."""
    result = agency.run("trial", "--yes", "--json", *arguments)
    (said,) = json.loads(result.stdout)
    assert result.exit_code == (0 if said["works"] else 1), result.stderr
    return {**said, "by": {line["what"]: line for line in said["tried"]}}


def failing(said: dict[str, Any]) -> set[str]:
    return {line["what"] for line in said["tried"] if line["result"] == "does not work"}


def records(agency: Agency) -> list[Any]:
    kinds = ("Contact", "Task") if hasattr(agency.sandbox, "org") else ("contacts", "calls")
    return [record for kind in kinds for record in agency.sandbox.records(kind)]


def interrupt(handle: Callable[[], Response]) -> Response:
    """A fault: handle the request, and press Ctrl-C before its reply is read."""
    response = handle()
    os.kill(os.getpid(), signal.SIGINT)
    return response


class TestAnAccountThatWorks:
    def test_a_portal_passes_and_nothing_is_left(self, portal: Opened) -> None:
        agency = portal()
        said = tried(agency)
        assert (failing(said), said["left"], records(agency)) == (set(), [], [])
        assert said["by"]["link the call and the contact"]["result"] == "works"
        assert "without email" in said["by"]["write a second person with the same address"]["seen"]
        assert (
            agency.sandbox.definitions.schema["contacts"]
            .keys()
            .isdisjoint(name for _, name in agency.sandbox.definitions.archived)
        )

    def test_an_org_passes_and_nothing_is_left(self, org: Opened) -> None:
        agency = org()
        said = tried(agency)
        assert (failing(said), said["left"], records(agency)) == (set(), [], [])
        assert "WhoId points at the person" in said["by"]["read back the call (Task)"]["seen"]

    @pytest.mark.slow
    def test_what_is_made_may_be_kept(self, portal: Opened) -> None:
        agency = portal()
        said = tried(agency, "--keep")
        assert {left["id"] for left in said["left"]} == {record["id"] for record in records(agency)} != set()
        assert said["works"]
        assert tried(agency)["by"]["delete what earlier trials left"]["result"] == "works"
        assert records(agency) == []

    @pytest.mark.slow
    def test_the_table_says_it_in_words(self, org: Opened) -> None:
        printed = org().run("trial", "--yes").stdout
        assert "write the contact (Contact)" in printed
        assert "does not work" not in printed


class TestOthersRecords:
    def test_are_neither_changed_nor_adopted_nor_deleted(self, portal: Opened) -> None:
        agency = portal(MATCHED)
        for number in range(100):
            agency.sandbox.put("contacts", firstname="Trial", lastname="Real", phone=f"+160255501{number:02d}")
        before = records(agency)
        assert tried(agency)["works"]
        assert records(agency) == before

    @pytest.mark.slow
    def test_a_record_whose_key_is_not_the_trial_s_is_left_alone(self, portal: Opened) -> None:
        own = "extends: hubspot\nrecords: {contact: {key: {carecycle_id: customer.phoneNumber}}}\n"
        agency = portal(own)
        numbers = [f"+160255501{number:02d}" for number in range(100)]
        before = [agency.sandbox.put("contacts", carecycle_id=number, firstname="Real") for number in numbers]
        said = tried(agency)
        assert "write the contact (contacts)" in failing(said)
        assert [record["firstname"] for record in agency.sandbox.records("contacts")] == ["Real"] * len(before)


def properties_made(agency: Agency) -> set[str]:
    return {name for names in agency.sandbox.definitions.schema.values() for name in names if "trial" in name}


@pytest.mark.slow
class TestWhatDoesNotWork:
    def test_lines_are_proposed_where_calls_cannot_have_unique_properties(self, portal: Opened) -> None:
        agency = portal(unique_calls=False)
        said = tried(agency)
        assert "keep keys unique on calls" in failing(said)
        lines = said["by"]["keep keys unique on calls"]["lines"]
        assert f"For your mapping:\n\n{lines}\n" in agency.run("trial", "--yes").stdout
        assert tried(portal(f"extends: hubspot\n{lines}\n", unique_calls=False))["works"]

    def test_they_are_proposed_too_where_only_writing_by_such_a_property_is_refused(self, portal: Opened) -> None:
        agency = portal()
        refusal = agency.sandbox.refused(400, "VALIDATION_ERROR")
        agency.sandbox.fault("/calls/batch/upsert", refusal, times=99)
        said = tried(agency)
        assert "unique_key: false" in said["by"]["keep keys unique on calls"]["lines"]
        assert properties_made(agency) == set()

    def test_a_mapping_without_unique_keys_is_said_to_do_without_or_that_it_need_not(self, portal: Opened) -> None:
        own = "extends: hubspot\nrecords: {call: {unique_key: false, key: {hs_call_external_id: call.id}}}\n"
        without = tried(portal(own, unique_calls=False))["by"]["keep keys unique on calls"]
        assert "the mapping does without" in without["seen"]
        agency = portal(own)
        assert "a record sent twice is there once" in tried(agency)["by"]["keep keys unique on calls"]["seen"]
        assert (records(agency), properties_made(agency)) == ([], set())

    def test_a_property_that_is_restored_without_unique_values(self, portal: Opened) -> None:
        agency = portal()
        agency.sandbox.definitions.restores_unique = False
        assert "another name" in tried(agency)["by"]["make an archived field again"]["seen"]

    def test_what_needs_a_scope_that_the_token_lacks_is_not_tried(self, portal: Opened) -> None:
        said = tried(portal(scopes=SCOPES - {"crm.schemas.contacts.write"}))
        assert said["works"]
        assert said["by"]["make an archived field again"]["result"] == "not tried"

    def test_properties_of_earlier_trials_are_removed(self, portal: Opened) -> None:
        agency = portal()
        agency.sandbox.fault("/properties/", agency.sandbox.refused(400, "OTHER"), method="DELETE", times=9)
        assert any("remove the field carecycle_trial_" in what for what in failing(tried(agency)))
        assert properties_made(agency) != set()
        agency.sandbox.faults.clear()
        assert tried(agency)["works"]
        assert properties_made(agency) == set()

    def test_a_second_person_that_a_duplicate_rule_blocks(self, org: Opened) -> None:
        said = tried(org(duplicate_rule="block"))
        assert failing(said) == {"write the contact (Contact)"}
        assert "DUPLICATES_DETECTED" in str([line["seen"] for line in said["tried"]])

    def test_a_hidden_field_fails_alone(self, org: Opened) -> None:
        agency = org()
        agency.sandbox.hide("Contact", "Language__c")
        said = tried(agency)
        assert failing(said) == {"fit the mapping to the account", "write Contact.Language__c"}
        assert said_of(said, "read back the contact (Contact)") == "12 of 12 fields show what was written"

    def test_an_opt_out_field_that_may_not_be_written(self, org: Opened) -> None:
        agency = org()
        agency.sandbox.keep_from_editing("Contact", "DoNotCall")
        assert {"opt out: doNotCall"} <= failing(tried(agency))

    def test_an_address_that_may_not_be_opted_out(self, portal: Opened) -> None:
        said = tried(portal(scopes=SCOPES - {"communication_preferences.read_write"}))
        assert failing(said) == {"opt out: doNotEmail, by subscription", "opt out twice"}
        assert "communication_preferences" in said["by"]["opt out twice"]["do"]

    def test_a_field_that_an_automation_changes(self, org: Opened) -> None:
        agency = org()
        agency.sandbox.fault("/query", changing("Subject", "Changed by a flow"), method="GET", times=99)
        said = tried(agency)
        assert failing(said) == {"read back Task.Subject"}
        assert "it shows 'Changed by a flow'" in said["by"]["read back Task.Subject"]["seen"]

    def test_a_field_that_stays_empty(self, org: Opened) -> None:
        agency = org()
        agency.sandbox.fault("/query", changing("Subject", None), method="GET", times=99)
        assert said_of(tried(agency), "read back Task.Subject") == "it is empty"

    def test_an_older_event_that_changes_the_record(self, org: Opened) -> None:
        agency = org()
        cities = iter(f"City {number}" for number in range(99))
        agency.sandbox.fault("/query", changing("MailingCity", lambda: next(cities)), method="GET", times=99)
        assert "leave out an older change" in failing(tried(agency))

    def test_a_link_that_does_not_show(self, portal: Opened) -> None:
        agency = portal()
        empty = agency.sandbox.empty_2xx(body='{"status": "COMPLETE", "results": []}')
        agency.sandbox.fault("associations/2026-03/0-48/0-1/batch/read", empty, times=9)
        assert failing(tried(agency)) == {"link the call and the contact"}

    def test_a_text_with_an_emoji_that_should_fit(self, org: Opened) -> None:
        agency = org()
        agency.sandbox.fault("/composite/sobjects", refusing("\N{WAVING HAND SIGN}", "STRING_TOO_LONG"), times=99)
        said = tried(agency)
        assert failing(said) == {"count an emoji as two characters"}
        assert "STRING_TOO_LONG" in said_of(said, "count an emoji as two characters")

    def test_an_org_that_counts_an_emoji_as_two(self, org: Opened) -> None:
        agency = org()
        too_long = f"{'a' * 19}\N{WAVING HAND SIGN}"
        agency.sandbox.fault("/composite/sobjects", refusing(too_long, "STRING_TOO_LONG"), times=99)
        said = tried(agency)
        assert said["works"]
        assert "counts as the connector does" in said_of(said, "count an emoji as two characters")

    def test_a_check_box_that_costs_the_whole_record(self, org: Opened) -> None:
        agency = org()
        agency.sandbox.fault("/composite/sobjects", refusing('": null', "ENTITY_IS_LOCKED"), times=99)
        assert failing(tried(agency)) == {"clear a check box"}

    def test_a_key_that_a_deleted_record_keeps(self, org: Opened) -> None:
        agency = org()
        agency.sandbox.count_deleted_keys()
        assert failing(tried(agency)) == {"write a person whose record was deleted"}

    def test_a_mapping_that_writes_nothing_for_people(self, portal: Opened) -> None:
        said = tried(portal("extends: hubspot\nfilter: {customer.city: Nowhere}\n"))
        assert said_of(said, "change the person") == "the person was not written"

    def test_credentials_that_are_refused(self, portal: Opened) -> None:
        agency = portal()
        agency.sandbox.tokens.clear()
        assert failing(tried(agency)) == {"reach the account"}


def said_of(said: dict[str, Any], what: str) -> str:
    return str(said["by"][what]["seen"])


def changing(field: str, value: Any) -> Callable[[Callable[[], Response]], Response]:
    """A fault: handle the query, and show another value of a field in every record that has it."""

    def answer(handle: Callable[[], Response]) -> Response:
        response = handle()
        body = response.get_json()
        for record in body["records"]:
            if field in record:
                record[field] = value() if callable(value) else value
        response.set_data(json.dumps(body))
        return response

    return answer


def refusing(text: str, code: str) -> Callable[[Callable[[], Response]], Response]:
    """A fault: refuse every record of a request that has this text, and handle every other request."""

    def answer(handle: Callable[[], Response]) -> Response:
        sent = (request.get_json(silent=True) or {}).get("records", [])
        if text not in json.dumps(sent, ensure_ascii=False):
            return handle()
        errors = [{"statusCode": code, "message": "refused", "fields": []}]
        refused = [{"success": False, "errors": errors} for _ in sent]
        return Response(json.dumps(refused), content_type="application/json")

    return answer


class TestWhatIsLeft:
    @pytest.mark.slow
    def test_records_that_may_not_be_deleted_are_named_and_the_next_trial_deletes_them(self, org: Opened) -> None:
        agency = org()
        refusal = Response('[{"errorCode": "INSUFFICIENT_ACCESS_OR_READONLY", "message": "no"}]', 403)
        agency.sandbox.fault("/sobjects/", refusal, method="DELETE", times=99)
        said = tried(agency)
        assert {left["id"] for left in said["left"]} == {record["Id"] for record in records(agency)} != set()
        assert all(left["why"] for left in said["left"])
        agency.sandbox.faults.clear()
        again = tried(agency)
        assert again["by"]["delete what earlier trials left"]["result"] == "works"
        assert records(agency) == []

    @pytest.mark.slow
    def test_an_interrupted_trial_deletes_what_it_made(self, portal: Opened) -> None:
        agency = portal()
        agency.sandbox.fault("/calls/batch/upsert", interrupt)
        said = tried(agency)
        assert (said["interrupted"], said["works"], records(agency)) == (True, False, [])

    @pytest.mark.slow
    def test_one_interrupted_while_it_deletes_says_what_is_left(self, portal: Opened) -> None:
        agency = portal()
        agency.sandbox.fault("/objects/", interrupt, method="DELETE", skip=1)
        said = tried(agency)
        assert {record["id"] for record in records(agency)} <= {left["id"] for left in said["left"]} != set()

    @pytest.mark.slow
    def test_one_interrupted_at_its_very_end_leaves_nothing(self, portal: Opened) -> None:
        agency = portal()
        agency.sandbox.fault("/contacts/batch/upsert", interrupt, skip=2)
        said = tried(agency)
        assert (said["interrupted"], said["left"], records(agency)) == (True, [], [])

    @pytest.mark.slow
    def test_a_session_that_is_lost_leaves_named_records(self, org: Opened) -> None:
        agency = org()
        agency.sandbox.fault("/composite/sobjects", lambda _: lost(agency), method="POST", skip=1)  # the call
        said = tried(agency)
        named = {(left["object"], left["id"]) for left in said["left"]}
        assert named == {("Contact", record["Id"]) for record in records(agency)} | {("Task", "")}
        assert said_of(said, "change the person") == "the account cannot be used"

    @pytest.mark.slow
    def test_a_lost_reply_leaves_nothing(self, portal: Opened) -> None:
        own = "extends: hubspot\nrecords: {call: {unique_key: false, key: {hs_call_external_id: call.id}}}\n"
        agency = portal(own, index_lag=0.0)
        agency.sandbox.fault("/calls/batch/create", agency.sandbox.lose_reply)
        said = tried(agency)
        assert not said["works"]
        assert (said["left"], records(agency)) == ([], [])


def lost(agency: Agency) -> Response:
    agency.sandbox.expire_sessions()
    return Response('[{"errorCode": "INVALID_SESSION_ID", "message": "Session expired or invalid"}]', 401)


class TestUsage:
    def test_without_a_terminal_it_wants_yes(self, portal: Opened) -> None:
        agency = portal()
        result = agency.run("trial")
        assert (result.exit_code, agency.sandbox.calls()) == (2, [])
        assert "--yes" in result.stderr

    def test_a_destination_must_exist(self, portal: Opened) -> None:
        assert portal().run("trial", "--yes", "--destination", "other").exit_code == 2

    def test_a_report_that_cannot_be_written_stops_it(self, portal: Opened, tmp_path: Path) -> None:
        agency = portal()
        (tmp_path / "sunrise-crm.trial.jsonl").mkdir()
        assert (agency.run("trial", "--yes").exit_code, agency.sandbox.calls()) == (2, [])


CANARY = "Zyxcanary"
"""In everything that a CRM's reply may repeat of real people, and nowhere else."""


class TestTheReport:
    @pytest.mark.slow
    def test_of_a_portal_has_no_value(self, portal: Opened) -> None:
        by_owner = "{lookup: {object: owners, match: {email: customer.email}, return: id}}"
        owner = Owner("987654321012", f"{CANARY}@agency.example.org", CANARY, CANARY)
        own = f"extends: hubspot\nrecords: {{contact: {{fields: {{hubspot_owner_id: {by_owner}}}}}}}\n"
        agency = portal(own, owners=[owner])
        refusal = agency.sandbox.refused(400, "VALIDATION_ERROR", f"{CANARY}@agency.example.org is {CANARY} not valid")
        agency.sandbox.fault("/contacts/batch/update", refusal, times=2)
        agency.sandbox.fault("/calls/batch/upsert", Response(f"<html>{CANARY}</html>", 502, content_type="text/html"))
        report = self.checked(agency)
        assert "987654321012" not in report
        assert '"category": "VALIDATION_ERROR"' in report
        assert "is … not valid" in report
        assert '"path": "/crm/objects/2026-03/contacts/batch/update"' in report

    @pytest.mark.slow
    def test_of_an_org_has_no_value(self, org: Opened) -> None:
        by_user = "{lookup: {object: User, match: {LastName: customer.lastName}}}"
        agency = org(f"extends: salesforce-contact\nrecords: {{contact: {{fields: {{OwnerId: {by_user}}}}}}}\n")
        agency.sandbox.put("User", FirstName=CANARY, LastName=CANARY, Email=f"{CANARY}@example.org", IsActive=True)
        agency.sandbox.fault("/query", changing("Id", CANARY), method="GET")
        agency.sandbox.fault("/composite/sobjects", refusing("Call:", f"{CANARY.upper()} IS NO CODE"), times=30)
        report = self.checked(agency)
        assert "SELECT Id, " in report
        assert "'" not in report.replace("''", "")

    def checked(self, agency: Agency) -> str:
        """The report, in which no secret, no value of a record, and nothing of other people is."""
        said = tried(agency, "--keep")
        report = Path(said["report"]).read_text("utf-8")
        assert len(report.splitlines()) == len(agency.sandbox.calls()) + 1
        values = {str(value) for record in records(agency) for value in record.values() if is_telling(value)}
        secrets = {agency.sandbox.token, CANARY, CANARY.lower(), CANARY.upper()}
        assert len(values) > 15
        assert {text for text in values if re.search(rf"(?<!\w){re.escape(text)}(?!\w)", report)} == set()
        assert {text for text in secrets if text in report} == set()
        return report


def is_telling(value: Any) -> bool:
    """Whether a value of a record says something: not true, false or a short number."""
    return isinstance(value, str) and len(value) > 5
