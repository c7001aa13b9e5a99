"""What people decide about who is who is carried out in the CRM, remembered, and can be taken back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from connector.delivery.route import Route, Running
from connector.destinations.base import Row
from connector.model import Candidate, RecordKey
from connector.sandbox.salesforce.schema import add_column
from connector.settlement import Asked, Claim, Settlement
from connector.settlement.questions import Question
from connector.store.desk import Filter
from connector.store.tables import deliveries
from tests.conftest import Clock
from tests.promises.accounts import Account, Person, Portal, org, portal
from tests.promises.stage import DESTINATION, HOLD, ZONE, Stage, a_person, a_talk, compiled, open_stage
from tests.promises.test_restore import copied, put_back

CUSTOMER = "c-1"
ADOPTING = """\
version: 1
extends: salesforce-contact
records:
  contact:
    also_match: [{ Email: customer.email, LastName: customer.lastName }]
"""
EDNA = {"firstName": "Edna", "lastName": "Whitaker", "email": "edna@example.com"}


@pytest.fixture(params=["hubspot", "salesforce"])
def house(request: pytest.FixtureRequest) -> Iterator[Account]:
    with portal() if request.param == "hubspot" else org() as account:
        yield account


@pytest.fixture
def stage(house: Account, sqlite_ready: str, clock: Clock) -> Iterator[Stage]:
    with open_stage(sqlite_ready, clock) as stage:
        stage.route = Route(DESTINATION, house.destination, Running(house.mapping), ZONE)
        yield stage


def key_of(house: Account) -> RecordKey:
    record = house.mapping.programs["customer.updated"].records[0]
    return RecordKey(record.object, record.key_field, CUSTOMER)


def deliver(stage: Stage, message_id: str, payload: dict[str, Any]) -> None:
    stage.accept(message_id, payload)
    stage.drain()


def ask(stage: Stage, house: Account, *candidates: str) -> Question:
    """Keep the question whether one of these records is the customer's."""
    lease = stage.lease()
    assert lease is not None
    with stage.store.database.reading() as connection:
        newest = max(connection.execute(deliveries.select().with_only_columns(deliveries.c.id)).scalars())
    asked = Asked(key_of(house), "contact", CUSTOMER, newest, tuple(map(Candidate, candidates)))
    stage.store.lanes.settle(lease, Settlement("v1", asked=[asked]), HOLD)
    stage.store.lanes.release(lease)
    return question(stage)


def question(stage: Stage) -> Question:
    (kept,) = stage.store.questions.all()
    return kept


def ask_after(stage: Stage, house: Account, payload: dict[str, Any]) -> tuple[str, str]:
    """The customer gets a record of their own, and a hand-made one may be theirs too: both ids."""
    made_by_hand = house.put("", "hand.made@example.com")
    deliver(stage, "m1", payload)
    stage.accept("due", a_person("bystander", 1))
    (own,) = house.people(CUSTOMER)
    ask(stage, house, made_by_hand)
    stage.drain()
    return own.id, made_by_hand


def person(house: Account) -> Person:
    (held,) = house.people(CUSTOMER)
    return held


class TestTheSamePerson:
    def test_lives_on_the_chosen_record_in_full_and_takes_the_key_along(self, stage: Stage, house: Account) -> None:
        own, chosen = ask_after(stage, house, a_person(CUSTOMER, 1, **EDNA))
        stage.store.deciding.same_person(question(stage), chosen, "ana")
        stage.drain()
        assert (person(house).id, person(house).last_name, person(house).address) == (
            chosen,
            "Whitaker",
            "edna@example.com",
        )
        assert question(stage).own == chosen
        assert stage.state("m1")[0] == "delivered"
        assert own in {held.get("id") or held.get("Id") for held in house.everyone()}

    def test_later_events_go_there_and_nothing_is_sent_again(self, stage: Stage, house: Account) -> None:
        _, chosen = ask_after(stage, house, a_person(CUSTOMER, 1, **EDNA))
        stage.store.deciding.same_person(question(stage), chosen, "ana")
        stage.drain()
        deliver(stage, "m2", a_person(CUSTOMER, 2, **{**EDNA, "lastName": "Whitaker-Cole"}))
        assert (person(house).id, person(house).last_name) == (chosen, "Whitaker-Cole")
        before = len(house.sandbox.seen)
        stage.store.desk.replay(Filter(destination=DESTINATION, state="delivered", customer_id=CUSTOMER), "ana")
        stage.drain()
        assert len(house.sandbox.seen) == before

    def test_an_opt_out_reaches_both_records(self, stage: Stage, house: Account) -> None:
        own, chosen = ask_after(stage, house, a_person(CUSTOMER, 1, **EDNA))
        stage.store.deciding.same_person(question(stage), chosen, "ana")
        stage.drain()
        deliver(stage, "m2", a_person(CUSTOMER, 2, **EDNA, doNotCall=True))
        assert flags(house) == {own: True, chosen: True}

    def test_an_opt_out_from_before_is_on_the_chosen_record_too(self, stage: Stage, house: Account) -> None:
        own, chosen = ask_after(stage, house, a_person(CUSTOMER, 1, **EDNA, doNotCall=True))
        stage.store.deciding.same_person(question(stage), chosen, "ana")
        stage.drain()
        assert flags(house) == {own: True, chosen: True}

    def test_a_decision_for_a_record_that_is_gone_changes_nothing(self, stage: Stage, house: Account) -> None:
        own, chosen = ask_after(stage, house, a_person(CUSTOMER, 1, **EDNA))
        house.delete(chosen)
        stage.store.deciding.same_person(question(stage), chosen, "ana")
        stage.drain()
        assert (person(house).id, person(house).last_name) == (own, "Whitaker")

    def test_nor_does_one_for_a_record_that_somebody_gave_another_key(self, stage: Stage, house: Account) -> None:
        own, chosen = ask_after(stage, house, a_person(CUSTOMER, 1, **EDNA))
        give_key(house, chosen, "c-2")
        stage.store.deciding.same_person(question(stage), chosen, "ana")
        stage.drain()
        assert (person(house).id, len(house.people("c-2"))) == (own, 1)

    @pytest.mark.parametrize("lag", [0, 1])
    def test_replays_in_any_order_come_to_the_same(self, stage: Stage, house: Account, lag: int) -> None:
        story = [a_person(CUSTOMER, at, **{**EDNA, "city": city}) for at, city in ((2, "Rome"), (3, "Oslo"))]
        _, chosen = ask_after(stage, house, a_person(CUSTOMER, 1, **EDNA))
        if lag:
            deliver(stage, "m2", story[0])
        stage.store.deciding.same_person(question(stage), chosen, "ana")
        deliver(stage, "m3", story[1])
        if not lag:
            deliver(stage, "m2", story[0])
        stage.store.desk.replay(Filter(destination=DESTINATION, state="delivered"), "ana")
        stage.drain()
        assert (person(house).id, city_of(house, chosen)) == (chosen, "Oslo")

    @pytest.mark.parametrize("skip", [0, 1])
    def test_a_lost_reply_while_it_moves_leaves_no_third_record(self, stage: Stage, house: Account, skip: int) -> None:
        _, chosen = ask_after(stage, house, a_person(CUSTOMER, 1, **EDNA))
        records = len(house.everyone())
        stage.store.deciding.same_person(question(stage), chosen, "ana")
        house.sandbox.fault(house.written_to, house.sandbox.lose_reply, times=4, skip=skip)
        stage.drain_in_time()
        assert person(house).id == chosen
        assert len(house.everyone()) == records

    def test_its_calls_move_along(self, stage: Stage, house: Account) -> None:
        payload = a_person(CUSTOMER, 1, **EDNA)
        deliver(stage, "call", a_talk("call-1", payload, 2))
        own, chosen = ask_after(stage, house, payload)
        assert linked(house) == {own}
        stage.store.deciding.same_person(question(stage), chosen, "ana")
        stage.drain()
        assert chosen in linked(house)


class TestAQuestionOfAdoption:
    """A contact without a first name has the customer's last name and address: nobody knows whether it is theirs."""

    MARCUS: Final = {"firstName": "Marcus", "lastName": "Delacroix", "email": "marcus@example.com"}

    @pytest.fixture
    def unsure(self, stage: Stage, house: Account) -> str:
        mapping = house.mapping if isinstance(house, Portal) else compiled(ADOPTING)
        stage.route = replace(stage.route, running=Running(mapping))
        made_by_hand = house.put("", "marcus@example.com")
        deliver(stage, "m1", a_person(CUSTOMER, 1, **self.MARCUS))
        return made_by_hand

    def test_is_kept_while_the_customer_gets_a_record_of_their_own(
        self, stage: Stage, house: Account, unsure: str
    ) -> None:
        assert (stage.state("m1")[0], len(house.people(CUSTOMER))) == ("delivered", 1)
        assert [candidate.id for candidate in question(stage).candidates] == [unsure]
        assert question(stage).own == person(house).id != unsure

    def test_the_same_person_has_the_address_too(self, stage: Stage, house: Account, unsure: str) -> None:
        stage.store.deciding.same_person(question(stage), unsure, "ana")
        stage.drain()
        assert (person(house).id, person(house).address) == (unsure, "marcus@example.com")

    def test_somebody_else_is_never_adopted_nor_asked_about_again(
        self, stage: Stage, house: Account, unsure: str
    ) -> None:
        stage.store.deciding.somebody_else(question(stage), "ana")
        house.delete(person(house).id)
        deliver(stage, "m2", a_person(CUSTOMER, 2, **{**self.MARCUS, "lastName": "Delacroix-Roy"}))
        deliver(stage, "m3", a_person(CUSTOMER, 3, **self.MARCUS))
        assert person(house).id != unsure
        assert not question(stage).is_open


class TestMergedByHand:
    """People merge the customer's record and the candidate in the CRM, whatever id the CRM keeps."""

    @pytest.mark.parametrize("into_own", [False, True])
    def test_the_question_is_answered_with_the_next_event(self, stage: Stage, house: Account, into_own: bool) -> None:
        own, candidate = ask_after(stage, house, a_person(CUSTOMER, 1, **EDNA))
        left = merge(house, candidate, own) if into_own and isinstance(house, Portal) else merge(house, own, candidate)
        deliver(stage, "m2", a_person(CUSTOMER, 2, **{**EDNA, "city": "Oslo"}))
        assert (question(stage).chosen, question(stage).own) == (left, left)
        assert question(stage).decided_by == "a merge in the CRM"

    @pytest.mark.parametrize("event", [False, True])
    @pytest.mark.parametrize("into_own", [False, True])
    def test_a_decision_takes_nothing_off_the_record_they_became(
        self, stage: Stage, house: Account, event: bool, into_own: bool
    ) -> None:
        own, candidate = ask_after(stage, house, a_person(CUSTOMER, 1, **EDNA))
        left = merge(house, candidate, own) if into_own else merge(house, own, candidate)
        if event:
            deliver(stage, "m2", a_person(CUSTOMER, 2, **{**EDNA, "city": "Oslo"}))
        if question(stage).is_open:
            stage.store.deciding.same_person(question(stage), candidate, "ana")
            stage.drain()
        assert (person(house).id, person(house).address) == (left, "edna@example.com")
        assert question(stage).own == question(stage).chosen == left

    def test_a_chosen_record_that_is_merged_later_stays_the_answer(self, stage: Stage, house: Account) -> None:
        own, chosen = ask_after(stage, house, a_person(CUSTOMER, 1, **EDNA))
        stage.store.deciding.same_person(question(stage), chosen, "ana")
        stage.drain()
        left = merge(house, own, chosen)
        deliver(stage, "m2", a_person(CUSTOMER, 2, **{**EDNA, "city": "Oslo"}))
        assert (question(stage).chosen, question(stage).own) == (left, left)


class TestTakenBack:
    def test_the_customer_returns_to_the_record_of_their_own(self, stage: Stage, house: Account) -> None:
        own, chosen = ask_after(stage, house, a_person(CUSTOMER, 1, **EDNA))
        stage.store.deciding.same_person(question(stage), chosen, "ana")
        stage.drain()
        stage.store.deciding.take_back(question(stage), "ana")
        stage.drain()
        assert (person(house).id, person(house).last_name) == (own, "Whitaker")
        assert question(stage).is_open
        deliver(stage, "m2", a_person(CUSTOMER, 2, **EDNA, doNotCall=True))
        assert flags(house) == {own: True, chosen: False}

    def test_opt_outs_raised_on_the_chosen_record_stay(self, stage: Stage, house: Account) -> None:
        own, chosen = ask_after(stage, house, a_person(CUSTOMER, 1, **EDNA, doNotCall=True))
        stage.store.deciding.same_person(question(stage), chosen, "ana")
        stage.drain()
        stage.store.deciding.take_back(question(stage), "ana")
        stage.drain()
        assert flags(house) == {own: True, chosen: True}

    def test_a_new_record_is_made_where_their_own_is_gone(self, stage: Stage, house: Account) -> None:
        own, chosen = ask_after(stage, house, a_person(CUSTOMER, 1, **{**EDNA, "email": None}))
        stage.store.deciding.same_person(question(stage), chosen, "ana")
        stage.drain()
        house.delete(own)
        stage.store.deciding.take_back(question(stage), "ana")
        stage.drain()
        assert person(house).id not in (own, chosen)

    def test_the_chosen_record_may_then_become_another_customers(self, stage: Stage, house: Account) -> None:
        _, chosen = ask_after(stage, house, a_person(CUSTOMER, 1, **EDNA))
        other = Claim(replace(key_of(house), value="c-2"), chosen, "c-2")
        stage.store.deciding.same_person(question(stage), chosen, "ana")
        stage.drain()
        assert stage.store.ledger.claims.others(DESTINATION, [other]) == {other}
        stage.store.deciding.take_back(question(stage), "ana")
        stage.drain()
        assert stage.store.ledger.claims.others(DESTINATION, [other]) == frozenset()

    def test_it_can_be_decided_again(self, stage: Stage, house: Account) -> None:
        own, chosen = ask_after(stage, house, a_person(CUSTOMER, 1, **EDNA))
        for _ in range(2):
            stage.store.deciding.same_person(question(stage), chosen, "ana")
            stage.drain()
            assert person(house).id == chosen
            stage.store.deciding.take_back(question(stage), "ana")
            stage.drain()
            assert person(house).id == own


class TestSeveralRecordsWithOneKey:
    @pytest.fixture
    def house(self) -> Iterator[Account]:
        """An org that does not keep its external ids unique."""
        with org() as account:
            contact = account.sandbox.org.tables["contact"]
            add_column(contact, replace(contact.columns["carecycle_id__c"], marks=frozenset({"lookup"})))
            yield account

    @pytest.fixture
    def twins(self, stage: Stage, house: Account) -> tuple[str, str]:
        """Two contacts with the customer's key, and the dead letter that comes of them."""
        ids = house.put(CUSTOMER, "one@example.com"), house.put(CUSTOMER, "two@example.com")
        deliver(stage, "m1", a_person(CUSTOMER, 1, **EDNA, doNotCall=True))
        assert stage.state("m1") == ("dead", "AMBIGUOUS")
        return ids

    def test_opt_outs_reach_all_of_them_until_it_is_decided(
        self, stage: Stage, house: Account, twins: tuple[str, str]
    ) -> None:
        assert flags(house) == dict.fromkeys(twins, True)
        assert question(stage).by_key

    def test_a_decision_delivers_to_one_and_opt_outs_still_reach_the_other(
        self, stage: Stage, house: Account, twins: tuple[str, str]
    ) -> None:
        stage.store.deciding.same_person(question(stage), twins[1], "ana")
        stage.drain()
        assert stage.state("m1")[0] == "delivered"
        assert {held["Id"]: held["LastName"] for held in house.everyone()} == {
            twins[0]: "Delacroix",
            twins[1]: "Whitaker",
        }
        deliver(stage, "m2", a_person(CUSTOMER, 2, **EDNA, doNotCall=True, doNotEmail=True))
        assert [held["HasOptedOutOfEmail"] for held in house.everyone()] == [True, True]

    def test_people_who_merge_them_in_the_crm_have_answered(
        self, stage: Stage, house: Account, twins: tuple[str, str]
    ) -> None:
        house.delete(twins[0])
        deliver(stage, "m2", a_person(CUSTOMER, 2, **EDNA))
        assert (question(stage).chosen, question(stage).decided_by) == (twins[1], "a merge in the CRM")

    def test_taken_back_it_is_a_question_again_and_no_key_is_lost(
        self, stage: Stage, house: Account, twins: tuple[str, str]
    ) -> None:
        stage.store.deciding.same_person(question(stage), twins[1], "ana")
        stage.drain()
        stage.store.deciding.take_back(question(stage), "ana")
        stage.drain()
        assert (stage.state("m1"), question(stage).is_open) == (("dead", "AMBIGUOUS"), True)
        assert len(house.people(CUSTOMER)) == 2


class TestRestored:
    def test_a_decision_outlives_the_restore_of_a_backup(
        self, stage: Stage, house: Account, tmp_path: Path, clock: Clock
    ) -> None:
        own, chosen = ask_after(stage, house, a_person(CUSTOMER, 1, **EDNA))
        stage.store.deciding.same_person(question(stage), chosen, "ana")
        copy = copied(stage, tmp_path)
        stage.drain()
        with put_back(stage, copy, clock) as later:
            later.drain()
            deliver(later, "after", a_person(CUSTOMER, 2, **EDNA, doNotCall=True))
            assert (person(house).id, flags(house)) == (chosen, {own: True, chosen: True})


def merge(house: Account, loser: str, winner: str) -> str:
    """Merge one record into another as people do in the CRM, and return the id of what they became."""
    if isinstance(house, Portal):
        return house.sandbox.merge("contacts", loser, winner)
    house.sandbox.merge(loser, winner)
    return winner


def flags(house: Account) -> dict[str, bool]:
    """Whether each record of the customer's, or that may be, has doNotCall; the bystander's is left out."""
    if isinstance(house, Portal):
        held = [(one["id"], one.get("carecycle_id"), one.get("do_not_call") == "true") for one in house.everyone()]
    else:
        held = [(one["Id"], one.get("careCycle_Id__c"), one.get("DoNotCall") is True) for one in house.everyone()]
    return {crm_id: raised for crm_id, key, raised in held if key != "bystander"}


def linked(house: Account) -> set[str]:
    """The contacts that the one call is linked to."""
    if isinstance(house, Portal):
        ends = {end for link in house.sandbox.state.links for end in (link[:2], link[2:])}
        return {crm_id for kind, crm_id in ends if kind == "contacts"}
    return {call["WhoId"] for call in house.sandbox.records("Task")}


def give_key(house: Account, crm_id: str, key: str) -> None:
    """Let somebody type a key into a record."""
    if isinstance(house, Portal):
        house.destination.write([Row(RecordKey("contacts", "id", crm_id), {"carecycle_id": key}, id=crm_id)])
    else:
        house.destination.write([Row(RecordKey("Contact", "Id", crm_id), {"careCycle_Id__c": key}, id=crm_id)])


def city_of(house: Account, crm_id: str) -> str:
    (held,) = [one for one in house.everyone() if crm_id in (one.get("id"), one.get("Id"))]
    return str(held.get("city") or held.get("MailingCity"))
