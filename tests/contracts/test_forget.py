"""Forgetting a person, over both databases."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from connector.errors import FixConfiguration, LeaseLost
from connector.model import Entry, FlagState, Mark, RecordKey, Stamp
from connector.settlement import AttemptOutcome, DeliveryState, RecordNote, Remembered, Settled, Settlement, Theirs
from connector.store import Store
from connector.store.lanes import Lease
from tests.builders import CUSTOMER, DESTINATION, LANE, a_customer, an_arrival
from tests.conftest import Clock

HOLD = 60_000
OTHER = "0f0e0d0c-0000-4000-8000-000000000001"
CONTACT = RecordKey("Contact", "careCycle_Id__c", CUSTOMER)
RAISED = {"doNotCall": FlagState(Stamp(7, "a"), True, applied=True)}
RECORD = RecordNote("person", "Contact", "003A", ("Phone",))


def leased(store: Store) -> Lease:
    store.lanes.open({LANE: DESTINATION})
    lease = store.lanes.lease("worker one", [LANE], HOLD)
    assert lease is not None
    return lease


def remembered(delivery_id: int) -> Remembered:
    return Remembered(CONTACT, Entry("003A", {"Phone": Mark(Stamp(7, "a"), "d")}), CUSTOMER, delivery_id)


@pytest.fixture
def known(store: Store) -> Store:
    """A customer with one delivery written and one that waits, and somebody else."""
    store.inbox.accept([an_arrival("done")])
    lease = leased(store)
    (due,) = store.inbox.due(LANE, 10)
    told = Settled(
        due.id,
        DeliveryState.DELIVERED,
        AttemptOutcome.DELIVERED,
        records=[RECORD, replace(RECORD, object="Task", crm_id="00T1")],
    )
    states = {CUSTOMER: {**RAISED, "doNotMail": FlagState(Stamp(7, "a"), False)}, OTHER: RAISED}
    store.lanes.settle(lease, Settlement("v1", [told], [remembered(due.id)], states), HOLD)
    store.lanes.release(lease)
    store.inbox.accept([an_arrival("waits"), an_arrival("other", a_customer(id=OTHER), customer_id=OTHER)])
    return store


class TestForgetting:
    def test_the_plan_counts_what_is_held_and_changes_nothing(self, known: Store) -> None:
        plan = known.forget.plan(CUSTOMER)
        assert (plan.events, plan.deliveries, plan.waiting, plan.attempts, plan.ledger) == (2, 2, 1, 1, 1)
        assert plan.opt_outs == ((DESTINATION, "doNotCall"),)
        assert known.forget.plan(CUSTOMER) == plan

    def test_every_record_that_stays_in_the_crms_is_named(self, known: Store) -> None:
        told = known.forget.run(CUSTOMER, "tester").crm_records
        assert told == ((DESTINATION, "Contact", "003A"), (DESTINATION, "Task", "00T1"))

    def test_an_opt_out_that_is_not_in_the_crm_yet_is_named(self, known: Store) -> None:
        known.inbox.accept([an_arrival("raises", raised=frozenset({"doNotCall"}))])
        assert known.forget.plan(CUSTOMER).unwritten == ((DESTINATION, "doNotCall"),)

    def test_everything_held_goes(self, known: Store) -> None:
        known.forget.run(CUSTOMER, "tester")
        left = known.forget.plan(CUSTOMER)
        assert (left.anything, left.deliveries, left.attempts, left.crm_records) == (False, 0, 0, ())
        assert [known.desk.story(one) for one in ("done", "waits")] == [[], []]
        assert [known.desk.payload(one) for one in ("done", "waits")] == [{}, {}]
        assert known.ledger.entries(DESTINATION, [CONTACT]) == {}

    def test_nobody_else_is_forgotten(self, known: Store) -> None:
        known.forget.run(CUSTOMER, "tester")
        assert [one.event.customer_id for one in known.inbox.due(LANE, 10)] == [OTHER]
        assert known.ledger.consents(DESTINATION, [OTHER]) == {OTHER: RAISED}

    def test_an_opt_out_stays_in_force_if_they_come_back(self, known: Store) -> None:
        known.forget.run(CUSTOMER, "tester")
        known.forget.run(CUSTOMER, "tester")
        assert known.ledger.consents(DESTINATION, [CUSTOMER]) == {CUSTOMER: RAISED}

    def test_a_spoken_opt_out_stays_in_force_although_the_snapshot_says_false(self, known: Store) -> None:
        spoken = {CUSTOMER: {"doNotCall": FlagState(Stamp(9, "b"), False, applied=True, spoken=True)}}
        known.lanes.settle(leased(known), Settlement("v1", consents=spoken), HOLD)
        known.forget.run(CUSTOMER, "tester")
        assert known.ledger.consents(DESTINATION, [CUSTOMER]) == spoken

    def test_what_is_heard_after_they_came_back_counts_again(self, known: Store) -> None:
        known.forget.run(CUSTOMER, "tester")
        lowered = {CUSTOMER: {"doNotCall": FlagState(Stamp(9, "b"), False, applied=True)}}
        known.lanes.settle(leased(known), Settlement("v1", consents=lowered), HOLD)
        assert known.ledger.consents(DESTINATION, [CUSTOMER]) == lowered
        known.forget.run(CUSTOMER, "tester")
        assert known.ledger.consents(DESTINATION, [CUSTOMER]) == {}

    def test_a_message_sent_again_is_not_taken_in_again(self, known: Store) -> None:
        known.forget.run(CUSTOMER, "tester")
        assert known.inbox.accept([an_arrival("done"), an_arrival("waits")]) == [False, False]
        assert not known.forget.plan(CUSTOMER).anything

    def test_a_body_nobody_could_read_goes_too_if_it_names_them(self, store: Store) -> None:
        broken = f'{{"id": "{CUSTOMER}", '.encode()
        store.inbox.accept(
            [an_arrival("broken", body=broken, customer_id=None), an_arrival("linked", customer_id=None)]
        )
        store.inbox.accept([an_arrival("nobody", a_customer(id=OTHER), customer_id=None)])
        assert store.forget.run(CUSTOMER, "tester").events == 2
        assert [one.event.message_id for one in store.inbox.due(LANE, 10)] == ["nobody"]

    def test_it_is_written_down_without_the_id(self, known: Store, clock: Clock) -> None:
        known.forget.run(CUSTOMER, "tester")
        (row,) = known.audit.entries()
        assert (row.who, row.action, CUSTOMER in row.thing) == ("tester", "forget", False)
        assert known.forget.plan(CUSTOMER).forgotten_at == clock()

    @pytest.mark.parametrize("nobody", ["", " ", "a\0b"])
    def test_an_id_that_is_none_is_refused(self, store: Store, nobody: str) -> None:
        with pytest.raises(FixConfiguration):
            store.forget.run(nobody, "tester")

    def test_not_a_byte_of_the_id_is_left_in_an_embedded_database(self, known: Store, tmp_path: Path) -> None:
        known.forget.run(CUSTOMER, "tester")
        files = [one for one in tmp_path.rglob("*") if one.is_file()]
        assert [one.name for one in files if CUSTOMER.encode() in one.read_bytes()] == []


class TestAnEventInFlight:
    @pytest.fixture
    def lease(self, known: Store) -> Lease:
        return leased(known)

    def test_is_told(self, known: Store, lease: Lease) -> None:
        assert known.forget.run(CUSTOMER, "tester").writing == (LANE,)

    def test_is_not_brought_back_by_the_worker_that_held_it(self, known: Store, lease: Lease) -> None:
        due = known.inbox.due(LANE, 1)[0]
        known.forget.run(CUSTOMER, "tester")
        settled = Settled(due.id, DeliveryState.DELIVERED, AttemptOutcome.DELIVERED)
        with pytest.raises(LeaseLost):
            known.lanes.settle(
                lease,
                Settlement("v1", [settled], [remembered(due.id)]),
                HOLD,
            )
        assert not known.forget.plan(CUSTOMER).anything

    def test_is_not_brought_back_by_making_good_what_was_written_late(self, known: Store, lease: Lease) -> None:
        due = known.inbox.due(LANE, 1)[0]
        known.forget.run(CUSTOMER, "tester")
        late = {CONTACT: lambda entry: remembered(due.id)}
        known.lanes.overtaken(lease, late, Theirs({CUSTOMER}, [due.id]), 0)
        assert not known.forget.plan(CUSTOMER).anything

    def test_of_somebody_else_is_written_by_the_next_worker(self, known: Store, lease: Lease, clock: Clock) -> None:
        known.forget.run(CUSTOMER, "tester")
        clock.forward(HOLD + 1)
        assert [one.event.customer_id for one in known.inbox.due(leased(known).lane, 10)] == [OTHER]
