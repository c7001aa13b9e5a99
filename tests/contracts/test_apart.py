"""A known message ID with another content is no duplicate: nothing that was acknowledged is lost."""

from __future__ import annotations

import json
from typing import Any

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import update

from connector.carecycle.recognise import SHARED_ID
from connector.carecycle.signature import Verifier
from connector.insight.oddities import what_comes, what_to_do
from connector.insight.story import story
from connector.model import Event
from connector.receive import Agency, read
from connector.store import Store
from connector.store.inbox import Arrival
from connector.store.tables import events
from tests.builders import CUSTOMER, NOON, SECRET, a_customer

LANE = "sunrise/crm/0"
AGENCY = Agency("sunrise", Verifier("sunrise", [SECRET]), {"crm": 1})


def came(message_id: str = "msg_1", body: bytes = b"", **changes: Any) -> Arrival:
    return read(AGENCY, message_id, body or json.dumps(a_customer(**changes)).encode(), NOON)


def kept(store: Store) -> list[Event]:
    return [delivery.event for delivery in store.inbox.due(LANE, 100)]


def names(store: Store) -> list[str]:
    return [event.payload["firstName"] for event in kept(store)]


class TestAnotherContentUnderAKnownId:
    def test_is_kept_and_delivered_as_an_event_of_its_own(self, store: Store) -> None:
        assert store.inbox.accept([came(firstName="Ann")]) == [True]
        assert store.inbox.accept([came(firstName="Zoë")]) == [True]
        assert names(store) == ["Ann", "Zoë"]

    def test_is_a_duplicate_when_it_comes_again(self, store: Store) -> None:
        store.inbox.accept([came(firstName="Ann")])
        answers = [store.inbox.accept([came(firstName=name)]) for name in ("Zoë", "Zoë", "Ann")]
        assert answers == [[True], [False], [False]]
        assert names(store) == ["Ann", "Zoë"]

    def test_is_kept_from_the_same_commit(self, store: Store) -> None:
        arrivals = [came(firstName=name) for name in ("Ann", "Zoë", "Ann", "Zoë", "Eve")]
        assert store.inbox.accept(arrivals) == [True, True, False, False, True]
        assert names(store) == ["Ann", "Zoë", "Eve"]

    def test_has_an_id_that_no_sender_can_have(self, store: Store) -> None:
        long = "m" * 256
        store.inbox.accept([came(long, firstName="Ann")])
        store.inbox.accept([came(long, firstName="Zoë")])
        first, other = kept(store)
        assert first.message_id == long
        assert (len(other.message_id), other.message_id[239]) == (256, ".")

    def test_raises_its_opt_out_before_everything_else(self, store: Store) -> None:
        store.inbox.accept([came(firstName="Ann")])
        store.inbox.accept([came(firstName="Zoë", doNotCall=True)])
        assert names(store) == ["Zoë", "Ann"]
        assert [(owed.customer_id, owed.flag) for owed in store.obligations.due(LANE, 10)] == [(CUSTOMER, "doNotCall")]

    def test_that_is_no_json_is_kept_too(self, store: Store) -> None:
        assert store.inbox.accept([came(body=b"one"), came(body=b"two"), came(body=b"one")]) == [True, True, False]

    def test_is_of_its_agency_alone(self, store: Store) -> None:
        harvest = Agency("harvest", AGENCY.verifier, {"crm": 1})
        body = json.dumps(a_customer(firstName="Zoë")).encode()
        store.inbox.accept([came(firstName="Ann")])
        assert store.inbox.accept([read(harvest, "msg_1", body, NOON)]) == [True]
        assert store.oddities.all() == []

    def test_is_kept_once_the_payload_of_the_first_was_purged(self, store: Store) -> None:
        store.inbox.accept([came(firstName="Ann")])
        _purge(store)
        assert store.inbox.accept([came(firstName="Ann")]) == [False]
        assert store.inbox.accept([came(firstName="Zoë")]) == [True]


def _purge(store: Store) -> None:
    with store.database.transaction() as connection:
        connection.execute(update(events).values(payload=None))


class TestTheSameContent:
    @pytest.mark.parametrize(
        "again",
        [
            json.dumps(a_customer(), separators=(",", ":")).encode(),
            json.dumps(dict(reversed(a_customer().items())), indent=2).encode(),
            json.dumps(a_customer()).encode("utf-16"),
        ],
        ids=["without spaces", "in another order", "in another encoding"],
    )
    def test_in_other_bytes_is_a_duplicate(self, store: Store, again: bytes) -> None:
        assert store.inbox.accept([came()]) == [True]
        assert store.inbox.accept([came(body=again)]) == [False]
        assert store.oddities.all() == []

    @pytest.mark.parametrize(
        ("first", "other"),
        [
            (b'{"a": 1}', b'{"a": true}'),
            (b'{"a": 1}', b'{"a": 1.0}'),
            (b'{"a": [1, 2]}', b'{"a": [2, 1]}'),
            (b'{"a": {"b": 1}}', b'{"a": [["b", 1]]}'),
            (b'{"a": 1, "a": 2}', b'{"a": 2, "a": 1}'),
            (b'{"a": 1}', b'{"a": 1} '),
        ],
    )
    def test_is_what_is_equal_as_json(self, store: Store, first: bytes, other: bytes) -> None:
        store.inbox.accept([came(body=first)])
        assert store.inbox.accept([came(body=other)]) == [other.strip() != first]


class TestPeople:
    def test_are_shown_it_in_the_story_and_among_problems(self, store: Store) -> None:
        store.inbox.accept([came(firstName="Ann"), came(firstName="Zoë")])
        (counted,) = store.oddities.all()
        assert (counted.count, counted.agency, counted.used) == (1, "sunrise", True)
        assert what_comes(counted) == "careCycle sends messages with the ID of another body; expected an ID of its own."
        assert "delivered as an event of its own" in what_to_do(counted)
        shown = story(store, counted.message_id)
        assert shown is not None
        assert [*shown.odd] == [SHARED_ID]

    def test_can_count_it(self, store: Store) -> None:
        def total() -> float:
            return REGISTRY.get_sample_value("connector_messages_apart_total", {"agency": "sunrise"}) or 0.0

        before = total()
        for _ in range(2):
            store.inbox.accept([came(firstName="Ann"), came(firstName="Zoë")])
        assert total() == before + 1
