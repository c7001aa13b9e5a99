"""Each action is an entry of the audit log, with the whole filter and the reason."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest
from sqlalchemy import event

from connector.errors import FixConfiguration
from connector.model import Stamp
from connector.settlement import CauseKey, FlagState, Settlement
from connector.settlement.auditing import AuditEntry
from connector.store import Store
from connector.store.agencies import Terms
from connector.store.desk import Filter
from tests.builders import CUSTOMER, DESTINATION, LANE, NOON, an_arrival
from tests.contracts.test_questions import HAROLD, ask, question

WHY = "the agent asked for it"


@pytest.fixture(autouse=True)
def _one_event(store: Store) -> None:
    store.inbox.accept([an_arrival("somebody")])


def lower(store: Store) -> None:
    store.lanes.open({LANE: DESTINATION})
    lease = store.lanes.lease("worker", [LANE], 60_000)
    assert lease is not None
    spoken = FlagState(Stamp(1, "a"), value=False, spoken=True)
    store.lanes.settle(lease, Settlement("v1", consents={CUSTOMER: {"doNotCall": spoken}}), 60_000)
    store.lowering.lower(CUSTOMER, "doNotCall", "ana", WHY)


def reveal(store: Store) -> None:
    store.agencies.announce([Terms("sunrise", True, 90)])
    store.inbox.accept([an_arrival("one")])
    store.reveal.payload("one", "ana", WHY)


def set_aside(store: Store) -> None:
    store.inbox.accept([an_arrival("one")])
    store.desk.set_aside(2, "ana", WHY)


def pause(store: Store) -> None:
    store.lanes.open({LANE: DESTINATION})
    store.desk.pause(LANE, "ana", WHY)


def resume(store: Store) -> None:
    pause(store)
    store.desk.resume(LANE, "ana", WHY)


def decide(store: Store) -> None:
    ask(store, HAROLD)
    store.deciding.same_person(question(store), "003H", "ana", WHY)


DECIDED = f"{DESTINATION} Contact: same person; customer {CUSTOMER}; CRM records 003H"
ACTIONS: list[tuple[Callable[[Store], Any], tuple[str, str, str, str]]] = [
    (
        lambda store: store.desk.replay(Filter(destination=DESTINATION, code="X", customer_id="c"), "ana", reason=WHY),
        ("replay", f"0 dead deliveries: destination {DESTINATION}, code X; customer c", WHY, "sunrise"),
    ),
    (
        lambda store: store.desk.discard(Filter(type="call.completed", since=NOON), "ana", WHY),
        ("discard", "0 dead deliveries: type call.completed, since 2026-06-18 12:00:00 UTC", WHY, ""),
    ),
    (set_aside, ("set aside", f"one to {DESTINATION}", WHY, "sunrise")),
    (pause, ("pause", LANE, WHY, "sunrise")),
    (resume, ("resume", LANE, WHY, "sunrise")),
    (reveal, ("reveal", "sunrise/one", WHY, "sunrise")),
    (lower, ("lower consent", f"doNotCall; customer {CUSTOMER}", WHY, "sunrise")),
    (
        decide,
        (
            "decide identity",
            f"{DESTINATION} Contact: same person; customer {CUSTOMER}; CRM records 003H",
            WHY,
            "sunrise",
        ),
    ),
    (lambda store: store.retention.resume("ana"), ("resume", "retention", "", "")),
    (
        lambda store: store.restoring.run(store.restoring.plan(), "ana"),
        ("restored", "0 records in doubt, 0 deliveries and 0 opt-outs again", "", ""),
    ),
    (
        lambda store: store.repairing.write_down("ana", DESTINATION, "2 records again"),
        ("reconcile", f"{DESTINATION}: 2 records again", "", "sunrise"),
    ),
]


def newest(store: Store) -> AuditEntry:
    return store.audit.entries(1)[0]


class TestActions:
    @pytest.mark.parametrize(("act", "entry"), ACTIONS, ids=[entry[0] for _, entry in ACTIONS])
    def test_each_is_an_entry_with_its_filter_and_reason(
        self, store: Store, act: Callable[[Store], Any], entry: tuple[str, str, str, str]
    ) -> None:
        act(store)
        kept = newest(store)
        assert kept.who == "ana"
        assert (kept.action, kept.what, kept.reason, kept.agency) == entry

    @pytest.mark.parametrize(("act", "entry"), ACTIONS, ids=[entry[0] for _, entry in ACTIONS])
    def test_nothing_is_locked_after_the_head_of_the_log(
        self, store: Store, act: Callable[[Store], Any], entry: tuple[str, str, str, str]
    ) -> None:
        said: list[str] = []
        engine = store.database.engine
        event.listen(engine, "before_cursor_execute", lambda *given: said.append(given[2]))
        event.listen(engine, "commit", lambda connection: said.append("COMMIT"))
        act(store)
        for one in "\n".join(said).split("COMMIT"):
            _, head, after = one.partition("UPDATE audit_head SET number=(audit_head.number")
            changed = re.findall(r"^(?:UPDATE|INSERT INTO|DELETE FROM) (\w+)", after, re.M)
            assert not head or set(changed) <= {"audit", "audit_head"}, entry

    @pytest.mark.parametrize("reason", ["", "\0\r\n"])
    def test_no_value_is_revealed_without_a_reason(self, store: Store, reason: str) -> None:
        store.agencies.announce([Terms("sunrise", True, 90)])
        with pytest.raises(FixConfiguration, match="for a reason only"):
            store.reveal.payload("somebody", "ana", reason)
        assert store.audit.entries() == []

    def test_forgetting_says_why_and_names_nobody(self, store: Store) -> None:
        store.forget.run(CUSTOMER, "ana", WHY)
        assert (newest(store).action, newest(store).reason, CUSTOMER in newest(store).what) == ("forget", WHY, False)


VALUES: dict[str, Any] = {
    "cause": CauseKey("X", ("City",), "contact"),
    "since": NOON,
    "until": NOON,
    "events": {7: "one", 8: "two"},
}
SHOWN = {
    "events": "events one, two",
    "cause": "X (City) contact",
    "since": "2026-06-18 12:00:00 UTC",
    "until": "2026-06-18 12:00:00 UTC",
}


@pytest.mark.parametrize("name", [field.name for field in fields(Filter) if field.name not in ("state", "before")])
def test_every_part_of_a_filter_can_be_read_in_the_entry(store: Store, name: str) -> None:
    value = VALUES.get(name, "some-value")
    store.desk.replay(replace(Filter(), **{name: value}), "ana")
    assert SHOWN.get(name, "some-value") in newest(store).what


def test_of_many_chosen_events_the_entry_names_the_first_and_counts_the_rest(store: Store) -> None:
    store.desk.discard(Filter(events={number: f"msg_{number}" for number in range(30)}), "ana")
    assert newest(store).thing.endswith("msg_18, msg_19, and 10 more")
