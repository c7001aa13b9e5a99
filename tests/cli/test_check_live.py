"""check --live says before the first event what a real org or portal would refuse, and where the mapping says it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Response

from connector.sandbox.hubspot import HubSpotSandbox
from connector.sandbox.salesforce import SalesforceSandbox
from tests.cli.provisioning import Agency, Opened, opening

CONTACT = """\
version: 1
crm: salesforce
consent: { waive: [doNotCall, doNotSMS, doNotEmail, doNotMail] }
records:
  contact:
    object: Contact
    key: { careCycle_Id__c: customer.id }
    fields:
      LastName: { from: customer.lastName, default: Unknown, cut: true }
"""


@pytest.fixture
def salesforce(tmp_path: Path) -> Iterator[Opened]:
    yield from opening(tmp_path, SalesforceSandbox, CONTACT)


@pytest.fixture
def hubspot(tmp_path: Path) -> Iterator[Opened]:
    yield from opening(tmp_path, HubSpotSandbox, "hubspot")


def findings(agency: Agency) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(agency.run("check", "--live", "--json").stdout)
    return [one for one in found if one["severity"] != "note"]


def shown(agency: Agency) -> list[tuple[int, str, str]]:
    return [(one["line"], one["severity"], one["code"]) for one in findings(agency)]


def ready(hint: str) -> str:
    """The lines that a hint gives to paste."""
    return hint.partition("\n")[2] + "\n"


class TestStatesAndCountries:
    ADDRESS = CONTACT + "      MailingState: customer.state\n"

    def test_a_code_where_the_org_lists_names_is_warned_of_once(self, salesforce: Opened) -> None:
        agency = salesforce(self.ADDRESS, state_lists=True)
        (found,) = findings(agency)
        assert (found["line"], found["severity"], found["code"]) == (10, "warning", "M209")
        assert "MailingCountry, which is not mapped" in found["message"]
        assert salesforce(self.ADDRESS, state_lists=False).run("check", "--live").exit_code == 0

    def test_the_lines_it_offers_mend_it(self, salesforce: Opened, tmp_path: Path) -> None:
        agency = salesforce(self.ADDRESS, state_lists=True)
        (found,) = findings(agency)
        (tmp_path / "base.yaml").write_text(self.ADDRESS)
        (tmp_path / "own.yaml").write_text("extends: base.yaml\n" + ready(found["hint"]))
        assert findings(agency) == []
        assert "delivered" in agency.delivered()
        (contact,) = agency.sandbox.records("Contact")
        assert (contact["MailingStateCode"], contact["MailingCountryCode"]) == ("AZ", "US")

    def test_a_code_in_the_field_for_codes_needs_only_a_country(self, salesforce: Opened) -> None:
        codes = CONTACT + "      MailingStateCode: customer.state\n"
        assert "MailingCountry, which is not mapped" in findings(salesforce(codes, state_lists=True))[0]["message"]
        country = codes + "      MailingCountryCode: { value: US }\n"
        assert findings(salesforce(country, state_lists=True)) == []

    def test_a_country_by_its_code_is_warned_of(self, salesforce: Opened) -> None:
        agency = salesforce(CONTACT + "      MailingCountry: { value: USA }\n", state_lists=True)
        assert shown(agency) == [(10, "warning", "M209")]


class TestSearches:
    LOOKUP = "      Agent__c: { lookup: { object: User, match: { Email: customer.assignedUser.email } } }\n"

    def test_a_field_that_cannot_be_searched_is_an_error_where_records_are_searched_by_it(
        self, salesforce: Opened
    ) -> None:
        step = "    also_match: [{ Email: customer.email, FirstName: customer.firstName }]\n"
        agency = salesforce(CONTACT.replace("    fields:", step + "    fields:"))
        agency.sandbox.keep_from_searching("Contact", "Email")
        assert shown(agency) == [(8, "error", "M208")]

    def test_so_it_is_in_a_look_up(self, salesforce: Opened) -> None:
        agency = salesforce(CONTACT + self.LOOKUP.replace("Agent__c", "OwnerId"))
        agency.sandbox.keep_from_searching("User", "Email")
        assert shown(agency) == [(10, "error", "M208")]

    def test_a_key_is_only_warned_of_unless_records_are_only_updated(self, salesforce: Opened) -> None:
        agency = salesforce()
        agency.sandbox.keep_from_searching("Contact", "careCycle_Id__c")
        assert shown(agency) == [(7, "warning", "M208")]
        agency = salesforce(CONTACT.replace("    key:", "    mode: update\n    key:"))
        agency.sandbox.keep_from_searching("Contact", "careCycle_Id__c")
        assert shown(agency) == [(8, "error", "M208")]


class TestIds:
    def test_a_record_type_that_the_user_may_not_use_is_an_error(self, salesforce: Opened) -> None:
        agency = salesforce(CONTACT + "      RecordTypeId: { value: 012000000000001AAA }\n")
        agency.sandbox.record_type("Contact", "Household")
        other = agency.sandbox.record_type("Contact", "Medicare", available=False)
        own = agency.file.parent / "own.yaml"
        own.write_text(re.sub("012000000000001AAA", other, own.read_text()))
        assert shown(agency) == [(10, "error", "M207")]

    def test_one_that_it_may_use_is_fine_in_either_length(self, salesforce: Opened) -> None:
        agency = salesforce(CONTACT + "      RecordTypeId: { value: 012000000000001AAA }\n")
        usable = agency.sandbox.record_type("Contact", "Household")
        own = agency.file.parent / "own.yaml"
        for written in (usable, usable[:15]):
            own.write_text(CONTACT + f"      RecordTypeId: {{ value: {written} }}\n")
            assert findings(agency) == []

    @pytest.mark.parametrize(
        ("source", "code"),
        [
            ("{ value: priya@youragency.com }", "M207"),
            ("{ value: 7 }", "M202"),
            ("{ from: customer.status, table: { Lead: nobody, else: null } }", "M207"),
            ("customer.agentNpn", "M202"),
        ],
    )
    def test_a_text_that_is_no_id_is_an_error(self, salesforce: Opened, source: str, code: str) -> None:
        agency = salesforce(CONTACT + f"      OwnerId: {source}\n")
        (found,) = findings(agency)
        assert (found["line"], found["severity"], found["code"]) == (10, "error", code)
        assert "lookup:" in found["hint"]

    def test_a_look_up_that_returns_no_id_is_an_error(self, salesforce: Opened) -> None:
        look = "{ object: User, match: { Email: customer.assignedUser.email }, return: Name }"
        agency = salesforce(CONTACT + f"      OwnerId: {{ lookup: {look} }}\n")
        assert shown(agency) == [(10, "error", "M207")]


class TestLookUps:
    """Those by fixed text are made by the check: of record types, and of queues."""

    @staticmethod
    def text(field: str, kind: str, **where: str) -> str:
        return f"{CONTACT}      {field}: {{ lookup: {{ object: {kind}, where: {json.dumps(where)} }} }}\n"

    def test_a_record_type_that_is_there_is_fine(self, salesforce: Opened) -> None:
        agency = salesforce(self.text("RecordTypeId", "RecordType", DeveloperName="Medicare", SobjectType="Contact"))
        agency.sandbox.record_type("Contact", "Medicare")
        agency.sandbox.record_type("Lead", "Medicare")
        assert findings(agency) == []

    def test_one_that_the_user_may_not_use_is_an_error(self, salesforce: Opened) -> None:
        agency = salesforce(self.text("RecordTypeId", "RecordType", DeveloperName="Medicare", SobjectType="Contact"))
        usable = agency.sandbox.record_type("Contact", "Household")
        agency.sandbox.record_type("Contact", "Medicare", available=False)
        (found,) = findings(agency)
        assert (found["line"], found["code"], usable in found["hint"]) == (10, "M216", True)

    @pytest.mark.parametrize(("kinds", "said"), [((), "no RecordType"), (("Contact", "Lead"), "2 RecordType")])
    def test_none_or_several_are_an_error(self, salesforce: Opened, kinds: tuple[str, ...], said: str) -> None:
        agency = salesforce(self.text("RecordTypeId", "RecordType", DeveloperName="Medicare"))
        agency.sandbox.record_type("Contact", "Other")
        for kind in kinds:
            agency.sandbox.record_type(kind, "Medicare")
        (found,) = findings(agency)
        assert (found["line"], found["severity"], found["code"]) == (10, "error", "M216")
        assert f"has {said} whose DeveloperName is 'Medicare'" in found["message"]

    def test_a_queue_does_not_own_a_contact(self, salesforce: Opened) -> None:
        agency = salesforce(self.text("OwnerId", "Group", Type="Queue", DeveloperName="Medicare"))
        agency.sandbox.put("Group", Type="Queue", Name="Medicare", DeveloperName="Medicare")
        assert shown(agency) == [(10, "error", "M207")]

    def test_a_queue_owns_a_lead(self, salesforce: Opened) -> None:
        lead = self.text("OwnerId", "Group", Type="Queue", DeveloperName="Medicare").replace("Contact", "Lead")
        agency = salesforce(
            lead + "      Company: { value: Individual }\n      Status: { value: Working - Contacted }\n"
        )
        agency.sandbox.put("Group", Type="Queue", Name="Medicare", DeveloperName="Medicare")
        assert findings(agency) == []
        assert "delivered" in agency.delivered()
        assert agency.sandbox.records("Lead")[0]["OwnerId"].startswith("00G")

    def test_a_flag_in_quotes_is_an_error(self, salesforce: Opened) -> None:
        agency = salesforce(self.text("OwnerId", "User", Email="priya@youragency.com", IsActive="true"))
        (found,) = [one for one in findings(agency) if one["code"] != "M216"]
        assert (found["line"], found["code"], found["hint"]) == (10, "M202", "write true or false, without quotes")


class TestKeys:
    def test_one_that_is_not_unique_is_an_error_that_names_the_permission(self, salesforce: Opened) -> None:
        agency = salesforce(CONTACT.replace("careCycle_Id__c", "External_Id__c"))
        (found,) = findings(agency)
        assert (found["line"], found["severity"], found["code"]) == (7, "error", "M230")
        assert "View All Data: tick Unique" in found["hint"]

    def test_one_that_must_be_created_where_all_ten_are_taken_is_warned_of(self, hubspot: Opened) -> None:
        agency = hubspot("extends: hubspot\nrecords:\n  contact:\n    key: { own_id: customer.id }\n")
        contacts = agency.sandbox.state.schema["contacts"]
        assert "M230" not in [one["code"] for one in findings(agency)]
        for number in range(9):
            contacts[f"id_{number}"] = replace(contacts["carecycle_id"], name=f"id_{number}")
        (found,) = [one for one in findings(agency) if one["code"] == "M230"]
        assert (found["line"], found["severity"], "HubSpot allows 10" in found["message"]) == (4, "warning", True)


class TestStages:
    STAGE = "extends: hubspot\ntables:\n  stage: { Lead: lead, Active: customer, Inactive: %s }\n"

    def test_one_that_leads_back_is_warned_of(self, hubspot: Opened) -> None:
        agency = hubspot(self.STAGE % "subscriber")
        (found,) = [one for one in findings(agency) if one["code"] == "M214"]
        assert (found["severity"], found["hint"]) == ("warning", "leave the stage alone:  Inactive: null")

    @pytest.mark.parametrize("stage", ["null", "customer", "other"])
    def test_one_that_stays_or_leads_on_is_fine(self, hubspot: Opened, stage: str) -> None:
        assert "M214" not in [one["code"] for one in findings(hubspot(self.STAGE % stage))]


class TestPipelines:
    DEAL = """\
extends: hubspot
records:
  deal:
    object: deals
    key: { external_id: customer.id }
    unique_key: false
    fields:
      dealstage: { value: %s }
"""

    def warned(self, hubspot: Opened, stage: str, pipeline: str = "") -> list[tuple[int, str]]:
        agency = hubspot(self.DEAL % stage + (f"      pipeline: {{ value: {pipeline} }}\n" if pipeline else ""))
        agency.sandbox.definitions.pipelines["deals"] = {"renewals": ("due", "renewed")}
        return [(one["line"], one["code"]) for one in findings(agency) if one["code"] in ("M204", "M215")]

    @pytest.mark.parametrize(
        ("stage", "pipeline", "expected"),
        [
            ("closedwon", "", []),
            ("due", "", [(8, "M215")]),
            ("due", "renewals", []),
            ("closedwon", "renewals", [(8, "M215")]),
            ("nowhere", "", [(8, "M204")]),
        ],
    )
    def test_a_stage_of_another_pipeline_is_warned_of(
        self, hubspot: Opened, stage: str, pipeline: str, expected: list[tuple[int, str]]
    ) -> None:
        assert self.warned(hubspot, stage, pipeline) == expected

    def test_one_by_its_label_is_answered_with_what_to_write(self, hubspot: Opened) -> None:
        found = [one for one in findings(hubspot(self.DEAL % "Closedwon")) if one["code"] == "M204"]
        assert [one["hint"] for one in found] == ["write  closedwon  for 'closedwon'"]

    @pytest.mark.parametrize("reply", ["{}", "[]", '{"results": [null, {"id": "a", "stages": 7}]}', "<html>"])
    def test_pipelines_that_cannot_be_read_hide_nothing_else(self, hubspot: Opened, reply: str) -> None:
        agency = hubspot(self.DEAL % "nowhere")
        agency.sandbox.fault("/pipelines", Response(reply, content_type="application/json"), times=9)
        assert "M204" in [one["code"] for one in findings(agency)]


class TestUsersThatAMappingNames:
    def naming(self, agency: Agency, *ids: str) -> Agency:
        table = ", ".join(f"{status}: {one}" for status, one in zip(("Lead", "Active"), ids, strict=False))
        own = f"      OwnerId: {{ from: customer.status, table: {{ {table}, else: null }} }}\n"
        (agency.file.parent / "own.yaml").write_text(CONTACT + own)
        return agency

    def test_one_who_is_not_active_is_an_error(self, salesforce: Opened) -> None:
        agency = salesforce()
        first, second, _ = (person["Id"] for person in agency.sandbox.people)
        agency.sandbox.change(second, IsActive=False)
        (found,) = findings(self.naming(agency, first[:15], second))
        assert (found["line"], found["severity"], found["code"]) == (10, "error", "M207")
        assert (second in found["message"], first[:15] in found["message"]) == (True, False)

    def test_one_who_does_not_exist_is_an_error_and_a_queue_is_not_asked_for(self, salesforce: Opened) -> None:
        agency = self.naming(salesforce(), "005000000000001AAA", "00G000000000001AAA")
        (found,) = findings(agency)
        assert ("005000000000001AAA" in found["message"], "00G" in found["message"]) == (True, False)

    def test_one_who_is_taken_where_a_look_up_has_no_match(self, salesforce: Opened) -> None:
        agency = salesforce()
        agency.sandbox.change(left := agency.sandbox.people[1]["Id"], IsActive=False)
        look = f"{{ object: User, match: {{ Email: customer.assignedUser.email }}, else: {{ value: {left} }} }}"
        (agency.file.parent / "own.yaml").write_text(f"{CONTACT}      OwnerId: {{ lookup: {look} }}\n")
        assert shown(agency) == [(10, "error", "M207")]

    def test_users_that_cannot_be_read_are_warned_of(self, salesforce: Opened) -> None:
        agency = self.naming(salesforce(), "005000000000001AAA")
        agency.sandbox.fail(403, "INSUFFICIENT_ACCESS", times=9, path="/query")
        assert shown(agency) == [(10, "warning", "M212")]

    def test_a_former_colleague_is_an_error_in_hubspot(self, hubspot: Opened) -> None:
        own = "extends: hubspot\nrecords:\n  contact:\n    fields:\n      hubspot_owner_id: { value: %s }\n"
        codes = [[one["code"] for one in findings(hubspot(own % owner))] for owner in ("'71001'", "'71004'", "71004")]
        assert ["M207" in found for found in codes] == [False, True, True]


class TestDuplicateRules:
    def test_active_ones_are_warned_of_once_for_each_object(self, salesforce: Opened) -> None:
        other = CONTACT.partition("records:\n")[2].replace("  contact:", "  other:")
        twice = CONTACT + other.replace("customer.id", "customer.externalId")
        agency = salesforce(twice, duplicate_rule="block")
        (found,) = findings(agency)
        assert (found["line"], found["severity"], found["code"]) == (6, "warning", "M213")
        assert "Standard Contact Duplicate Rule" in found["message"]
        assert "Lead" not in found["message"]

    @pytest.mark.parametrize("status", [400, 403, 500])
    def test_hidden_ones_are_a_note_and_the_rest_is_found(self, salesforce: Opened, status: int) -> None:
        agency = salesforce(CONTACT + "      Nickname__c: customer.preferredName\n", duplicate_rule="block")
        agency.sandbox.fail(status, "INSUFFICIENT_ACCESS", times=9, path="/query")
        told = json.loads(agency.run("check", "--live", "--json").stdout)
        assert [(one["severity"], one["code"]) for one in told] == [("error", "M201"), ("note", "M213")]

    def test_a_reply_that_makes_no_sense_is_a_note(self, salesforce: Opened) -> None:
        agency = salesforce(duplicate_rule="block")
        agency.sandbox.reshape(lambda _: {"records": [None, {"SobjectType": 7}]}, times=9, path="/query")
        told = json.loads(agency.run("check", "--live", "--json").stdout)
        assert [one["code"] for one in told] in ([], ["M213"])


class TestTheOtherCrm:
    @pytest.mark.parametrize("live", [[], ["--live"]])
    def test_a_mapping_for_another_crm_than_the_credentials_is_an_error_with_its_line(
        self, hubspot: Opened, live: list[str]
    ) -> None:
        agency = hubspot("salesforce-contact")
        result = agency.run("check", "--json", *live)
        (found,) = [one for one in json.loads(result.stdout) if one["severity"] == "error"]
        assert (result.exit_code, found["code"]) == (1, "M211")
        assert found["file"].endswith("salesforce-contact.yaml")
        assert Path(found["file"]).read_text().splitlines()[found["line"] - 1].startswith("crm: salesforce")
        assert agency.sandbox.calls() == []


class TestAnAccountThatCannotBeAsked:
    def test_hides_nothing_of_the_others(self, salesforce: Opened) -> None:
        agency = salesforce(CONTACT + "      Nickname__c: customer.preferredName\n")
        text = agency.file.read_text()
        (block,) = re.findall(r"crm: (\{.*\})\}", text)
        agency.file.write_text(text.replace("{crm:", f"{{broken: {block.replace('${TOKEN}', 'wrong')}, crm:"))
        result = agency.run("check", "--live", "--json")
        assert (result.exit_code, "agency.yaml: broken: " in result.stderr) == (2, True)
        assert [one["code"] for one in json.loads(result.stdout)] == ["M201"]


class TestAnObjectThatIsNotDescribed:
    OWN = "extends: hubspot\nrecords:\n  contact: { fields: { nickname: customer.preferredName } }\n"

    def test_of_a_portal_that_has_none_is_named_with_its_line(self, hubspot: Opened) -> None:
        agency = hubspot(self.OWN + "  widget:\n    object: widgets\n    key: { name: customer.id }\n    fields: {}\n")
        found = [one for one in findings(agency) if one["severity"] == "error"]
        assert [(one["line"], one["code"]) for one in found] == [(3, "M201"), (5, "M200")]
        assert "has no object 'widgets'" in found[1]["message"]
        assert "HubSpot has no such object" in agency.run("provision").output

    def test_that_the_token_may_not_see_is_warned_of_once(self, hubspot: Opened) -> None:
        agency = hubspot(self.OWN)
        refused = agency.sandbox.refused(403, "MISSING_SCOPES")
        agency.sandbox.fault("/calls", refused, method="GET", times=9)
        found = findings(agency)
        assert [(one["severity"], one["code"]) for one in found] == [("error", "M201"), ("warning", "M212")]
        assert "'calls' was not checked" in found[1]["message"]
        pulled = agency.run("schema", "pull")
        assert (pulled.exit_code, "agency.yaml: crm: " in pulled.stderr) == (2, True)
        doctor = agency.run("doctor", "--json").output
        assert '"sunrise/crm: calls"' in doctor
