"""A record is deleted from a portal only where HubSpot says clearly that nothing else has happened to it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask import Response

from connector.destinations.bench import Touched
from connector.destinations.hubspot.account import HubSpot
from connector.sandbox.hubspot import HubSpotSandbox
from connector.sandbox.hubspot.links import opt_out
from tests.destinations.hubspot_fixtures import a_call, a_contact

ADDRESS = "ada@example.com"


@pytest.fixture
def own(portal: HubSpotSandbox, hubspot: HubSpot) -> str:
    """The id of a contact that the connector created."""
    hubspot.write([a_contact(email=ADDRESS)])
    return portal.records("contacts")[0]["id"]


def look(hubspot: HubSpot, own: str, object: str = "contacts") -> Touched | None:
    return hubspot.bench().touched(object, [own]).get(own)


def answer(portal: HubSpotSandbox, place: str, status: int, body: Any) -> None:
    portal.fault(place, Response(json.dumps(body), status=status, content_type="application/json"), times=9)


def an_error(own: str, category: str) -> dict[str, Any]:
    return {"status": "error", "category": category, "message": "no", "context": {"ids": [own]}}


class TestChanged:
    def test_a_record_as_it_was_created(self, hubspot: HubSpot, own: str) -> None:
        assert look(hubspot, own) == Touched()

    def test_its_person_unsubscribed(self, portal: HubSpotSandbox, hubspot: HubSpot, own: str) -> None:
        opt_out(portal.state, ADDRESS, "EMAIL")
        assert look(hubspot, own) == Touched(changed=True)

    def test_another_was_merged_into_it(self, portal: HubSpotSandbox, hubspot: HubSpot, own: str) -> None:
        portal.merging.keeps_id = True
        portal.merge("contacts", portal.put("contacts", firstname="Marcus"), own)
        assert look(hubspot, own) == Touched(changed=True)

    def test_it_was_merged_into_another(self, portal: HubSpotSandbox, hubspot: HubSpot, own: str) -> None:
        portal.merge("contacts", own, portal.put("contacts", firstname="Marcus"))
        assert look(hubspot, own) is None

    @pytest.mark.parametrize("history", [{}, {"city": []}, None, "none"])
    def test_its_history_is_not_shown(self, portal: HubSpotSandbox, hubspot: HubSpot, own: str, history: Any) -> None:
        created = "2026-11-02T15:04:05Z"
        record = {"id": own, "createdAt": created, "properties": {}, "propertiesWithHistory": history}
        answer(portal, "/contacts/batch/read", 200, {"status": "COMPLETE", "results": [record]})
        assert look(hubspot, own) == Touched(changed=True)

    @pytest.mark.parametrize(
        ("name", "seconds", "source", "changed"),
        [
            ("city", 1, "CALCULATED", False),
            ("city", 1, "CRM_UI", True),
            ("city", 60, "CALCULATED", True),
            ("hs_email_optout", 60, "CALCULATED", False),
            ("hs_email_optout", 60, "EMAIL", True),
            ("hs_email_optout", 1, "ANALYTICS", False),
            ("a_property_that_is_not_listed", 60, "CALCULATED", True),
            ("lastmodifieddate", 60, "CALCULATED", False),
            ("lastmodifieddate", 60, "CRM_UI", True),
        ],
    )
    def test_a_value_that_was_set_since(
        self, portal: HubSpotSandbox, hubspot: HubSpot, own: str, name: str, seconds: int, source: str, changed: bool
    ) -> None:
        created = "2026-11-02T15:04:00Z"
        first = {"value": "Ada", "timestamp": created, "sourceType": "INTEGRATION", "sourceId": "1"}
        at = "2026-11-02T15:05:00Z" if seconds == 60 else "2026-11-02T15:04:01Z"
        later = {"value": "", "timestamp": at, "sourceType": source}
        past = {"firstname": [first], name: [later]}
        record = {"id": own, "createdAt": created, "properties": {}, "propertiesWithHistory": past}
        answer(portal, "/contacts/batch/read", 200, {"status": "COMPLETE", "results": [record]})
        assert look(hubspot, own) == Touched(changed=changed)


class TestGone:
    def test_it_was_deleted(self, portal: HubSpotSandbox, hubspot: HubSpot, own: str) -> None:
        portal.delete("contacts", own)
        assert look(hubspot, own) == Touched(gone=True)

    @pytest.mark.parametrize("category", ["INTERNAL_ERROR", "", "VALIDATION_ERROR"])
    def test_another_error_says_nothing(
        self, portal: HubSpotSandbox, hubspot: HubSpot, own: str, category: str
    ) -> None:
        body = {"status": "COMPLETE", "results": [], "errors": [an_error(own, category)]}
        answer(portal, "/contacts/batch/read", 207, body)
        assert look(hubspot, own) is None

    @pytest.mark.parametrize(("status", "errors"), [(207, True), (200, True), (200, False)])
    def test_only_an_archive_that_is_confirmed_counts(
        self, portal: HubSpotSandbox, hubspot: HubSpot, own: str, status: int, errors: bool
    ) -> None:
        body = {"status": "COMPLETE", "results": [], "errors": [an_error(own, "VALIDATION_ERROR")] if errors else []}
        answer(portal, "/contacts/batch/archive", status, body)
        assert "does not confirm" in hubspot.bench().delete_all("contacts", [own])[own]


class TestAttached:
    @pytest.mark.parametrize("kind", ["contacts", "deals", "2-77001", "0-136"])
    def test_another_record(self, portal: HubSpotSandbox, hubspot: HubSpot, own: str, kind: str) -> None:
        portal.state.held.setdefault(kind, {})
        portal.state.links.add((kind, "9001", "contacts", own))
        seen = look(hubspot, own)
        assert seen is not None
        assert [end for _, end in seen.attached] == ["9001"]
        assert not seen.unknown

    def test_a_company_does_not_count(self, portal: HubSpotSandbox, hubspot: HubSpot, own: str) -> None:
        portal.state.links.add(("contacts", own, "companies", "9001"))
        assert look(hubspot, own) == Touched()

    def test_a_call_is_as_it_was_created(self, portal: HubSpotSandbox, hubspot: HubSpot) -> None:
        hubspot.write([a_call()])
        assert look(hubspot, portal.records("calls")[0]["id"], "calls") == Touched()

    def test_a_call_of_several_contacts(self, portal: HubSpotSandbox, hubspot: HubSpot) -> None:
        hubspot.write([a_call()])
        call = portal.records("calls")[0]["id"]
        portal.state.links.add(("calls", call, "contacts", "9001"))
        assert look(hubspot, call, "calls") == Touched()
        portal.state.links.add(("calls", call, "contacts", "9002"))
        seen = look(hubspot, call, "calls")
        assert seen is not None
        assert {end for _, end in seen.attached} == {"9001", "9002"}

    @pytest.mark.parametrize(
        "body",
        [
            {"status": "PENDING"},
            {"status": "COMPLETE", "results": []},
            {"status": "PENDING", "results": [{"from": {"id": "OWN"}, "to": []}]},
            {"status": "COMPLETE", "results": [{"from": {"id": "OWN"}, "to": [], "paging": {"next": {"after": "x"}}}]},
            {"status": "COMPLETE", "results": [{"from": {"id": "OWN"}, "to": [{"toObjectId": None}]}]},
            {"status": "COMPLETE", "results": [{"from": {"id": "OWN"}}]},
        ],
    )
    def test_a_reply_that_does_not_say_all(
        self, portal: HubSpotSandbox, hubspot: HubSpot, own: str, body: dict[str, Any]
    ) -> None:
        answer(portal, "/0-1/0-3/batch/read", 200, json.loads(json.dumps(body).replace("OWN", own)))
        assert look(hubspot, own) == Touched(unknown="its deals cannot be looked up")

    def test_custom_objects_that_are_hidden(self, portal: HubSpotSandbox, hubspot: HubSpot, own: str) -> None:
        portal.tokens[portal.token] -= {"crm.schemas.custom.read"}
        seen = look(hubspot, own)
        assert seen is not None
        assert "cannot be looked up" in seen.unknown
