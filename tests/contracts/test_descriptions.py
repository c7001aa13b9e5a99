"""What a CRM says of its fields is known before anything is sent: after a start, a restart, a change in the CRM."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Barrier
from typing import Any, cast

import pytest
from flask import Response

from connector.backoff import HOUR
from connector.delivery.lookups import MOST, Lookups
from connector.delivery.reload import Watched, fingerprint
from connector.delivery.route import Route, Running
from connector.delivery.schemas import ASK_AGAIN
from connector.destinations.base import Destination, Found
from connector.destinations.salesforce.account import Salesforce
from connector.destinations.salesforce.vendor import SALESFORCE as SALESFORCE_CRM
from connector.mapping import shipped_folder
from connector.model import Lookup
from connector.running.bootstrap import load_mapping, read_mapping
from connector.sandbox.salesforce import SalesforceSandbox
from connector.sandbox.wire import Fault
from connector.store import Store
from connector.store.desk import Filter
from tests.builders import a_customer
from tests.conftest import Clock
from tests.contracts.test_pipeline import DESTINATION, LANE, SALESFORCE, House
from tests.destinations.salesforce_fixtures import client_credentials

SAM = Lookup("User", "Email", "sam@youragency.com")
LONG = "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch"
"""A city of 58 characters; MailingCity holds 40."""


class Office(House):
    """A house whose worker can be started again."""

    mapping: Path

    def start(self) -> None:
        """Start a worker's process anew."""
        self.route.destination.close()
        destination = Salesforce(
            client_credentials(), endpoint=self.sandbox.url, on_call=lambda *_: None, sleep=lambda _: None
        )
        first = read_mapping(self.mapping)
        route = Route(DESTINATION, destination, Running(load_mapping(self.mapping)), "America/New_York")
        load = partial(read_mapping, self.mapping)
        self.watched = Watched(route, load, fingerprint(first.files), self.store, lambda: self.clock() / 1000)
        self.route = route

    def write_mapping(self, text: str) -> None:
        self.mapping.write_text(f"version: 1\nextends: salesforce-contact\n{text}")

    def open_items(self) -> list[tuple[str, str]]:
        return [(item.field, item.code) for item in self.store.open_items.fields()]

    def descriptions(self) -> int:
        """How often the org was asked to describe its objects."""
        asked = [seen for seen in self.sandbox.seen if "describe" in f"{seen.path} {seen.body}"]
        return len(asked)

    def undescribed(self, status: int, code: str, times: int = 10**6) -> None:
        """The org answers everything but a request for a description."""
        answer = Response(json.dumps([{"errorCode": code, "message": code}]), status, content_type="application/json")
        asks = lambda _, path: path.endswith(("/composite", "/describe"))  # noqa: E731
        self.sandbox.faults.append(Fault(asks, lambda _: answer, times))

    def wait(self, milliseconds: int) -> None:
        self.clock.forward(milliseconds)
        self.watched.refresh()
        self.drain()


@pytest.fixture
def office(store: Store, clock: Clock, tmp_path: Path) -> Iterator[Office]:
    store.lanes.open({LANE: DESTINATION})
    with (sandbox := SalesforceSandbox()) as url:
        destination = Salesforce(client_credentials(), endpoint=url, on_call=lambda *_: None)
        mapping = load_mapping(shipped_folder() / "salesforce-contact.yaml")
        route = Route(DESTINATION, destination, Running(mapping), "America/New_York")
        office = Office(store, clock, sandbox, route, SALESFORCE)
        office.mapping = tmp_path / "own.yaml"
        office.write_mapping("")
        office.start()
        yield office
        office.route.destination.close()


def column(office: Office, name: str, **changes: Any) -> None:
    """Change a contact's field in the org."""
    columns = office.sandbox.org.table("Contact").columns
    known = columns[name.lower()]
    columns[name.lower()] = type(known)(**{key: getattr(known, key) for key in known.__slots__} | changes)


class TestAFreshStart:
    def test_a_backlog_of_long_texts_is_cut(self, office: Office) -> None:
        office.accept(*(a_customer(id=f"c-{n}", city=LONG) for n in range(3)))
        office.drain()
        assert {person["city"] for person in office.people()} == {LONG[:40]}
        assert office.open_items() == []

    def test_its_lanes_ask_once(self, office: Office) -> None:
        with ThreadPoolExecutor(8) as lanes:
            assert set(lanes.map(lambda _: office.watched.missing(), range(8))) == {None}
        assert office.descriptions() == 1

    def test_a_mapping_that_does_not_fit_the_org_in_one_field_cuts_the_others(self, office: Office) -> None:
        office.write_mapping("records: {contact: {fields: {Nobody__c: customer.county}}}")
        office.start()
        office.pass_on(a_customer(city=LONG, county="Cook"))
        assert office.person()["city"] == LONG[:40]
        assert office.open_items() == [("Nobody__c", "INVALID_FIELD")]

    def test_an_account_that_cannot_be_used_pauses_the_lane_and_loses_nothing(self, office: Office) -> None:
        office.undescribed(403, "REQUEST_LIMIT_EXCEEDED", times=1)
        office.pass_on(a_customer(city=LONG))
        (lane,) = office.store.desk.lanes()
        assert (lane.pause_code, office.people()) == ("quota", [])
        office.wait(HOUR)
        assert (office.person()["city"], office.open_items()) == (LONG[:40], [])


class TestLookUps:
    def test_lanes_that_start_together_ask_for_a_user_once(self, office: Office) -> None:
        gate = Barrier(8)

        def resolve(_: int) -> object:
            gate.wait(30)
            return office.route.lookups.resolve(office.route.destination, [SAM])

        with ThreadPoolExecutor(8) as lanes:
            assert len({str(answer) for answer in lanes.map(resolve, range(8))}) == 1
        assert len(office.sandbox.calls("/query")) == 1

    @pytest.mark.slow
    def test_answers_that_are_kept_are_bounded(self) -> None:
        class Crm:
            crm = SALESFORCE_CRM

            def find(self, kind: str, field: str, values: list[str], *_: object) -> dict[str, list[Found]]:
                return {value: [Found(value, {})] for value in values}

        lookups = Lookups(lambda: 0.0)
        for start in range(0, 3 * MOST, MOST):
            wanted = [replace(SAM, value=f"u{number}@example.com") for number in range(start, start + MOST)]
            assert len(lookups.resolve(cast(Destination, Crm()), wanted)) == MOST
        assert len(lookups._known) == MOST


class TestARestart:
    def test_asks_nothing_that_was_said_before(self, office: Office) -> None:
        office.pass_on(a_customer())
        office.start()
        asked = office.descriptions()
        office.pass_on(a_customer(city=LONG, updatedAt="2026-06-18T13:00:00.000Z"))
        assert (office.person()["city"], office.descriptions()) == (LONG[:40], asked)

    def test_goes_on_with_an_old_description_where_a_new_one_is_refused(self, office: Office) -> None:
        office.pass_on(a_customer())
        office.clock.forward(100 * HOUR)
        office.start()
        office.undescribed(403, "INSUFFICIENT_ACCESS")
        office.pass_on(a_customer(city=LONG, updatedAt="2026-06-18T13:00:00.000Z"))
        assert (office.person()["city"], office.open_items()) == (LONG[:40], [])

    def test_still_knows_the_types_of_fields(self, office: Office) -> None:
        office.write_mapping('records: {contact: {fields: {Do_Not_Mail__c: {value: "true"}}}}\n')
        office.write_mapping(
            "consent: {waive: [doNotMail], flags: {remove: [doNotMail]}}\n"
            'records: {contact: {fields: {Do_Not_Mail__c: {template: "true"}}}}'
        )
        office.start()
        office.pass_on(a_customer())
        office.start()
        office.undescribed(403, "INSUFFICIENT_ACCESS")
        (message_id,) = office.pass_on(a_customer(id="c-2"))
        assert (office.state(message_id), office.open_items()) == (("delivered", ""), [])

    def test_asks_for_what_an_edited_mapping_adds(self, office: Office) -> None:
        office.pass_on(a_customer())
        office.write_mapping("records: {contact: {fields: {Department: {from: customer.city, cut: true}}}}")
        office.start()
        office.pass_on(a_customer(city=LONG * 2, updatedAt="2026-06-18T13:00:00.000Z"))
        assert office.open_items() in ([], [("Department", "INVALID_FIELD")])


class TestALengthThatCannotBeHad:
    @pytest.fixture(autouse=True)
    def _refused(self, office: Office) -> None:
        office.undescribed(403, "INSUFFICIENT_ACCESS")

    def test_holds_back_the_text_alone_until_it_is_known(self, office: Office) -> None:
        (message_id,) = office.pass_on(a_customer(city=LONG, doNotCall=True))
        assert (office.person()["state"], office.person()["no_call"], office.person()["city"]) == ("AZ", True, None)
        assert ("MailingCity", "LENGTH_UNKNOWN") in office.open_items()
        office.sandbox.faults.clear()
        office.wait(int(ASK_AGAIN * 1000))
        assert (office.person()["city"], office.open_items()) == (LONG[:40], [])
        assert office.state(message_id) == ("delivered", "")

    def test_holds_it_back_over_a_restart(self, office: Office) -> None:
        office.pass_on(a_customer(city=LONG))
        office.sandbox.faults.clear()
        office.start()
        office.wait(0)
        assert (office.person()["city"], office.open_items()) == (LONG[:40], [])

    def test_does_not_lose_what_is_written_on_creation_alone(self, office: Office) -> None:
        office.write_mapping(
            "records: {contact: {fields: {MailingCity: {from: customer.city, cut: true, write: on_create}}}}"
        )
        office.start()
        office.pass_on(a_customer(city=LONG))
        office.sandbox.faults.clear()
        office.wait(int(ASK_AGAIN * 1000))
        assert (office.person()["city"], office.open_items()) == (LONG[:40], [])

    @pytest.mark.slow
    def test_makes_a_record_wait_that_requires_the_text(self, office: Office) -> None:
        office.write_mapping(
            "records: {contact: {fields: {MailingCity: {from: customer.city, cut: true, required: true}}}}"
        )
        office.start()
        (message_id,) = office.pass_on(a_customer(city=LONG))
        assert (office.people(), office.state(message_id)) == ([], ("ready", "LENGTH_UNKNOWN"))
        office.sandbox.faults.clear()
        office.wait(HOUR)
        assert (office.person()["city"], office.state(message_id)) == (LONG[:40], ("delivered", ""))

    @pytest.mark.parametrize("status", [403, 500, 503])
    def test_holds_up_no_opt_out_and_no_record(self, office: Office, status: int) -> None:
        office.sandbox.faults.clear()
        office.undescribed(status, "SERVER_UNAVAILABLE" if status == 503 else "UNKNOWN_EXCEPTION")
        office.sandbox.put("Contact", LastName="Delacroix", careCycle_Id__c="c-1")
        office.pass_on(a_customer(id="c-1", city=LONG, doNotCall=True))
        assert (office.person()["no_call"], office.person()["state"]) == (True, "AZ")
        assert office.person()["city"] is None

    def test_lets_a_record_wait_that_the_org_does_not_create_without_the_text(self, office: Office) -> None:
        (message_id,) = office.pass_on(a_customer(lastName=LONG * 2))
        assert (office.people(), office.state(message_id)) == ([], ("ready", "LENGTH_UNKNOWN"))
        office.sandbox.faults.clear()
        office.wait(HOUR)
        assert [one["LastName"] for one in office.sandbox.records("Contact")] == [(LONG * 2)[:80]]

    def test_holds_back_no_text_that_every_field_holds(self, office: Office) -> None:
        office.pass_on(a_customer(city="Mesa"))
        assert office.person()["city"] == "Mesa"

    def test_of_a_short_field_is_not_called_a_wrong_mapping(self, office: Office) -> None:
        column(office, "MailingCity", length=5)
        office.pass_on(a_customer(city="Paradise Valley"))
        assert office.open_items() == [("MailingCity", "LENGTH_UNKNOWN")]
        office.sandbox.faults.clear()
        office.wait(int(ASK_AGAIN * 1000))
        assert (office.person()["city"], office.open_items()) == ("Parad", [])


class TestALengthThatChanges:
    def test_a_field_made_shorter_is_described_again_and_the_text_cut_to_it(self, office: Office) -> None:
        office.pass_on(a_customer())
        column(office, "MailingCity", length=20)
        later = {"city": LONG, "updatedAt": "2026-06-18T13:00:00.000Z"}
        office.pass_on(*(a_customer(id=f"c-{n}", **later) for n in range(3)), a_customer(**later))
        assert {person["city"] for person in office.people()} == {LONG[:20]}
        assert (office.open_items(), office.descriptions()) == ([], 2)

    def test_the_same_text_is_not_sent_again(self, office: Office) -> None:
        office.pass_on(a_customer())
        column(office, "MailingCity", length=20)
        office.pass_on(a_customer(city=LONG, updatedAt="2026-06-18T13:00:00.000Z"))
        writes = len(office.sandbox.org.writes)
        office.pass_on(a_customer(city=LONG, updatedAt="2026-06-18T14:00:00.000Z"))
        assert len(office.sandbox.org.writes) == writes

    def test_a_field_that_holds_less_than_it_says_is_left_out_with_advice_that_helps(self, office: Office) -> None:
        office.pass_on(a_customer())
        columns = office.sandbox.org.table("Contact").columns
        full = columns["mailingcity"].describe()
        column(office, "MailingCity", length=20)
        short = columns["mailingcity"]
        object.__setattr__(short, "length", 20)
        lying = type("Lying", (type(short),), {"describe": lambda _: full})
        columns["mailingcity"] = lying(**{key: getattr(short, key) for key in short.__slots__})
        office.pass_on(a_customer(city=LONG, updatedAt="2026-06-18T13:00:00.000Z"))
        (item,) = office.store.open_items.fields()
        assert (item.field, item.code) == ("MailingCity", "STRING_TOO_LONG")
        assert "cuts it already" in item.action
        assert "add `cut" not in item.action


class TestAnotherAccount:
    def test_its_descriptions_are_its_own(self, office: Office) -> None:
        office.pass_on(a_customer())
        office.sandbox.refresh("00DHs0000000002MAA")
        office.start()
        asked = office.descriptions()
        office.pass_on(a_customer(city=LONG))
        office.watched.refresh()
        assert office.descriptions() == asked
        assert list(office.store.desk.deliveries(Filter(state="ready"))) != []
