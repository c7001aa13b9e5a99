"""A value that nothing translates leaves its field alone and is reported by name, over both databases."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connector.delivery.route import Running
from connector.destinations import VENDORS
from connector.mapping import Mapping, load, shipped_folder
from connector.mapping.planning import plan
from connector.model import Plan
from tests.builders import a_call, a_customer
from tests.mappings.build import event_of
from tests.promises.crm import Fault
from tests.promises.stage import DESTINATION, ZONE, Stage, a_person, compiled

MAPPING = """\
version: 1
crm: salesforce
consent: { waive: [doNotCall, doNotSMS, doNotEmail, doNotMail] }
records:
  contact:
    object: Contact
    key: { Key: customer.id }
    fields:
      LastName: { from: customer.lastName, default: Unknown }
      Status: { from: customer.status, table: { Lead: New, Active: Working, Inactive: Closed } }
"""


@pytest.fixture
def served(stage: Stage) -> Stage:
    stage.route.running = Running(compiled(MAPPING))
    return stage


class TestAValueThatNothingTranslates:
    def test_is_reported_by_the_names_of_its_fields(self, served: Stage) -> None:
        served.accept("new", a_person("c-1", 1, status="Prospect"))
        served.drain()
        assert served.state("new") == ("delivered", "")
        (oddity,) = served.store.oddities.all()
        assert (oddity.destination, oddity.field, oddity.target) == (DESTINATION, "customer.status", "contact.Status")
        assert (oddity.agency, oddity.count, oddity.message_id) == ("sunrise", 1, "new")
        (note,) = served.settled("new").tries[0].records
        assert note.untranslated == {"Status": "customer.status"}
        assert "Prospect" not in json.dumps(note.as_data())

    def test_leaves_the_field_as_it_is_in_the_crm(self, served: Stage) -> None:
        served.live([("old", a_person("c-1", 1, status="Lead")), ("new", a_person("c-1", 2, status="Prospect"))])
        assert served.contact()["Status"] == "New"

    def test_is_counted_once_for_a_delivery_however_often_it_is_tried(self, served: Stage) -> None:
        served.crm.faults = [Fault.DOWN]
        served.accept("new", a_person("c-1", 1, status="Prospect"))
        served.drain()
        assert served.store.oddities.all() == []
        served.drain_in_time()
        assert [row.count for row in served.store.oddities.all()] == [1]

    def test_is_no_longer_listed_once_the_mapping_has_changed(self, served: Stage) -> None:
        served.store.mappings.running(DESTINATION, "v1")
        served.accept("new", a_person("c-1", 1, status="Prospect"))
        served.drain()
        served.store.mappings.running(DESTINATION, "v1")
        assert len(served.store.oddities.all()) == 1
        served.store.mappings.running(DESTINATION, "v2")
        assert served.store.oddities.all() == []


TABLE = "table: { Lead: New, Active: Working, Inactive: Closed }"
FIELDS = {
    "a table without an entry": (f"{{ from: customer.status, {TABLE} }}", "customer.status"),
    "a table of a named table": ("{ from: customer.status, table: named }", "customer.status"),
    "else": ("{ from: customer.status, table: { Lead: New, else: Other } }", ""),
    "a default": (f"{{ from: customer.status, {TABLE}, default: Other }}", ""),
    "a value taken as it is": ("customer.status", "customer.status"),
    "a value that becomes part of a text": ("{ template: '{customer.status}' }", ""),
    "when that does not hold": (f"{{ from: customer.status, {TABLE}, when: {{ customer.state: NY }} }}", ""),
    "when that holds": (f"{{ from: customer.status, {TABLE}, when: {{ customer.state: AZ }} }}", "customer.status"),
    "the case that holds": (
        f"{{ cases: [{{ when: {{ customer.state: AZ }}, then: {{ from: customer.status, {TABLE} }} }}] }}",
        "customer.status",
    ),
    "a case that does not": (
        f"{{ cases: [{{ when: {{ customer.state: NY }}, then: {{ from: customer.status, {TABLE} }} }}] }}",
        "",
    ),
}


def the_plan(mapping: Mapping, payload: dict[str, Any]) -> Plan:
    return plan(event_of(payload, payload["event_type"]), mapping, timezone=ZONE)


class TestAPlan:
    @pytest.mark.parametrize(("source", "path"), FIELDS.values(), ids=FIELDS)
    def test_names_what_is_not_translated(self, source: str, path: str) -> None:
        text = MAPPING.replace("      Status:", f"      Tried: {source}\n      Status:")
        text = text.replace("records:\n", f"tables: {{ named: {TABLE.removeprefix('table: ')} }}\nrecords:\n")
        made = the_plan(compiled(text), a_customer(status="Prospect"))
        assert {value.path for value in made.untranslated if value.field == "Tried"} == ({path} if path else set())

    @pytest.mark.parametrize("status", ["Lead", "lead", None, ""])
    def test_names_nothing_where_the_value_is_known_or_none(self, status: str | None) -> None:
        assert the_plan(compiled(MAPPING), a_customer(status=status)).untranslated == ()

    @pytest.mark.parametrize("name", ["salesforce-contact", "salesforce-person-account", "hubspot"])
    def test_of_a_shipped_mapping_names_a_direction_that_is_new(self, name: str) -> None:
        shipped = load(shipped_folder() / f"{name}.yaml", shipped=shipped_folder(), crms=VENDORS).mapping
        assert shipped is not None
        made = the_plan(shipped, a_call(a_customer(), direction="sideways"))
        assert {value.path for value in made.untranslated} == {"call.direction"}


class TestAValueThatAFormatMakesNothingOf:
    def test_is_reported_in_the_same_way(self, stage: Stage) -> None:
        plain = "City: { from: customer.postalCode, format: zip5, if_null: clear }"
        stage.route.running = Running(compiled(MAPPING + f"      {plain}\n"))
        stage.live(
            [("old", a_person("c-1", 1, postalCode="85204-1234")), ("new", a_person("c-1", 2, postalCode="K1A"))]
        )
        (oddity,) = stage.store.oddities.all()
        assert (oddity.field, oddity.target) == ("customer.postalCode", "contact.City")
        assert stage.contact()["City"] == "85204"
