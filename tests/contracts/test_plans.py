"""What a long history costs, told by SQLite's own plans: what a batch does walks no more of it than it touches."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from connector.model import Entry, FlagState, Mark, RecordKey, Stamp
from connector.settlement import (
    AttemptOutcome,
    DeliveryState,
    Obligation,
    ObligationState,
    Payment,
    Remembered,
    Settled,
    Settlement,
    Theirs,
)
from connector.settlement.oddities import Oddity
from connector.store import Store, open_store
from connector.store.desk import Filter
from tests.builders import CUSTOMER, DATA_KEY, DESTINATION, LANE, an_arrival, an_odd_arrival

HOLD = 60_000
CONTACT = RecordKey("Contact", "careCycle_Id__c", CUSTOMER)

WALKS = re.compile(
    r"SCAN (events|deliveries|attempts|ledger|consents|raises)\b"
    r"|SEARCH deliveries USING (COVERING )?INDEX \w+ \((state|destination)=\?\)"
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(f"sqlite:///{tmp_path}/connector.db", {"CONNECTOR_DATA_KEY": DATA_KEY})
    store.lanes.open({LANE: DESTINATION})
    yield store
    store.close()


@pytest.fixture
def walked(store: Store) -> list[str]:
    """Every step of a plan that walks a table, or all of one state, and the statement it is of."""
    found: list[str] = []

    def explain(connection: Any, _: Any, statement: str, parameters: Any, *__: Any) -> None:
        if statement.split(maxsplit=1)[0] in ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH"):
            rows = connection.connection.driver_connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            found.extend(f"{row[3]} <- {statement}" for row in rows if WALKS.match(row[3]))

    event.listen(store.database.engine, "before_cursor_execute", explain)
    return found


class TestNoStatement:
    def test_of_accepting_walks_history_nor_of_the_same_message_sent_again(
        self, store: Store, walked: list[str]
    ) -> None:
        for _ in range(2):
            store.inbox.accept([an_arrival("one"), an_odd_arrival("two")])
        assert walked == []

    def test_of_a_batch_walks_history(self, store: Store, walked: list[str]) -> None:
        store.inbox.accept([an_arrival("one"), an_arrival("two"), an_arrival("three")])
        lease = store.lanes.lease("worker", [LANE], HOLD)
        assert lease is not None
        first, *_ = store.inbox.due(LANE, 10)
        store.lanes.standing(lease)
        store.ledger.entries(DESTINATION, [CONTACT])
        store.ledger.consents(DESTINATION, [CUSTOMER])
        known = Remembered(CONTACT, Entry("003x", {"LastName": Mark(Stamp(1, "m"), "d")}), CUSTOMER, first.id, new=True)
        store.lanes.intend(lease, [known], HOLD)
        states = {CUSTOMER: {"doNotCall": FlagState(Stamp(1, "m"), value=True)}}
        settled = [Settled(first.id, DeliveryState.DELIVERED, AttemptOutcome.DELIVERED)]
        owed = Obligation(DESTINATION, CUSTOMER, "doNotCall", 1, first.event_id)
        lost = Oddity("sunrise", "customer.status", DESTINATION, "contact.Status")
        payments = [Payment(owed, ObligationState.REFUSED, wait_ms=1_000)]
        store.lanes.settle(
            lease, Settlement("v1", settled, [known], states, payments=payments, owed=[owed], oddities=[lost]), HOLD
        )
        store.obligations.due(LANE, 10)
        store.opt_outs.standing()
        store.lanes.overtaken(lease, {}, Theirs({CUSTOMER}, [first.id]), 0)
        store.lanes.next_due_ms([LANE], HOLD)
        assert walked == []

    def test_of_a_step_of_a_replay_walks_history(self, store: Store, walked: list[str]) -> None:
        store.inbox.accept([an_arrival("one", state="dead", code="X")])
        assert store.desk.replay(Filter(code="X", message_id="one"), "ana") == 1
        assert walked == []

    def test_of_forgetting_one_person_walks_every_delivery(self, store: Store, walked: list[str]) -> None:
        store.inbox.accept([an_arrival("one")])
        store.forget.run(CUSTOMER, "ana")
        assert [one for one in walked if "deliveries" in one] == []

    def test_of_counting_what_waits_reads_each_delivery(self, store: Store, walked: list[str]) -> None:
        store.inbox.accept([an_arrival("one")])
        (lane,) = store.desk.lanes()
        assert (lane.ready, walked) == (1, [])
