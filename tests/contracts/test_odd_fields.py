"""Odd fields are kept with their event and counted, over both databases."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select

from connector.carecycle.recognise import OddField
from connector.carecycle.signature import Verifier
from connector.receive import Agency, read
from connector.running.upkeep import Keep, Upkeep
from connector.settlement.oddities import Oddity
from connector.store import Store
from connector.store.inbox import Arrival
from connector.store.tables import events
from tests.builders import CUSTOMER, NOON, SECRET, a_customer
from tests.conftest import Clock

AGENCY = Agency("sunrise", Verifier("sunrise", [SECRET]), {"salesforce": 1})
DECIMALS = OddField("customer.subsidyAmount", "a whole number", "a number with decimals")
NUMBER = OddField("customer.agentNpn", "text", "a number", used=True)
LATER = NOON + 60_000
DAY = 86_400_000


def arrival(message_id: str, at: int = NOON, **changes: Any) -> Arrival:
    return read(AGENCY, message_id, json.dumps(a_customer(**changes)).encode(), at)


def counted(store: Store) -> list[tuple[str, int, int, int, str]]:
    return [(row.field, row.count, row.since, row.until, row.message_id) for row in store.oddities.all()]


class TestAnEvent:
    def test_keeps_the_names_of_its_odd_fields(self, store: Store) -> None:
        store.inbox.accept([arrival("odd", subsidyAmount=148.5, agentNpn=8419302), arrival("plain")])
        assert store.oddities.of("odd") == (DECIMALS, NUMBER)
        assert store.oddities.of("plain") == ()

    def test_keeps_no_value_of_them(self, store: Store) -> None:
        store.inbox.accept([arrival("odd", subsidyAmount=148.5, dateOfBirth="04/12/1958")])
        with store.database.reading() as connection:
            kept = connection.execute(select(events.c.odd)).scalar_one()
        assert "148.5" not in kept
        assert "04/12/1958" not in kept

    def test_tells_nothing_of_them_once_its_customer_is_forgotten(self, store: Store) -> None:
        store.inbox.accept([arrival("odd", subsidyAmount=148.5)])
        store.forget.run(CUSTOMER, "tester")
        assert store.oddities.of("odd") == ()
        assert counted(store) == [("customer.subsidyAmount", 1, NOON, NOON, "")]


class TestCounting:
    def test_each_field_and_type_is_counted_with_its_first_and_newest_event(self, store: Store) -> None:
        store.inbox.accept([arrival("one", subsidyAmount=148.5), arrival("two", subsidyAmount=9.25)])
        store.inbox.accept([arrival("three", LATER, subsidyAmount=1.5)])
        assert store.oddities.all() == [
            Oddity(
                agency="sunrise", field="customer.subsidyAmount", expected="a whole number",
                got="a number with decimals", count=3, since=NOON, until=LATER, message_id="three",
            )
        ]  # fmt: skip

    def test_what_was_used_all_the_same_is_counted_apart(self, store: Store) -> None:
        store.inbox.accept([arrival("one", dateOfBirth="04/12/1958"), arrival("two", dateOfBirth=" 1958-04-12")])
        assert [(row.field, row.used, row.count) for row in store.oddities.all()] == [
            ("customer.dateOfBirth", False, 1),
            ("customer.dateOfBirth", True, 1),
        ]

    def test_a_message_sent_again_is_not_counted_again(self, store: Store) -> None:
        for _ in range(2):
            store.inbox.accept([arrival("one", subsidyAmount=148.5)] * 2)
        assert counted(store) == [("customer.subsidyAmount", 1, NOON, NOON, "one")]

    @pytest.mark.slow
    @pytest.mark.parametrize(("days", "left"), [(29, 1), (31, 0)])
    def test_what_has_not_come_for_the_time_of_retention_is_no_longer_listed(
        self, store: Store, clock: Clock, days: int, left: int
    ) -> None:
        store.inbox.accept([arrival("one", subsidyAmount=148.5)])
        upkeep = Upkeep(store, {"sunrise": Keep(30, 90)}, [], lambda: clock() / 1000)
        for _ in range(days):
            clock.forward(DAY)
            upkeep()
        assert len(store.oddities.all()) == left
