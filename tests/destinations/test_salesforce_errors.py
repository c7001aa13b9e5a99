"""Every refusal of the table, told by the sandbox of one record and of a whole request, does what its rule says."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Response

from connector.destinations.base import Verdict
from connector.destinations.salesforce.rule import REJECTING, Kind, Rule
from connector.destinations.salesforce.rules import RULES
from connector.errors import DestinationUnusable
from connector.sandbox.salesforce.faults import reply
from tests.destinations.salesforce_fixtures import ONE, TWO, Pair, a_contact, sandbox_and_destination

LIMIT = "System.LimitException: Too many SOQL queries: 101"
SAID = {
    "": "Delacroix",
    "UNABLE_TO_LOCK_ROW|^unable to obtain": "unable to obtain exclusive access to this record or 1 records: 003xx",
    "duplicate value found: {key} ": "duplicate value found: careCycle_Id__c duplicates value on record",
    "duplicate value found: <unknown> ": "duplicate value found: <unknown> duplicates value on record",
    "Record Type ID|RecordTypeId": "Record Type ID: this ID value isn't valid for the user: 012xx0000000001",
    "view all data": "Upsert requires view all data on a non-unique custom index",
    "^Duplicate external id specified": "Duplicate external id specified: 3f1a",
    "Too many SOQL|CPU (time )?limit|limit exceeded|LimitException": LIMIT,
    "not valid for use with the REST API|Connected app is not attached": "Connected app is not attached to Agent",
    "Concurrent": "ConcurrentPerOrgLongTxn Limit exceeded.",
    "^Foreign key external ID": "Foreign key external ID: 17 not found for field Key__c in entity Contact",
}
"""What Salesforce says, for each thing a rule looks for in it."""

LISTED = {False: [], True: ["AccountId"]}
"""The fields Salesforce lists, for a rule that needs some and for every other."""

KNOWN = """
UNABLE_TO_LOCK_ROW CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY CANNOT_EXECUTE_FLOW_TRIGGER APEX_ERROR SERVER_UNAVAILABLE
SERVICE_UNAVAILABLE UNKNOWN_EXCEPTION INTERNAL_ERROR BAD_GATEWAY HTTP_504 HTTP_420 HTTP_429 REQUEST_LIMIT_EXCEEDED
QUERY_TIMEOUT REQUEST_RUNNING_TOO_LONG TOO_MANY_APEX_REQUESTS EXCEEDED_ID_LIMIT INVALID_READ_ONLY_USER_DML
INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE INVALID_SESSION_ID SESSION_EXPIRED INVALID_AUTH_HEADER INVALID_LOGIN
LOGIN_MUST_USE_SECURITY_TOKEN INVALID_OPERATION_WITH_EXPIRED_PASSWORD API_DISABLED_FOR_ORG API_CURRENTLY_DISABLED
FUNCTIONALITY_NOT_ENABLED LICENSE_LIMIT_EXCEEDED STORAGE_LIMIT_EXCEEDED DUPLICATE_VALUE HTTP_300 DUPLICATE_EXTERNAL_ID
DUPLICATES_DETECTED INVALID_FIELD INVALID_FIELD_FOR_INSERT_UPDATE NOT_FOUND INVALID_TYPE INVALID_EXTERNAL_ID_FIELD_NAME
INVALID_ENTITY_FOR_UPSERT JSON_PARSER_ERROR MALFORMED_QUERY REQUIRED_FIELD_MISSING STRING_TOO_LONG DATE_OUT_OF_RANGE
INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST INVALID_EMAIL_ADDRESS NUMBER_OUTSIDE_VALID_RANGE FIELD_INTEGRITY_EXCEPTION
INVALID_TYPE_ON_FIELD_IN_RECORD FIELD_FILTER_VALIDATION_EXCEPTION FIELD_CUSTOM_VALIDATION_EXCEPTION ENTITY_IS_LOCKED
MAX_TASK_DESCRIPTION_EXCEEEDED TEXT_DATA_OUTSIDE_SUPPORTED_CHARSET RECORD_IN_USE_BY_WORKFLOW ENTITY_IS_DELETED
INVALID_CROSS_REFERENCE_KEY MALFORMED_ID ENTITY_IS_ARCHIVED CANNOT_UPDATE_CONVERTED_LEAD INSUFFICIENT_ACCESS
INVALID_PERSON_ACCOUNT_OPERATION INSUFFICIENT_ACCESS_OR_READONLY INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY
TXN_SECURITY_NO_ACCESS INACTIVE_OWNER_OR_USER ALL_OR_NONE_OPERATION_ROLLED_BACK PROCESSING_HALTED HTTP_410
UNSUPPORTED_API_VERSION HTTP_405 HTTP_409 HTTP_412 HTTP_414 HTTP_415 HTTP_428 HTTP_431
"""
"""The codes our sources know: Salesforce's guide, its WSDL, and what other connectors met."""

STATUS = {"auth": 401, "quota": 403, "busy": 403, "storage": 403, "outage": 503, "request": 405}
TABLE = [(code, rule) for rule in RULES for code in rule.codes.split()]
OF_A_RECORD = [(code, rule) for code, rule in TABLE if not code.startswith("HTTP_")]


def named(pair: tuple[str, Rule]) -> str:
    code, rule = pair
    return f"{code}-{rule.kind}" + (f"-{re.sub(r'[^a-zA-Z]+', '-', rule.says)[:20]}" if rule.says else "")


@pytest.fixture
def pair() -> Any:
    with sandbox_and_destination() as both:
        yield both


class TestTheTable:
    def test_it_knows_every_code_our_sources_know(self) -> None:
        assert set(KNOWN.split()) - {code for code, _ in TABLE} == set()

    def test_no_rule_stands_behind_one_that_takes_everything_of_its_code(self) -> None:
        closed: set[str] = set()
        for rule in RULES:
            assert not closed & set(rule.codes.split())
            closed |= set() if rule.says or rule.listed else set(rule.codes.split())

    def test_every_pause_has_a_reason_and_every_rule_words_for_people(self) -> None:
        assert [rule.codes for rule in RULES if rule.kind in (Kind.UNUSABLE, Kind.OUTAGE) and not rule.reason] == []
        assert all(len(rule.cause) > 15 for rule in RULES)


class TestOfOneRecord:
    @pytest.mark.parametrize("told", OF_A_RECORD, ids=map(named, OF_A_RECORD))
    def test_its_rule_decides_and_the_other_record_is_written(self, pair: Pair, told: tuple[str, Rule]) -> None:
        sandbox, salesforce = pair
        code, rule = told
        sandbox.refuse_rows([ONE], code, SAID[rule.says], LISTED[rule.listed], times=9)
        if rule.kind is Kind.UNUSABLE:
            with pytest.raises(DestinationUnusable) as stopped:
                salesforce.write([a_contact(), a_contact(TWO)])
            assert (stopped.value.reason, stopped.value.retry_after) == (rule.reason, rule.retry_after)
            return
        one, other = salesforce.write([a_contact(), a_contact(TWO)])
        verdict = Verdict.REJECTED if rule.kind in REJECTING else Verdict.DEFERRED
        assert (one.verdict, one.code, other.verdict) == (verdict, rule.code or code, Verdict.DELIVERED)
        assert rule.cause.partition("{fields}")[0] in one.refusal.cause
        assert (len(sandbox.calls()), one.retry_after) == (
            3 if rule.kind in (Kind.AGAIN, Kind.ONCE_MORE) else 1,
            rule.retry_after,
        )


class TestOfAWholeRequest:
    @pytest.mark.parametrize("told", TABLE, ids=map(named, TABLE))
    def test_its_rule_decides(self, pair: Pair, told: tuple[str, Rule]) -> None:
        sandbox, salesforce = pair
        code, rule = told
        sandbox.fault("/services/data", self.answer(code, rule), times=99)
        if rule.kind in (Kind.UNUSABLE, Kind.OUTAGE, Kind.SESSION):
            with pytest.raises(DestinationUnusable) as stopped:
                salesforce.write([a_contact(), a_contact(TWO)])
            assert (stopped.value.reason, stopped.value.retry_after) == (rule.reason, rule.retry_after)
            assert len(sandbox.calls()) == (3 if rule.kind is Kind.OUTAGE else 1)
            return
        outcomes = salesforce.write([a_contact(), a_contact(TWO)])
        verdict = Verdict.REJECTED if rule.kind in REJECTING else Verdict.DEFERRED
        assert [(one.verdict, one.code) for one in outcomes] == [(verdict, rule.code or code)] * 2

    def answer(self, code: str, rule: Rule) -> Response:
        if code.startswith("HTTP_"):
            return Response("<html>", int(code.removeprefix("HTTP_")), content_type="text/html")
        error = {"message": SAID[rule.says], "errorCode": code, "fields": LISTED[rule.listed]}
        return reply([error], STATUS.get(rule.reason, 400))

    @pytest.mark.parametrize("told", TABLE, ids=map(named, TABLE))
    def test_nothing_salesforce_said_is_repeated(self, pair: Pair, told: tuple[str, Rule]) -> None:
        sandbox, salesforce = pair
        code, rule = told
        sandbox.fault("/services/data", self.answer(code, rule), times=99)
        try:
            words = repr(salesforce.write([a_contact()]))
        except DestinationUnusable as stopped:
            words = repr(stopped) + str(stopped.__cause__) + str(stopped.__context__)
        assert not any(said in words for said in SAID.values() if said)


class TestAReferenceThatCannotBeUsed:
    """Which field is at fault decides: the code alone says neither that a record is lost nor whose."""

    @pytest.mark.parametrize("code", ["INVALID_CROSS_REFERENCE_KEY", "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY"])
    def test_a_field_that_salesforce_lists_can_be_left_out(self, pair: Pair, code: str) -> None:
        sandbox, salesforce = pair
        sandbox.refuse_rows([ONE], code, "invalid cross reference id", ["OwnerId"])
        (outcome,) = salesforce.write([a_contact(OwnerId="005Hs0000000009AAA")])
        assert (outcome.verdict, outcome.of_fields, outcome.fields) == (Verdict.REJECTED, True, ("OwnerId",))

    def test_a_field_whose_value_salesforce_names_can_be_left_out(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        said = "insufficient access rights on cross-reference id: 001Hs0000000009"
        sandbox.refuse_rows([ONE], "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", said)
        (outcome,) = salesforce.write([a_contact(AccountId="001Hs0000000009AAA")])
        assert (outcome.of_fields, outcome.fields) == (True, ("AccountId",))

    @pytest.mark.parametrize("fields", [[], ["Id"]])
    def test_without_a_field_the_record_may_be_lost(self, pair: Pair, fields: list[str]) -> None:
        sandbox, salesforce = pair
        sandbox.refuse_rows([ONE], "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", fields)
        (outcome,) = salesforce.write([a_contact(id=sandbox.put("Contact", LastName="D", careCycle_Id__c=ONE)["Id"])])
        assert (outcome.verdict, outcome.of_fields) == (Verdict.DEFERRED, False)
