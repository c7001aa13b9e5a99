"""A sandbox like one's own org: the objects, picklists, lengths and keys of a saved schema, asked over plain HTTP."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner

from connector.cli import cli
from connector.mapping import target
from connector.sandbox.hubspot import HubSpotSandbox
from tests.core.test_salesforce_sandbox import Org
from tests.mappings.build import HERE

KEY = {"type": "string", "length": 36, "unique": True}
OWNER = {"type": "reference"}
STAGE = {"type": "picklist", "restricted": True, "required": True, "options": [{"value": "New"}, {"value": "Won"}]}
ORG = {
    "Contact": {
        "LastName": {"type": "string", "length": 80, "required": True},
        "Id__c": KEY,
        "RecordTypeId": {"type": "reference", "options": [{"value": "0125g000001AbCd", "label": "Medicare"}]},
        "Agent__c": {"type": "reference", "of_user": True},
    },
    "Policy__c": {
        "Name": {"type": "string", "length": 10, "required": True},
        "Number__c": KEY,
        "Stage__c": STAGE,
        "Licensed__c": {"type": "string", "native": "multipicklist", "length": 4099},
        "Member__c": {"type": "reference"},
        "OwnerId": OWNER,
        "Made_By__c": {"type": "string", "length": 80, "writable": False},
    },
    "Opportunity": {"Name": {"type": "string", "length": 120, "required": True}, "Policy__c": {"type": "reference"}},
}
PORTAL = {
    "contacts": {"email": {"type": "string", "unique": True}, "plan": STAGE | {"required": False}},
    "tasks": {"hs_timestamp": {"type": "datetime", "required": True}, "hs_task_subject": {"type": "string"}},
    "2-4711": {"number": {"type": "string", "unique": True}, "states": {"type": "multipicklist", "options": []}},
    "owners": {"email": {"type": "string"}},
}


def saved(crm: str, objects: dict[str, Any]) -> dict[str, Any]:
    """What `connector sandbox` makes of a saved file."""
    text = {"crm": crm, "objects": {name: {"fields": fields} for name, fields in objects.items()}}
    return {name: own.model_dump() for name, own in target.TargetSchema.model_validate(text).objects.items()}


@pytest.fixture
def org() -> Iterator[Org]:
    org = Org(schema=saved("salesforce", ORG))
    yield org
    org.close()


@pytest.fixture
def portal() -> Iterator[HubSpotSandbox]:
    sandbox = HubSpotSandbox(schema=saved("hubspot", PORTAL))
    with sandbox:
        yield sandbox


def post(portal: HubSpotSandbox, kind: str, **properties: str) -> requests.Response:
    url, headers = f"{portal.url}/crm/objects/2026-03/{kind}", {"Authorization": f"Bearer {portal.token}"}
    return requests.post(url, json={"properties": properties}, headers=headers, timeout=60)


def policy(org: Org, **fields: Any) -> list[Any]:
    """Upsert a policy; return what its row was refused for."""
    row = {"Number__c": "p1", "Name": "Gold", "Stage__c": "New"} | fields
    (result,) = org.upsert(row, path="/composite/sobjects/Policy__c/Number__c")
    return [(error["statusCode"], error["fields"]) for error in result["errors"]]


class TestAnOrg:
    def test_a_custom_object_is_written_by_its_key(self, org: Org) -> None:
        assert policy(org, Licensed__c="AZ;NM") == []
        assert policy(org, Name="Silver") == []
        assert [row["Name"] for row in org.select("SELECT Name FROM Policy__c")] == ["Silver"]

    @pytest.mark.parametrize(
        ("fields", "refused"),
        [
            ({"Stage__c": "Lost"}, ("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", ["Stage__c"])),
            ({"Stage__c": None}, ("REQUIRED_FIELD_MISSING", ["Stage__c"])),
            ({"Name": "Platinum Plus"}, ("STRING_TOO_LONG", ["Name"])),
            ({"Made_By__c": "me"}, ("INVALID_FIELD_FOR_INSERT_UPDATE", ["Made_By__c"])),
            ({"Member__c": "0"}, ("MALFORMED_ID", ["Member__c"])),
        ],
    )
    def test_it_is_as_strict_as_the_schema(self, org: Org, fields: dict[str, Any], refused: Any) -> None:
        assert policy(org, **fields) == [refused]

    def test_a_look_up_field_leads_to_any_object_served(self, org: Org) -> None:
        person = org.sandbox.put("Contact", LastName="Delacroix")["Id"]
        assert policy(org, Member__c=person) == []
        policy_id = org.sandbox.records("Policy__c")[0]["Id"]
        assert org.ask("POST", "/sobjects/Opportunity", {"Name": "x", "Policy__c": policy_id}).status_code == 201

    def test_a_queue_owns_a_record_and_a_record_type_is_of_its_object(self, org: Org) -> None:
        queue = org.sandbox.put("Group", Name="Renewals", Type="Queue")["Id"]
        assert policy(org, OwnerId=queue) == []
        codes = []
        for kind in ("Contact", "Policy__c"):
            row = {"Id__c": "a", "LastName": "D", "RecordTypeId": org.sandbox.put("RecordType", SobjectType=kind)["Id"]}
            (result,) = org.upsert(row, path="/composite/sobjects/Contact/Id__c")
            codes.append([error["statusCode"] for error in result["errors"]])
        assert codes == [[], ["INVALID_CROSS_REFERENCE_KEY"]]

    def test_the_record_types_of_the_schema_can_be_used(self, org: Org) -> None:
        (medicare,) = org.ask("GET", "/sobjects/Contact/describe").json()["recordTypeInfos"]
        assert medicare == {"recordTypeId": "0125g000001AbCdAAK", "available": True, "name": "Medicare"}
        made = org.ask("POST", "/sobjects/Contact", {"LastName": "D", "RecordTypeId": "0125g000001AbCdAAK"})
        assert made.status_code == 201

    def test_a_field_of_a_user_takes_no_other_record(self, org: Org) -> None:
        other = org.sandbox.put("Contact", LastName="Delacroix")["Id"]
        user = org.sandbox.people[0]["Id"]
        made = [org.ask("POST", "/sobjects/Contact", {"LastName": "D", "Agent__c": own}) for own in (user, other)]
        assert [reply.status_code for reply in made] == [201, 400]

    def test_what_checks_ask_of_every_org_is_there(self, org: Org) -> None:
        asked = ("SELECT SobjectType, MasterLabel FROM DuplicateRule", "SELECT IsSandbox FROM Organization")
        assert [org.ask("GET", "/query/", params={"q": soql}).status_code for soql in asked] == [200, 200]

    def test_what_is_not_in_the_schema_is_not_there(self, org: Org) -> None:
        assert org.error("GET", "/sobjects/Lead/describe") == (404, "NOT_FOUND")
        assert org.error("GET", "/query/", params={"q": "SELECT Id FROM Campaign"}) == (400, "INVALID_TYPE")

    def test_the_connectors_own_user_is_always_there(self, org: Org) -> None:
        assert len(org.select("SELECT Id FROM User WHERE IsActive = true")) == 4


class TestAPortal:
    def test_a_custom_object_and_a_task_are_made(self, portal: HubSpotSandbox) -> None:
        assert post(portal, "2-4711", number="p1", states="AZ;NM").status_code == 201
        assert post(portal, "0-27", hs_timestamp="2026-06-18T12:00:00Z").status_code == 201

    @pytest.mark.parametrize(
        ("kind", "properties", "status", "told"),
        [
            ("contacts", {"email": "a@example.com", "plan": "Lost"}, 400, "INVALID_OPTION"),
            ("contacts", {"email": "a@example.com", "firstname": "A"}, 400, "PROPERTY_DOESNT_EXIST"),
            ("tasks", {"hs_task_subject": "Call"}, 400, "hs_timestamp"),
            ("deals", {"dealname": "x"}, 400, "Unable to infer object type from: deals"),
        ],
    )
    def test_it_is_as_strict_as_the_schema(
        self, portal: HubSpotSandbox, kind: str, properties: dict[str, str], status: int, told: str
    ) -> None:
        reply = post(portal, kind, **properties)
        assert (reply.status_code, told in reply.text) == (status, True)


class TestWithoutASchema:
    @pytest.mark.parametrize("kind", ["Opportunity", "Campaign", "CampaignMember", "Case", "Event", "Group"])
    def test_an_org_has_the_common_objects(self, kind: str) -> None:
        org = Org()
        assert org.ask("GET", f"/sobjects/{kind}/describe").json()["name"] == kind
        org.close()

    def test_a_portal_has_the_common_objects(self) -> None:
        with HubSpotSandbox() as url:
            headers = {"Authorization": "Bearer pat-na1-sandbox"}
            for kind in ("deals", "tickets", "tasks", "notes", "meetings", "emails", "companies"):
                assert requests.get(f"{url}/crm/v3/properties/{kind}", headers=headers, timeout=60).status_code == 200


class TestTheCommand:
    @pytest.mark.slow
    def test_it_serves_every_file_and_a_page(self, tmp_path: Path) -> None:
        (tmp_path / "more.json").write_text(json.dumps({"crm": "salesforce", "objects": {"Policy__c": {"fields": {}}}}))
        files = [HERE / "salesforce.describe.json", HERE / "hubspot.describe.json", tmp_path / "more.json"]
        schemas = [part for file in files for part in ("--schema", str(file))]
        ports = [f"--{name}-port=0" for name in ("salesforce", "hubspot", "carecycle")]
        command = [sys.executable, "-m", "connector", "sandbox", *ports, *schemas]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            told = [next(process.stdout) for _ in range(6)]
            org, portal = (requests.get(re.findall(r"http\S+", told[line])[0], timeout=60).text for line in (0, 2))
            process.terminate()
        assert all(f">{kind}</a>" in org for kind in ("Contact", "Policy__c", "RecordType"))
        assert (">calls</a>" in portal, ">deals</a>" in portal, "Open an endpoint" in told[5]) == (
            True,
            False,
            True,
        )

    def refused(self, tmp_path: Path, text: str) -> str:
        (tmp_path / "x.schema.json").write_text(text)
        result = CliRunner().invoke(cli, ["sandbox", "--schema", str(tmp_path / "x.schema.json")])
        assert result.exit_code == 2
        return result.stderr

    def test_a_file_that_is_no_schema_is_told(self, tmp_path: Path) -> None:
        assert "is not a saved schema" in self.refused(tmp_path, "{}")

    def test_a_crm_without_a_sandbox_is_told(self, tmp_path: Path) -> None:
        assert "there is no sandbox" in self.refused(tmp_path, '{"crm": "zoho", "objects": {}}')
