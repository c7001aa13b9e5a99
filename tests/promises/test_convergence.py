"""Nothing lost, nothing twice, nothing stale: whatever happens, in whatever order, the CRM ends the same.

CONNECTOR_PROMISES sets how many lives are tried: quick (the default), ci or nightly.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from connector.delivery.consent import observe, withholding
from connector.delivery.deliver import Running
from connector.delivery.turn import deliver
from connector.errors import LeaseLost
from connector.mapping.planning import plan
from connector.model import Event, Plan
from connector.store.desk import Filter
from tests.promises.crm import BY_HAND, FLAGS, REFUSED, Crm, Fault, Killed
from tests.promises.stage import DESTINATION, HOLD, LANE, MAPPINGS, ZONE, Stage, a_person, a_talk

LIVES = {"quick": (100, 10, 14), "ci": (2_000, 200, 20), "nightly": (100_000, 5_000, 25)}
"""How many on SQLite and on PostgreSQL, and how many things happen in each at most."""

SHARES = 2
"""The lives are tried in so many tests, for two cores."""

CUSTOMERS = ("c-1", "c-2", "c-3")
EQUAL = ("LastName", "City", "County", "Status", "Owner", "Source", *sorted(FLAGS))
"""The fields of a contact that must end as in a life without faults."""

ENDS = frozenset({"delivered", "superseded", "skipped", "ignored"})

people = st.fixed_dictionaries(
    {
        "lastName": st.sampled_from(["Delacroix", "Okafor", None]),
        "city": st.sampled_from(["Mesa", "Yuma", None, None, REFUSED]),
        "county": st.sampled_from(["Pima", "Gila", None]),
        "status": st.sampled_from(["Lead", "Active", "Active", "Inactive"]),
        "phoneNumber": st.sampled_from(["+13128471928", "+16025550100", None]),
        "email": st.sampled_from(["a@example.com", "b@example.com", None]),
        "agentName": st.sampled_from(["Ana", "Ben", "Eve", None]),
        "doNotCall": st.sampled_from([False, False, True, None]),
        "doNotSMS": st.sampled_from([False, False, True, None]),
    }
)
times = st.integers(0, 9)
customers = st.sampled_from([*CUSTOMERS, "c-1", "c-1"])


class Convergence(RuleBasedStateMachine):
    """One life of a connector. The store and the engine are the real ones."""

    def __init__(self, stage: Stage, reference: Stage) -> None:
        super().__init__()
        self.stage, self.reference = stage, reference
        for one in (stage, reference):
            one.wipe()
        self.accepted: dict[str, dict[str, Any]] = {}
        self.plans: dict[str, Plan] = {}
        self.numbers = 0
        self.just_heard: list[str] = []
        self.reloaded = False
        self.edited: set[tuple[str, str]] = set()
        self.deleted: set[str] = set()
        self.replayed = False

    # --- what comes in

    def _accept(self, payload: dict[str, Any]) -> str:
        self.numbers += 1
        message_id = f"m{self.numbers:03d}"
        assert self.stage.accept(message_id, payload)
        self._remember(message_id, payload)
        return message_id

    def _remember(self, message_id: str, payload: dict[str, Any]) -> None:
        arrival = self.stage.arrival(message_id, payload)
        event = Event("sunrise", message_id, arrival.type, arrival.customer_id, arrival.source_time, 0, payload)
        self.accepted[message_id], self.plans[message_id] = payload, plan(event, MAPPINGS[0], timezone=ZONE)

    @initialize(customer=customers, changes=people)
    def first_event(self, customer: str, changes: dict[str, Any]) -> None:
        self._accept(a_person(customer, 0, **changes))

    @rule(customer=customers, at=times, changes=people)
    def receive(self, customer: str, at: int, changes: dict[str, Any]) -> None:
        self._accept(a_person(customer, at, **changes))

    @rule(customer=customers, at=times, changes=people, call=st.integers(1, 3), callback=st.booleans())
    def receive_a_call(self, customer: str, at: int, changes: dict[str, Any], call: int, callback: bool) -> None:
        talk = a_talk(
            f"{customer}-k{call}", a_person(customer, at, **changes), 5, disposition="Callback" if callback else "Sold"
        )
        self._accept(talk)

    @rule(pick=st.integers(0))
    def receive_again(self, pick: int) -> None:
        message_id = sorted(self.accepted)[pick % len(self.accepted)]
        assert not self.stage.accept(message_id, self.accepted[message_id])
        self.replayed = True

    @rule()
    def replay(self) -> None:
        self.stage.store.desk.replay(Filter(), "ana")
        self.replayed = True

    # --- what goes out

    @rule(batch=st.sampled_from([1, 2, 3, 400]))
    def work(self, batch: int) -> None:
        lease = self.stage.lease()
        if lease is None:
            return
        self._deliver(lease, batch)

    def _deliver(self, lease: Any, batch: int) -> None:
        crm, store = self.stage.crm, self.stage.store
        due = store.inbox.due(LANE, batch)
        plans = [self.plans[one.event.message_id] for one in due]
        known = store.ledger.consents(DESTINATION, CUSTOMERS)
        before = len(crm.writes)
        try:
            deliver(store, self.stage.route, lease, self.stage.pace(batch), self.stage.ahead)
        except (Killed, LeaseLost):
            return  # the lease is left to run out
        store.lanes.release(lease)
        if self.stage.lane().paused_until <= self.stage.clock():  # an account that fails opt-outs hears of nothing else
            self.just_heard += [one.event.message_id for one in due]
        states = {
            customer: observe(known.get(customer, {}), [one for one in plans if one.customer_id == customer])
            for customer in CUSTOMERS
        }
        for row in crm.writes[before:]:
            if row.fields.get("Mobile") is not None:
                assert withholding(["doNotSMS"], states[row.key.value]) is None, "a withheld field was sent"

    @rule(customer=customers, at=st.integers(5, 12), changes=people, when=st.sampled_from(["before", "after"]))
    @precondition(lambda self: self.stage.store.desk.waiting() and not self.stage.crm.faults)
    def work_too_slowly(self, customer: str, at: int, changes: dict[str, Any], when: str) -> None:
        """A worker stops in the middle of a call until another has taken its lane and drained it."""
        late = self.stage.lease("late")
        if late is None:
            return

        def elsewhere() -> None:
            self.stage.clock.forward(HOLD + 1)
            self._accept(a_person(customer, at, **changes))
            self.stage.drain()

        self.stage.crm.meanwhile.append((when, elsewhere))
        try:
            while deliver(self.stage.store, self.stage.route, late, self.stage.pace()):
                continue
            self.stage.store.lanes.release(late)
        except LeaseLost:
            pass
        self.stage.crm.meanwhile.clear()

    # --- what goes wrong

    @rule(fault=st.sampled_from(list(Fault)))
    def plan_a_fault(self, fault: Fault) -> None:
        self.stage.crm.faults.append(fault)

    @rule(fault=st.sampled_from([Fault.KILLED_AFTER, Fault.REPLY_LOST, Fault.CUT]), customer=customers, changes=people)
    @precondition(lambda self: self.stage.store.desk.waiting())
    def lose_an_answer_while_the_customer_changes(self, fault: Fault, customer: str, changes: dict[str, Any]) -> None:
        self.stage.crm.faults.insert(0, fault)
        self.work(400)
        self.stage.clock.forward(HOLD + 1)
        self._accept(a_person(customer, 10, **changes))

    @rule()
    def clear_faults(self) -> None:
        self.stage.crm.faults.clear()

    @rule(milliseconds=st.sampled_from([5_000, HOLD + 1, 3_600_000]))
    def let_time_pass(self, milliseconds: int) -> None:
        self.stage.clock.forward(milliseconds)

    @rule()
    def edit_the_mapping(self) -> None:
        self.stage.mapping = 1 - self.stage.mapping
        self.stage.route.running = Running(MAPPINGS[self.stage.mapping])
        self.reloaded = True

    @rule(customer=customers, field=st.sampled_from(["Owner", "Email", "City"]))
    def edit_by_hand(self, customer: str, field: str) -> None:
        for held in self.stage.crm.all("Contact", customer):
            held[field] = BY_HAND
            self.edited.add((customer, field))

    @rule(customer=customers)
    def delete_by_hand(self, customer: str) -> None:
        for held in self.stage.crm.all("Contact", customer):
            del self.stage.crm.records[held["Id"]]
            self.deleted.add(customer)

    # --- what must hold

    @invariant()
    def the_crm_saw_no_promise_broken(self) -> None:
        assert self.stage.crm.broken == []

    @invariant()
    def what_was_heard_of_consent_is_known(self) -> None:
        known = self.stage.store.ledger.consents(DESTINATION, CUSTOMERS) if self.just_heard else {}
        while self.just_heard:
            message_id = self.just_heard.pop()
            heard = self.plans[message_id]
            assert all(state.stamp >= heard.stamp for state in known[heard.customer_id or ""].values())

    def _consent(self, customer: str) -> dict[str, bool | None]:
        """What all the events together say of a customer's flags."""
        states = observe({}, [one for one in self.plans.values() if one.customer_id == customer])
        return {flag: states[flag].value for flag in ("doNotCall", "doNotSMS")}

    def teardown(self) -> None:
        if not self.accepted:
            return
        self.stage.crm.faults.clear()
        self.stage.clock.forward(HOLD + 1)
        self.stage.drain_in_time()
        self.the_crm_saw_no_promise_broken()
        if not self.stage.lane().pause_reason.startswith("20 records in a row"):
            self._every_event_ended(ENDS | {"dead"})
            self._every_try_is_on_record()
        self._make_deleted_records_anew()
        self.stage.crm.strict = False
        self.replay()
        self.stage.drain_in_time()
        self.the_crm_saw_no_promise_broken()
        self._every_event_ended(ENDS)
        self._the_crm_is_as_without_faults()

    def _make_deleted_records_anew(self) -> None:
        """A record people deleted comes back with the next event that asks for it."""
        for customer in sorted(self.deleted):
            changes = {"city": "Bisbee", "county": "Cochise", "status": "Active", "agentName": "Zoe"}
            self._accept(a_person(customer, 20, **changes, **self._consent(customer)))

    def _every_event_ended(self, ends: frozenset[str]) -> None:
        deliveries = self.stage.store.desk.deliveries(Filter(), limit=1_000)
        assert {one.message_id for one in deliveries} == self.accepted.keys()
        for one in deliveries:
            assert one.state in ends, one
            assert one.code or one.state == "delivered"

    def _every_try_is_on_record(self) -> None:
        for message_id in self.accepted:
            story = self.stage.settled(message_id)
            assert story.tries
            assert len(story.tries) == story.attempts or self.replayed

    def _expected(self) -> list[Crm]:
        """The CRM after the same events in order and without faults, for each mapping that ran."""
        made = []
        order = sorted(self.accepted, key=lambda one: self.plans[one].stamp)
        for mapping in MAPPINGS if self.reloaded else MAPPINGS[:1]:
            self.reference.wipe()
            self.reference.crm.strict = False
            self.reference.route.running = Running(mapping)
            self.reference.live([(message_id, self.accepted[message_id]) for message_id in order])
            made.append(self.reference.crm)
        return made

    def _the_crm_is_as_without_faults(self) -> None:
        expected, crm = self._expected(), self.stage.crm
        for customer in CUSTOMERS:
            assert len(crm.all("Contact", customer)) == len(expected[0].all("Contact", customer)) <= 1
            for held in crm.all("Contact", customer):
                self._a_contact_is(customer, held, [one.all("Contact", customer)[0] for one in expected])
        self._calls_are(expected[0])

    def _a_contact_is(self, customer: str, held: dict[str, Any], expected: list[dict[str, Any]]) -> None:
        anew = customer in self.deleted
        for field in EQUAL:
            if (customer, field) in self.edited or (anew and field not in ("City", "County", "Status", "LastName")):
                continue
            assert held.get(field) in [one.get(field) for one in expected], (customer, field)
        for flag, target in (("doNotCall", "NoCall"), ("doNotSMS", "NoText")):
            assert held.get(target) or self._consent(customer)[flag] is not True, (customer, target)
        self._mobile_is_as_consent_allows(customer, held.get("Mobile"))

    def _mobile_is_as_consent_allows(self, customer: str, mobile: str | None) -> None:
        """A field once withheld may lack an older value, but holds what the newest event offers freely."""
        mine = {one: planned for one, planned in self.plans.items() if planned.customer_id == customer}
        newest = _customer(self.accepted[max(mine, key=lambda one: mine[one].stamp)])
        offered = [_customer(self.accepted[one])["phoneNumber"] for one in mine]
        assert mobile in [None, *offered]
        if newest["phoneNumber"] and newest["doNotSMS"] is False and newest["status"] != "Inactive":
            assert mobile == newest["phoneNumber"]

    def _calls_are(self, expected: Crm) -> None:
        calls = {one["Key"] for one in expected.records.values() if one["object"] == "Call"}
        made = [one for one in self.stage.crm.records.values() if one["object"] == "Call"]
        assert len({one["Key"] for one in made}) == len(made)
        certain = {key for key in calls if not key.startswith("callback-")}
        assert certain <= {one["Key"] for one in made}
        for one in made:
            customer = one["Key"].removeprefix("callback-").partition("-k")[0]
            if customer not in self.deleted:
                assert one.get("Who") == self.stage.contact(customer)["Id"], one["Key"]


def _customer(payload: dict[str, Any]) -> dict[str, Any]:
    inside: dict[str, Any] = payload.get("customer", payload)
    return inside


def live(stage: Stage, reference: Stage, runs: int, steps: int, share: int) -> None:
    """Try so many lives. They are not shrunk: that takes minutes, and what happened is printed anyway."""
    how = settings(
        max_examples=runs,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
        phases=[Phase.explicit, Phase.reuse, Phase.generate],
    )

    def life() -> Convergence:
        return Convergence(stage, reference)

    # Every day the same lives, so that a failure is about the change at hand; the nightly profile looks further.
    machine = life if os.environ.get("CONNECTOR_PROMISES") == "nightly" else seed(share)(life)
    run_state_machine_as_test(machine, settings=how)


class TestConvergence:
    @pytest.mark.parametrize("share", range(SHARES))
    def test_every_life_ends_in_the_same_crm(self, stage: Stage, reference: Stage, share: int) -> None:
        sqlite, postgres, steps = LIVES[os.environ.get("CONNECTOR_PROMISES", "quick")]
        runs = sqlite if stage.store.database.engine.dialect.name == "sqlite" else postgres
        live(stage, reference, runs // SHARES, steps, share)
