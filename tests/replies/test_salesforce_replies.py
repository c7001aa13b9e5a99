"""Every reply of Salesforce comes out as the index of the recorded replies says, in our own corpus and in theirs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from connector.destinations.base import Outcome, Row
from connector.destinations.provision import Making, Step
from connector.destinations.salesforce.account import Salesforce
from connector.errors import DestinationUnusable
from connector.mapping.demands import Demand
from connector.mapping.target import TargetField
from connector.model import RecordKey
from connector.sandbox.salesforce import SalesforceSandbox
from tests.destinations.salesforce_fixtures import client_credentials, sandbox_and_destination
from tests.replies.salesforce_corpus import CORPUS
from tests.replies.shared import MISSING, Recorded, recorded

ALWAYS = 99
TOKEN, WRITE, QUERY, DESCRIBE = "/oauth2/token", "/composite/sobjects", "/query", "/describe"
FIELDS = (
    *("LastName", "LeadSource", "Description", "Phone", "Subject", "OwnerId", "RecordTypeId", "MailingState"),
    *("MailingCountry", "MailingStateCode", "Other__c", "foo__c", "X_Report__c", "X_Name__c", "Matched__c"),
    *("unknownField_LastName", "MasterRecordId", "AccountNumer", "foo"),
)


@dataclass(frozen=True)
class Call:
    """A call of ours that a reply answers. times: how often it does, before the sandbox answers itself.

    before: what the org needs first. ends: whether the path is the end of the request's.
    """

    path: str
    ask: Callable[[Salesforce], str]
    times: int = ALWAYS
    before: Callable[[SalesforceSandbox], object] | None = None
    ends: bool = False

    def outcome(self, reply: Recorded) -> str:
        """What our side makes of the reply, and how many logins that took if it took more than one."""
        with sandbox_and_destination(client_credentials()) as (sandbox, salesforce):
            said = self.said(sandbox, salesforce, reply)
            logins = len(sandbox.calls(TOKEN))
            return said if logins == 1 else f"{said} ({logins} logins)"

    def said(self, sandbox: SalesforceSandbox, salesforce: Salesforce, reply: Recorded, answer: Any = None) -> str:
        """What our side makes of the reply of this org. answer: what gives the reply, if it watches that."""
        sandbox.faults.clear()
        if self.before:
            self.before(sandbox)
        sandbox.fault(self.path, answer or reply.response(), times=self.times)
        if self.ends:
            sandbox.faults[-1].matches = lambda _, path: path.endswith(self.path)
        try:
            return self.ask(salesforce)
        except DestinationUnusable as error:
            wait = "" if error.retry_after is None else f" {error.retry_after:g}s"
            return f"paused {error.reason}{wait}"


def _in_words(outcome: Outcome) -> str:
    return " ".join([outcome.verdict, *filter(None, [outcome.code]), *outcome.fields])


def write(count: int = 1, times: int = ALWAYS, kind: str = "Contact", fields: Sequence[str] = FIELDS) -> Call:
    rows = [Row(RecordKey(kind, "careCycle_Id__c", f"c-{n}"), dict.fromkeys(fields, "x")) for n in range(count)]
    return Call(WRITE, lambda salesforce: "; ".join(map(_in_words, salesforce.write(rows))), times)


def by_id() -> Call:
    row = Row(RecordKey("Contact", "careCycle_Id__c", "c-1"), {"Phone": "x"}, id="003Hs0000000001AAA")
    return Call(WRITE, lambda salesforce: "; ".join(map(_in_words, salesforce.write([row]))))


def pointing_at(crm_id: str) -> Call:
    """Write a call that points at this person."""
    row = Row(RecordKey("Task", "careCycle_Call_Id__c", "c-1"), {"Subject": "Call", "WhoId": crm_id})
    return Call(WRITE, lambda salesforce: "; ".join(map(_in_words, salesforce.write([row]))))


def search(object: str = "Contact", field: str = "Email", *values: str, times: int = ALWAYS) -> Call:
    def ask(salesforce: Salesforce) -> str:
        answers = salesforce.find(object, field, values or ["ada@example.org"], ()).values()
        refused = [_in_words(answer) for answer in answers if isinstance(answer, Outcome)]
        return " ".join(refused) or f"{sum(map(len, answers))} records"

    return Call(QUERY, ask, times)


COMPANIES = [f"Sample Company {number}" for number in range(30)]


def granted(salesforce: Salesforce) -> str:
    demand = Demand("Contact", "DoNotCall", TargetField(type="boolean"), 1)
    (done,) = salesforce.provisioner().apply([Step(Making.PERMISSION, demand, "")])
    return done.problem or "done"


def _described(salesforce: Salesforce) -> str:
    fields = salesforce.describe(["Contact"]).objects.get("Contact")
    return "no such object" if fields is None else "described"


def _described_together(salesforce: Salesforce) -> str:
    return " ".join(salesforce.describe(["Account", "Contact"]).objects["Account"].fields)


DESCRIBED = Call(DESCRIBE, _described)
LOGIN = Call(TOKEN, write().ask)
UNKNOWN = "deferred UNREADABLE_REPLY"
ODD = "rejected STRING_TOO_LONG"

EXPECTED: dict[str, tuple[Call, str]] = {
    "row-converted-lead": (write(kind="Lead"), "rejected CANNOT_UPDATE_CONVERTED_LEAD"),
    "row-country-not-in-list": (write(), "rejected FIELD_INTEGRITY_EXCEPTION MailingCountry"),
    "row-cross-reference-access": (
        pointing_at("003xx0000000009"),
        "rejected INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY WhoId",
    ),
    "row-duplicate-rule-block": (write(), "rejected DUPLICATES_DETECTED"),
    "row-duplicate-value-of-key": (write(), "deferred DUPLICATE_VALUE careCycle_Id__c"),
    "row-duplicate-value-other": (write(), "rejected DUPLICATE_VALUE Other__c"),
    "row-duplicate-value-unknown": (write(), "rejected DUPLICATE_VALUE"),
    "row-duplicates-detected": (write(2), "rejected DUPLICATES_DETECTED; delivered"),
    "row-entity-deleted": (write(), "deferred ENTITY_IS_DELETED"),
    "row-field-level-security": (
        write(),
        "rejected INVALID_FIELD_FOR_INSERT_UPDATE X_Report__c X_Name__c Matched__c",
    ),
    "row-foreign-key": (write(), "deferred INVALID_FIELD"),
    "row-lock": (write(), "deferred UNABLE_TO_LOCK_ROW"),
    "row-no-access": (write(), "rejected INSUFFICIENT_ACCESS_OR_READONLY"),
    "row-owner-inactive": (write(), "rejected INACTIVE_OWNER_OR_USER OwnerId"),
    "row-record-type": (write(), "rejected RECORD_TYPE_UNAVAILABLE RecordTypeId"),
    "row-required-missing": (write(), "rejected REQUIRED_FIELD_MISSING LastName"),
    "row-restricted-picklist": (write(), "rejected INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST LeadSource"),
    "row-state-code-not-in-list": (write(), "rejected FIELD_INTEGRITY_EXCEPTION MailingStateCode"),
    "row-state-not-in-list": (write(), "rejected FIELD_INTEGRITY_EXCEPTION MailingState"),
    "row-state-without-country": (write(), "rejected FIELD_INTEGRITY_EXCEPTION MailingState"),
    "row-storage-limit": (write(), "deferred STORAGE_LIMIT_EXCEEDED"),
    "row-text-too-long": (write(), "rejected STRING_TOO_LONG Description"),
    "row-too-many-soql": (write(), "deferred CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"),
    "row-trigger-async-limit": (write(), "deferred CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"),
    "row-trigger-lock": (write(), "deferred CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"),
    "row-twins": (write(), "rejected DUPLICATE_EXTERNAL_ID careCycle_Id__c"),
    "row-unknown-column-on-entity": (write(), "rejected INVALID_FIELD foo__c"),
    "row-upsert-needs-view-all": (write(), "rejected INSUFFICIENT_ACCESS"),
    "row-validation-rule": (write(), "rejected FIELD_CUSTOM_VALIDATION_EXCEPTION Phone"),
    "collections-update-200": (write(2), "delivered; delivered"),
    "collections-update-200-lost-id": (write(), "deferred INVALID_CROSS_REFERENCE_KEY"),
    "collections-update-200-unknown-column": (
        write(2),
        "deferred ALL_OR_NONE_OPERATION_ROLLED_BACK; rejected INVALID_FIELD unknownField_LastName",
    ),
    "collections-upsert-200-json-error-in-row": (write(), "rejected JSON_PARSER_ERROR"),
    "odd-rows-errors-null": (write(), "delivered"),
    "odd-rows-created-missing": (write(), "delivered"),
    "odd-rows-id-null": (write(), f"{ODD} Subject"),
    "odd-rows-fields-null": (write(), ODD),
    "odd-rows-extended-details": (write(), "rejected DUPLICATES_DETECTED"),
    "odd-rows-short-list": (write(), UNKNOWN),
    "200-maintenance-html": (write(), UNKNOWN),
    "302-host-moved": (write(fields=("LastName",), times=1), "delivered (2 logins)"),
    "404-host-gone": (write(), "paused configuration (2 logins)"),
    "401-session-expired": (write(), "paused auth (2 logins)"),
    "401-not-valid-for-rest": (write(), "paused auth"),
    "401-xml": (search(), "paused auth (2 logins)"),
    "401-header-type": (search(), "paused auth (2 logins)"),
    "500-session-expired": (write(), "paused auth (2 logins)"),
    "503-object": (write(), "paused outage"),
    "403-request-limit": (write(), "paused quota 900s"),
    "403-total-requests": (write(), "paused quota 900s"),
    "410-version-gone": (write(), "paused configuration"),
    "query-400-invalid-id": (search(), "rejected UNQUERYABLE Email"),
    "query-400-malformed": (search(), "rejected UNQUERYABLE Email"),
    "query-400-not-filterable": (search(), "rejected UNQUERYABLE Email"),
    "query-400-unknown-object": (search(), "rejected UNQUERYABLE Email"),
    "query-414": (search(), "rejected UNQUERYABLE Email"),
    "query-200": (search("Account", "Name", *COMPANIES), "5 records"),
    "query-200-permission-set": (search("PermissionSet", "Name", "IntegrationCustomFieldVisibility"), "1 records"),
    "describe-200": (DESCRIBED, "described"),
    "describe-404": (DESCRIBED, "no such object"),
    "odd-describe-external-id-null": (DESCRIBED, "described"),
    "odd-describe-length-null": (DESCRIBED, "described"),
    "odd-describe-picklist-null": (DESCRIBED, "described"),
    "odd-describe-picklist-value-null": (DESCRIBED, "described"),
    "token-400-login-rate": (LOGIN, "paused rate 1200s"),
    "token-400-unknown-error": (LOGIN, "paused outage 60s"),
    "token-503-html": (LOGIN, "paused outage"),
    "token-400-activation-secret": (LOGIN, "paused auth 900s"),
    "token-400-authentication-failure": (LOGIN, "paused auth 900s"),
    "token-400-invalid-password": (LOGIN, "paused auth 900s"),
    "composite-200-describe": (Call("/composite", _described_together), "Id IsDeleted MasterRecordId Name"),
    "collections-create-200": (write(2), "delivered; delivered"),
    "collections-create-200-limit-header": (write(), "delivered"),
    "collections-create-200-all-or-none": (
        write(2),
        "rejected REQUIRED_FIELD_MISSING LastName; deferred ALL_OR_NONE_OPERATION_ROLLED_BACK",
    ),
    "collections-update-200-no-ids": (write(2), "rejected MISSING_ARGUMENT; rejected MISSING_ARGUMENT"),
    "collections-400-too-many": (write(), "deferred EXCEEDED_ID_LIMIT"),
    "record-400-field-not-writable": (write(), "rejected INVALID_FIELD_FOR_INSERT_UPDATE MasterRecordId"),
    "record-400-no-column": (write(), "rejected INVALID_FIELD foo"),
    "record-400-unknown-field": (write(), "rejected INVALID_FIELD AccountNumer"),
    "record-404-deleted": (by_id(), "deferred ENTITY_IS_DELETED"),
    "permission-set-assignment-400-duplicate": (Call("/sobjects/PermissionSetAssignment", granted), "done"),
    # Of calls that we do not make: one record at a time, and no record at all. Nothing is taken for written.
    "collections-400-no-records": (write(), "rejected REQUIRED_FIELD_MISSING"),
    "record-201": (write(), UNKNOWN),
    "upsert-201": (write(), UNKNOWN),
    "upsert-300": (write(), "rejected HTTP_300"),
    "upsert-400-duplicate-single": (write(), "rejected DUPLICATES_DETECTED"),
    "upsert-404-external-id-field": (write(), "rejected NOT_FOUND"),
}
"""By the name of the reply, without the CRM's. Every other refused login is a matter of credentials."""

SAYS = {
    "activation-secret": '"activation secret invalid"',
    "app-access": "admit the user",
    "audience-invalid": "domain to login for production, or to test for a sandbox or scratch org",
    "authentication-failure": "or the org blocks this flow",
    "bad-key": "check client_id",
    "bad-secret": "client_secret",
    "expired-token": "the token expired",
    "flow-off": "select Enable Client Credentials Flow",
    "grant-off": "enable it in the app, and use the org's My Domain",
    "inactive-user": "activate the user",
    "invalid-assertion": "clock",
    "invalid-password": '"authentication failure - Invalid Password"',
    "ip-restricted": "IP ranges",
    "login-rate": "wait",
    "no-run-as-user": "choose one in the app's policies",
    "no-valid-scopes": "add the scope Manage user data via APIs (api)",
    "not-approved": "with a permission set",
    "unknown-error": "wait",
    "wrong-domain": "My Domain",
}
"""What each refused login tells people to do, by the name of the reply without its beginning."""

ROW_SAYS = {
    "row-duplicate-rule-block": "also_match",
    "row-duplicate-value-unknown": "hidden from the connector's user",
    "row-cross-reference-access": "access to that record",
    "row-record-type": "record type",
    "row-upsert-needs-view-all": "select Unique on the key field",
    "row-storage-limit": "no new record can be created",
}
"""What people are told about a record that is not written, where its code alone does not say it."""


def expectation(name: str) -> tuple[Call, str] | None:
    refused = (LOGIN, "paused auth") if name.startswith("token-400-") else None
    return EXPECTED.get(name, refused)


def named(replies: Sequence[Recorded]) -> list[str]:
    return [reply.name for reply in replies]


def short(reply: Recorded) -> str:
    return reply.name.removeprefix("salesforce-")


THEIRS = recorded("salesforce")
APART = {"token-200", "token-200-2010", "query-200-page-1", "query-200-page-2", "query-200-page-3"}
"""Replies that have tests of their own: they are parts of a longer exchange."""


def theirs(name: str) -> Recorded:
    return next(reply for reply in THEIRS if short(reply) == name)


@pytest.mark.parametrize("reply", CORPUS, ids=named(CORPUS))
def test_a_reply_of_our_own_comes_out_as_it_should(reply: Recorded) -> None:
    call_and_outcome = expectation(short(reply))
    assert call_and_outcome is not None
    call, outcome = call_and_outcome
    assert call.outcome(reply) == outcome


@pytest.mark.skipif(not THEIRS, reason=MISSING)
class TestRecordedReplies:
    @pytest.mark.parametrize("reply", THEIRS, ids=named(THEIRS))
    def test_it_comes_out_as_its_index_says(self, reply: Recorded) -> None:
        if call_and_outcome := expectation(short(reply)):
            call, outcome = call_and_outcome
            assert call.outcome(reply) == outcome

    def test_each_of_them_has_an_expectation_and_each_expectation_a_reply(self) -> None:
        names = {short(reply) for reply in THEIRS}
        assert {name for name in names if not expectation(name)} == APART
        assert set(EXPECTED) <= names
        assert {f"token-400-{name}" for name in SAYS} == {name for name in names if name.startswith("token-400-")}

    def test_a_query_is_read_to_its_end(self) -> None:
        with sandbox_and_destination(client_credentials()) as (sandbox, salesforce):
            for number in (1, 2, 3):
                sandbox.fault(QUERY, theirs(f"query-200-page-{number}").response())
            answers = salesforce.find("Account", "Name", COMPANIES, ()).values()
            assert sum(len(answer) for answer in answers if isinstance(answer, list)) == 9
            assert [call.path.rpartition("/")[2] for call in sandbox.calls(QUERY)[1:]] == [
                "0r8xx0000000020AAA-1000",
                "0r8xx0000000020AAA-2000",
            ]

    @pytest.mark.parametrize("name", ["token-200", "token-200-2010"])
    def test_a_session_is_used_at_the_address_it_names(self, name: str) -> None:
        with sandbox_and_destination(client_credentials()) as (sandbox, salesforce):
            sandbox.fault(TOKEN, theirs(name).response())
            sandbox.fault(WRITE, theirs("collections-create-200-limit-header").response())
            write().ask(salesforce)
            (call,) = sandbox.calls(WRITE)
            authorization = call.headers["Authorization"]
            assert (call.host, authorization) == ("acme.my.salesforce.com", "Bearer 00Dxx0000000001!made.up.token")
            assert salesforce.usage == (8, 15000)

    @pytest.mark.parametrize(("name", "says"), SAYS.items())
    def test_a_refused_login_says_what_to_do(self, name: str, says: str) -> None:
        with sandbox_and_destination(client_credentials()) as (sandbox, salesforce):
            sandbox.fault(TOKEN, theirs(f"token-400-{name}").response())
            with pytest.raises(DestinationUnusable) as paused:
                write().ask(salesforce)
            assert says in str(paused.value)

    @pytest.mark.parametrize(("name", "says"), ROW_SAYS.items())
    def test_a_refused_record_says_what_to_do(self, name: str, says: str) -> None:
        with sandbox_and_destination() as (sandbox, salesforce):
            sandbox.fault(WRITE, theirs(name).response(), times=ALWAYS)
            row = Row(RecordKey("Task", "careCycle_Call_Id__c", "c-1"), dict.fromkeys(FIELDS, "x"))
            why = salesforce.write([row])[0].refusal
            assert says in f"{why.cause}: {why.action}"
