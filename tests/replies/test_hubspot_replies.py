"""Every reply of HubSpot comes out as the index of the recorded replies says, in our own corpus and in theirs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Response

from connector.destinations.base import Link, Outcome, Row
from connector.destinations.hubspot.account import HubSpot
from connector.destinations.provision import Making, Step
from connector.errors import DestinationUnusable
from connector.mapping.demands import Demand
from connector.mapping.target import TargetField
from connector.model import Mode, RecordKey
from connector.sandbox.hubspot import HubSpotSandbox
from tests.destinations.hubspot_fixtures import a_contact, sandbox_and_destination
from tests.replies.hubspot_corpus import CORPUS, OURS
from tests.replies.shared import MISSING, Recorded, recorded

ALWAYS = 99


@dataclass(frozen=True)
class Call:
    """A call of ours that a reply answers: how the portal comes to give this reply, and what we ask."""

    plan: Callable[[HubSpotSandbox, Response], None]
    ask: Callable[[HubSpot], str]

    def outcome(self, reply: Recorded) -> str:
        """What our side makes of the reply."""
        with sandbox_and_destination(index_lag=0.0) as (portal, hubspot):
            return self.said(portal, hubspot, reply)

    def said(self, portal: HubSpotSandbox, hubspot: HubSpot, reply: Recorded, answer: Any = None) -> str:
        """What our side makes of the reply of this portal. answer: what gives the reply, if it watches that."""
        portal.faults.clear()
        self.plan(portal, answer or reply.response())
        try:
            return self.ask(hubspot)
        except DestinationUnusable as error:
            named = error.problem[error.problem.find("(") :] if error.problem.endswith(")") else ""
            wait = "" if error.retry_after is None else f"{error.retry_after:g}s"
            return " ".join(filter(None, ("paused", error.reason, wait, named)))


def answering(path: str, method: str = "", times: int = ALWAYS, skip: int = 0) -> Callable[..., None]:
    return lambda portal, reply: portal.fault(path, reply, method=method, times=times, skip=skip)


def write(*rows: Row, times: int = ALWAYS) -> Call:
    return Call(answering("/batch/", times=times), lambda hubspot: "; ".join(map(_in_words, hubspot.write(rows))))


def _in_words(outcome: Outcome) -> str:
    ignored = [f"ignored {name}" for name in outcome.ignored.fields]
    held = [f"held by {outcome.holder}"] if outcome.holder else []
    return " ".join(filter(None, (outcome.verdict, outcome.code, *outcome.fields, *held, *ignored)))


def by_id(*ids: str, mode: Mode = Mode.UPSERT, times: int = ALWAYS) -> Call:
    return write(*(a_contact(f"c-{n}", id=record, mode=mode) for n, record in enumerate(ids)), times=times)


def keyed(kind: str, field: str, *values: str, unique: bool = True) -> Call:
    return write(*(Row(RecordKey(kind, field, value), {"name": "A"}, unique=unique) for value in values))


def by_email(*addresses: str) -> Call:
    return keyed("contacts", "email", *addresses, unique=False)


def linked(record: str, end: str) -> Call:
    def plan(portal: HubSpotSandbox, reply: Response) -> None:
        written = {"results": [{"id": record, "objectWriteTraceId": "0"}]}
        portal.fault("/batch/upsert", portal.empty_2xx(200, json.dumps(written)))
        portal.fault("/associate/", reply, times=ALWAYS)

    return Call(plan, write(a_contact("c-0", links=(Link("companies", end),))).ask)


def search(field: str, value: str) -> Call:
    def plan(portal: HubSpotSandbox, reply: Response) -> None:
        portal.fault("/batch/read", portal.refused(400, "VALIDATION_ERROR", "by non-unique property"))
        portal.fault("/search", reply)
        portal.fault("/search", portal.empty_2xx(200, '{"results": []}'))

    return Call(plan, _found("contacts", field, value))


def owner(address: str) -> Call:
    return Call(answering("/owners"), _found("owners", "email", address))


def _found(kind: str, field: str, value: str) -> Callable[[HubSpot], str]:
    def ask(hubspot: HubSpot) -> str:
        records = hubspot.find(kind, field, [value], ())[value]
        return _in_words(records) if isinstance(records, Outcome) else " ".join(record.id for record in records)

    return ask


def account(unless: str = "") -> Call:
    """Ask whose token it is. unless: where HubSpot does not say it to this token."""

    def ask(hubspot: HubSpot) -> str:
        own = hubspot.account()
        return " ".join(filter(None, (own.id, own.kind, own.pages))) if own else "unknown"

    def plan(portal: HubSpotSandbox, reply: Response) -> None:
        if unless:
            portal.fault(unless, portal.refused(403, "MISSING_SCOPES"), times=ALWAYS)
        portal.fault("/details", reply)
        portal.fault("/integrations/", reply)

    return Call(plan, ask)


def read_only(kind: str) -> Call:
    def ask(hubspot: HubSpot) -> str:
        fields = hubspot.describe([kind]).objects[kind].fields
        return f"{len(fields)} properties, {sum(not field.writable for field in fields.values())} read-only"

    def plan(portal: HubSpotSandbox, reply: Response) -> None:
        portal.fault("/properties/", reply)
        portal.fault("/properties/", portal.empty_2xx(200, '{"results": []}'), times=2)

    return Call(plan, ask)


def provision(method: str, *, unique: bool = True) -> Call:
    def ask(hubspot: HubSpot) -> str:
        wanted = TargetField(type="string", unique=unique)
        step = Step(Making.FIELD, Demand("contacts", "carecycle_id", wanted, 1), "text")
        return hubspot.provisioner().apply([step])[0].problem

    return Call(answering("/crm/properties/", method, times=1, skip=int(method == "POST")), ask)  # the group first


def unsubscribe(method: str, *, first: bool = False) -> Call:
    """Opt an address out. first: successfully, before the request that the reply answers."""

    def ask(hubspot: HubSpot) -> str:
        for _ in range(1 + first):
            [outcome] = hubspot.write([a_contact("c-0", unsubscribe="ada@example.org")])
        return outcome.subscription.code or "opted out"

    def plan(portal: HubSpotSandbox, reply: Response) -> None:
        portal.fault("unsubscribe-all", reply, method=method, skip=int(first), times=ALWAYS)
        if method == "GET":
            portal.fault("unsubscribe-all", portal.refused(400, "VALIDATION_ERROR"), method="POST")

    return Call(plan, ask)


ONE, TWO = write(a_contact("c-0")), write(a_contact("c-0"), a_contact("c-1"))
OPTION = "rejected INVALID_OPTION hs_language"
TAKEN = "rejected CONFLICTING_UNIQUE_VALUE carecycle_id held by"
HELD = "rejected ADDRESS_HELD email"
SCOPE = "paused permissions (crm.objects.contacts.write)"
HIDDEN = "a property with this name exists, but is hidden from the access token, or archived: check in HubSpot"
RESTORED = "HubSpot restored an archived property of this name, whose values are not unique: use another name"
ODD_200 = ("errors-null", "value-number", "id-number", "properties-null")
ODD_207 = (
    "control",
    "category-null",
    "errors-null",
    "detail-code-null",
    "detail-context-null",
    "detail-context-text",
    "context-nested",
    "context-number",
)

THEIRS = {
    "account": "900001 sandbox app.hubspot.com",
    "portal": "900001 sandbox app.hubspot.com",
    "company_name": "Sample Company 2",
    "company_properties": "40 properties, 28 read-only",
    "conditional": "my_property",
    "conflicting": "900000000003",
    "contact": "900000000003",
    "contact2": "900000000004",
    "contact_properties": "15 properties, 7 read-only",
    "deal": "900000000201",
    "deals": "900000000017 900000000018 900000000019 900000000020 900000000021",
    "domain": "company2.example",
    "end": "900000000009",
    "existing": "900002",
    "first": "person1@example.com",
    "firstname": "Odessa",
    "found": "501",
    "found2": "900000000005",
    "from": "900000000006",
    "from22": "9000000002",
    "good": "person3@example.com",
    "holder": "900000000102",
    "ignored": "lifecyclestage",
    "listed_holder": "41",
    "lost": "900000000101",
    "meeting": "90000000003",
    "missing": "unknownIdentifier888",
    "on_create": "custom_contact_type",
    "company": "900000000101",
    "owner": "person7@example.com",
    "owner_id": "90000006",
    "owner_of_seven": "person10@example.com",
    "owner_of_seven_id": "90000011",
    "owner_repeated": "person1@example.com",
    "owner_repeated_id": "900000000301",
    "reference": "REF-1",
    "required": "level_status level_company",
    "scope": "contacts",
    "second": "person2@example.com",
    "start": "900000000010",
    "tickets": " ".join(str(900000000022 + n) for n in range(10)),
    "title": "Made-up title",
    "to": "90000000001",
    "to22": "90002",
    "top_scope": "custom-object-read",
    "unknown": "first000name last000name",
    "updated": "900000000008",
}
"""The values in the recorded replies, by what they are."""


def cases(n: Mapping[str, str]) -> dict[str, tuple[Call, str]]:
    """Reply -> the call it answers, and what must come of it. n: the values of this corpus, by what they are."""
    ask_owners = owner(n["owner"].upper())
    searched = search("firstname", n["firstname"])
    return {
        "200-empty": (TWO, "deferred UNACCOUNTED; deferred UNACCOUNTED"),
        "200-maintenance-html": (ONE, "paused reply"),
        "400-conditional-required": (ONE, f"rejected MISSING_CONDITIONAL_REQUIRED_PROPERTY {n['conditional']}"),
        "400-invalid-json": (ONE, "rejected HTTP_400"),
        "400-key-not-unique": (TWO, "rejected KEY_NOT_UNIQUE; rejected KEY_NOT_UNIQUE"),
        "400-required-on-create": (ONE, f"rejected MISSING_REQUIRED_PROPERTY {n['on_create']}"),
        "400-required-properties": (ONE, f"rejected REQUIRED_PROPERTY_MISSING {n['required']}"),
        "400-unique-value-taken-listed": (ONE, f"{TAKEN} {n['listed_holder']}"),
        "401": (ONE, "paused auth"),
        "403-cloudflare": (ONE, "paused reply"),
        "403-required-scopes": (ask_owners, f"paused permissions ({n['scope']}, crm.objects.owners.read)"),
        "403-scopes-nested": (ONE, SCOPE),
        "404-lean": (ONE, "rejected HTTP_404"),
        "429-category": (ONE, "paused rate 10s"),
        "429-search-second": (Call(answering("/search"), search("city", "Mesa").ask), "paused rate 1s"),
        "429-ten-seconds": (ONE, "paused rate 10s"),
        "account-info-200": (account(), n["account"]),
        "associations-create-201-labelled": (linked(n["from"], n["to"]), "delivered"),
        "associations-create-201-labelled-2022": (linked(n["from22"], n["to22"]), "delivered"),
        "associations-create-207-2022": (linked("7", "1234"), "deferred ASSOCIATION"),
        "associations-create-207-errors": (linked("7", "8"), "deferred ASSOCIATION"),
        "associations-default-200": (linked(n["deal"], n["company"]), "delivered"),
        "associations-v3-create-both-directions": (linked(n["start"], n["end"]), "delivered"),
        "companies-batch-create-200": (keyed("companies", "domain", n["domain"]), "delivered"),
        "companies-batch-update-200": (by_id(n["updated"]), "delivered"),
        "companies-batch-upsert-200-2026-09": (keyed("companies", "customer_reference", n["reference"]), "delivered"),
        "companies-properties-200": (read_only("companies"), n["company_properties"]),
        "companies-search-200": (search("name", n["company_name"]), n["updated"]),
        "contacts-400-invalid-email": (ONE, "rejected INVALID_EMAIL email"),
        "contacts-400-unique-value-taken": (ONE, f"{TAKEN} {n['holder']}"),
        "contacts-409-existing-id": (ONE, f"{HELD} held by {n['existing']}"),
        "contacts-batch-create-201": (by_email(n["first"], n["second"]), "delivered; delivered"),
        "contacts-batch-create-207-conflict": (
            by_email("x@example.org", n["good"]),
            f"{HELD} held by {n['conflicting']}; delivered",
        ),
        "contacts-batch-create-400-unknown-properties": (ONE, f"rejected PROPERTY_DOESNT_EXIST {n['unknown']}"),
        "contacts-batch-create-409-no-id": (ONE, HELD),
        "contacts-batch-update-200": (by_id(n["contact"], n["contact2"]), "delivered; delivered"),
        "contacts-batch-update-207-missing-id": (
            by_id(n["contact2"], n["missing"], mode=Mode.UPDATE),
            "delivered; deferred OBJECT_NOT_FOUND",
        ),
        "contacts-batch-update-400-duplicate-ids": (
            by_id("7", "8", times=1),
            "deferred OBJECT_NOT_FOUND; deferred OBJECT_NOT_FOUND",
        ),
        "contacts-properties-200": (read_only("contacts"), n["contact_properties"]),
        "contacts-property-create": (provision("POST", unique=False), ""),
        "contacts-search-page-1": (searched, n["found"]),
        "contacts-search-page-2": (searched, n["found2"]),
        "contacts-v1-409": (ONE, "rejected OBJECT_ALREADY_EXISTS email"),
        "deals-search-200": (search("dealname", n["title"]), n["deals"]),
        "integrations-me-200": (account(unless="/account-info"), n["portal"]),
        "lists-400-required-field": (ONE, "rejected VALIDATION_ERROR"),
        "meetings-search-200": (search("hs_meeting_title", n["title"]), n["meeting"]),
        "objects-404-missing-by-unique-value": (
            write(a_contact("c-0"), a_contact("c-1"), times=1),
            "delivered; deferred OBJECT_NOT_FOUND",
        ),
        **dict.fromkeys((f"odd-200-{part}" for part in ODD_200), (ONE, "delivered")),
        "odd-200-warnings": (
            write(a_contact("c-0", **{n["ignored"]: "lead"})),
            f"delivered ignored {n['ignored']}",
        ),
        "odd-200-with-errors": (TWO, f"delivered; {OPTION}"),
        **dict.fromkeys((f"odd-207-{part}" for part in ODD_207), (TWO, f"delivered; {OPTION}")),
        "odd-207-context-null": (TWO, "delivered; deferred UNACCOUNTED"),
        "odd-207-message-null": (TWO, "delivered; rejected VALIDATION_ERROR"),
        "odd-400-context-null": (ONE, "rejected KEY_NOT_UNIQUE"),
        "odd-400-detail-code-null": (ONE, OPTION),
        "odd-400-detail-context-text": (ONE, OPTION),
        "odd-403-detail-context-text": (ONE, SCOPE),
        "odd-404-detail-context-text": (by_id(n["lost"], times=1), "deferred OBJECT_NOT_FOUND"),
        "odd-429-detail-context-text": (ONE, "paused quota 3600s"),
        "odd-owners-cursor-repeats": (owner(n["owner_repeated"]), n["owner_repeated_id"]),
        "owners-200": (ask_owners, n["owner_id"]),
        "owners-200-seven": (owner(n["owner_of_seven"]), n["owner_of_seven_id"]),
        "property-create-201-restored": (provision("POST"), RESTORED),
        "property-create-409-exists": (provision("POST"), ""),
        "property-read-404": (provision("GET"), HIDDEN),
        "schemas-403-scopes-top-level": (ONE, f"paused permissions ({n['top_scope']})"),
        "search-400-unknown-object": (
            Call(answering("/search"), search("city", "Mesa").ask),
            "rejected OBJECT_TYPE_UNKNOWN",
        ),
        "tickets-search-200": (search("subject", n["title"]), n["tickets"]),
        "unsubscribe-all-400-already": (unsubscribe("POST", first=True), "opted out"),
        "unsubscribe-all-400-no-channel": (unsubscribe(""), "UNSUBSCRIBE"),
        "unsubscribe-all-get-200-empty": (unsubscribe("GET"), "UNSUBSCRIBE"),
    }


@pytest.mark.parametrize("name", sorted(CORPUS))
def test_a_reply_of_our_own_comes_out_as_it_should(name: str) -> None:
    call, expected = cases(OURS)[name]
    assert call.outcome(CORPUS[name]) == expected


RECORDED = {reply.name.removeprefix("hubspot-"): reply for reply in recorded("hubspot")}


@pytest.mark.skipif(not RECORDED, reason=MISSING)
class TestRecordedReplies:
    @pytest.mark.parametrize("name", sorted(RECORDED))
    def test_it_comes_out_as_its_index_says(self, name: str) -> None:
        call, expected = cases(THEIRS)[name]
        assert call.outcome(RECORDED[name]) == expected

    def test_our_own_corpus_has_every_shape(self) -> None:
        assert set(RECORDED) <= set(CORPUS)


def test_every_reply_of_our_own_has_a_case() -> None:
    assert set(CORPUS) == set(cases(OURS))
