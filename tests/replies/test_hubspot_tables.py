"""Every row of HubSpot's tables of refusals, and every endpoint that is used, has a reply of our own."""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any, Final

import pytest
from flask import Response, request

from connector.destinations import hubspot as package
from connector.destinations.hubspot.account import HubSpot
from connector.destinations.hubspot.calls import Path
from connector.destinations.hubspot.errors import POLICIES, PROBLEMS, TROUBLES
from connector.destinations.hubspot.settings import VERSION
from tests.destinations.hubspot_fixtures import a_contact, sandbox_and_destination
from tests.replies.hubspot_corpus import CORPUS, OURS, half, listed
from tests.replies.shared import Recorded, as_reply
from tests.replies.test_hubspot_replies import ONE, TWO, Call, answering, cases, provision, unsubscribe, write

OF_VALUES: Final = (
    *("READ_ONLY_VALUE", "INVALID_INTEGER", "INVALID_LONG", "INVALID_DECIMAL", "INVALID_DATE"),
    "PROPERTY_VALUE_TOO_LONG",
)
FOR_LATER: Final = ("RATE_LIMITS", "INTERNAL_ERROR", "SERVICE_UNAVAILABLE", "TIMEOUT", "LOCKED")
PAUSES: Final = {
    302: "reply",
    407: "network",
    408: "outage",
    418: "reply (HTTP 418)",
    423: "locked 2s",
    425: "outage",
    477: "maintenance 3600s",
    500: "outage",
    522: "outage",
    525: "outage",
    526: "outage",
    530: "auth",
}
RECORD: Final = {"id": "45001", "properties": {"email": "ada@example.org", "firstname": "Ada"}, "archived": False}
IGNORED: Final = {"category": "X", "message": "no", "context": {"propertyName": ["do_not_call"]}}
FLAGGED: Final = {**RECORD, "objectWriteTraceId": "0", "properties": {"do_not_call": ""}, "warnings": [IGNORED]}
PROPERTY: Final = {"name": "carecycle_trial", "type": "string", "fieldType": "text", "hasUniqueValue": True}


def listing(*results: Any) -> dict[str, Any]:
    return {"results": list(results)}


def looked_up(*addresses: str) -> Call:
    def ask(hubspot: HubSpot) -> str:
        records = hubspot.find("contacts", "email", addresses, ["firstname"]).values()
        return "; ".join(
            " ".join(one.id for one in found) if isinstance(found, list) else found.code for found in records
        )

    return Call(answering("/batch/read"), ask)


def of_trial(path: str, method: str, ask: Any) -> Call:
    """A call of a trial's."""
    return Call(answering(path, method), lambda hubspot: str(ask(hubspot.bench())))


def attached_to_a_new_one(hubspot: HubSpot) -> str:
    (made,) = hubspot.write([a_contact("c-0", firstname="Ada")])
    (seen,) = hubspot.bench().touched("contacts", [str(made.id)]).values()
    return str(bool(seen.attached))


def stages_of_deals(hubspot: HubSpot) -> str:
    stage = hubspot.describe(["deals"]).objects["deals"].fields["dealstage"]
    return "; ".join(f"{option.value} {option.pipeline}" for option in stage.options)


REFUSED: Final[dict[str, tuple[int, Any, Call, str]]] = {
    **{
        code: (207, half(message=listed(code, "visits")), TWO, f"delivered; rejected {code} visits")
        for code in OF_VALUES
    },
    **{code: (207, half(category=code, message="no"), TWO, f"delivered; deferred {code}") for code in FOR_LATER},
    **{f"status-{status}": (status, {"message": "no"}, ONE, f"paused {why}") for status, why in PAUSES.items()},
    "413": (413, "", ONE, "rejected HTTP_413"),
    "duplicate-ids": (
        400,
        {"category": "VALIDATION_ERROR", "message": "Duplicate IDs found in batch input: [7]. IDs must be unique"},
        ONE,
        "rejected DUPLICATE_ID",
    ),
    "flag-ignored": (
        200,
        listing(FLAGGED),
        write(a_contact("c-0", do_not_call=True, consent=frozenset({"do_not_call"}))),
        "deferred VALUE_IGNORED do_not_call",
    ),
    "unsubscribe-403": (403, {"category": "MISSING_SCOPES"}, unsubscribe("POST"), "UNSUBSCRIBE_SCOPE"),
}
ANSWERED: Final[dict[str, tuple[int, Any, Call, str]]] = {
    "read-200": (200, listing(RECORD), looked_up("ada@example.org"), "45001"),
    "read-207": (
        207,
        listing(RECORD) | {"errors": [{"category": "OBJECT_NOT_FOUND", "context": {"ids": ["kim@example.org"]}}]},
        looked_up("ada@example.org", "kim@example.org"),
        "45001; ",
    ),
    "group-409": (
        409,
        {"category": "OBJECT_ALREADY_EXISTS"},
        Call(answering("/groups", "POST"), provision("POST").ask),
        "",
    ),
    "property-read-200": (
        200,
        {**PROPERTY, "name": "carecycle_id"},
        Call(answering("/carecycle_id", "GET"), provision("GET").ask),
        "",
    ),
    "unsubscribe-200": (200, {"status": "COMPLETE", "results": []}, unsubscribe("POST"), "opted out"),
    "delete-204": (204, "", of_trial("/objects/", "DELETE", lambda bench: bench.delete("contacts", "45001")), ""),
    "archived-204": (
        204,
        "",
        of_trial("/batch/archive", "POST", lambda bench: bench.delete_all("contacts", ["45001"])),
        "{'45001': ''}",
    ),
    "schemas-200": (
        200,
        listing({"name": "policy", "objectTypeId": "2-4501", "fullyQualifiedName": "p77_policy", "archived": False}),
        Call(answering("/schemas", "GET"), attached_to_a_new_one),
        "False",
    ),
    "linked-200": (
        200,
        listing({"from": {"id": "45001"}, "to": [{"toObjectId": 46001, "associationTypes": []}]}),
        of_trial("/associations/", "POST", lambda bench: sorted(bench.linked("contacts", "45001", "companies"))),
        "['46001']",
    ),
    "pipelines-200": (
        200,
        listing(
            {"id": "default", "stages": [{"id": "closedwon", "label": "Won", "archived": False}], "archived": False},
            {"id": "renewals", "stages": [{"id": "due", "label": "Due"}, None, {"id": "old", "archived": True}]},
        ),
        Call(answering("/pipelines/", "GET"), stages_of_deals),
        "closedwon default; due renewals",
    ),
    "groups-200": (
        200,
        listing({"name": "contactinformation", "label": "Contact information", "displayOrder": 0, "archived": False}),
        of_trial("/groups", "GET", lambda bench: bench.unique_fields.add("contacts", "carecycle_trial").unique),
        "True",
    ),
    "property-archived-204": (
        204,
        "",
        of_trial("/properties/", "DELETE", lambda bench: bench.unique_fields.remove("contacts", "visits")),
        "",
    ),
}
FURTHER: Final = {name: (as_reply(name, row[0], row[1]), row[2], row[3]) for name, row in (REFUSED | ANSWERED).items()}
ALL: Final = FURTHER | {name: (CORPUS[name], *case) for name, case in cases(OURS).items()}


@pytest.mark.parametrize("name", FURTHER)
def test_a_reply_comes_out_as_the_table_says(name: str) -> None:
    reply, call, expected = FURTHER[name]
    assert call.outcome(reply) == expected


def test_every_code_has_a_reply() -> None:
    words = {word for _, _, expected in ALL.values() for word in expected.replace(";", "").split()}
    assert set(PROBLEMS) <= words


def test_every_trouble_has_a_reply() -> None:
    replies = [reply for reply, _, _ in ALL.values()]
    assert set(TROUBLES) - {0} <= {reply.status for reply in replies}  # 0: no reply at all
    assert set(POLICIES) <= {policy for reply in replies for policy in re.findall(r"[A-Z_]+", reply.body.decode())}


@pytest.mark.slow
def test_every_endpoint_has_a_reply() -> None:
    answered = {request for reply, call, _ in ALL.values() for request in requests_answered(reply, call)}
    patterns = {path: path_pattern(path) for path in endpoints()}
    assert len(patterns) > 15
    assert [path for path, pattern in patterns.items() if not any(map(pattern.fullmatch, answered))] == []


def requests_answered(reply: Recorded, call: Call) -> set[str]:
    """The methods and paths of the requests that the reply is given to."""
    answered: set[str] = set()

    def answer(_: object) -> Response:
        answered.add(f"{request.method} {request.path}")
        return reply.response()

    with sandbox_and_destination(index_lag=0.0) as (portal, hubspot):
        call.said(portal, hubspot, reply, answer)
    return answered


def endpoints() -> Iterator[Path]:
    """Every endpoint that the package names."""
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        yield from (one for one in vars(import_module(module.name)).values() if isinstance(one, Path))


def path_pattern(path: Path) -> re.Pattern[str]:
    return re.compile(f"{path.method} " + re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path.of(VERSION))))
