"""Nothing lost, nothing twice, nothing stale: whatever happens, in whatever order, the CRM ends the same.

CONNECTOR_PROMISES sets how many lives are tried: quick (the default), ci or nightly.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from itertools import product
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule
from sqlalchemy import Row, select

from connector.delivery.consent import observe, withholding
from connector.delivery.payments import LOOK_AGAIN
from connector.delivery.route import Running
from connector.delivery.turn import deliver
from connector.errors import ACCOUNT_WIDE, LeaseLost
from connector.mapping.planning import plan
from connector.model import Event, Plan
from connector.settlement.newest import Origin
from connector.store.consent_tables import obligations
from connector.store.desk import Filter
from connector.store.opt_outs import Period
from connector.store.problem_tables import open_items
from connector.store.tables import events
from tests.builders import NOON
from tests.promises.crm import FLAGS, REFUSED, Crm, Fault, Killed
from tests.promises.lives import try_lives
from tests.promises.mishaps import CUSTOMERS, STRANGER, Mishaps, Odd, customers, odd_fields
from tests.promises.stage import DESTINATION, HOLD, LANE, MAPPINGS, ZONE, Stage, a_fetched, a_person, a_talk

LIVES = {"quick": (72, 8, 14), "ci": (2_000, 200, 20), "nightly": (100_000, 5_000, 25)}
"""How many on SQLite and on PostgreSQL, and how many things happen in each at most."""

CALLS_AN_EVENT = 15
"""More CRM calls than an event or a replay needs, with all the troubles of its life: about 7 were the most."""

SHARES = 2
"""The lives are tried in so many tests, for two cores."""

OF_CALLS = ("Outcome", "Began", "Opening", "Sold", "Attempts", "Callbacks")
EQUAL = ("LastName", "City", "County", "Status", "Owner", "Source", "Age", "Soon", "Stage", *OF_CALLS, *sorted(FLAGS))
EQUAL += ("Band", "Income", "Places", "Local")
"""The fields of a contact that must end as in a life without faults."""

TARGETS = {"doNotCall": "NoCall", "doNotSMS": "NoText"}
ENDS = frozenset({"delivered", "superseded", "skipped", "ignored"})

FILLED_IN = "Api"
"""The Owner that the CRM gives a contact whose customer has no agent yet."""

people = st.fixed_dictionaries(
    {
        "lastName": st.sampled_from(["Delacroix", "Okafor", None]),
        "city": st.sampled_from(["Mesa", "Yuma", None, None, REFUSED]),
        "county": st.sampled_from(["Pima", "Gila", None]),
        "status": st.sampled_from(["Lead", "Active", "Active", "Inactive"]),
        "phoneNumber": st.sampled_from(["+13128471928", "+16025550100", None]),
        "email": st.sampled_from(["a@example.com", "b@example.com", None]),
        "dateOfBirth": st.sampled_from(["1961-06-18", "1961-07-01", None]),
        "householdIncome": st.sampled_from([10_000, 30_000, 60_000, None]),
        "assignedUser": st.sampled_from(
            [{"licensedStates": ["AZ", "NM", "NV"]}, {"licensedStates": ["NV", "AZ"]}, {"licensedStates": ["TX"]}, None]
        ),
        "agentName": st.sampled_from(["Ana", "Ben", "Eve", None]),
        "doNotCall": st.sampled_from([False, False, True, None]),
        "doNotSMS": st.sampled_from([False, False, True, None]),
    }
)
times = st.integers(0, 9)


class Convergence(Mishaps):
    """One life of a connector. The store and the engine are the real ones."""

    def __init__(self, stage: Stage, reference: Stage) -> None:
        super().__init__(stage)
        self.reference = reference
        reference.wipe()
        stage.crm.owner = FILLED_IN
        self.accepted: dict[str, dict[str, Any]] = {}
        self.odd: dict[str, dict[str, Any]] = {}
        self.plans: dict[str, Plan] = {}
        self.numbers = 0
        self.just_heard: list[str] = []
        self.replays = 0
        self.damaged: set[str] = set()
        self.unsure: set[str] = set()

    # --- what comes in

    def _accept(self, payload: dict[str, Any], odd: Odd | None = None) -> None:
        """Accept an event. odd: a field of its customer that comes in an unexpected form; it is remembered as plain."""
        self.numbers += 1
        message_id = f"m{self.numbers:03d}"
        if odd:
            self.odd[message_id] = _changed(payload, odd.sent_in)
        assert self.stage.accept(message_id, self.odd.get(message_id, payload))
        self._remember(message_id, _changed(payload, odd.plain_in) if odd else payload)

    def _remember(self, message_id: str, payload: dict[str, Any]) -> None:
        arrival = self.stage.arrival(message_id, payload)
        is_fetched = message_id.startswith(Origin.CARECYCLE)
        times = (arrival.source_time or 0, NOON)
        event = Event("sunrise", message_id, arrival.type, arrival.customer_id, *times, payload, fetched=is_fetched)
        self.accepted[message_id], self.plans[message_id] = payload, plan(event, MAPPINGS[0], timezone=ZONE)

    @initialize(customer=customers, changes=people, odd=odd_fields)
    def first_event(self, customer: str, changes: dict[str, Any], odd: Odd | None) -> None:
        self._accept(a_person(customer, 0, **changes), odd)

    @rule(customer=customers, at=times, changes=people, odd=odd_fields)
    def receive(self, customer: str, at: int, changes: dict[str, Any], odd: Odd | None) -> None:
        self._accept(a_person(customer, at, **changes), odd)

    @rule(customer=customers, at=times, changes=people, odd=odd_fields, call=st.integers(1, 3), callback=st.booleans())
    def receive_a_call(
        self, customer: str, at: int, changes: dict[str, Any], odd: Odd | None, call: int, callback: bool
    ) -> None:
        talk = a_talk(
            f"{customer}-k{call}",
            a_person(customer, at, **changes),
            3 + call,
            disposition="Callback" if callback else "Sold",
        )
        self._accept(talk, odd)

    @rule(customer=customers, at=times, changes=people, shown=st.booleans())
    def fetch(self, customer: str, at: int, changes: dict[str, Any], shown: bool) -> None:
        """Ask careCycle's API for a customer. shown: whether it shows consent."""
        person = a_person(customer, at, **changes)
        payload = {name: value for name, value in person.items() if shown or name not in TARGETS}
        arrival = a_fetched(payload)
        if arrival.message_id in self.accepted:
            self._send_again(arrival.message_id)
        elif self.stage.accept(arrival.message_id, payload):
            self._remember(arrival.message_id, payload)

    @rule(customer=customers, at=times, hidden=st.sampled_from(["", "", "NoCall", "NoText", "County"]))
    def opt_out(self, customer: str, at: int, hidden: str) -> None:
        """Opt out of everything; the CRM may have begun to refuse one of the fields."""
        self.stage.crm.unwritable |= {hidden} - {""}
        self._accept(a_person(customer, at, doNotCall=True, doNotSMS=True, county="Pima"))

    @rule(pick=st.integers(0))
    def receive_again(self, pick: int) -> None:
        message_id = sorted(self.accepted)[pick % len(self.accepted)]
        self._send_again(message_id)

    def _send_again(self, message_id: str) -> None:
        if self.stage.state(message_id)[1] == "UNOPENABLE":
            self.damaged.discard(message_id)
        assert not self.stage.accept(message_id, self.odd.get(message_id, self.accepted[message_id]))
        self.replays += 1

    @rule(pick=st.integers(0))
    @precondition(lambda self: self.stage.store.desk.waiting())
    def damage_a_payload(self, pick: int) -> None:
        """What is stored of an event that waits cannot be decrypted any more, until careCycle sends it again."""
        waiting = self.stage.store.desk.deliveries(Filter(state="ready"), limit=1_000)
        message_id = waiting[pick % len(waiting)].message_id
        changed = events.update().where(events.c.message_id == message_id).values(payload=b"changed")
        with self.stage.store.database.transaction() as connection:
            connection.execute(changed)
        self.damaged.add(message_id)
        self.unsure.add(self.plans[message_id].customer_id or "")

    @rule()
    def replay(self) -> None:
        """Replay the dead letters, and the events whose fields were left out."""
        store = self.stage.store
        store.desk.replay(Filter(), "ana")
        for left_out in store.open_items.fields():
            store.desk.replay(Filter(state="delivered", left_out=left_out.code), "ana")
        self.replays += 1

    # --- what goes out

    @rule(batch=st.sampled_from([1, 2, 3, 400]))
    def work(self, batch: int) -> None:
        lease = self.stage.lease()
        if lease is None:
            self._no_opt_out_is_held()
        else:
            self._deliver(lease, batch)

    def _no_opt_out_is_held(self) -> None:
        """Only an account that cannot be used, or a worker that died, keeps a lane from paying what it owes."""
        lane = self.stage.lane()
        if not lane.leased and not (lane.paused and lane.pause_code in ACCOUNT_WIDE):
            assert self.stage.store.obligations.due(LANE, 1) == []

    def _deliver(self, lease: Any, batch: int) -> None:
        crm, store = self.stage.crm, self.stage.store
        due = [one for one in store.inbox.due(LANE, batch) if one.event.message_id not in self.damaged]
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

    @rule(transactions=st.integers(5, 30))
    @precondition(lambda self: self.stage.store.desk.waiting() and not self.stage.crm.faults)
    def die_in_the_middle_of_recording(self, transactions: int) -> None:
        """The worker's process dies after so many transactions of a turn."""
        left = iter(range(transactions))

        def live_on() -> None:
            if next(left, None) is None:
                raise Killed
            self.stage.meanwhile = live_on

        if lease := self.stage.lease():
            self.stage.meanwhile = live_on
            try:
                deliver(self.stage.store, self.stage.route, lease, self.stage.pace(), self.stage.ahead)
            except Killed:
                return  # the lease is left to run out
            finally:
                self.stage.meanwhile = None
            self.stage.store.lanes.release(lease)

    @rule(fault=st.sampled_from([Fault.KILLED_AFTER, Fault.REPLY_LOST, Fault.CUT]), customer=customers, changes=people)
    @precondition(lambda self: self.stage.store.desk.waiting())
    def lose_an_answer_while_the_customer_changes(self, fault: Fault, customer: str, changes: dict[str, Any]) -> None:
        self.stage.crm.faults.insert(0, fault)
        self.work(400)
        self.stage.clock.forward(HOLD + 1)
        self._accept(a_person(customer, 10, **changes))

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
            # What was fetched gives way to whatever was sent, whenever that was.
            assert heard.fetched or all(state.stamp >= heard.stamp for state in known[heard.customer_id or ""].values())

    def _consent(self, customer: str) -> dict[str, bool | None]:
        """What all the events together say of a customer's flags."""
        states = observe({}, [one for one in self.plans.values() if one.customer_id == customer])
        return {flag: states[flag].value if flag in states else None for flag in TARGETS}

    def teardown(self) -> None:
        if not self.accepted:
            return
        self.stage.crm.faults.clear()
        self.stage.clock.forward(HOLD + 1)
        self.resume()
        self.stage.drain_in_time()
        self._every_customer_remade_comes_again()
        self.stage.drain_in_time()
        self._pay_what_is_checked_daily()
        self.the_crm_saw_no_promise_broken()
        if not self.stage.lane().pause_reason.startswith("20 records in a row"):
            self._every_event_ended(ENDS | {"dead"})
            self._every_try_is_on_record()
        self._every_opt_out_is_in_the_crm(but=self.stage.crm.unwritable)
        self._every_list_of_opt_outs_agrees()
        self._heal_the_crm()
        self._every_customer_remade_comes_again(21, "Douglas")
        self.stage.drain_in_time()
        self._pay_what_is_checked_daily()
        self._every_opt_out_is_in_the_crm()
        self._replay_and_drain()
        if self.damaged:  # which only that shows where an event was opened before
            for message_id in sorted(self.damaged):
                self._send_again(message_id)
            self._replay_and_drain()
        self.the_crm_saw_no_promise_broken()
        self._every_event_ended(ENDS)
        self._only_what_consent_withholds_is_left_out()
        self._every_opt_out_is_in_the_crm()
        self._every_list_of_opt_outs_agrees()
        self._the_crm_is_as_without_faults()
        assert self.stage.crm.calls + self.stage.crm.searches <= CALLS_AN_EVENT * (len(self.accepted) + self.replays)

    def _replay_and_drain(self) -> None:
        self.replay()
        self.stage.drain_in_time()

    def _every_customer_remade_comes_again(self, at: int = 20, city: str = "Bisbee") -> None:
        """What people did to a record is noticed with the next event of its customer that changes something."""
        for customer in sorted(self.remade):
            changes = {"city": city, "county": "Cochise", "status": "Active", "agentName": "Zoe"}
            self._accept(a_person(customer, at, **changes, **self._consent(customer)))

    def _heal_the_crm(self) -> None:
        self.stage.crm.strict = False
        self.stage.crm.unwritable.clear()
        for customer in CUSTOMERS:
            self.merge_by_hand(customer, survivor=-1)

    def _pay_what_is_checked_daily(self) -> None:
        self.stage.clock.forward(LOOK_AGAIN)
        self.stage.drain()

    def _obligations(self) -> Sequence[Row[Any]]:
        with self.stage.store.database.reading() as connection:
            return connection.execute(select(obligations)).all()

    def _every_opt_out_is_in_the_crm(self, *, but: Collection[str] = ()) -> None:
        """On every record of its customer. but: fields the CRM refuses, of which the obligation says so."""
        rows = self._obligations()
        refused = {(row.customer_id, row.flag) for row in rows if row.state == "refused"}
        assert all(row.code and row.reason for row in rows if row.state != "applied")
        for customer in CUSTOMERS:
            raised = [flag for flag, value in self._consent(customer).items() if value is True]
            for flag, record in product(raised, self.stage.crm.all("Contact", customer)):
                is_refused = TARGETS[flag] in but and (customer, flag) in refused
                assert record.get(TARGETS[flag]) is True or is_refused, (customer, flag, record["Id"])

    def _only_what_consent_withholds_is_left_out(self) -> None:
        """A field left out of a record waits as long as consent withholds the whole record."""
        with self.stage.store.database.reading() as connection:
            left_out = connection.execute(select(open_items)).all()
        known = self.stage.store.ledger.consents(DESTINATION, CUSTOMERS)
        withheld = {one for one in CUSTOMERS if withholding(["doNotCall"], known.get(one, {}))}
        assert {(item.record, item.customer_id) for item in left_out} <= {("callback", one) for one in withheld}

    def _every_list_of_opt_outs_agrees(self) -> None:
        rows = self._obligations()
        counted = Counter(row.state for row in rows)
        (lane,) = self.stage.store.opt_outs.standing()
        of_lane = {"owed": lane.waiting, "refused": lane.refused, "no record": lane.no_record}
        assert of_lane | {"not mapped": lane.not_mapped} == {
            state: counted[state] for state in (*of_lane, "not mapped")
        }
        reported = {(line.customer_id, line.flag) for line in self.stage.store.opt_outs.report(Period(0, 2**62))}
        assert reported == {(row.customer_id, row.flag) for row in rows}

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
            assert len(story.tries) == story.attempts or self.replays

    def _expected(self) -> list[Crm]:
        """The CRM after the same events in order and without faults, for each mapping that ran."""
        made = []
        order = sorted(self.accepted, key=lambda one: self.plans[one].stamp)
        for mapping in MAPPINGS if self.reloaded else MAPPINGS[:1]:
            self.reference.wipe()
            self.reference.crm.strict, self.reference.crm.owner = False, FILLED_IN
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
        assert crm.records["s-1"] == STRANGER
        self._calls_are(expected[0])

    def _a_contact_is(self, customer: str, held: dict[str, Any], expected: list[dict[str, Any]]) -> None:
        anew = customer in self.remade
        for field in EQUAL:
            if (customer, field) in self.edited or (anew and field not in ("City", "County", "Status", "LastName")):
                continue
            if field == "Owner" and held.get(field) == FILLED_IN and any(one == customer for one, _ in self.edited):
                continue  # where people edited the record since, and a reply was lost, it may be the owner they left it
            assert held.get(field) in [one.get(field) for one in expected], (customer, field)
        self._mobile_is_as_consent_allows(customer, held.get("Mobile"))

    def _mobile_is_as_consent_allows(self, customer: str, mobile: str | None) -> None:
        """A field once withheld may lack an older value, but holds what the newest event offers freely."""
        mine = {one: planned for one, planned in self.plans.items() if planned.customer_id == customer}
        newest_id = max(mine, key=lambda one: mine[one].stamp)
        newest = _customer(self.accepted[newest_id])
        offered = [_customer(self.accepted[one])["phoneNumber"] for one in mine]
        assert mobile in [None, *offered]
        if mine[newest_id].fetched:  # it may not say whether consent withholds the number
            return
        if customer in self.unsure:  # what could not be read raised its flags as of its call's end: later than it says
            return
        if newest["phoneNumber"] and newest.get("doNotSMS") is False and newest["status"] != "Inactive":
            assert mobile == newest["phoneNumber"]

    def _calls_are(self, expected: Crm) -> None:
        calls = {one["Key"] for one in expected.records.values() if one["object"] == "Call"}
        made = [one for one in self.stage.crm.records.values() if one["object"] == "Call"]
        assert len({one["Key"] for one in made}) == len(made)
        certain = {key for key in calls if not key.startswith("callback-")}
        assert certain <= {one["Key"] for one in made}
        for one in made:
            customer = one["Key"].removeprefix("callback-").partition("-k")[0]
            if customer not in self.remade:
                assert one.get("Who") == self.stage.contact(customer)["Id"], one["Key"]


def _changed(payload: dict[str, Any], change: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
    """A payload with its customer changed."""
    return {**payload, "customer": change(payload["customer"])} if "customer" in payload else change(payload)


def _customer(payload: dict[str, Any]) -> dict[str, Any]:
    inside: dict[str, Any] = payload.get("customer", payload)
    return inside


class TestConvergence:
    @pytest.mark.parametrize("share", [0, *(pytest.param(share, marks=pytest.mark.slow) for share in range(1, SHARES))])
    def test_every_life_ends_in_the_same_crm(self, stage: Stage, reference: Stage, share: int) -> None:
        sqlite, postgres, steps = LIVES[os.environ.get("CONNECTOR_PROMISES", "quick")]
        runs = sqlite if stage.store.database.engine.dialect.name == "sqlite" else postgres
        try_lives(lambda: Convergence(stage, reference), runs // SHARES, steps, share)
