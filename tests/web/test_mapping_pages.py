"""The console's pages of mappings: what runs, and an edit tried in memory."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from connector.carecycle import catalogue, recognise
from connector.carecycle.catalogue import Privacy
from connector.insight.tryout import MAX_TEXT, masked, sample, try_mapping
from connector.mapping import shipped_folder
from connector.store import Store
from connector.web.console import create_console
from connector.web.health import create_admin
from connector.web.passwords import Passwords
from tests.builders import CUSTOMER, DESTINATION, a_call, a_customer, an_arrival
from tests.conftest import Clock
from tests.destinations.memory_crm import Memory, Vault
from tests.web.conftest import HASH, KEY, an_account, deeds, log_in, token

SHIPPED = "extends: salesforce-contact\n"
ZONE = "America/Phoenix"


def post(client: FlaskClient, page: str, mapping: str, event: str = "{}", **headers: str) -> TestResponse:
    form = {"token": token(client), "destination": DESTINATION, "mapping": mapping, "event": event}
    return client.post(f"/console/mapping/{page}", data=form, headers=headers)


def an_event(**changes: Any) -> str:
    return json.dumps(a_customer(**changes))


class TestTheRunningOne:
    def test_it_is_told_with_its_checks_and_tests(self, operator: FlaskClient, store: Store) -> None:
        store.mappings.running(DESTINATION, "v1")
        page = operator.get("/console/mapping").text
        assert "version <code>v1</code>" in page
        assert "salesforce-contact.yaml" in page
        assert "M161" in operator.get("/console/mapping/show").text

    def test_a_refused_edit_is_told(self, operator: FlaskClient, store: Store) -> None:
        store.mappings.refused(DESTINATION, "own.yaml:2:5: error[M101]")
        assert "An edited file was rejected" in operator.get("/console/mapping").text
        assert "own.yaml:2:5: error[M101]" in operator.get("/console/mapping/show").text


class TestTrying:
    def test_the_form_starts_with_what_runs_and_a_sample(self, operator: FlaskClient) -> None:
        page = operator.get("/console/mapping/try").text
        assert "salesforce-contact" in page
        assert "customer.created" in page
        assert "<code>LastName</code>" in page

    def test_an_edit_makes_other_records(self, operator: FlaskClient) -> None:
        edit = SHIPPED + "records: {contact: {fields: {Department: {value: from the edit}}}}\n"
        assert "from the edit" in post(operator, "try", edit, an_event()).text

    def test_a_page_that_updates_itself_gets_the_result_alone(self, operator: FlaskClient) -> None:
        page = post(operator, "try", SHIPPED, an_event(), **{"HX-Request": "true"}).text
        assert "Contact" in page
        assert "<html" not in page

    def test_a_mistake_is_told_with_its_line(self, operator: FlaskClient) -> None:
        page = post(operator, "try", SHIPPED + "records: {contact: {fields: {A: customer.citty}}}\n", an_event()).text
        assert "line 2: error" in page
        assert "M101" in page

    def test_withheld_fields_are_named(self, operator: FlaskClient) -> None:
        page = post(operator, "try", SHIPPED, an_event(doNotSMS=True)).text
        assert "contact.<code>MobilePhone</code> is withheld by <code>doNotSMS</code>" in page

    def test_a_viewer_may_try(self, viewer: FlaskClient) -> None:
        assert post(viewer, "try", SHIPPED, an_event()).status_code == 200

    def test_nothing_is_tried_without_the_form_s_token(self, operator: FlaskClient) -> None:
        assert operator.post("/console/mapping/try", data={"mapping": SHIPPED}).status_code == 400

    def test_nothing_is_kept(self, operator: FlaskClient, store: Store) -> None:
        post(operator, "try", SHIPPED + "records: {contact: {fields: {Department: {value: x}}}}\n", an_event())
        assert (store.mappings.all(), deeds(store)) == ([], [])


class TestBadInput:
    @pytest.mark.parametrize("event", ["", "{", "[]", "1", '{"event_type": "x"}', "[" * 20_000, '{"a":' * 5000])
    def test_an_event_that_could_not_come_is_told(self, event: str) -> None:
        tried = try_mapping(SHIPPED, event, timezone=ZONE)
        assert tried.problem
        assert tried.records == ()

    @pytest.mark.parametrize("text", ["", "{", "a: &a [*a]", "[" * 20_000, "crm: salesforce", "\0", "\ud800"])
    def test_a_text_that_is_no_mapping_is_told(self, text: str) -> None:
        assert any(one.severity == "error" for one in try_mapping(text, an_event(), timezone=ZONE).diagnostics)

    @pytest.mark.parametrize("texts", [("x" * (MAX_TEXT + 1), ""), ("", "ü" * (MAX_TEXT // 2 + 1))])
    def test_texts_that_are_too_long_are_refused_unread(self, texts: tuple[str, str]) -> None:
        tried = try_mapping(*texts, timezone=ZONE)
        assert tried.loaded is None
        assert "longer than 32 KiB" in tried.problem

    @pytest.mark.parametrize("name", ["../mappings/hubspot.yaml", "hubspot.yaml", "../hubspot", "/etc/hostname"])
    def test_no_file_but_a_shipped_mapping_is_read(self, name: str) -> None:
        absolute = str(shipped_folder() / "hubspot.yaml")
        for extends in (name, absolute):
            tried = try_mapping(f"extends: {extends}\n", an_event(), timezone=ZONE)
            assert [one.code for one in tried.diagnostics] == ["M140"]

    def test_an_unknown_destination_or_event_is_not_found(self, operator: FlaskClient) -> None:
        pages = ("destination=nobody", "event=msg_nobody")
        assert {operator.get(f"/console/mapping/try?{one}").status_code for one in pages} == {404}


class TestStoredEvents:
    def test_one_comes_with_made_up_people(self, operator: FlaskClient, store: Store) -> None:
        store.inbox.accept([an_arrival("msg_one", a_customer(firstName="Zebulon", status="Lead"))])
        page = operator.get("/console/mapping/try?event=msg_one").text
        assert "Zebulon" not in page
        assert CUSTOMER in page

    @pytest.mark.parametrize("payload", [a_customer(), a_call(None), a_call(a_customer(email=None))])
    def test_it_is_still_an_event_that_could_come(self, payload: dict[str, Any]) -> None:
        there = masked(payload, payload["event_type"])
        assert recognise.read(there, "masked") is not None

    def test_null_stays_null(self) -> None:
        there = masked(a_customer(email=None), "customer.updated")
        assert (there["email"], there["firstName"] is None) == (None, False)
        assert masked(a_call(None), "call.completed")["customer"] is None

    def test_nothing_private_is_left(self) -> None:
        private = [one.path for one in catalogue.FIELDS.values() if one.privacy is not Privacy.OPERATIONAL]
        planted = {path.partition(".")[2]: "canary" for path in private if path.startswith("customer.")}
        payload = {**sample("customer.updated"), **{name: "canary" for name in planted if "." not in name}}
        assert "canary" not in json.dumps(masked(payload, "customer.updated"))


class TestComparing:
    def test_an_account_that_cannot_be_opened_has_nothing_to_compare(self, operator: FlaskClient) -> None:
        assert "The edit cannot be compared" in post(operator, "compare", SHIPPED).text

    def test_the_edit_is_still_there(self, operator: FlaskClient) -> None:
        assert f'name="mapping" value="{SHIPPED}"' in post(operator, "compare", SHIPPED).text

    def test_who_may_not_publish_cannot_ask_stored_events_about_a_person(self, viewer: FlaskClient) -> None:
        assert post(viewer, "compare", SHIPPED).status_code == 403
        assert "Compare using stored events" not in viewer.get("/console/mapping/try").text

    def test_it_is_recorded_since_its_conditions_ask_about_people(self, store: Store, clock: Clock) -> None:
        account = replace(an_account(), connect=lambda: Memory(Vault(), lambda _: None))
        console = create_console(store, Passwords(HASH), KEY, lambda: clock() / 1000, [account])
        client = create_admin(store, [console]).test_client()
        log_in(client)
        assert "events would be written differently" in post(client, "compare", SHIPPED).text
        assert [(entry.action, entry.thing, entry.agency) for entry in deeds(store)] == [
            ("compare mapping", DESTINATION, "sunrise")
        ]
