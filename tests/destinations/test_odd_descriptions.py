"""One thing that a CRM does not describe hides no finding about the others, and is no error by itself."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from flask import Response, request

from connector import mapping
from connector.destinations import VENDORS
from connector.destinations.base import Destination
from connector.mapping import shipped_folder
from connector.sandbox.salesforce.faults import reply
from tests.destinations import hubspot_fixtures
from tests.destinations.salesforce_fixtures import sandbox_and_destination
from tests.replies.parts import ODD, at, parts_of, with_part

MAPPING = """\
version: 1
crm: salesforce
consent: { flags: { doNotCall: contact.DoNotCall }, waive: [doNotSMS, doNotEmail, doNotMail] }
records:
  contact:
    object: Contact
    key: { careCycle_Id__c: customer.id }
    also_match: [{ Email: customer.email, FirstName: customer.firstName }]
    fields:
      LastName: { from: customer.lastName, default: Unknown, cut: true }
      MailingState: customer.state
      RecordTypeId: { value: 012000000000001AAA }
      Nickname__c: customer.preferredName
  lead:
    object: Lead
    key: { careCycle_Id__c: customer.id }
    fields:
      LastName: { from: customer.lastName, default: Unknown, cut: true }
      Company: { value: Household }
      Nickname__c: customer.preferredName
"""
LINES = {
    "DoNotCall": {3},
    "careCycle_Id__c": {7},
    "Email": {8},
    "FirstName": {8},
    "LastName": {10},
    "MailingState": {11},
    "MailingStateCode": {11},
    "MailingCountry": {11},
    "MailingCountryCode": {11},
    "RecordTypeId": {12},
}
"""The lines of the mapping that each field decides about."""

Key = tuple[int, str, str]


def findings(destination: Destination, text: str = MAPPING) -> set[Key]:
    """Line, severity and code of what is found in a mapping, against the account as it describes itself now."""
    objects = mapping.load_text(text, "it.yaml", shipped=shipped_folder(), crms=VENDORS).mapping
    assert objects is not None
    schema = destination.describe(objects.objects)
    loaded = mapping.load_text(text, "it.yaml", schema=schema, shipped=shipped_folder(), crms=VENDORS)
    return {(one.line, str(one.severity), one.code) for one in loaded.diagnostics if one.severity != "note"}


@pytest.fixture
def org() -> Any:
    with sandbox_and_destination(state_lists=True) as (sandbox, salesforce):
        sandbox.record_type("Contact", "Household")
        sandbox.record_type("Contact", "Medicare", available=False)
        sandbox.keep_from_searching("Contact", "Email")
        yield sandbox, salesforce


WHOLE = {(8, "error", "M208"), (11, "warning", "M209"), (12, "error", "M207"), (13, "error", "M201")}
OF_LEADS = {(17, "error", "M240"), (20, "error", "M201")}
WARNED = {(6, "warning", "M212")}


class TestSalesforce:
    def test_all_of_it_is_found_where_all_is_described(self, org: Any) -> None:
        assert findings(org[1]) == WHOLE | OF_LEADS

    @pytest.mark.parametrize(("status", "code"), [(403, "INSUFFICIENT_ACCESS"), (400, "UNKNOWN"), (500, "ODD")])
    def test_an_object_that_is_refused_is_named_and_the_others_are_checked(
        self, org: Any, status: int, code: str
    ) -> None:
        answer(org[0], [{"errorCode": code, "message": "made up"}], status)
        assert findings(org[1]) == WARNED | OF_LEADS

    @pytest.mark.slow
    @pytest.mark.parametrize("seed", range(6))
    def test_each_part_of_a_description_hides_only_itself(self, org: Any, seed: int) -> None:
        described = org[0].org.table("Contact").describe()
        described["fields"] = [own for own in described["fields"] if own["name"] in LINES]
        expected = findings_with(org, described)
        assert expected == WHOLE | OF_LEADS
        ways = odd_ways(described)
        for path, odd in random.Random(seed).sample(ways, 50):
            found = findings_with(org, with_part(described, path, odd))
            hidden = {line for line, _, _ in expected - found}
            assert hidden <= touched(described, path), (path, odd)
            wrong = {(line, code) for line, severity, code in found - expected if severity == "error"}
            without_name = len(path) < 3 or path[2] == "name"
            assert all(without_name and code == "M201" for _, code in wrong), (path, odd, wrong)


HUBSPOT = """\
version: 1
crm: hubspot
consent: { flags: { doNotCall: contact.do_not_call }, waive: [doNotSMS, doNotEmail, doNotMail] }
records:
  contact:
    object: contacts
    key: { carecycle_id: customer.id }
    fields:
      lifecyclestage: { from: customer.status, table: { Lead: lead, Active: nowhere, Inactive: subscriber } }
      hubspot_owner_id: customer.agentNpn
      nickname: customer.preferredName
  call:
    object: calls
    events: [call.completed]
    key: { carecycle_call_id: call.id }
    fields:
      hs_timestamp: { from: [call.startTime, call.createdAt] }
      nickname: call.id
"""
OF_PROPERTIES = {"do_not_call": 3, "carecycle_id": 7, "lifecyclestage": 9, "hubspot_owner_id": 10}
OF_CALLS = (18, "error", "M201")


class TestHubSpot:
    @pytest.mark.slow
    @pytest.mark.parametrize("seed", range(3))
    def test_each_part_of_a_list_of_properties_hides_only_itself(self, seed: int) -> None:
        with hubspot_fixtures.sandbox_and_destination(index_lag=0.0) as (sandbox, hubspot):
            listed = sandbox.definitions.list("contacts", "non_sensitive")
            listed["results"] = [own for own in listed["results"] if own["name"] in OF_PROPERTIES]

            def with_listed(listed: Any) -> set[Key]:
                sandbox.faults.clear()
                answer = Response(json.dumps(listed), content_type="application/json")
                sandbox.fault("/properties/", _of_contacts(answer), times=99)
                return findings(hubspot, HUBSPOT)

            expected = with_listed(listed)
            assert expected >= {(9, "error", "M204"), (9, "warning", "M214"), (10, "error", "M202"), OF_CALLS}
            ways = odd_ways(listed)
            for path, odd in random.Random(seed).sample(ways, 40):
                found = with_listed(with_part(listed, path, odd))
                own = OF_PROPERTIES.get(listed["results"][path[1]]["name"]) if len(path) > 1 else None
                if own is not None:
                    assert {one for one in expected - found if one[0] != own} == set(), (path, odd)
                    wrong = {code for _, severity, code in found - expected if severity == "error"}
                    assert wrong <= ({"M201"} if len(path) < 3 or path[2] == "name" else set()), (path, odd, wrong)
                assert OF_CALLS in found, (path, odd)


def odd_ways(body: Any) -> list[tuple[Any, Any]]:
    """Each part of a description with each odd thing in its place. A thing of the same type says something else."""
    ways = [(path, odd) for path in parts_of(body) for odd in ODD]
    return [(path, odd) for path, odd in ways if type(odd) is not type(at(body, path))]


def _of_contacts(answer: Response) -> Any:
    return lambda proceed: answer if request.path.endswith("contacts") and is_plain() else proceed()


def is_plain() -> bool:
    return request.args.get("dataSensitivity") == "non_sensitive"


def touched(described: Any, path: tuple[Any, ...]) -> set[int]:
    """The lines of the mapping that a part of the description decides about."""
    if path in ((), ("fields",)):
        return {3, *range(6, 14)}
    if path[0] == "recordTypeInfos":
        return LINES["RecordTypeId"]
    return LINES[described["fields"][path[1]]["name"]] if path[0] == "fields" else set()


def findings_with(org: Any, contact: Any) -> set[Key]:
    """What is found if Salesforce describes contacts like this."""
    org[0].faults.clear()
    answer(org[0], contact)
    return findings(org[1])


def answer(sandbox: Any, contact: Any, status: int = 200) -> None:
    """Describe contacts like this, alone or among others."""

    def among_others(body: Any) -> Any:
        (part,) = (part for part in body["compositeResponse"] if part["body"]["name"] == "Contact")
        part |= {"httpStatusCode": status, "body": contact}
        return body

    sandbox.reshape(among_others, path="/composite", times=9)
    sandbox.fault("/Contact/describe", reply(contact, status), times=9)
