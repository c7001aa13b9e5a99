"""The same promises in front of both sandboxes: what a CRM replies, looks up and keeps of an address is theirs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import select

from connector.delivery.consent import observe
from connector.delivery.payments import LOOK_AGAIN
from connector.delivery.route import Route, Running
from connector.mapping.planning import plan
from connector.model import Event, Plan
from connector.store.consent_tables import obligations
from connector.store.desk import Filter
from tests.builders import NOON
from tests.conftest import Clock
from tests.promises.accounts import Account, org, portal, reshaped
from tests.promises.lives import try_lives
from tests.promises.stage import DESTINATION, HOLD, HOUR, ZONE, Stage, a_person, open_stage

LIVES: Final = {"quick": (10, 12), "ci": (200, 20), "nightly": (5_000, 25)}
"""How many in front of each CRM, and how many things happen in each at most."""

FOR_GOOD: Final = 1_000_000

CALLS_AN_EVENT: Final = 40
"""More CRM calls than an event needs, with all the troubles of its life."""

CUSTOMERS: Final = ("c-1", "c-2")
FLAGS: Final = ("doNotCall", "doNotEmail")
BYSTANDER: Final = "bystander@example.com"
ENDS: Final = frozenset({"delivered", "superseded", "skipped"})

AGENTS: Final = {"owner": "", "no id": "CRM-48213", "too long": "x" * 17_000, "quoted": "O'Hara\\"}
"""The values an owner is looked up by: the owner's own id, and values that a query may fail over."""

customers = st.sampled_from(CUSTOMERS)
people = st.fixed_dictionaries(
    {
        "lastName": st.sampled_from(["Delacroix", "Okafor"]),
        "email": st.sampled_from(["a", "b", "c", None]),
        "agentName": st.sampled_from([None, *AGENTS]),
        "doNotCall": st.sampled_from([False, True, None]),
        "doNotEmail": st.sampled_from([False, True, True, None]),
    }
)


class AccountLife(RuleBasedStateMachine):
    """One life of a connector in front of one CRM account."""

    def __init__(self, stage: Stage, account: Account) -> None:
        super().__init__()
        self.stage, self.account = stage, account
        stage.wipe()
        account.empty()
        account.put("", BYSTANDER)
        self.bystander = account.everyone()[0]
        stage.route = Route(DESTINATION, account.destination, Running(account.mapping), ZONE)
        self.plans: list[Plan] = []
        self.people: dict[str, list[tuple[Any, dict[str, Any]]]] = {customer: [] for customer in CUSTOMERS}
        self.remade: set[str] = set()

    # --- what comes in

    def _accept(self, customer: str, at: int, changes: dict[str, Any]) -> None:
        letter, agent = changes["email"], changes["agentName"]
        own = {
            "email": f"{letter}.{customer}@example.com" if letter else None,
            "agentName": AGENTS.get(agent) or self.account.owner if agent else None,
        }
        payload = a_person(customer, at, **{**changes, **own})
        message_id = f"m{len(self.plans):03d}"
        assert self.stage.accept(message_id, payload)
        arrival = self.stage.arrival(message_id, payload)
        event = Event("sunrise", message_id, arrival.type, customer, arrival.source_time, NOON, payload)
        self.plans.append(plan(event, self.account.mapping, timezone=ZONE))
        self.people[customer].append((self.plans[-1].stamp, payload))

    @initialize(customer=customers, changes=people)
    def first_event(self, customer: str, changes: dict[str, Any]) -> None:
        self._accept(customer, 0, changes)

    @rule(customer=customers, at=st.integers(0, 9), changes=people)
    def receive(self, customer: str, at: int, changes: dict[str, Any]) -> None:
        self._accept(customer, at, changes)

    @rule()
    def replay(self) -> None:
        self.stage.store.desk.replay(Filter(), "ana")

    # --- what goes out

    @rule(batch=st.sampled_from([1, 2, 400]))
    def work(self, batch: int) -> None:
        self.stage.deliver(batch)

    @rule()
    def drain(self) -> None:
        self.stage.drain()

    # --- what goes wrong

    @rule(times=st.sampled_from([1, 3]), pick=st.integers(0))
    def reply_oddly(self, times: int, pick: int) -> None:
        odd = self.account.odd[pick % len(self.account.odd)]
        self.account.sandbox.fault(self.account.written_to, reshaped(odd), times=times)

    @rule(pick=st.integers(0))
    def reply_oddly_from_now_on(self, pick: int) -> None:
        harmless = self.account.harmless[pick % len(self.account.harmless)]
        self.account.sandbox.fault(self.account.written_to, reshaped(harmless), times=FOR_GOOD)

    @rule(times=st.sampled_from([1, 4]), pick=st.integers(0), skip=st.integers(0, 2))
    def fail(self, times: int, pick: int, skip: int) -> None:
        trouble = self.account.trouble()
        self.account.sandbox.fault("/", trouble[pick % len(trouble)], times=times, skip=skip)

    @rule()
    @precondition(lambda self: self.account.sandbox.faults)
    def heal(self) -> None:
        self.account.sandbox.faults.clear()

    @rule(customer=customers)
    def delete_by_hand(self, customer: str) -> None:
        for person in self.account.people(customer):
            self.account.delete(person.id)
            self.remade.add(customer)

    @rule(milliseconds=st.sampled_from([5_000, HOLD + 1, HOUR]))
    def let_time_pass(self, milliseconds: int) -> None:
        self.stage.clock.forward(milliseconds)

    # --- what must hold

    @invariant()
    def nobody_else_was_touched(self) -> None:
        assert self.bystander in self.account.everyone()

    def teardown(self) -> None:
        if not self.plans:
            return
        faults = self.account.sandbox.faults
        faults[:] = [fault for fault in faults if fault.times > FOR_GOOD / 2]
        for customer in sorted(self.remade):
            flags = {flag: state.value for flag, state in self._consent(customer).items()}
            self._accept(customer, 20, {"lastName": "Reyes", "email": "d", "agentName": None, **flags})
        self.stage.drain_in_time()
        self.replay()
        self.stage.drain_in_time()
        self.stage.clock.forward(LOOK_AGAIN)
        self.stage.drain()
        self.nobody_else_was_touched()
        for delivery in self.stage.store.desk.deliveries(Filter(), limit=1_000):
            assert delivery.state in ENDS, delivery
        for customer in CUSTOMERS:
            self._is_as_the_newest_event_says(customer)
        self._every_obligation_is_met()
        assert len(self.account.sandbox.seen) <= CALLS_AN_EVENT * len(self.plans)

    def _consent(self, customer: str) -> Any:
        return observe({}, [one for one in self.plans if one.customer_id == customer])

    def _is_as_the_newest_event_says(self, customer: str) -> None:
        events = [payload for _, payload in sorted(self.people[customer], key=lambda pair: pair[0])]
        persons = self.account.people(customer)
        assert len(persons) == bool(events), "lost, or written twice"
        for person in persons:
            assert person.last_name == events[-1]["lastName"]
            addresses = [payload["email"] for payload in events if payload["email"]]
            assert person.address == (addresses[-1] if addresses and customer not in self.remade else person.address)
            raised = {flag for flag, state in self._consent(customer).items() if state.value is True}
            assert raised & {*FLAGS} <= person.flags
            assert person.address_is_out or "doNotEmail" not in raised or not person.address, person

    def _every_obligation_is_met(self) -> None:
        with self.stage.store.database.reading() as connection:
            rows = connection.execute(select(obligations)).all()
        assert [row for row in rows if row.state != "applied"] == []


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with open_stage(f"sqlite:///{tmp_path}/connector.db", Clock()) as stage:
        yield stage


class TestAnAccount:
    @pytest.mark.slow
    @pytest.mark.parametrize("opened", [portal, org])
    def test_ends_as_the_newest_events_say(
        self, stage: Stage, opened: Callable[[], AbstractContextManager[Account]]
    ) -> None:
        runs, steps = LIVES[os.environ.get("CONNECTOR_PROMISES", "quick")]
        with opened() as account:
            try_lives(lambda: AccountLife(stage, account), runs, steps, share=0)
