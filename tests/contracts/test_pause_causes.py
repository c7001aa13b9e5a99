"""A pause names the event and the record that met it, and an operator can set that event aside; into both CRMs."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from flask import Response

from connector.errors import FixConfiguration, StateChanged
from connector.receive import read
from connector.sandbox.wire import Wire
from connector.settlement.listings import LaneStatus, PausedAt
from connector.store.desk import Filter
from tests.builders import a_customer
from tests.contracts.test_pipeline import AGENCY, LATER, House, house, raised

__all__ = ["house"]


def person(number: int, **changes: Any) -> dict[str, Any]:
    at = f"2026-06-18T12:{number // 60:02}:{number % 60:02}.000Z"
    return a_customer(id=f"customer-{number}", email=f"person{number}@example.com", updatedAt=at, **changes)


def break_replies(house: House) -> None:
    """Make every write fail for a reason that may lie in what is sent."""
    path = "/composite" if house.names["people"] == "Contact" else "/batch/u"
    house.sandbox.fault(path, Response("{}", 418, content_type="application/json"), times=100)


WRITES = {"salesforce-contact": "PATCH", "hubspot": "POST"}


def _without_results(response: Response) -> Response:
    body = json.loads(response.get_data())
    return Response(json.dumps([] if isinstance(body, list) else {**body, "results": []}), response.status_code)


def lane(house: House) -> LaneStatus:
    (only,) = house.store.desk.lanes()
    return only


def paused_at(house: House) -> PausedAt:
    at = lane(house).paused_at
    assert at is not None
    return at


class TestAPauseNamesItsCause:
    def test_the_event_its_record_and_how_many_were_sent(self, house: House) -> None:
        first, *_ = house.accept(*(person(number) for number in range(3)))
        break_replies(house)
        house.drain()
        at = paused_at(house)
        assert lane(house).paused
        assert (at.message_id, at.record, at.object, at.count) == (first, "contact", house.names["people"], 3)

    @pytest.mark.slow
    def test_the_first_event_of_the_call_that_failed(self, house: House) -> None:
        size = 100 if house.names["people"] == "contacts" else 200
        ids = house.accept(*(person(number) for number in range(size + 3)))
        break_replies(house)
        house.drain()
        assert (paused_at(house).message_id, paused_at(house).count) in ((ids[0], size), (ids[size], 3))

    def test_the_crms_id_where_it_is_known(self, house: House) -> None:
        house.pass_on(a_customer())
        house.accept(a_customer(city="Mesa", updatedAt=LATER))
        break_replies(house)
        house.drain()
        assert paused_at(house).crm_id == house.person()["id"]

    def test_the_first_event_where_the_reply_accounts_for_no_record(self, house: House) -> None:
        first, *_ = house.accept(*(person(number) for number in range(3)))
        house.sandbox.fault("", lambda proceed: _without_results(proceed()), method=WRITES[house.shipped], times=100)
        house.drain()
        assert (paused_at(house).message_id, paused_at(house).count) == (first, 3)

    def test_one_of_twenty_rejected_records(self, house: House) -> None:
        house.insist()
        ids = house.pass_on(*(a_customer(id=f"c-{n}", email="no address") for n in range(25)))
        assert (paused_at(house).message_id in ids, paused_at(house).record) == (True, "contact")

    def test_none_where_the_whole_account_is_at_fault(self, house: House) -> None:
        house.sandbox.fault("", Wire.refuse, times=100)
        house.pass_on(person(1))
        assert (lane(house).paused, lane(house).paused_at) == (True, None)

    def test_none_where_an_operator_paused_it_later(self, house: House) -> None:
        house.accept(person(1))
        break_replies(house)
        house.drain()
        house.store.desk.pause(lane(house).name, "ana")
        assert lane(house).paused_at is None

    def test_none_of_a_person_who_was_forgotten(self, house: House) -> None:
        house.accept(person(1))
        break_replies(house)
        house.drain()
        house.store.forget.run("customer-1", "ana")
        assert lane(house).paused_at is None


class TestSettingAside:
    def blocked(self, house: House, **changes: Any) -> str:
        """A lane that paused while sending one event."""
        (message_id,) = house.accept(person(1, **changes))
        break_replies(house)
        house.drain()
        house.sandbox.faults.clear()
        return message_id

    def test_the_event_becomes_a_dead_letter_and_the_lane_goes_on_at_once(self, house: House) -> None:
        bad = self.blocked(house)
        (good,) = house.accept(person(2))
        house.store.desk.set_aside(paused_at(house).delivery_id, "ana", "its address stops the CRM")
        assert not lane(house).paused
        house.drain()
        assert (house.state(bad), house.state(good)) == (("dead", "SET_ASIDE"), ("delivered", ""))
        (entry,) = house.store.audit.entries()
        assert (entry.who, entry.action) == ("ana", "set aside")
        assert re.fullmatch(rf"{bad} to \S+/\S+", entry.thing)
        assert entry.reason == "its address stops the CRM"

    def test_replayed_it_is_written(self, house: House) -> None:
        bad = self.blocked(house)
        house.store.desk.set_aside(paused_at(house).delivery_id, "ana", "why")
        house.store.desk.replay(Filter(message_id=bad), "ana")
        house.drain()
        assert house.state(bad) == ("delivered", "")

    def test_its_opt_outs_stay_owed(self, house: House) -> None:
        house.pass_on(a_customer())
        (bad,) = house.accept(a_customer(doNotCall=True, city="Mesa", updatedAt=LATER))
        break_replies(house)
        house.drain()
        house.store.desk.set_aside(paused_at(house).delivery_id, "ana", "why")
        house.sandbox.faults.clear()
        house.clock.forward(7_200_000)
        house.drain()
        assert (house.state(bad), raised(house.person()["no_call"])) == (("dead", "SET_ASIDE"), True)

    def test_a_message_that_is_sent_again_stays_set_aside(self, house: House) -> None:
        bad = self.blocked(house)
        house.store.desk.set_aside(paused_at(house).delivery_id, "ana", "why")
        again = read(AGENCY, bad, json.dumps(person(1)).encode(), house.clock())
        house.store.inbox.accept([again])
        assert house.state(bad) == ("dead", "SET_ASIDE")

    @pytest.mark.slow
    def test_it_needs_a_reason(self, house: House) -> None:
        self.blocked(house)
        with pytest.raises(FixConfiguration, match="for a reason only"):
            house.store.desk.set_aside(paused_at(house).delivery_id, "ana", " ")

    def test_what_no_longer_waits_is_left_alone(self, house: House) -> None:
        self.blocked(house)
        delivery = paused_at(house).delivery_id
        house.store.desk.set_aside(delivery, "ana", "why")
        with pytest.raises(StateChanged):
            house.store.desk.set_aside(delivery, "ana", "why")
