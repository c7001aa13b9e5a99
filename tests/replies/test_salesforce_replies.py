"""Every reply of Salesforce comes out as the index of the recorded replies says, in our own corpus and in theirs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from connector.destinations.base import Outcome, Row
from connector.destinations.salesforce.account import Salesforce
from connector.errors import DestinationUnusable
from connector.model import RecordKey
from tests.destinations.salesforce_fixtures import client_credentials, sandbox_and_destination
from tests.replies.salesforce_corpus import CORPUS
from tests.replies.shared import MISSING, Recorded, recorded

ALWAYS = 99
TOKEN, WRITE, QUERY, DESCRIBE = "/oauth2/token", "/composite/sobjects", "/query", "/describe"
FIELDS = (
    *("LastName", "LeadSource", "Description", "Phone", "Subject", "OwnerId", "RecordTypeId", "MailingState"),
    *("MailingCountry", "MailingStateCode", "Other__c", "foo__c", "X_Report__c", "X_Name__c", "Matched__c"),
    "unknownField_LastName",
)


@dataclass(frozen=True)
class Call:
    """A call of ours that a reply answers. times: how often it does, before the sandbox answers itself."""

    path: str
    ask: Callable[[Salesforce], str]
    times: int = ALWAYS

    def outcome(self, reply: Recorded) -> str:
        """What our side makes of the reply, and how many logins that took if it took more than one."""
        with sandbox_and_destination(client_credentials()) as (sandbox, salesforce):
            sandbox.fault(self.path, reply.response(), times=self.times)
            try:
                said = self.ask(salesforce)
            except DestinationUnusable as error:
                wait = "" if error.retry_after is None else f" {error.retry_after:g}s"
                said = f"paused {error.reason}{wait}"
            logins = len(sandbox.calls(TOKEN))
            return said if logins == 1 else f"{said} ({logins} logins)"


def _in_words(outcome: Outcome) -> str:
    return " ".join([outcome.verdict, *filter(None, [outcome.code]), *outcome.fields])


def write(count: int = 1, times: int = ALWAYS, kind: str = "Contact", fields: Sequence[str] = FIELDS) -> Call:
    rows = [Row(RecordKey(kind, "careCycle_Id__c", f"c-{n}"), dict.fromkeys(fields, "x")) for n in range(count)]
    return Call(WRITE, lambda salesforce: "; ".join(map(_in_words, salesforce.write(rows))), times)


def search(field: str = "Email", times: int = ALWAYS) -> Call:
    def ask(salesforce: Salesforce) -> str:
        (answer,) = salesforce.find("Contact", field, ["ada@example.org"], ()).values()
        return _in_words(answer) if isinstance(answer, Outcome) else f"{len(answer)} records"

    return Call(QUERY, ask, times)


def _described(salesforce: Salesforce) -> str:
    fields = salesforce.describe(["Contact"]).objects.get("Contact")
    return "no such object" if fields is None else "described"


DESCRIBED = Call(DESCRIBE, _described)
LOGIN = Call(TOKEN, write().ask)
UNKNOWN = "deferred UNREADABLE_REPLY"
ODD = "rejected STRING_TOO_LONG"

EXPECTED: dict[str, tuple[Call, str]] = {
    "row-converted-lead": (write(kind="Lead"), "rejected CANNOT_UPDATE_CONVERTED_LEAD"),
    "row-country-not-in-list": (write(), "rejected FIELD_INTEGRITY_EXCEPTION MailingCountry"),
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
    "query-200": (search(), "0 records"),
    "describe-200": (DESCRIBED, "described"),
    "describe-404": (DESCRIBED, "no such object"),
    "odd-describe-external-id-null": (DESCRIBED, "described"),
    "odd-describe-length-null": (DESCRIBED, "described"),
    "odd-describe-picklist-null": (DESCRIBED, "described"),
    "odd-describe-picklist-value-null": (DESCRIBED, "described"),
    "token-400-login-rate": (LOGIN, "paused rate 1200s"),
    "token-400-unknown-error": (LOGIN, "paused outage 60s"),
    "token-503-html": (LOGIN, "paused outage"),
}
"""By the name of the reply, without the CRM's. Every other refused login is a matter of credentials."""


def expectation(name: str) -> tuple[Call, str] | None:
    refused = (LOGIN, "paused auth") if name.startswith("token-400-") else None
    return EXPECTED.get(name, refused)


def named(replies: Sequence[Recorded]) -> list[str]:
    return [reply.name for reply in replies]


def short(reply: Recorded) -> str:
    return reply.name.removeprefix("salesforce-")


THEIRS = recorded("salesforce")


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
        call_and_outcome = expectation(short(reply))
        if call_and_outcome is not None:
            call, outcome = call_and_outcome
            assert call.outcome(reply) == outcome
            return
        for call in (write(2), search(), DESCRIBED):  # we never ask there: nothing may be taken for written
            assert "delivered" not in call.outcome(reply) or short(reply).startswith(("collections-create", "odd"))

    def test_every_expectation_is_about_a_reply(self) -> None:
        assert set(EXPECTED) <= {short(reply) for reply in THEIRS}
