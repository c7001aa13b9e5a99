"""The Salesforce sandbox answers in the shapes that were recorded, errors with the recorded codes."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
import requests

from connector.sandbox.salesforce import CLIENT, SalesforceSandbox
from tests.replies.shared import MISSING, recorded
from tests.replies.test_sandbox_shapes import shape

RECORDED = {reply.name.removeprefix("salesforce-"): reply for reply in recorded("salesforce")}
COLLECTION, BY_KEY = "composite/sobjects", "composite/sobjects/Contact/careCycle_Id__c"
LOST = "003Hs0000009999IAA"


def rows(*records: dict[str, Any], all_or_none: bool = False, kind: str = "Contact") -> dict[str, Any]:
    return {"allOrNone": all_or_none, "records": [{"attributes": {"type": kind}, **record} for record in records]}


def keyed(**fields: Any) -> dict[str, Any]:
    return rows({"careCycle_Id__c": "c-1", "LastName": "Ada"} | fields)


def query(text: str) -> tuple[str, str, None]:
    return "GET", f"query?q={text}", None


def login(**changes: str) -> tuple[str, str, dict[str, str]]:
    given = {"grant_type": "client_credentials", "client_id": CLIENT[0], "client_secret": CLIENT[1]}
    return "LOGIN", "", given | changes


REQUESTS: Final[dict[str, tuple[str, str, Any]]] = {
    "collections-create-200": ("POST", COLLECTION, rows({"LastName": "Kim"}, {"LastName": "Bo"})),
    "collections-create-200-all-or-none": (
        "POST",
        COLLECTION,
        rows({"FirstName": "Kim"}, {"LastName": "Bo"}, all_or_none=True),
    ),
    "collections-create-200-limit-header": ("POST", COLLECTION, rows({"LastName": "Kim"})),
    "collections-400-no-records": ("POST", COLLECTION, rows()),
    "collections-400-too-many": ("POST", COLLECTION, rows(*[{"LastName": "Kim"}] * 201)),
    "collections-update-200": ("PATCH", COLLECTION, rows({"id": "ONE", "LastName": "Bo"})),
    "collections-update-200-unknown-column": (
        "PATCH",
        COLLECTION,
        rows({"id": "TWO", "LastName": "Bo"}, {"id": "ONE", "unknownField_LastName": "Bo"}, all_or_none=True),
    ),
    "collections-update-200-no-ids": ("PATCH", COLLECTION, rows({"LastName": "Bo"}, {"LastName": "Bo"})),
    "collections-update-200-lost-id": ("PATCH", COLLECTION, rows({"id": LOST, "LastName": "Bo"})),
    "describe-200": ("GET", "sobjects/Account/describe", None),
    "describe-404": ("GET", "sobjects/Nope__c/describe", None),
    "composite-200-describe": (
        "POST",
        "composite",
        {
            "compositeRequest": [
                {"method": "GET", "url": f"/services/data/v67.0/sobjects/{name}/describe", "referenceId": name}
                for name in ("Account", "Contact")
            ]
        },
    ),
    "query-200": query("SELECT Id, Name FROM Contact"),
    "query-200-page-1": query("SELECT Id, Name, CreatedDate, LastModifiedDate, Description FROM Contact"),
    "query-400-malformed": query("SELECT made-up FROM"),
    "query-400-unknown-object": query("SELECT Id FROM Accout"),
    "query-400-invalid-id": query("SELECT Id FROM Contact WHERE Id IN ('no-id')"),
    "query-400-not-filterable": query("SELECT Id FROM Contact WHERE Description IN ('x')"),
    "record-201": ("POST", "sobjects/Contact", {"LastName": "Kim"}),
    "record-400-unknown-field": ("POST", "sobjects/Contact", {"LastName": "Kim", "Nope__c": "x"}),
    "record-400-no-column": ("POST", "sobjects/Contact", {"LastName": "Kim", "Nope__c": "x"}),
    "record-404-deleted": ("DELETE", "sobjects/Contact/DEAD", None),
    "upsert-201": ("PATCH", "sobjects/Contact/careCycle_Id__c/c-9", {"LastName": "Kim"}),
    "upsert-404-external-id-field": ("PATCH", "sobjects/Contact/Namez__c/1", {"LastName": "Kim"}),
    "row-required-missing": ("PATCH", BY_KEY, keyed(LastName=None)),
    "row-text-too-long": ("PATCH", BY_KEY, keyed(LastName="x" * 99)),
    "401-session-expired": ("PATCH", BY_KEY, "no session"),
    "token-200": login(),
    "token-400-bad-key": login(client_id="nobody"),
    "token-400-bad-secret": login(client_secret="wrong"),
}


@pytest.mark.skipif(not RECORDED, reason=MISSING)
@pytest.mark.parametrize("name", REQUESTS)
def test_a_reply_has_whatever_the_recorded_one_has(name: str) -> None:
    method, path, body = REQUESTS[name]
    sandbox = SalesforceSandbox(page=2)
    ids = {word: sandbox.put("Contact", LastName=word)["Id"] for word in ("ONE", "TWO", "DEAD")}
    for last_name in ("Kim", "Bo"):
        sandbox.put("Contact", LastName=last_name)
    sandbox.delete(ids["DEAD"])
    sent = json.dumps(body)
    for word, crm_id in ids.items():
        sent, path = sent.replace(word, crm_id), path.replace(word, crm_id)
    token = "none" if body == "no session" else sandbox.token
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    with sandbox as url:
        if method == "LOGIN":
            reply = requests.post(
                f"{url}/services/oauth2/token", data=body, headers={"Host": "x.my.salesforce.com"}, timeout=60
            )
        else:
            given = sent if method in ("POST", "PATCH") else None
            reply = requests.request(
                method, f"{url}/services/data/v67.0/{path}", data=given, headers=headers, timeout=60
            )
    theirs = RECORDED[name]
    assert reply.status_code == theirs.status
    assert {
        part for part in shape(json.loads(theirs.body)) - shape(reply.json()) if ".httpHeaders." not in part
    } == set()
    assert codes(json.loads(theirs.body)) <= codes(reply.json())


def codes(value: Any) -> set[str]:
    """The error codes anywhere in a reply."""
    parts = value if isinstance(value, list) else [*value.values()] if isinstance(value, dict) else []
    own = (
        {value[name] for name in ("statusCode", "errorCode", "error") if name in value}
        if isinstance(value, dict)
        else set()
    )
    return own.union(*map(codes, parts))
