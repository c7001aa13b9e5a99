"""Every shipped mapping delivers careCycle's three example events into its CRM's sandbox, over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from connector.carecycle.signature import Verifier
from connector.delivery.route import Pace, Route, Running
from connector.delivery.turn import deliver
from connector.mapping import shipped_folder
from connector.mapping.example_events import EXAMPLES
from connector.receive import Agency, read
from connector.running.bootstrap import load_mapping
from connector.store import Store, open_store
from connector.store.desk import Filter
from tests.builders import DATA_KEY, SECRET
from tests.destinations import hubspot_fixtures, salesforce_fixtures

AGENCY = Agency("sunrise", Verifier("sunrise", [SECRET]), {"crm": 1})
LANE, DESTINATION = "sunrise/crm/0", "sunrise/crm"
SHIPPED = sorted(path.stem for path in shipped_folder().glob("*.yaml"))


class Delivered:
    """A sandbox after the examples, and what became of them."""

    def __init__(self, sandbox: Any, states: set[str]) -> None:
        self.sandbox, self.states = sandbox, states

    def one(self, kind: str, **fields: Any) -> dict[str, Any]:
        """The one record of its kind, as far as these fields."""
        (record,) = self.sandbox.records(kind)
        return {name: record.get(name) for name in fields}


@contextmanager
def delivered(name: str, tmp_path: Path) -> Iterator[Delivered]:
    fixtures = hubspot_fixtures if name == "hubspot" else salesforce_fixtures
    opened: Any = fixtures.sandbox_and_destination()
    store = open_store(f"sqlite:///{tmp_path}/connector.db", {"CONNECTOR_DATA_KEY": DATA_KEY})
    store.lanes.open({LANE: DESTINATION})
    with opened as (sandbox, destination):
        path = shipped_folder() / f"{name}.yaml"
        mapping = load_mapping(path, destination.describe(load_mapping(path).objects))
        route = Route(DESTINATION, destination, Running(mapping), "America/New_York")
        yield Delivered(sandbox, _pass_on(store, route))
    store.close()


def _pass_on(store: Store, route: Route) -> set[str]:
    """Deliver every example; the states they end in."""
    store.inbox.accept([read(AGENCY, event, json.dumps(EXAMPLES[event]).encode(), 0) for event in EXAMPLES])
    while lease := store.lanes.lease("worker", [LANE], 60_000):
        while deliver(store, route, lease, Pace(roll=lambda: 0.5)):
            continue
        store.lanes.release(lease)
    return {store.desk.deliveries(Filter(message_id=event))[0].state for event in EXAMPLES}


@pytest.mark.parametrize("name", SHIPPED)
def test_nothing_of_the_examples_becomes_a_dead_letter(name: str, tmp_path: Path) -> None:
    with delivered(name, tmp_path) as crm:
        assert crm.states.isdisjoint({"dead", "ready"})


def test_salesforce_contact(tmp_path: Path) -> None:
    contact = {"LastName": "Delacroix", "Email": "marcus.delacroix@example.com", "MobilePhone": "+13128471928"}
    call = {"CallType": "Inbound", "CallDurationInSeconds": 247, "ActivityDate": "2026-06-17", "Status": "Completed"}
    with delivered("salesforce-contact", tmp_path) as crm:
        assert crm.one("Contact", **contact) == contact
        assert crm.one("Task", **call) == call
        assert crm.one("Task", WhoId="") == {"WhoId": crm.one("Contact", Id="")["Id"]}


def test_salesforce_lead(tmp_path: Path) -> None:
    lead = {"LastName": "Delacroix", "Company": "Delacroix household", "LeadSource": "careCycle", "City": "Mesa"}
    with delivered("salesforce-lead", tmp_path) as crm:
        assert crm.one("Lead", **lead) == lead


def test_salesforce_person_account(tmp_path: Path) -> None:
    person = {"LastName": "Delacroix", "PersonMailingCity": "Mesa", "PersonMobilePhone": "+13128471928"}
    call = {"CallType": "Inbound", "Subject": "Call: Enrolled (MA Inbound Receptionist)", "Status": "Completed"}
    with delivered("salesforce-person-account", tmp_path) as crm:
        assert crm.one("Account", **person) == person
        assert crm.one("Task", **call) == call
        assert crm.one("Task", WhatId="") == {"WhatId": crm.one("Account", Id="")["Id"]}


def test_hubspot(tmp_path: Path) -> None:
    contact = {"lastname": "Delacroix", "city": "Mesa", "phone": "+13128471928"}
    call = {"hs_call_direction": "INBOUND", "hs_call_title": "INBOUND call: MA Inbound Receptionist"}
    with delivered("hubspot", tmp_path) as crm:
        assert crm.one("contacts", **contact) == contact
        assert crm.one("calls", **call) == call
        assert crm.one("contacts", id="")["id"] in next(iter(crm.sandbox.associations))
