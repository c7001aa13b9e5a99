"""Questions about who is who are kept, asked once, and decided for good, on both engines."""

from __future__ import annotations

import pytest

from connector.errors import LeaseLost, StateChanged
from connector.model import Candidate, Decided, Entry, RecordKey
from connector.settlement import Asked, AttemptOutcome, Claim, DeliveryState, Remembered, Settled, Settlement
from connector.settlement.questions import Question, QuestionState
from connector.store import Store
from tests.builders import CUSTOMER, DESTINATION, LANE, an_arrival
from tests.conftest import Clock

HOLD = 60_000
CONTACT = RecordKey("Contact", "careCycle_Id__c", CUSTOMER)
OTHERS = RecordKey("Contact", "careCycle_Id__c", "somebody")
HAROLD = Candidate("003H", agrees=("LastName",), differs=("FirstName",))
EDNA = Candidate("003E", agrees=("LastName", "FirstName"), blank=("Birthdate",))


def ask(
    store: Store,
    *candidates: Candidate,
    own: str | None = "003own",
    by_key: bool = False,
    customer: str = CUSTOMER,
) -> None:
    """Settle a batch that wrote the customer's own record and could not tell whether a candidate is theirs."""
    store.lanes.open({LANE: DESTINATION})
    store.inbox.accept([an_arrival(customer_id=customer)])
    key = RecordKey(CONTACT.object, CONTACT.field, customer)
    lease = store.lanes.lease("worker", [LANE], HOLD)
    assert lease is not None
    due = store.inbox.due(LANE, 100)
    newest = due[-1].id
    asked = [Asked(key, "contact", customer, newest, candidates, by_key)] if candidates else []
    written = [Remembered(key, Entry(own), customer, newest)] if own else []
    ends = [Settled(delivery.id, DeliveryState.DELIVERED, AttemptOutcome.DELIVERED) for delivery in due]
    store.lanes.settle(lease, Settlement("v1", ends, written, asked=asked), HOLD)
    store.lanes.release(lease)


def question(store: Store) -> Question:
    (question,) = store.questions.all()
    return question


def decided(store: Store) -> Decided:
    return store.ledger.entries(DESTINATION, [CONTACT])[CONTACT].decided


class TestAsking:
    def test_a_question_holds_ids_and_names_and_the_customers_own_record(self, store: Store) -> None:
        ask(store, HAROLD, EDNA)
        kept = question(store)
        assert (kept.candidates, kept.own, kept.customer_id) == ((HAROLD, EDNA), "003own", CUSTOMER)
        assert (kept.is_open, store.questions.count()) == (True, 1)

    def test_the_same_question_is_asked_once_and_stays_open_since_then(self, store: Store, clock: Clock) -> None:
        ask(store, HAROLD)
        since = question(store).since
        clock.forward(1)
        ask(store, HAROLD)
        assert (question(store).since, question(store).candidates) == (since, (HAROLD,))

    def test_a_new_candidate_joins_the_open_question(self, store: Store) -> None:
        ask(store, HAROLD)
        ask(store, EDNA)
        assert question(store).candidates == (HAROLD, EDNA)

    def test_what_was_decided_is_not_asked_again_but_a_new_candidate_is(self, store: Store) -> None:
        ask(store, HAROLD)
        store.deciding.somebody_else(question(store), "ana")
        ask(store, HAROLD)
        assert question(store).state is QuestionState.SOMEBODY_ELSE
        ask(store, HAROLD, EDNA)
        assert (question(store).state, question(store).candidates) == (QuestionState.OPEN, (EDNA,))
        assert decided(store).others == {"003H"}

    def test_forgetting_the_person_removes_it(self, store: Store) -> None:
        ask(store, HAROLD)
        store.forget.run(CUSTOMER, "ana")
        assert store.questions.all() == []

    def test_forgetting_the_person_leaves_only_a_digest_of_their_id_in_the_audit_log(self, store: Store) -> None:
        ask(store, HAROLD)
        store.deciding.same_person(question(store), "003H", "ana")
        store.forget.run(CUSTOMER, "ana")
        entries = [entry.what for entry in store.audit.entries()]
        assert not [what for what in entries if CUSTOMER in what or "003H" in what]
        assert ": same person; customer forgotten:" in entries[1]


class TestDeciding:
    def test_the_same_person_has_everything_delivered_again_to_the_chosen_record(self, store: Store) -> None:
        ask(store, HAROLD, EDNA)
        assert store.deciding.same_person(question(store), "003E", "ana") == 1
        assert (decided(store).same, decided(store).former) == ("003E", "003own")
        assert store.desk.waiting() == 1
        assert question(store).decided_by == "ana"

    def test_it_is_kept_in_the_audit_log_with_the_customer_and_the_record(self, store: Store) -> None:
        ask(store, EDNA)
        store.deciding.same_person(question(store), "003E", "ana")
        (entry,) = store.audit.entries()
        assert (entry.who, entry.action) == ("ana", "decide identity")
        assert entry.what == f"{DESTINATION} Contact: same person; customer {CUSTOMER}; CRM records 003E"

    def test_a_record_of_another_customer_is_refused_by_name(self, store: Store) -> None:
        ask(store, EDNA)
        store.ledger.claims.take(DESTINATION, [Claim(OTHERS, "003E", "somebody")])
        with pytest.raises(StateChanged, match="already the CRM record of customer somebody"):
            store.deciding.same_person(question(store), "003E", "ana")
        assert question(store).is_open

    def test_a_record_already_chosen_for_another_customer_is_refused_until_that_is_taken_back(
        self, store: Store
    ) -> None:
        ask(store, EDNA)
        ask(store, EDNA, own="003else", customer="somebody")
        first, second = store.questions.all()
        store.deciding.same_person(first, "003E", "ana")
        with pytest.raises(StateChanged, match=f"already the CRM record of customer {first.customer_id}"):
            store.deciding.same_person(second, "003E", "bo")
        (taken,) = [kept for kept in store.questions.all() if not kept.is_open]
        store.deciding.take_back(taken, "ana")
        store.deciding.same_person(second, "003E", "bo")

    def test_only_a_candidate_can_be_chosen(self, store: Store) -> None:
        ask(store, EDNA)
        with pytest.raises(StateChanged, match="is not a candidate"):
            store.deciding.same_person(question(store), "003X", "ana")

    def test_two_people_cannot_decide_the_same_question_differently(self, store: Store) -> None:
        ask(store, EDNA)
        seen = question(store)
        store.deciding.somebody_else(seen, "ana")
        with pytest.raises(StateChanged, match="has changed meanwhile"):
            store.deciding.same_person(seen, "003E", "bo")

    def test_a_worker_in_the_midst_of_the_old_decision_loses_its_lease(self, store: Store) -> None:
        ask(store, EDNA)
        store.inbox.accept([an_arrival()])
        lease = store.lanes.lease("worker", [LANE], HOLD)
        assert lease is not None
        store.deciding.same_person(question(store), "003E", "ana")
        with pytest.raises(LeaseLost):
            store.lanes.settle(lease, Settlement("v1"), HOLD)

    def test_holders_of_the_key_cannot_all_be_somebody_else(self, store: Store) -> None:
        ask(store, HAROLD, EDNA, own=None, by_key=True)
        with pytest.raises(StateChanged, match="hold this customer's key"):
            store.deciding.somebody_else(question(store), "ana")
        store.deciding.same_person(question(store), "003E", "ana")
        assert decided(store).twins == {"003H"}


class TestTakingBack:
    def test_somebody_else_taken_back_is_an_open_question_again(self, store: Store) -> None:
        ask(store, HAROLD)
        store.deciding.somebody_else(question(store), "ana")
        assert store.deciding.take_back(question(store), "ana") == 0
        assert (question(store).is_open, decided(store).others) == (True, frozenset())

    def test_the_same_person_taken_back_remembers_both_records(self, store: Store) -> None:
        ask(store, EDNA)
        store.deciding.same_person(question(store), "003E", "ana")
        ask(store, own="003E")
        assert store.deciding.take_back(question(store), "ana") == 2
        assert (decided(store).left, decided(store).former, decided(store).same) == ("003E", "003own", None)

    def test_an_open_question_has_nothing_to_take_back(self, store: Store) -> None:
        ask(store, HAROLD)
        with pytest.raises(StateChanged, match="is not decided"):
            store.deciding.take_back(question(store), "ana")
