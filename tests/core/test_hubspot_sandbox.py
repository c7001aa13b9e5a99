"""The HubSpot sandbox is as strict as HubSpot: what it rejects, with which reply, and what it then stores."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from connector.sandbox.hubspot import HubSpotSandbox
from connector.sandbox.hubspot.limits import Meter, Tier

UPSERT = "/crm/v3/objects/contacts/batch/upsert"
Ask = Callable[..., requests.Response]


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def portal(clock: Clock) -> Iterator[HubSpotSandbox]:
    sandbox = HubSpotSandbox(clock=clock)
    with sandbox:
        yield sandbox


@pytest.fixture
def ask(portal: HubSpotSandbox) -> Iterator[Ask]:
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {portal.token}"
        yield lambda method, path, body=None, **more: session.request(
            method, portal.url + path, json=body, timeout=60, **more
        )


def inputs(*rows: dict[str, Any], traced: bool = True) -> dict[str, Any]:
    """Build a batch keyed by carecycle_id from the rows' properties; the default keys are c-0, c-1, ..."""
    items = []
    for n, properties in enumerate(rows):
        trace = {"objectWriteTraceId": f"t-{n}"} if traced else {}
        key = properties.get("carecycle_id", f"c-{n}")
        items.append({"id": key, "idProperty": "carecycle_id", "properties": properties, **trace})
    return {"inputs": items}


class TestTheDoor:
    @pytest.mark.parametrize("header", [None, "Bearer other", "Basic abc", ""])
    def test_an_unknown_bearer_is_401(self, portal, header):
        reply = requests.get(portal.url + "/crm/v3/owners", headers={"Authorization": header}, timeout=60)
        assert (reply.status_code, reply.json()["category"]) == (401, "INVALID_AUTHENTICATION")

    @pytest.mark.parametrize(
        ("method", "path", "scope"),
        [
            ("POST", UPSERT, "crm.objects.contacts.write"),
            ("POST", "/crm/v3/objects/calls/batch/read", "crm.objects.contacts.read"),
            ("GET", "/crm/v3/properties/contacts", "crm.schemas.contacts.read"),
            ("POST", "/crm/v3/properties/contacts", "crm.schemas.contacts.write"),
            ("GET", "/crm/v3/owners", "crm.objects.owners.read"),
            (
                "POST",
                "/communication-preferences/v4/statuses/a@b.co/unsubscribe-all",
                "communication_preferences.write",
            ),
        ],
    )
    def test_a_missing_scope_is_403_and_named(self, portal, ask, method, path, scope):
        portal.tokens[portal.token] = frozenset()
        reply = ask(method, path, {})
        assert (reply.status_code, reply.json()["category"]) == (403, "MISSING_SCOPES")
        assert reply.json()["errors"][0]["context"]["requiredGranularScopes"] == [scope]

    def test_naming_a_sensitive_property_needs_its_own_scope(self, portal, ask):
        portal.tokens[portal.token] = frozenset({"crm.objects.contacts.write"})
        assert ask("POST", UPSERT, inputs({"carecycle_mbi": "1EG4-TE5-MK73"})).status_code == 403

    def test_every_reply_except_a_searchs_shows_the_limits(self, ask):
        headers = ask("GET", "/crm/v3/owners").headers
        assert headers["X-HubSpot-RateLimit-Interval-Milliseconds"] == "10000"
        assert int(headers["X-HubSpot-RateLimit-Remaining"]) < int(headers["X-HubSpot-RateLimit-Max"])
        assert "X-HubSpot-RateLimit-Max" not in ask("POST", "/crm/v3/objects/contacts/search", {}).headers

    def test_an_error_carries_a_correlation_id(self, ask):
        assert len(ask("POST", UPSERT, {}).json()["correlationId"]) == 36


class TestLimits:
    @pytest.mark.parametrize(
        ("tier", "policy", "seconds"),
        [(Tier(burst=2), "TEN_SECONDLY_ROLLING", 10), (Tier(daily=2), "DAILY", 86_400)],
    )
    def test_too_many_requests_are_429_until_time_has_passed(self, portal, ask, clock, tier, policy, seconds):
        portal.meter = Meter(tier)
        replies = [ask("GET", "/crm/v3/owners") for _ in range(3)]
        assert [reply.status_code for reply in replies] == [200, 200, 429]
        assert replies[2].json()["policyName"] == policy
        assert "category" not in replies[2].json()
        clock.now += seconds
        assert ask("GET", "/crm/v3/owners").status_code == 200

    def test_search_allows_five_a_second(self, ask):
        replies = [ask("POST", "/crm/v3/objects/contacts/search", {}) for _ in range(6)]
        assert [reply.status_code for reply in replies] == [200] * 5 + [429]


class TestBatchUpsert:
    def test_rows_with_trace_ids_succeed_or_fail_alone(self, portal, ask):
        reply = ask("POST", UPSERT, inputs({"firstname": "Ada"}, {"hs_language": "la"}))
        assert reply.status_code == 207
        [error] = reply.json()["errors"]
        assert error["context"] == {"objectWriteTraceId": ["t-1"]}
        assert "errors" not in error
        assert [record["firstname"] for record in portal.records("contacts")] == ["Ada"]

    def test_the_newest_version_reports_a_partial_success_with_200(self, ask):
        body = inputs({"firstname": "Ada"}, {"hs_language": "la"})
        reply = ask("POST", "/crm/objects/2026-09/contacts/batch/upsert", body)
        assert (reply.status_code, len(reply.json()["results"]), reply.json()["numErrors"]) == (200, 1, 1)

    def test_an_unknown_object_is_named_without_a_category(self, ask):
        reply = ask("POST", "/crm/v3/objects/butterflies/search", {})
        assert reply.json()["message"] == "Unable to infer object type from: butterflies"
        assert (reply.status_code, "category" in reply.json()) == (400, False)

    def test_without_trace_ids_a_bad_row_rejects_the_whole_batch(self, portal, ask):
        reply = ask("POST", UPSERT, inputs({"firstname": "Ada"}, {"hs_language": "la"}, traced=False))
        assert (reply.status_code, reply.json()["errors"][0]["code"]) == (400, "INVALID_OPTION")
        assert portal.records("contacts") == []
        assert ask("POST", UPSERT, inputs({"firstname": "Ada"}, traced=False)).json()["results"][0]["new"] is True

    def test_repeated_trace_ids_count_as_none(self, portal, ask):
        body = inputs({"firstname": "Ada"}, {"hs_language": "la"})
        for item in body["inputs"]:
            item["objectWriteTraceId"] = "same"
        assert ask("POST", UPSERT, body).status_code == 400
        assert portal.records("contacts") == []

    def test_an_undone_update_leaves_the_record_unchanged(self, portal, ask):
        portal.put("contacts", carecycle_id="c-0", firstname="Ada", email="ada@example.org")
        changed = {"firstname": "Eve", "email": "eve@example.org"}
        assert ask("POST", UPSERT, inputs(changed, {"hs_language": "la"}, traced=False)).status_code == 400
        assert portal.records("contacts")[0]["firstname"] == "Ada"
        assert ask("POST", UPSERT, inputs({}, {"email": "ada@example.org"})).json()["numErrors"] == 1

    def test_new_marks_created_records(self, portal, ask):
        portal.put("contacts", carecycle_id="c-0")
        results = ask("POST", UPSERT, inputs({"firstname": "A"}, {"firstname": "B"})).json()["results"]
        assert {result["objectWriteTraceId"]: result["new"] for result in results} == {"t-0": False, "t-1": True}

    def test_results_do_not_come_in_the_order_of_the_inputs(self, ask):
        results = ask("POST", UPSERT, inputs(*({"firstname": "A"} for _ in range(30)))).json()["results"]
        sent = [f"t-{n}" for n in range(30)]
        returned = [result["objectWriteTraceId"] for result in results]
        assert returned != sent
        assert sorted(returned) == sorted(sent)

    def test_an_address_comes_back_in_lower_case(self, ask):
        [result] = ask("POST", UPSERT, inputs({"email": "Ada@Example.org"})).json()["results"]
        assert result["properties"]["email"] == "ada@example.org"

    def test_a_hundred_and_one_are_too_many(self, ask):
        assert ask("POST", UPSERT, inputs(*({} for _ in range(101)))).status_code == 400

    def test_the_same_key_twice_rejects_the_batch_and_is_named(self, portal, ask):
        reply = ask("POST", UPSERT, inputs({"carecycle_id": "c-9"}, {"carecycle_id": "C-9"}))
        assert (reply.status_code, reply.json()["context"]["ids"]) == (400, ["c-9", "C-9"])
        assert portal.records("contacts") == []

    def test_two_keys_of_the_same_record_reject_the_batch(self, portal, ask):
        portal.put("contacts", email="ada@example.org", hs_additional_emails="lady@example.org")
        rows = [
            {"id": address, "idProperty": "email", "properties": {}, "objectWriteTraceId": address}
            for address in ("ada@example.org", "lady@example.org")
        ]
        assert "Duplicate IDs" in ask("POST", UPSERT, {"inputs": rows}).json()["message"]

    @pytest.mark.parametrize("key", ["city", "hs_object_id", None, "nothing"])
    def test_a_key_that_is_not_unique_is_refused(self, ask, key):
        row = {"id": "Phoenix", "idProperty": key, "properties": {}}
        assert ask("POST", UPSERT, {"inputs": [row]}).status_code == 400

    def test_another_contacts_address_is_a_conflict_that_names_the_contact(self, portal, ask):
        owner = portal.put("contacts", email="ada@example.org")
        [error] = ask("POST", UPSERT, inputs({"email": "ADA@example.org"})).json()["errors"]
        assert (error["category"], error["context"]["existingId"]) == ("CONFLICT", [owner])

    def test_it_may_name_no_contact(self, portal, ask):
        portal.state.names_holders = False
        portal.put("contacts", email="ada@example.org")
        [error] = ask("POST", UPSERT, inputs({"email": "ada@example.org"})).json()["errors"]
        assert (error["message"], error["context"]) == ("Contact already exists", {"objectWriteTraceId": ["t-0"]})

    @pytest.mark.parametrize("rows_meet", [False, True])
    def test_two_rows_with_one_new_address_conflict_or_end_up_on_one_contact(self, portal, ask, rows_meet):
        portal.batches.rows_meet = rows_meet
        body = ask("POST", UPSERT, inputs({"email": "ada@example.org"}, {"email": "ada@example.org"})).json()
        assert (len(body["results"]), len(portal.records("contacts"))) == (1 + rows_meet, 1)

    def test_one_bad_row_may_refuse_a_batch_with_trace_ids(self, portal, ask):
        portal.batches.traced = False
        portal.put("contacts", email="ada@example.org")
        assert ask("POST", UPSERT, inputs({}, {"email": "ada@example.org"})).status_code == 409
        assert len(portal.records("contacts")) == 1

    def test_a_call_needs_its_time(self, portal, ask):
        row = {"id": "k", "idProperty": "carecycle_call_id", "properties": {"hs_call_title": "x"}}
        reply = ask("POST", "/crm/v3/objects/0-48/batch/upsert", {"inputs": [row]})
        assert (reply.status_code, reply.json()["context"]) == (400, {"properties": ["hs_timestamp"]})

    def test_the_dated_path_works_too(self, portal, ask):
        assert ask("POST", "/crm/objects/2026-03/contacts/batch/upsert", inputs({})).status_code == 200
        assert len(portal.records("contacts")) == 1

    def test_associations_have_no_place_in_an_upsert(self, ask):
        body = inputs({})
        body["inputs"][0]["associations"] = []
        assert ask("POST", UPSERT, body).status_code == 400


class TestOtherBatches:
    def test_an_update_finds_its_record_by_id_or_by_a_unique_property(self, portal, ask):
        first, second = (portal.put("contacts", carecycle_id=key) for key in ("c-1", "c-2"))
        rows = [
            {"id": first, "properties": {"city": "Phoenix"}},
            {"id": "c-2", "idProperty": "carecycle_id", "properties": {"city": "Tucson"}},
        ]
        assert ask("POST", "/crm/v3/objects/contacts/batch/update", {"inputs": rows}).status_code == 200
        cities = {record["id"]: record["city"] for record in portal.records("contacts")}
        assert cities == {first: "Phoenix", second: "Tucson"}

    def test_updating_a_missing_record_is_an_error_entry(self, ask):
        row = {"id": "4711", "properties": {"city": "Phoenix"}, "objectWriteTraceId": "t-1"}
        reply = ask("POST", "/crm/v3/objects/contacts/batch/update", {"inputs": [row]})
        assert reply.status_code == 207
        assert reply.json()["errors"][0]["context"] == {"ids": ["4711"], "objectWriteTraceId": ["t-1"]}

    def test_a_create_makes_every_record_or_none(self, portal, ask):
        rows = [{"properties": {"email": "ada@example.org"}}, {"properties": {"email": "ada@example.org"}}]
        assert ask("POST", "/crm/v3/objects/contacts/batch/create", {"inputs": rows}).status_code == 409
        assert portal.records("contacts") == []
        assert ask("POST", "/crm/v3/objects/contacts/batch/create", {"inputs": rows[:1]}).status_code == 201


class TestValues:
    @pytest.mark.parametrize(
        ("name", "value", "code"),
        [
            ("nickname", "x", "PROPERTY_DOESNT_EXIST"),
            ("hs_email_optout", "true", "READ_ONLY_VALUE"),
            ("hs_language", "EN", "INVALID_OPTION"),
            ("do_not_call", "yes", "INVALID_OPTION"),
            ("do_not_call", True, "INVALID_STRING"),
            ("firstname", None, "INVALID_STRING"),
            ("email", "nobody", "INVALID_EMAIL"),
            ("annual_household_income", "12k", "INVALID_LONG"),
            ("address", "x" * 65_537, "PROPERTY_VALUE_TOO_LONG"),
        ],
    )
    def test_an_invalid_value_is_rejected_with_its_code(self, portal, ask, name, value, code):
        reply = ask("POST", "/crm/v3/objects/contacts", {"properties": {"firstname": "Ada", name: value}})
        assert (reply.status_code, reply.json()["errors"][0]["code"]) == (400, code)
        assert portal.records("contacts") == []

    @pytest.mark.parametrize("value", ["yesterday", "2026-11-02T15:04:05"])
    def test_a_time_without_its_offset_is_refused(self, ask, value):
        reply = ask("POST", "/crm/v3/objects/calls", {"properties": {"hs_timestamp": value}})
        assert reply.json()["errors"][0]["code"] == "INVALID_DATE"

    @pytest.mark.parametrize("value", ["2026-11-02T15:17:25Z", "2026-11-02T17:17:25+02:00", "1793632645000"])
    def test_a_time_is_stored_in_utc(self, portal, ask, value):
        ask("POST", "/crm/v3/objects/calls", {"properties": {"hs_timestamp": value}})
        assert portal.records("calls")[0]["hs_timestamp"] == "2026-11-02T15:17:25.000Z"

    @pytest.mark.parametrize(("value", "status"), [("2026-11-02", 201), ("1793577600000", 201), ("1793577600001", 400)])
    def test_a_date_is_a_day_or_its_midnight(self, ask, value, status):
        definition = {"name": "signed_on", "label": "Signed on", "type": "date", "fieldType": "date"}
        ask("POST", "/crm/v3/properties/contacts", {**definition, "groupName": "contactinformation"})
        reply = ask("POST", "/crm/v3/objects/contacts", {"properties": {"firstname": "Ada", "signed_on": value}})
        assert reply.status_code == status

    def test_a_lenient_portal_accepts_json_booleans_as_hubspot_does(self):
        sandbox = HubSpotSandbox(strict=False)
        sandbox.put("contacts", do_not_call=True)
        assert sandbox.records("contacts")[0]["do_not_call"] == "true"

    def test_a_stage_moves_forward_only_until_it_is_cleared(self, portal, ask):
        contact = portal.put("contacts", lifecyclestage="customer")
        stages = []
        for stage in ("lead", "other", "", "lead"):
            ask("PATCH", f"/crm/v3/objects/contacts/{contact}", {"properties": {"lifecyclestage": stage}})
            stages.append(portal.records("contacts")[0].get("lifecyclestage"))
        assert stages == ["customer", "other", None, "lead"]

    def test_an_empty_text_clears(self, portal, ask):
        made = portal.put("contacts", firstname="Ada", city="Phoenix")
        ask("PATCH", f"/crm/v3/objects/contacts/{made}", {"properties": {"city": ""}})
        assert portal.records("contacts") == [{"id": made, "firstname": "Ada"}]


class TestReading:
    def test_a_batch_read_names_missing_records_beside_the_others(self, portal, ask):
        portal.put("contacts", carecycle_id="c-1", firstname="Ada")
        body = {"idProperty": "carecycle_id", "inputs": [{"id": "c-1"}, {"id": "c-2"}]}
        reply = ask("POST", "/crm/v3/objects/contacts/batch/read", {**body, "properties": ["firstname", "city", "nil"]})
        assert (reply.status_code, reply.json()["errors"][0]["category"]) == (207, "OBJECT_NOT_FOUND")
        assert reply.json()["errors"][0]["context"]["ids"] == ["c-2"]
        held = reply.json()["results"][0]["properties"]
        assert (held["firstname"], held["city"], "nil" in held) == ("Ada", None, False)

    def test_a_single_record_is_read_by_any_of_its_unique_values(self, portal, ask):
        made = portal.put("contacts", email="ada@example.org", hs_additional_emails="lady@example.org")
        for address in ("ada@example.org", "lady@example.org"):
            assert ask("GET", f"/crm/v3/objects/contacts/{address}?idProperty=email").json()["id"] == made

    def test_a_record_has_its_page_in_hubspot(self, portal, ask):
        contact = portal.put("contacts", carecycle_id="c-1")
        body = {"idProperty": "carecycle_id", "inputs": [{"id": "c-1"}], "properties": []}
        (result,) = ask("POST", "/crm/v3/objects/contacts/batch/read", body).json()["results"]
        assert result["url"] == f"https://app.hubspot.com/contacts/12345678/record/0-1/{contact}"

    def test_a_missing_record_is_a_404_without_a_category(self, ask):
        reply = ask("PATCH", "/crm/v3/objects/contacts/4711", {"properties": {"city": "x"}})
        assert (reply.status_code, "category" in reply.json()) == (404, False)

    def test_a_patch_without_properties_is_rejected(self, portal, ask):
        made = portal.put("contacts", firstname="Ada")
        assert ask("PATCH", f"/crm/v3/objects/contacts/{made}", {"properties": {}}).status_code == 400

    def test_a_deleted_record_frees_its_key(self, portal, ask):
        made = portal.put("contacts", carecycle_id="c-1")
        assert ask("DELETE", f"/crm/v3/objects/contacts/{made}").status_code == 204
        assert portal.put("contacts", carecycle_id="c-1") != made


class TestSearch:
    def hits(self, ask: Ask, city: str) -> int:
        filters = [{"filters": [{"propertyName": "city", "operator": "EQ", "value": city}]}]
        total: int = ask("POST", "/crm/v3/objects/contacts/search", {"filterGroups": filters}).json()["total"]
        return total

    def test_the_index_lags_behind_what_was_written(self, portal, ask, clock):
        made = portal.put("contacts", city="Phoenix")
        assert self.hits(ask, "Phoenix") == 0
        clock.now += 6
        ask("PATCH", f"/crm/v3/objects/contacts/{made}", {"properties": {"city": "Tucson"}})
        assert (self.hits(ask, "phoenix"), self.hits(ask, "Tucson")) == (1, 0)
        clock.now += 6
        assert (self.hits(ask, "Phoenix"), self.hits(ask, "Tucson")) == (0, 1)


PLAN = {"name": "plan", "label": "Plan", "type": "string", "fieldType": "text", "groupName": "contactinformation"}


class TestProperties:
    def test_only_properties_of_one_sensitivity_are_listed(self, ask):
        plain = ask("GET", "/crm/v3/properties/contacts").json()["results"]
        hidden = ask("GET", "/crm/v3/properties/contacts?dataSensitivity=sensitive").json()["results"]
        assert "carecycle_mbi" not in {definition["name"] for definition in plain}
        assert [definition["name"] for definition in hidden] == ["carecycle_mbi"]

    def test_a_created_property_takes_values_and_cannot_be_created_twice(self, portal, ask):
        assert ask("POST", "/crm/v3/properties/contacts", PLAN).status_code == 201
        assert portal.put("contacts", plan="Gold")
        reply = ask("POST", "/crm/v3/properties/contacts", PLAN)
        assert (reply.status_code, reply.json()["subCategory"]) == (409, "Properties.PROPERTY_WITH_NAME_EXISTS")

    def test_an_unknown_property_is_a_404_with_a_category(self, ask):
        reply = ask("GET", "/crm/properties/2026-09/contacts/plan")
        assert (reply.status_code, reply.json()["category"]) == (404, "OBJECT_NOT_FOUND")

    def test_a_created_unique_property_serves_as_a_key(self, ask):
        ask("POST", "/crm/v3/properties/contacts", {**PLAN, "hasUniqueValue": True})
        row = {"id": "Gold", "idProperty": "plan", "properties": {}}
        assert ask("POST", UPSERT, {"inputs": [row]}).status_code == 200

    def test_a_sensitive_property_needs_its_scope_to_be_created_and_the_portals_consent(self, portal, ask):
        made = {**PLAN, "dataSensitivity": "sensitive"}
        portal.definitions.sensitive_data = False
        assert ask("POST", "/crm/v3/properties/contacts", made).status_code == 400
        portal.tokens[portal.token] = frozenset({"crm.schemas.contacts.write"})
        assert ask("POST", "/crm/v3/properties/contacts", made).status_code == 403

    @pytest.mark.parametrize(
        "change",
        [
            {"type": "bool", "fieldType": "booleancheckbox"},
            {"type": "text"},
            {"groupName": "nowhere"},
            {"name": "Plan A"},
            {"dataSensitivity": "secret"},
        ],
    )
    def test_a_definition_hubspot_would_refuse_is_refused(self, ask, change):
        assert ask("POST", "/crm/v3/properties/contacts", {**PLAN, **change}).status_code == 400

    def test_a_group_is_created_once(self, ask):
        made = {"name": "carecycle", "label": "careCycle"}
        assert ask("POST", "/crm/v3/properties/contacts/groups", made).status_code == 201
        assert ask("POST", "/crm/v3/properties/contacts/groups", made).status_code == 409
        assert ask("GET", "/crm/v3/properties/contacts/groups/carecycle").json()["label"] == "careCycle"

    def test_an_object_has_at_most_ten_unique_properties(self, ask):
        replies = [
            ask("POST", "/crm/v3/properties/contacts", {**PLAN, "name": f"key_{n}", "hasUniqueValue": True})
            for n in range(10)
        ]
        assert [reply.status_code for reply in replies] == [201] * 9 + [400]

    def test_calls_hold_no_sensitive_data_and_perhaps_no_unique_value(self):
        sandbox = HubSpotSandbox(unique_calls=False)
        with sandbox as url, requests.Session() as session:
            session.headers["Authorization"] = f"Bearer {sandbox.token}"
            for more in ({"dataSensitivity": "sensitive"}, {"hasUniqueValue": True}):
                body = {**PLAN, **more}
                assert session.post(url + "/crm/v3/properties/calls", json=body, timeout=60).status_code == 400


class TestAssociations:
    def test_links_are_made_once_and_read_from_both_sides(self, portal, ask):
        contact = portal.put("contacts", firstname="Ada")
        call = portal.put("calls", hs_timestamp="1793632645000")
        body = {"inputs": [{"from": {"id": call}, "to": {"id": contact}}]}
        for _ in range(2):
            reply = ask("POST", "/crm/v4/associations/calls/0-1/batch/associate/default", body)
            ends = [(result["from"]["id"], result["to"]["id"]) for result in reply.json()["results"]]
            types = [result["associationSpec"]["associationTypeId"] for result in reply.json()["results"]]
            assert (ends, types) == ([(call, contact), (contact, call)], [194, 193])
        assert portal.associations == {("calls", call, "contacts", contact)}
        seen = ask("GET", f"/crm/v4/objects/contacts/{contact}/associations/calls").json()["results"]
        assert [link["toObjectId"] for link in seen] == [int(call)]

    def test_linking_a_missing_record_is_an_error_entry(self, portal, ask):
        contact = portal.put("contacts", firstname="Ada")
        body = {"inputs": [{"from": {"id": "4711"}, "to": {"id": contact}}]}
        reply = ask("POST", "/crm/v4/associations/0-48/0-1/batch/associate/default", body)
        assert (reply.status_code, reply.json()["numErrors"], portal.associations) == (200, 1, set())


class TestOptOuts:
    PATH = "/communication-preferences/v4/statuses/Ada@example.org/unsubscribe-all"

    def test_an_address_is_opted_out_before_its_contact_exists(self, portal, ask):
        assert ask("POST", self.PATH + "?channel=EMAIL").status_code == 200
        portal.put("contacts", email="ada@example.org")
        assert portal.records("contacts")[0]["hs_email_optout"] == "true"
        assert ask("GET", self.PATH + "?channel=EMAIL").json()["results"][0]["status"] == "UNSUBSCRIBED"

    def test_an_address_that_is_not_opted_out_has_no_result(self, ask):
        assert ask("GET", self.PATH + "?channel=EMAIL").json()["results"] == []

    def test_a_second_opt_out_is_rejected(self, portal, ask):
        replies = [ask("POST", self.PATH + "?channel=EMAIL").status_code for _ in range(2)]
        assert (replies, portal.opted_out) == ([200, 400], {"ada@example.org"})

    @pytest.mark.parametrize("query", ["", "?channel=SMS"])
    def test_only_the_channel_email_works(self, portal, ask, query):
        assert ask("POST", self.PATH + query).status_code == 400
        assert portal.opted_out == set()


class TestOwners:
    def test_an_owner_is_found_by_address_and_former_ones_are_not_listed(self, ask):
        [owner] = ask("GET", "/crm/v3/owners?email=PRIYA@youragency.com").json()["results"]
        assert {"id", "email", "firstName", "lastName", "userId", "archived"} <= set(owner)
        assert ask("GET", "/crm/v3/owners?email=former@youragency.com").json()["results"] == []

    def test_owners_come_in_pages(self, ask):
        first = ask("GET", "/crm/v3/owners?limit=2").json()
        rest = ask("GET", f"/crm/v3/owners?limit=2&after={first['paging']['next']['after']}").json()
        assert (len(first["results"]), len(rest["results"]), "paging" in rest) == (2, 1, False)
