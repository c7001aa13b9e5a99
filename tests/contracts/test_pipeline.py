"""From the inbox to the CRM, on both databases and into both sandboxes over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from connector.carecycle.signature import Verifier
from connector.delivery.route import Pace, Route, Running
from connector.delivery.turn import deliver
from connector.destinations import VENDORS
from connector.errors import DestinationUnusable, LeaseLost, PauseReason
from connector.mapping import load_text, shipped_folder
from connector.receive import Agency, read
from connector.running.bootstrap import load_mapping
from connector.sandbox.wire import Wire
from connector.store import Store
from connector.store.desk import Filter
from connector.store.lanes import Lease
from tests.builders import SECRET, a_call, a_customer, a_message_id
from tests.conftest import Clock
from tests.destinations import hubspot_fixtures, salesforce_fixtures

AGENCY = Agency("sunrise", Verifier("sunrise", [SECRET]), {"crm": 1})
LANE, DESTINATION = "sunrise/crm/0", "sunrise/crm"
EARLIER, LATER = "2026-06-18T11:00:00.000Z", "2026-06-18T13:00:00.000Z"


@dataclass
class House:
    """A store, a route into one CRM, and the names this CRM has for the same things."""

    store: Store
    clock: Clock
    sandbox: Any
    route: Route
    names: dict[str, str]

    def accept(self, *payloads: Any) -> list[str]:
        ids = [a_message_id() for _ in payloads]
        arrivals = [
            read(AGENCY, message_id, json.dumps(payload).encode(), self.clock())
            for message_id, payload in zip(ids, payloads, strict=True)
        ]
        self.store.inbox.accept(arrivals)
        return ids

    def lease(self) -> Lease | None:
        return self.store.lanes.lease("worker", [LANE], 60_000)

    def drain(self) -> None:
        pace = Pace(roll=lambda: 0.5)
        while lease := self.lease():
            while deliver(self.store, self.route, lease, pace):
                continue
            self.store.lanes.release(lease)

    def pass_on(self, *payloads: Any) -> list[str]:
        ids = self.accept(*payloads)
        self.drain()
        return ids

    def people(self) -> list[dict[str, Any]]:
        kind = self.names["people"]
        return [{name: one.get(field) for name, field in self.names.items()} for one in self.sandbox.records(kind)]

    def person(self) -> dict[str, Any]:
        (person,) = self.people()
        return person

    def by_hand(self, action: str, **fields: Any) -> None:
        kind = [self.names["people"]] if self.names is HUBSPOT else []
        getattr(self.sandbox, action)(*kind, self.person()["id"], **fields)

    def calls(self) -> list[dict[str, Any]]:
        kind = self.names["calls"]
        return list(self.sandbox.records(kind))

    def state(self, message_id: str) -> tuple[str, str]:
        (delivery,) = self.store.desk.deliveries(Filter(message_id=message_id))
        return delivery.state, delivery.code

    @property
    def shipped(self) -> str:
        return "hubspot" if self.names is HUBSPOT else "salesforce-contact"

    def insist(self) -> None:
        """Require the email address: a refused one then refuses the whole person."""
        field = f"{self.names['email']}: {{from: customer.email, required: true}}"
        self.remap(f"extends: {self.shipped}\nrecords: {{contact: {{fields: {{{field}}}}}}}")

    def remap(self, text: str) -> None:
        loaded = load_text(text, "edited.yaml", shipped=shipped_folder(), crms=VENDORS)
        assert loaded.mapping is not None, loaded.diagnostics
        self.route.running = Running(loaded.mapping)


SALESFORCE = {
    "people": "Contact", "calls": "Task", "id": "Id", "city": "MailingCity", "mobile": "MobilePhone", "phone": "Phone",
    "email": "Email", "no_call": "DoNotCall", "no_text": "Do_Not_Text__c", "owner": "OwnerId", "state": "MailingState",
    "street": "MailingStreet",
}  # fmt: skip
HUBSPOT = {
    "people": "contacts", "calls": "calls", "id": "id", "city": "city", "mobile": "mobilephone", "phone": "phone",
    "email": "email", "no_call": "do_not_call", "no_text": "do_not_text", "owner": "hubspot_owner_id", "state": "state",
    "street": "address",
}  # fmt: skip


@pytest.fixture(params=["salesforce", "hubspot"])
def house(request: pytest.FixtureRequest, store: Store, clock: Clock) -> Iterator[House]:
    store.lanes.open({LANE: DESTINATION})
    if request.param == "salesforce":
        opened: Any = salesforce_fixtures.sandbox_and_destination()
        shipped, names = "salesforce-contact", SALESFORCE
    else:
        opened = hubspot_fixtures.sandbox_and_destination()
        shipped, names = "hubspot", HUBSPOT
    mapping = load_mapping(shipped_folder() / f"{shipped}.yaml")
    with opened as (sandbox, destination):
        yield House(store, clock, sandbox, Route(DESTINATION, destination, Running(mapping), "America/New_York"), names)


def raised(value: Any) -> bool:
    return str(value).lower() == "true"


class TestDelivering:
    def test_a_customer_becomes_one_person(self, house: House) -> None:
        (message_id,) = house.pass_on(a_customer())
        assert house.person()["state"] == "AZ"
        assert house.state(message_id) == ("delivered", "")

    def test_a_call_becomes_one_call_and_heals_a_customer_never_announced(self, house: House) -> None:
        house.pass_on(a_call(a_customer()))
        assert (len(house.people()), len(house.calls())) == (1, 1)

    def test_a_call_is_linked_to_its_person(self, house: House) -> None:
        house.pass_on(a_call(a_customer()))
        (call,) = house.calls()
        linked = call.get("WhoId") or next(iter(house.sandbox.associations))
        assert house.person()["id"] in (linked if isinstance(linked, tuple) else (linked,))

    def test_a_call_linked_to_nobody_is_still_a_call(self, house: House) -> None:
        house.pass_on(a_call(None))
        assert (len(house.people()), len(house.calls())) == (0, 1)

    def test_everything_twice_is_everything_once(self, house: House) -> None:
        for _ in range(2):
            house.pass_on(a_customer(), a_call(a_customer()))
        assert (len(house.people()), len(house.calls())) == (1, 1)

    def test_a_record_the_crm_already_holds_costs_no_call(self, house: House) -> None:
        house.pass_on(a_customer())
        before = len(house.sandbox.calls())
        (again,) = house.pass_on(a_customer(updatedAt=LATER))
        assert len(house.sandbox.calls()) == before
        assert house.state(again) == ("delivered", "UNCHANGED")

    def test_a_burst_of_edits_is_one_row(self, house: House) -> None:
        edits = [a_customer(city=f"City {n}", updatedAt=f"2026-06-18T12:00:{n:02d}.000Z") for n in range(30)]
        house.pass_on(*edits)
        assert house.person()["city"] == "City 29"

    def test_test_customers_stay_out(self, house: House) -> None:
        (message_id,) = house.pass_on(a_customer(testCustomer=True))
        assert house.people() == []
        assert house.state(message_id)[0] == "skipped"

    def test_text_no_encoding_knows_stops_nobody(self, house: House) -> None:
        house.pass_on(a_customer(city="\ud800"), a_call(None))
        assert len(house.calls()) == 1


class TestOrder:
    def test_an_older_event_that_comes_late_replaces_nothing(self, house: House) -> None:
        house.pass_on(a_customer(city="Flagstaff", updatedAt=LATER))
        (late,) = house.pass_on(a_customer(city="Yuma", updatedAt=EARLIER))
        assert house.person()["city"] == "Flagstaff"
        assert house.state(late) == ("superseded", "SUPERSEDED")

    def test_it_still_fills_what_the_newer_one_left_alone(self, house: House) -> None:
        house.pass_on(a_customer(city=None, updatedAt=LATER))
        house.pass_on(a_customer(city="Yuma", updatedAt=EARLIER))
        assert house.person()["city"] == "Yuma"

    def test_an_older_snapshot_inside_a_call_replaces_nothing(self, house: House) -> None:
        house.pass_on(a_customer(city="Flagstaff", updatedAt=LATER))
        house.pass_on(a_call(a_customer(city="Yuma", updatedAt=EARLIER)))
        assert house.person()["city"] == "Flagstaff"

    def test_a_replay_rolls_nothing_back(self, house: House) -> None:
        first = a_customer(city="Mesa", updatedAt=EARLIER)
        house.pass_on(first)
        house.pass_on(a_customer(city="Flagstaff", updatedAt=LATER))
        house.pass_on(first)
        assert house.person()["city"] == "Flagstaff"


class TestConsent:
    def test_an_opt_out_is_raised_and_keeps_the_mobile_number_back(self, house: House) -> None:
        house.pass_on(a_customer(doNotSMS=True))
        assert raised(house.person()["no_text"])
        assert not house.person()["mobile"]

    def test_it_is_raised_by_an_older_event_too(self, house: House) -> None:
        house.pass_on(a_customer(updatedAt=LATER))
        house.pass_on(a_customer(doNotCall=True, updatedAt=EARLIER))
        assert raised(house.person()["no_call"])

    def test_it_is_never_lowered(self, house: House) -> None:
        house.pass_on(a_customer(doNotCall=True, updatedAt=EARLIER))
        house.pass_on(a_customer(doNotCall=False, updatedAt=LATER))
        assert raised(house.person()["no_call"])

    def test_an_older_event_exposes_nobody_who_opted_out_since(self, house: House) -> None:
        house.pass_on(a_customer(doNotSMS=True, updatedAt=LATER))
        house.pass_on(a_customer(doNotSMS=False, updatedAt=EARLIER))
        assert not house.person()["mobile"]

    def test_it_goes_out_although_the_rest_is_refused(self, house: House) -> None:
        house.insist()
        house.pass_on(a_customer(updatedAt=EARLIER))
        (refused,) = house.pass_on(a_customer(email="no address", doNotCall=True, updatedAt=LATER))
        assert raised(house.person()["no_call"])
        assert house.state(refused)[0] == "dead"

    def test_what_was_withheld_is_on_record(self, house: House) -> None:
        (message_id,) = house.pass_on(a_customer(doNotSMS=True))
        (attempt,) = house.store.desk.story(message_id)[0].tries
        assert attempt.records[0].withheld == {house.names["mobile"]: "doNotSMS"}


class TestTrouble:
    def test_a_refused_record_is_a_dead_letter_and_harms_no_other(self, house: House) -> None:
        house.insist()
        bad, good = house.pass_on(a_customer(email="no address"), a_call(None))
        assert (house.state(bad)[0], house.state(good)[0]) == ("dead", "delivered")
        (letter,) = house.store.desk.dead()
        assert house.names["email"] in letter.reason
        assert "no address" not in json.dumps(house.store.desk.story(bad), default=str)

    def test_a_dead_letter_passes_after_a_replay_once_its_cause_is_gone(self, house: House) -> None:
        house.insist()
        (bad,) = house.pass_on(a_customer(email="no address"))
        fields = f"{{remove: [{house.names['email']}]}}"
        house.remap(f"extends: {house.shipped}\nrecords: {{contact: {{fields: {fields}}}}}")
        house.store.desk.replay(Filter(message_id=bad), "ana")
        house.drain()
        assert house.state(bad)[0] == "delivered"

    def test_a_crm_that_is_down_pauses_the_lane_and_costs_no_attempt(self, house: House) -> None:
        house.sandbox.fault("", Wire.refuse, times=100)
        (message_id,) = house.pass_on(a_customer())
        (lane,) = house.store.desk.lanes()
        assert (lane.paused, lane.pause_reason != "") == (True, True)
        assert house.store.desk.deliveries(Filter(message_id=message_id))[0].attempts == 0

    def test_the_lane_goes_on_by_itself(self, house: House) -> None:
        house.sandbox.fault("", Wire.refuse, times=100)
        (message_id,) = house.pass_on(a_customer())
        house.sandbox.faults.clear()
        house.clock.forward(3_600_000)
        house.drain()
        assert house.state(message_id) == ("delivered", "")
        assert not house.store.desk.lanes()[0].paused

    def test_a_worker_killed_after_the_crm_wrote_makes_no_twin(self, house: House) -> None:
        (message_id,) = house.accept(a_call(a_customer()))
        killed = house.lease()
        assert killed is not None
        house.clock.forward(60_001)
        successor = house.lease()
        with pytest.raises(LeaseLost):  # it wrote to the CRM, and comes too late to record it
            deliver(house.store, house.route, killed, Pace())
        assert successor is not None
        deliver(house.store, house.route, successor, Pace())
        assert (len(house.people()), len(house.calls())) == (1, 1)
        assert house.state(message_id)[0] == "delivered"

    def test_twenty_refused_for_one_cause_stop_the_line(self, house: House) -> None:
        house.insist()
        ids = house.pass_on(*(a_customer(id=f"c-{n}", email="no address") for n in range(25)))
        assert {house.state(message_id)[0] for message_id in ids} == {"ready"}
        assert "20 records in a row were rejected" in house.store.desk.lanes()[0].pause_reason

    def test_an_event_that_was_parked_stays_parked_when_replayed(self, house: House) -> None:
        (message_id,) = house.accept({"event_type": "customer.updated"})
        house.store.desk.replay(Filter(message_id=message_id), "ana")
        house.drain()
        assert house.state(message_id) == ("dead", "E210")

    def test_an_event_we_fail_to_plan_is_a_dead_letter_and_harms_no_other(self, house: House) -> None:
        broken: Any = {**house.route.mapping.programs, "customer.updated": "no program"}
        house.route.running = Running(replace(house.route.mapping, programs=broken))
        failed, good = house.pass_on(a_customer(), a_call(None))
        assert (house.state(failed), house.state(good)[0]) == (("dead", "FAULT"), "delivered")

    def test_a_record_somebody_deleted_is_written_again_in_full(self, house: House) -> None:
        house.pass_on(a_customer(updatedAt=EARLIER))
        house.by_hand("delete")
        house.pass_on(a_customer(city="Yuma", updatedAt=LATER))
        house.clock.forward(3_600_000)
        house.drain()
        assert (house.person()["city"], house.person()["state"]) == ("Yuma", "AZ")


class TestWriteRules:
    def test_the_agents_user_owns_the_record(self, house: House) -> None:
        house.pass_on(a_customer(assignedUser={"id": "u1", "email": "priya@youragency.com"}))
        assert house.person()["owner"]

    def test_an_owner_the_team_chose_stays(self, house: House) -> None:
        agents = [{"id": "u1", "email": "priya@youragency.com"}, {"id": "u2", "email": "sam@youragency.com"}]
        house.pass_on(a_customer(assignedUser=agents[0], updatedAt=EARLIER))
        house.by_hand("change", **{house.names["owner"]: self.dana(house)})
        house.pass_on(a_customer(assignedUser=agents[1], updatedAt=LATER))
        assert house.person()["owner"] == self.dana(house)

    @staticmethod
    def dana(house: House) -> str:
        found = house.route.destination.find(
            "User" if house.names is SALESFORCE else "owners",
            "Email" if house.names is SALESFORCE else "email",
            ["dana@youragency.com"],
            [],
        )
        return found["dana@youragency.com"][0].id

    def test_a_contact_made_by_hand_is_adopted(self, house: House) -> None:
        by_hand = {house.names["email"]: "marcus.delacroix@example.com", house.names["city"]: "Mesa"}
        first, last = ("FirstName", "LastName") if house.names is SALESFORCE else ("firstname", "lastname")
        house.sandbox.put(house.names["people"], **by_hand, **{first: "MARCUS", last: "Delacroix, Jr."})
        email = house.names["email"]
        house.remap(
            f"extends: {house.route.mapping.name}\nrecords: {{contact: {{also_match: [{{{email}: customer.email}}]}}}}"
        )
        house.pass_on(a_customer(city=None))
        assert (len(house.people()), house.person()["state"]) == (1, "AZ")

    def test_a_raised_flag_of_a_filtered_customer_updates_and_makes_nothing(self, house: House) -> None:
        house.pass_on(a_customer(updatedAt=EARLIER))
        house.remap(f"extends: {house.route.mapping.name}\nfilter: {{customer.state: NM}}")
        stranger = a_customer(id="c-2", email="other@example.com", doNotCall=True)
        house.pass_on(a_customer(doNotCall=True, city="Yuma", updatedAt=LATER), stranger)
        assert raised(house.person()["no_call"])
        assert house.person()["city"] != "Yuma"


class TestUnsubscribing:
    @pytest.fixture
    def portal(self, house: House) -> House:
        if house.names is SALESFORCE:
            pytest.skip("Salesforce keeps the e-mail opt-out on the record")
        return house

    @pytest.mark.slow
    def test_an_address_is_opted_out_of_email(self, portal: House) -> None:
        portal.pass_on(a_customer(doNotEmail=True))
        assert set(portal.sandbox.opted_out) == {"marcus.delacroix@example.com"}

    def test_a_changed_address_is_opted_out_again(self, portal: House) -> None:
        portal.pass_on(a_customer(doNotEmail=True))
        portal.pass_on(a_customer(doNotEmail=True, email="new@example.com", updatedAt=LATER))
        assert set(portal.sandbox.opted_out) == {"marcus.delacroix@example.com", "new@example.com"}


class TestBetweenARecordAndItsLink:
    """HubSpot links, and opts addresses out, in requests of their own: what was not settled is done again."""

    @pytest.mark.parametrize("how", [Wire.refuse, Wire.lose_reply])
    @pytest.mark.parametrize("path", ["/associations/", "unsubscribe-all"])
    def test_a_crash_there_is_healed_and_makes_nothing_twice(self, house: House, path: str, how: Any) -> None:
        if house.names is not HUBSPOT:
            pytest.skip("Salesforce takes both within the record")
        house.sandbox.fault(path, how, times=9)
        (message,) = house.pass_on(a_call(a_customer(doNotEmail=True)))
        assert house.state(message)[0] == "ready"
        house.sandbox.faults.clear()
        house.clock.forward(60_000)
        house.drain()
        assert house.state(message)[0] == "delivered"
        assert (len(house.people()), len(house.calls())) == (1, 1)
        assert len(house.sandbox.associations) == len(house.sandbox.opted_out) == 1


BARRED = DestinationUnusable("the mapping", PauseReason.SENSITIVE, "a property is plain", retry_after=60)


class TestABarredDestination:
    def test_sends_nothing_keeps_every_event_and_says_why(self, house: House) -> None:
        house.route.running = Running(house.route.mapping, BARRED)
        (message,) = house.pass_on(a_customer())
        assert house.people() == []
        (lane,) = house.store.desk.lanes()
        assert (lane.pause_code, lane.pause_reason) == ("sensitive", "a property is plain")
        (delivery,) = house.store.desk.deliveries(Filter(message_id=message))
        assert (delivery.state, delivery.attempts) == ("ready", 0)

    @pytest.mark.slow
    def test_goes_on_within_a_minute_or_so_after_it_was_freed(self, house: House) -> None:
        house.route.running = Running(house.route.mapping, BARRED)
        (message,) = house.pass_on(a_customer())
        house.route.running = Running(house.route.mapping, None)
        house.clock.forward(66_000)
        house.drain()
        assert house.state(message)[0] == "delivered"
