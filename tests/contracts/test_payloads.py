"""Payloads are read a few at a time, so that memory does not grow with what is stored, on both databases."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest
from sqlalchemy import update

from connector.store import Store
from connector.store.database import open_database
from connector.store.desk import Filter
from connector.store.payloads import PART, walk
from connector.store.tables import events
from tests.builders import CUSTOMER, DATA_KEY, a_customer, an_arrival

NEW_KEY = base64.b64encode(b"n" * 32).decode()
SIZES = (PART // 2, PART // 4, 10, PART, PART * 2, 10)
TOGETHER = [3, 1, 1, 1]
"""How many of these are read at a time."""


@pytest.fixture
def store(database_address: str) -> Iterator[Store]:
    """Events of these sizes, the oldest first, sealed with the second of two keys."""
    old = Store(open_database(database_address, {"CONNECTOR_DATA_KEY": DATA_KEY}))
    for number, size in enumerate(SIZES):
        old.inbox.accept([an_arrival(f"m{number}", a_customer(unknown="x" * size), received_at=number)])
    old.close()
    opened = Store(open_database(database_address, {"CONNECTOR_DATA_KEY": f"{NEW_KEY},{DATA_KEY}"}))
    yield opened
    opened.close()


class TestStoredPayloads:
    def test_are_walked_through_in_parts(self, store: Store) -> None:
        names = [[row.message_id for row in rows] for rows in walk(store.database)]
        assert names == [["m0", "m1", "m2"], ["m3"], ["m4"], ["m5"]]

    def test_are_walked_through_from_the_newest(self, store: Store) -> None:
        names = [[row.message_id for row in rows] for rows in walk(store.database, newest_first=True, step=2)]
        assert names == [["m5"], ["m4"], ["m3"], ["m2"], ["m1", "m0"]]

    def test_of_a_history_are_opened_in_parts(self, store: Store) -> None:
        steps = list(store.history.walk(Filter()))
        assert [len(step) for step in steps] == TOGETHER
        assert [len(one.delivery.event.payload["unknown"]) for step in steps for one in step] == [*SIZES]

    def test_are_sealed_again_in_parts(self, store: Store) -> None:
        assert [step.done for step in store.rotation.steps()] == TOGETHER

    def test_of_a_customer_are_opened_after_they_were_listed(self, store: Store) -> None:
        steps = store.trail.of_customer(CUSTOMER)
        opened = store.trail.opened(steps)
        assert [dict(step.event.payload) for step in steps] == [{}] * len(SIZES)
        assert [len(step.event.payload["unknown"]) for step in opened] == [*reversed(SIZES)]

    def test_of_a_forgotten_customer_are_not_another_ones(self, store: Store) -> None:
        steps = store.trail.of_customer(CUSTOMER)
        walked = walk(store.database, events.c.customer_id == CUSTOMER)
        next(walked)
        with store.database.transaction() as connection:  # what a forgotten person's ids are given to
            connection.execute(update(events).values(customer_id="another", message_id=events.c.message_id + "-new"))
        assert [step.event for step in store.trail.opened(steps)] == [step.event for step in steps]
        assert list(walked) == [[]] * 3
