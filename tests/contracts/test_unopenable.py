"""A stored payload that cannot be decrypted costs its own event and no other, on both databases and into both CRMs."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from sqlalchemy import select, update

from connector import backoff
from connector.insight.comparison import Comparison
from connector.insight.rehearse import Expected, rehearse
from connector.receive import read
from connector.store import Store
from connector.store.database import open_database
from connector.store.desk import Filter
from connector.store.seal import Seal
from connector.store.tables import events
from tests.builders import DATA_KEY, a_customer
from tests.contracts.test_pipeline import AGENCY, EARLIER, LATER, House, house, raised

__all__ = ["house"]

OTHER_KEY = b"n" * 32
FINGERPRINT = Seal([OTHER_KEY]).active.hex()
OWN_FINGERPRINT = Seal([base64.b64decode(DATA_KEY)]).active.hex()


def rewrite(store: Store, message_id: str, payload: bytes) -> None:
    with store.database.transaction() as connection:
        connection.execute(update(events).where(events.c.message_id == message_id).values(payload=payload))


def stored(store: Store, message_id: str) -> bytes:
    with store.database.reading() as connection:
        kept = connection.execute(select(events.c.payload).where(events.c.message_id == message_id)).scalar_one()
    return bytes(kept)


def change_content(store: Store, message_id: str) -> None:
    kept = stored(store, message_id)
    rewrite(store, message_id, kept[:-1] + bytes([kept[-1] ^ 1]))


def seal_with_other_key(store: Store, message_id: str, payload: Any) -> None:
    name = f"{AGENCY.name}/{message_id}"
    rewrite(store, message_id, Seal([OTHER_KEY]).close(json.dumps(payload).encode(), name))


def person(number: int, **changes: Any) -> dict[str, Any]:
    return a_customer(id=f"customer-{number}", email=f"person{number}@example.com", **changes)


def why(house: House, message_id: str) -> str:
    (delivery,) = house.store.desk.deliveries(Filter(message_id=message_id))
    return f"{delivery.reason}; {delivery.action}"


def give_both_keys(house: House, address: str) -> None:
    """Restart with both keys: the test closes the new store."""
    keys = f"{DATA_KEY},{base64.b64encode(OTHER_KEY).decode()}"
    house.store = Store(open_database(address, {"CONNECTOR_DATA_KEY": keys}, house.clock))


def wait_a_day(house: House) -> None:
    for _ in range(40):
        house.clock.forward(backoff.HOUR)
        house.drain()


class TestAChangedPayload:
    @pytest.mark.parametrize("length", [0, 3, 4, 20, 40])
    def test_cut_short_is_one_dead_letter_and_the_others_are_written(self, house: House, length: int) -> None:
        bad, good = house.accept(person(1), person(2))
        rewrite(house.store, bad, stored(house.store, bad)[:length])
        house.drain()
        assert (house.state(bad), house.state(good)) == (("dead", "UNOPENABLE"), ("delivered", ""))

    def test_its_dead_letter_says_that_the_content_was_changed(self, house: House) -> None:
        bad, good = house.accept(person(1), person(2))
        change_content(house.store, bad)
        house.drain()
        assert (house.state(bad), house.state(good)) == (("dead", "UNOPENABLE"), ("delivered", ""))
        assert "changed" in why(house, bad)
        assert OWN_FINGERPRINT in why(house, bad)

    def test_another_events_payload_in_its_row_is_not_taken_for_its_own(self, house: House) -> None:
        bad, good = house.accept(person(1), person(2))
        rewrite(house.store, bad, stored(house.store, good))
        house.drain()
        assert (house.state(bad), len(house.people())) == (("dead", "UNOPENABLE"), 1)

    def test_later_events_of_the_same_customer_are_written(self, house: House) -> None:
        bad, later = house.accept(person(1, city="Mesa"), person(1, city="Tucson", updatedAt=LATER))
        change_content(house.store, bad)
        house.drain()
        assert (house.state(later), house.person()["city"]) == (("delivered", ""), "Tucson")

    def test_where_nothing_of_many_can_be_decrypted_nothing_becomes_a_dead_letter(self, house: House) -> None:
        bad = house.accept(*(person(number) for number in range(20)))
        for message_id in bad:
            change_content(house.store, message_id)
        house.drain()
        assert {house.state(message_id) for message_id in bad} == {("ready", "UNOPENABLE")}
        (good,) = house.pass_on(person(99))
        assert house.state(good) == ("delivered", "")


class TestAMissingKey:
    def test_its_event_waits_and_the_others_are_written(self, house: House) -> None:
        waiting, good = house.accept(person(1), person(2))
        seal_with_other_key(house.store, waiting, person(1))
        house.drain()
        assert (house.state(waiting), house.state(good)) == (("ready", "UNOPENABLE"), ("delivered", ""))
        assert FINGERPRINT in why(house, waiting)
        assert "CONNECTOR_DATA_KEY" in why(house, waiting)

    def test_after_a_day_it_is_a_dead_letter_that_names_the_key(self, house: House) -> None:
        (waiting,) = house.accept(person(1))
        seal_with_other_key(house.store, waiting, person(1))
        house.drain()
        wait_a_day(house)
        assert house.state(waiting) == ("dead", "UNOPENABLE")
        assert FINGERPRINT in why(house, waiting)

    def test_replayed_with_the_key_it_is_written(self, house: House, ready_address: str) -> None:
        (waiting,) = house.accept(person(1, city="Mesa"))
        seal_with_other_key(house.store, waiting, person(1, city="Mesa"))
        house.drain()
        wait_a_day(house)
        give_both_keys(house, ready_address)
        house.store.desk.replay(Filter(code="UNOPENABLE"), "me")
        house.drain()
        assert (house.state(waiting), house.person()["city"]) == (("delivered", ""), "Mesa")
        house.store.close()

    @pytest.mark.slow
    def test_a_thousand_events_ahead_of_a_good_one_do_not_hold_it(self, house: House) -> None:
        waiting = house.accept(*(person(number) for number in range(1005)))
        for message_id in waiting[:1001]:
            seal_with_other_key(house.store, message_id, {})
        house.drain()
        assert {house.state(message_id) for message_id in waiting[1001:]} == {("delivered", "")}
        assert {house.state(message_id) for message_id in waiting[:1001]} == {("ready", "UNOPENABLE")}


class TestItsOptOuts:
    def test_are_paid_without_the_payload(self, house: House) -> None:
        house.pass_on(a_customer())
        (bad,) = house.accept(a_customer(doNotCall=True, updatedAt=LATER))
        change_content(house.store, bad)
        house.drain()
        assert house.state(bad) == ("dead", "UNOPENABLE")
        assert raised(house.person()["no_call"])

    def test_are_paid_while_its_key_is_missing(self, house: House) -> None:
        house.pass_on(a_customer())
        (waiting,) = house.accept(a_customer(doNotCall=True, updatedAt=LATER))
        seal_with_other_key(house.store, waiting, a_customer(doNotCall=True, updatedAt=LATER))
        house.drain()
        assert raised(house.person()["no_call"])

    def test_withhold_what_an_older_event_would_write(self, house: House) -> None:
        (bad,) = house.accept(a_customer(doNotSMS=True, updatedAt=LATER))
        change_content(house.store, bad)
        house.drain()
        house.pass_on(a_customer(doNotSMS=False, updatedAt=EARLIER))
        assert not house.person()["mobile"]


class TestSentAgain:
    def test_a_dead_letter_gets_its_content_back_and_is_written(self, house: House) -> None:
        (bad,) = house.accept(person(1, city="Mesa"))
        change_content(house.store, bad)
        house.drain()
        assert house.state(bad) == ("dead", "UNOPENABLE")
        again = read(AGENCY, bad, json.dumps(person(1, city="Mesa")).encode(), house.clock())
        assert house.store.inbox.accept([again]) == [False]
        house.drain()
        assert (house.state(bad), house.person()["city"]) == (("delivered", ""), "Mesa")

    def test_a_payload_that_can_be_decrypted_stays(self, house: House) -> None:
        (good,) = house.pass_on(person(1))
        before = stored(house.store, good)
        house.store.inbox.accept([read(AGENCY, good, json.dumps(person(1, city="Mesa")).encode(), house.clock())])
        assert stored(house.store, good) == before


class TestWhatPeopleAreShown:
    def test_a_replay_preview_says_that_it_would_be_refused_again(self, house: House) -> None:
        (bad, good) = house.accept(person(1), person(2))
        change_content(house.store, bad)
        coming = {one.message_id: (one.expected, one.code) for one in rehearse(house.store, house.route, Filter())}
        assert coming == {bad: (Expected.REFUSED, "UNOPENABLE"), good: (Expected.WRITE, "")}

    def test_comparing_mappings_counts_it_without_a_difference(self, house: House) -> None:
        (bad,) = house.accept(person(1))
        change_content(house.store, bad)
        assert list(Comparison(house.store, house.route, house.route.mapping, 0)) == []
