"""The HubSpot sandbox answers in the shapes that were recorded: whatever a recorded reply has, its reply has too."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
import requests

from connector.sandbox.hubspot import SCOPES, HubSpotSandbox
from tests.replies.shared import MISSING, recorded

RECORDED = {reply.name.removeprefix("hubspot-"): reply for reply in recorded("hubspot")}
CONTACTS, PROPERTIES = "/crm/v3/objects/contacts", "/crm/v3/properties/contacts"
UNSUBSCRIBE: Final = "/communication-preferences/v4/statuses/grace@example.org/unsubscribe-all?channel=EMAIL"


def inputs(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"inputs": list(rows)}


def new(address: str, **more: Any) -> dict[str, Any]:
    return {"properties": {"email": address}, **more}


ADA, GRACE = "ada@example.org", "grace@example.org"
REQUESTS: Final[dict[str, tuple[str, str, Any]]] = {
    "owners-200": ("GET", "/crm/v3/owners", None),
    "contacts-properties-200": ("GET", PROPERTIES, None),
    "property-create-409-exists": (
        "POST",
        PROPERTIES,
        {"name": "city", "label": "City", "type": "string", "fieldType": "text", "groupName": "contactinformation"},
    ),
    "property-read-404": ("GET", f"{PROPERTIES}/pier", None),
    "account-info-200": ("GET", "/account-info/v3/details", None),
    "integrations-me-200": ("GET", "/integrations/v1/me", None),
    "contacts-search-page-1": ("POST", f"{CONTACTS}/search", {"limit": 1, "properties": ["city"], "filterGroups": []}),
    "contacts-batch-create-201": ("POST", f"{CONTACTS}/batch/create", inputs(new("kim@example.org"))),
    "contacts-batch-create-409-no-id": ("POST", f"{CONTACTS}/batch/create", inputs(new(ADA))),
    "contacts-batch-create-207-conflict": (
        "POST",
        f"{CONTACTS}/batch/create",
        inputs(new(ADA, objectWriteTraceId="0"), new("kim@example.org", objectWriteTraceId="1")),
    ),
    "contacts-batch-create-400-unknown-properties": (
        "POST",
        f"{CONTACTS}/batch/create",
        inputs({"properties": {"frist_name": "Ada"}}),
    ),
    "contacts-batch-update-207-missing-id": (
        "POST",
        f"{CONTACTS}/batch/update",
        inputs(
            {"id": "ONE", "properties": {"city": "Mesa"}, "objectWriteTraceId": "0"},
            {"id": "7", "properties": {"city": "Mesa"}, "objectWriteTraceId": "1"},
        ),
    ),
    "contacts-batch-update-400-duplicate-ids": (
        "POST",
        f"{CONTACTS}/batch/update",
        inputs({"id": "ONE", "properties": {}}, {"id": "ONE", "properties": {}}),
    ),
    "companies-batch-upsert-200-2026-09": (
        "POST",
        f"{CONTACTS}/batch/upsert",
        inputs({"id": ADA, "idProperty": "email", "properties": {"city": "Mesa"}, "objectWriteTraceId": "first"}),
    ),
    "associations-default-200": (
        "POST",
        "/crm/v4/associations/0-1/0-2/batch/associate/default",
        inputs({"from": {"id": "ONE"}, "to": {"id": "TWO"}}),
    ),
    "unsubscribe-all-get-200-empty": ("GET", UNSUBSCRIBE, None),
    "search-400-unknown-object": ("POST", "/crm/v3/objects/moths/search", {}),
    "401": ("GET", "/crm/v3/owners", "no token"),
    "403-scopes-nested": ("GET", "/crm/v3/owners", "no scope"),
}


@pytest.mark.skipif(not RECORDED, reason=MISSING)
@pytest.mark.parametrize("name", REQUESTS)
def test_a_reply_has_whatever_the_recorded_one_has(name: str) -> None:
    method, path, body = REQUESTS[name]
    sandbox = HubSpotSandbox(index_lag=0.0, scopes=() if body == "no scope" else SCOPES)
    ids = {"ONE": sandbox.put("contacts", email=ADA), "TWO": sandbox.put("companies", name="Pier")}
    sandbox.put("contacts", email=GRACE)
    sent = json.dumps(body)
    for word, crm_id in ids.items():
        sent = sent.replace(word, crm_id)
    token = "none" if body == "no token" else sandbox.token
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    with sandbox as url:
        reply = requests.request(
            method, url + path, data=sent if method == "POST" else None, headers=headers, timeout=60
        )
    theirs = RECORDED[name]
    assert reply.status_code == theirs.status
    assert shape(json.loads(theirs.body)) - shape(reply.json()) == set()
    assert {header for header in theirs.headers if header.startswith("x-hubspot-")} <= {*map(str.lower, reply.headers)}


def shape(value: Any, way: str = "") -> set[str]:
    """The parts of a JSON value with their types: of a list, those of all its entries; of a record, not its values."""
    parts: set[str] = set()
    if isinstance(value, list) and value:
        parts = set.intersection(*(shape(part, f"{way}[]") for part in value))
    elif isinstance(value, dict) and not way.endswith("[].properties"):
        parts = set().union(*(shape(part, f"{way}.{name}") for name, part in value.items()))
    return {f"{way}: {type(value).__name__}"} | parts
