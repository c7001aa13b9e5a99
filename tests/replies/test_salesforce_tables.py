"""Every row of Salesforce's tables of refusals, and every endpoint that is used, has a reply of our own."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from flask import Response, request

from connector.destinations.provision import Making, Step
from connector.destinations.salesforce import account, search_rules
from connector.destinations.salesforce.account import Salesforce
from connector.destinations.salesforce.api_error import ApiError, entries, read
from connector.destinations.salesforce.errors import rule_for
from connector.destinations.salesforce.login_refusals import REFUSALS, refusal_for
from connector.destinations.salesforce.provision_access import PERMISSION_SET
from connector.destinations.salesforce.rules import RULES, UNKNOWN, UNKNOWN_FAULT, UNKNOWN_REPLY
from connector.destinations.salesforce.settings import VERSION
from connector.mapping.demands import Demand
from connector.mapping.target import TargetField
from connector.sandbox.salesforce import SalesforceSandbox
from tests.destinations.salesforce_fixtures import client_credentials, sandbox_and_destination
from tests.replies.salesforce_corpus import CORPUS, PAGE, login, records, row, whole
from tests.replies.shared import Recorded, as_reply
from tests.replies.test_salesforce_replies import (
    TOKEN,
    WRITE,
    Call,
    expectation,
    granted,
    search,
    short,
    write,
)

KEY: Final = "careCycle_Id__c"
LOGIN: Final = Call(TOKEN, write().ask)
MERGED: Final = [
    {"Id": "003Hb0000000001AAA", "IsDeleted": True, "MasterRecordId": "003Hb0000000002AAA"},
    {"Id": "003Hb0000000002AAA", "IsDeleted": False, "MasterRecordId": None},
]
NEW_FIELD: Final = Demand("Contact", "Pier__c", TargetField(type="string"), 1)

OF_ONE_ROW: Final[dict[str, tuple[str, tuple[str, ...], str]]] = {
    "DUPLICATE_VALUE": ("Duplicate external id specified: c-7", (), "deferred DUPLICATE_VALUE"),
    "UNKNOWN_EXCEPTION": ("no", (), "deferred UNKNOWN_EXCEPTION"),
    "INVALID_LOGIN": ("no", (), "paused auth"),
    "INVALID_CROSS_REFERENCE_KEY": ("invalid cross reference id", ("OwnerId",), "rejected {} OwnerId"),
    "ENTITY_IS_LOCKED": ("no", (), "deferred {}"),
    "PROCESSING_HALTED": ("no", (), "deferred {}"),
    "INVALID_EXTERNAL_ID_FIELD_NAME": ("no", (), "rejected {}"),
    "JSON_PARSER_ERROR": ("no", (), "rejected {}"),
    "MALFORMED_ID": ("no", ("OwnerId",), "rejected {} OwnerId"),
    "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY": ("no", (), "rejected {}"),
    "MISSING_ARGUMENT": ("no", (), "rejected {}"),
    "MAX_TASK_DESCRIPTION_EXCEEEDED": ("no", (), "rejected {} Description"),
    "INVALID_EMAIL_ADDRESS": ("no", ("Phone",), "rejected {} Phone"),
    "NUMBER_OUTSIDE_VALID_RANGE": ("no", ("Phone",), "rejected {} Phone"),
    "INVALID_TYPE_ON_FIELD_IN_RECORD": ("no", ("Phone",), "rejected {} Phone"),
    "TEXT_DATA_OUTSIDE_SUPPORTED_CHARSET": ("no", ("Phone",), "rejected {} Phone"),
    "CANNOT_EXECUTE_FLOW_TRIGGER": ("Pier", (), "rejected {}"),
    "ENTITY_IS_ARCHIVED": ("no", (), "rejected {}"),
    "INVALID_PERSON_ACCOUNT_OPERATION": ("no", ("LastName",), "rejected {} LastName"),
    "SOMETHING_NEW": ("no", (), "rejected {}"),
}
REFUSED: Final[dict[str, tuple[tuple[int, Any], Call, str]]] = {
    **{
        code: (row(code, says, *fields), write(), said.format(code))
        for code, (says, fields, said) in OF_ONE_ROW.items()
    },
    "api-disabled": (whole(403, "API_DISABLED_FOR_ORG", "no"), write(), "paused auth"),
    "concurrent": (whole(403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn"), write(), "paused busy 30s"),
    "read-only": (whole(400, "INVALID_READ_ONLY_USER_DML", "no"), write(), "paused maintenance 300s"),
    "moved": ((302, ""), write(), "paused unreachable (2 logins)"),
    "blocked": ((403, PAGE), write(), "paused auth"),
    "form": (whole(405, "METHOD_NOT_ALLOWED", "no"), write(), "paused request"),
    "fault": ((507, PAGE), write(), "paused outage"),
    "foreign": ((400, PAGE), write(), "paused reply"),
    "locator": (whole(400, "INVALID_QUERY_LOCATOR", "no"), search(), "deferred INVALID_QUERY_LOCATOR"),
    "app-unauthorized": (login("unauthorized_client", "no"), LOGIN, "paused auth"),
    "user-inactive": (login("inactive_user", "no"), LOGIN, "paused auth"),
    "org-inactive": (login("inactive_org", "no"), LOGIN, "paused auth"),
}


def fates(salesforce: Salesforce) -> str:
    ids = [str(own["Id"]) for own in MERGED]
    where = {crm_id[14]: now and now[14] for crm_id, now in salesforce.survivors("Contact", ids).items()}
    return "; ".join(f"{crm_id[14]} {where.get(crm_id[14], 'unknown')}" for crm_id in ids)


def seen_but_not_edited(sandbox: SalesforceSandbox) -> None:
    ours = sandbox.put("PermissionSet", Name=PERMISSION_SET, Label="careCycle")["Id"]
    rights = {"PermissionsRead": True, "PermissionsEdit": False}
    sandbox.put("FieldPermissions", ParentId=ours, SobjectType="Contact", Field="Contact.DoNotCall", **rights)


def planned(salesforce: Salesforce) -> str:
    plan = salesforce.provisioner().plan({"Contact": {"Pier__c": NEW_FIELD}})
    return " ".join(step.making for step in plan.steps)


def created(salesforce: Salesforce) -> str:
    problem = salesforce.provisioner().apply([Step(Making.FIELD, NEW_FIELD, "")])[0].problem
    return f"refused: {problem.rpartition('(')[2].rstrip(')')}"


def user_unknown(salesforce: Salesforce) -> str:
    return "not granted" if "may not grant" in granted(salesforce) else "granted"


UNEND: Final = {"done": False, "nextRecordsUrl": f"/services/data/v{VERSION}/query/0r8Hb0000000001AAA-2000"}
ANSWERED: Final[dict[str, tuple[tuple[int, Any], Call, str]]] = {
    "pages": ((200, records("Account", "Pier 7") | UNEND), search("Account", "Name", "Pier 7"), "1 records"),
    "merged": ((200, {"done": True, "records": MERGED}), Call("/queryAll", fates), "1 2; 2 2"),
    "hidden": (
        (200, {"records": [{"QualifiedApiName": "Pier__c"}]}),
        Call("/tooling/query", planned),
        "field permission",
    ),
    "field-refused": (
        whole(400, "FIELD_INTEGRITY_EXCEPTION", "no"),
        Call("/tooling/sobjects/CustomField", created),
        "refused: FIELD_INTEGRITY_EXCEPTION",
    ),
    "rules": (
        (200, {"records": [{"SobjectType": "Contact", "MasterLabel": "Pier"}]}),
        Call("/query", lambda org: str(org.provisioner().duplicate_rules(["Contact"]))),
        "{'Contact': ['Pier']}",
    ),
    "edited": ((204, ""), Call("/sobjects/FieldPermissions/", granted, before=seen_but_not_edited), "done"),
    "user": ((200, {}), Call(f"/services/data/v{VERSION}/", user_unknown, ends=True), "not granted"),
    "deleted-together": (
        (200, [{"id": MERGED[0]["Id"], "success": True, "errors": []}]),
        Call("/composite/sobjects", lambda org: str(org.bench().delete_all("Contact", [str(MERGED[0]["Id"])]))),
        "{'003Hb0000000001AAA': ''}",
    ),
    "objects": (
        (200, {"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": [{"name": "Task", "queryable": True}]}),
        Call(
            f"/services/data/v{VERSION}/sobjects",
            lambda org: str(org.bench().touched("Contact", [str(MERGED[0]["Id"])])),
            ends=True,
        ),
        "{}",
    ),
    "deleted": ((204, ""), Call("/sobjects/Contact/", lambda org: org.bench().delete("Contact", MERGED[0]["Id"])), ""),
}
FURTHER: Final = {
    name: (as_reply(name, *reply, content_type="text/html" if reply[1] is PAGE else "application/json"), call, said)
    for name, (reply, call, said) in (REFUSED | ANSWERED).items()
}
OURS: Final = {short(reply): (reply, *case) for reply in CORPUS if (case := expectation(short(reply)))} | FURTHER


@pytest.mark.parametrize("name", FURTHER)
def test_a_reply_comes_out_as_the_table_says(name: str) -> None:
    reply, call, expected = FURTHER[name]
    assert call.outcome(reply) == expected


def test_every_rule_has_a_reply() -> None:
    errors = [error for reply, _, _ in OURS.values() for error in errors_of(reply)]
    assert {UNKNOWN, UNKNOWN_FAULT, UNKNOWN_REPLY, *RULES} <= {rule_for(error, KEY) for error in errors}
    assert set(search_rules.RULES) <= {search_rules.rule_for(error) for error in errors}


def test_every_refused_login_has_a_reply() -> None:
    bodies = [json_of(reply) for reply, _, _ in OURS.values()]
    refused = [body for body in bodies if isinstance(body, dict) and "error" in body]
    assert set(REFUSALS) <= {refusal_for(body["error"], body["error_description"]) for body in refused}


def errors_of(reply: Recorded) -> Iterator[ApiError]:
    """The errors of a whole reply, or of its rows."""
    body = json_of(reply)
    if reply.status != 200:
        yield read(reply.status, body)
    elif isinstance(body, list):
        yield from (read(200, problems) for own in entries(body) if (problems := entries(own.get("errors"))))


def json_of(reply: Recorded) -> Any:
    try:
        return json.loads(reply.body)
    except ValueError:
        return reply.body.decode()


@pytest.mark.slow
def test_every_endpoint_has_a_reply() -> None:
    answered = {request for reply, call, _ in OURS.values() for request in requests_answered(reply, call)}
    patterns = {
        text: re.compile(text) for text in (*endpoints(), f"POST .*{TOKEN}", f"PATCH .*{WRITE}/.*", "GET .*/queryAll/")
    }
    assert len(patterns) > 12
    assert [text for text, pattern in patterns.items() if not any(map(pattern.fullmatch, answered))] == []


def requests_answered(reply: Recorded, call: Call) -> set[str]:
    """The methods and paths of the requests that the reply is given to."""
    answered: set[str] = set()

    def answer(_: object) -> Response:
        answered.add(f"{request.method} {request.path}")
        return reply.response()

    with sandbox_and_destination(client_credentials()) as (sandbox, salesforce):
        call.said(sandbox, salesforce, reply, answer)
    return answered


def endpoints() -> Iterator[str]:
    """A pattern of every endpoint that the package calls by name."""
    for module in Path(account.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(module.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "call" and len(node.args) == 2:
                method, path = node.args
                if isinstance(method, ast.Constant) and isinstance(path, ast.Constant | ast.JoinedStr):
                    parts = path.values if isinstance(path, ast.JoinedStr) else [path]
                    texts = (re.escape(part.value) if isinstance(part, ast.Constant) else ".+" for part in parts)
                    yield f"{method.value} /services/data/v{re.escape(VERSION)}/{''.join(texts)}"
