"""Couples who share an address and a phone, in front of both sandboxes: whatever happens, nobody is somebody else.

A life of events in any order, hand-made contacts, merges, deletions and failing calls. In the end every customer comes
once more, and then each is where they belong.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import select

from connector.delivery.payments import LOOK_AGAIN
from connector.delivery.route import Route, Running
from connector.store.consent_tables import obligations
from connector.store.desk import Filter
from tests.conftest import Clock
from tests.promises.accounts import Account, Portal, org, portal
from tests.promises.households import NAMES, Contact, contacts, mapping_of
from tests.promises.lives import try_lives
from tests.promises.stage import DESTINATION, HOLD, HOUR, ZONE, Stage, a_person, a_talk, open_stage

LIVES: Final = {"quick": (12, 12), "ci": (250, 20), "nightly": (5_000, 30)}
"""How many in front of each CRM, and how many things happen in each at most."""

CALLS_AN_EVENT: Final = 40
"""More CRM calls than an event needs, with all the troubles of its life."""

FIRST: Final = {"c-ada": "Ada", "c-ben": "Ben", "c-cyd": "Cyd"}
CUSTOMERS: Final = tuple(FIRST)
LAST: Final = "Kessler"
ADDRESSES: Final = ("home@example.com", "both@example.com", "other@example.com")
FLAGS: Final = ("doNotCall", "doNotEmail")
BYSTANDER: Final = "bystander@example.com"
ENDS: Final = frozenset({"delivered", "superseded", "skipped"})
LATE: Final = 40
"""The minute at which every customer comes for the last time."""

WIRINGS: Final = {"hubspot": "HubSpot", "salesforce": "Salesforce by e-mail"}

customers = st.sampled_from(CUSTOMERS)
picks = st.integers(0, 9)
addresses = st.sampled_from([*ADDRESSES, ADDRESSES[0], None])
flags = st.sets(st.sampled_from(FLAGS))


class CoupleLife(RuleBasedStateMachine):
    """One life of a connector in front of one CRM account.

    by_hand: the ids of contacts that people made. shared: the record that a customer's was merged with. calls: those
    that must hang on their customer's record; a call whose contact was deleted hangs on nothing.
    """

    def __init__(self, stage: Stage, account: Account) -> None:
        super().__init__()
        self.stage, self.account = stage, account
        self.crm = "hubspot" if isinstance(account, Portal) else "salesforce"
        self.names = NAMES[self.crm]
        stage.wipe()
        account.empty()
        self.by_hand = {account.put("", BYSTANDER)}
        self.bystander = account.everyone()[0]
        stage.route = Route(DESTINATION, account.destination, Running(mapping_of(WIRINGS[self.crm])), ZONE)
        self.events: dict[str, list[tuple[int, int, dict[str, Any]]]] = {customer: [] for customer in CUSTOMERS}
        self.calls: dict[str, set[str]] = {customer: set() for customer in CUSTOMERS}
        self.shared: dict[str, str] = {}
        self.numbers = 0

    # --- what comes in

    def _accept(
        self, customer: str, at: int, address: str | None, raised: set[str], *, call: bool = False, loud: bool = False
    ) -> None:
        """Accept an event. loud: careCycle writes the customer's id in capitals, which is the same key to both CRMs."""
        self.numbers += 1
        own = {flag: True if flag in raised else None for flag in FLAGS}
        payload = a_person(
            customer.upper() if loud else customer,
            at,
            firstName=FIRST[customer],
            lastName=LAST,
            email=address,
            phoneNumber="+16025550147",
            **own,
        )
        self.events[customer].append((at, self.numbers, payload))
        if call:
            key = f"k{self.numbers}"
            self.calls[customer].add(key)
            payload = a_talk(key, payload, at)
        assert self.stage.accept(f"m{self.numbers:03d}", payload)

    @initialize(customer=customers, address=addresses, raised=flags)
    def first_event(self, customer: str, address: str | None, raised: set[str]) -> None:
        self._accept(customer, 0, address, raised)

    @rule(
        customer=customers,
        at=st.integers(1, 9),
        address=addresses,
        raised=flags,
        call=st.booleans(),
        odd=st.integers(0, 4),
    )
    def receive(self, customer: str, at: int, address: str | None, raised: set[str], call: bool, odd: int) -> None:
        loud = odd == 0
        self._accept(customer, at, address, set() if loud else raised, call=call, loud=loud)

    @rule(one=customers, other=customers, at=st.integers(10, 19), pick=picks)
    def swap_addresses(self, one: str, other: str, at: int, pick: int) -> None:
        """Two people have each other's addresses from now on."""
        first = ADDRESSES[pick % len(ADDRESSES)]
        self._accept(one, at, first, set())
        self._accept(other, at, ADDRESSES[(pick + 1) % len(ADDRESSES)] if one != other else first, set())

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

    # --- what people do in the CRM

    def _calm(self) -> None:
        """Let everything arrive, so that the connector knows which records are whose."""
        self.account.sandbox.faults.clear()
        self.stage.drain_in_time(hours=3)

    @rule(first=st.sampled_from([*FIRST.values(), *FIRST.values(), "Zoe", ""]), address=addresses)
    def make_by_hand(self, first: str, address: str | None) -> None:
        if self._is_held(address):
            return
        fields = {self.names.first: first, self.names.last: LAST, self.names.email: address}
        made = self.account.sandbox.put(self.names.people, **{name: value for name, value in fields.items() if value})
        self.by_hand.add(made if isinstance(made, str) else made["Id"])

    @rule(loser=picks, winner=picks)
    @precondition(lambda self: len(self.account.everyone()) > 2)
    def merge_by_hand(self, loser: int, winner: int) -> None:
        self._calm()
        choice = [seen.id for seen in self._contacts() if seen.email != BYSTANDER]
        lost, won = choice[loser % len(choice)], choice[winner % len(choice)]
        if lost == won:
            return
        homes = self._homes()
        if self.crm == "hubspot":
            new = self.account.sandbox.merge("contacts", lost, won)
        else:
            self.account.sandbox.merge(lost, won)
            new = won
        if {lost, won} & self.by_hand:
            self.by_hand = self.by_hand - {lost, won} | {new}
        for customer, home in homes.items():
            if home in (lost, won):
                self.shared[customer] = new

    @rule(pick=picks)
    @precondition(lambda self: len(self.account.everyone()) > 1)
    def delete_by_hand(self, pick: int) -> None:
        self._calm()
        choice = [seen for seen in self._contacts() if seen.email != BYSTANDER]
        if not choice:
            return
        gone = choice[pick % len(choice)]
        for customer, home in self._homes().items():
            if home == gone.id:
                self.shared.pop(customer, None)
                self.calls[customer].clear()
        self.account.delete(gone.id)
        self.by_hand.discard(gone.id)

    @rule(times=st.sampled_from([1, 4]), pick=picks, skip=st.integers(0, 2))
    def fail(self, times: int, pick: int, skip: int) -> None:
        trouble = self.account.trouble()
        self.account.sandbox.fault("/", trouble[pick % len(trouble)], times=times, skip=skip)

    @rule(milliseconds=st.sampled_from([5_000, HOLD + 1, HOUR]))
    def let_time_pass(self, milliseconds: int) -> None:
        self.stage.clock.forward(milliseconds)

    # --- what must hold

    def _contacts(self) -> list[Contact]:
        """Every contact, with its key as careCycle writes it."""
        return [replace(seen, key=(seen.key or "").lower() or None) for seen in contacts(self.account, self.names)]

    def _homes(self) -> dict[str, str]:
        """The record each customer lives in: what theirs was merged into, or else the one with their key."""
        own = {seen.key: seen.id for seen in self._contacts() if seen.key}
        return {customer: home for customer in CUSTOMERS if (home := self.shared.get(customer) or own.get(customer))}

    @invariant()
    def nobody_else_was_touched(self) -> None:
        assert self.bystander in self.account.everyone()

    @invariant()
    def no_record_carries_two_people(self) -> None:
        for seen in self._contacts():
            if seen.key in FIRST and seen.id not in self.shared.values():
                assert seen.name == f"{FIRST[seen.key]} {LAST}", "a key on somebody else's record"

    def teardown(self) -> None:
        if not self.numbers:
            return
        self._calm()
        for customer in CUSTOMERS:
            if self.events[customer]:  # what people did is noticed with the next event
                self._accept(customer, LATE, self._newest_address(customer), set(), call=True)
        self.stage.drain_in_time()
        self.replay()
        self.stage.drain_in_time()
        for _ in range(2):
            self.stage.clock.forward(LOOK_AGAIN)
            self.stage.store.open_items.held.try_again()  # as housekeeping does
            self.stage.drain_in_time()
        self.nobody_else_was_touched()
        self.no_record_carries_two_people()
        for delivery in self.stage.store.desk.deliveries(Filter(), limit=1_000):
            assert delivery.state in ENDS, delivery
        came = [customer for customer in CUSTOMERS if self.events[customer]]
        homes = self._homes()
        assert sorted(homes) == came, "somebody is nowhere"
        seen = {contact.id: contact for contact in self._contacts()}
        self._one_record_each(seen, homes)
        for customer in came:
            self._is_themselves(customer, seen[homes[customer]], homes)
        self._addresses(seen, homes)
        self._every_obligation_is_met()
        assert len(self.account.sandbox.seen) <= CALLS_AN_EVENT * self.numbers

    def _one_record_each(self, seen: dict[str, Contact], homes: dict[str, str]) -> None:
        keys = [contact.key for contact in seen.values() if contact.key]
        assert len(set(keys)) == len(keys), "two records for one customer"
        assert {crm_id for crm_id, contact in seen.items() if not contact.key} <= self.by_hand, "a record of nobody"
        for home in set(homes.values()):
            assert seen[home].key in {customer for customer, own in homes.items() if own == home}
        holders = {contact.id for contact in seen.values() if contact.key}
        assert holders == set(homes.values()), "a record was made again although it had been merged"

    def _is_themselves(self, customer: str, home: Contact, homes: dict[str, str]) -> None:
        together = [other for other, own in homes.items() if own == home.id]
        raised = {one: self._raised(one) for one in together}
        assert raised[customer] <= home.flags, "an opt-out is not on its customer's record"
        if len(together) == 1 and home.id not in self.by_hand and home.id not in self.shared.values():
            assert home.flags <= raised[customer], "an opt-out of somebody else"
        assert home.name == f"{FIRST[home.key or '']} {LAST}"
        assert self.calls[customer] <= home.calls, "a call hangs on somebody else"
        others = {call for other in CUSTOMERS if other not in together for call in self.calls[other]}
        assert not others & home.calls, "somebody else's call"

    def _raised(self, customer: str) -> set[str]:
        return {flag for flag in FLAGS for *_, event in self.events[customer] if event[flag] is True}

    def _addresses(self, seen: dict[str, Contact], homes: dict[str, str]) -> None:
        """A free address is with the person whose newest it is."""
        for contact in seen.values():
            if contact.key not in FIRST:
                continue
            wanted = self._newest_address(contact.key)
            if contact.email == wanted or contact.id in self.by_hand | {*self.shared.values()}:
                continue
            assert self.crm == "hubspot", (contact, wanted)
            assert self._is_held(wanted), f"{wanted} is free, and {contact.name} has {contact.email}"

    def _is_held(self, address: str | None) -> bool:
        """Whether HubSpot would refuse this address to another contact."""
        return isinstance(self.account, Portal) and ("contacts", "email", address) in self.account.sandbox.state.unique

    def _newest_address(self, customer: str) -> str | None:
        events = sorted(self.events[customer], key=lambda event: event[:2])
        return next((event["email"] for *_, event in reversed(events) if event["email"]), None)

    def _every_obligation_is_met(self) -> None:
        with self.stage.store.database.reading() as connection:
            rows = connection.execute(select(obligations)).all()
        assert [row for row in rows if row.state != "applied"] == []


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with open_stage(f"sqlite:///{tmp_path}/connector.db", Clock()) as stage:
        yield stage


class TestCouples:
    @pytest.mark.slow
    @pytest.mark.parametrize("opened", [portal, org])
    def test_everybody_ends_where_they_belong(
        self, stage: Stage, opened: Callable[[], AbstractContextManager[Account]]
    ) -> None:
        runs, steps = LIVES[os.environ.get("CONNECTOR_PROMISES", "quick")]
        with opened() as account:
            try_lives(lambda: CoupleLife(stage, account), runs, steps, share=0)

    @pytest.mark.parametrize("winner", [1, 0])
    @pytest.mark.parametrize("opened", [portal, org])
    def test_two_customers_whose_records_were_merged_live_in_one(
        self, stage: Stage, opened: Callable[[], AbstractContextManager[Account]], winner: int
    ) -> None:
        with opened() as account:
            life = CoupleLife(stage, account)
            life._accept("c-ada", 0, ADDRESSES[0], {"doNotCall"}, call=True)
            life._accept("c-ben", 0, ADDRESSES[1], {"doNotEmail"}, call=True)
            life._calm()
            life.merge_by_hand(loser=1 - winner, winner=winner)
            life.teardown()
            assert len(life._contacts()) == 2
