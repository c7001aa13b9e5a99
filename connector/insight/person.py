"""One person of one agency: their wishes in each CRM, their records, what is open, and their events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from connector.carecycle.catalogue import FLAGS
from connector.insight.accounts import Account, named
from connector.insight.explain import Why, explain_person
from connector.insight.masking import ShownField, masked, revealed
from connector.settlement import DeliveryState
from connector.settlement.listings import LeftOut
from connector.settlement.questions import Question
from connector.store import Store
from connector.store.desk import REPLAYABLE, Filter
from connector.store.handle_index import Person
from connector.store.owing import Owed
from connector.store.trail import Step

EVENTS: Final = 25
"""Deliveries on one page of a person's history."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A flag in one CRM account. owed: what became of the opt-out; None where there is none."""

    destination: str
    flag: str
    owed: Owed | None = None


@dataclass(frozen=True, slots=True)
class OwnRecord:
    """A CRM record of the person's. link: empty if it is not known."""

    destination: str
    object: str
    crm_id: str
    link: str = ""


@dataclass(frozen=True, slots=True)
class Portrait:
    """What is known of a person. older: where the next page of the history begins; 0 at its end.

    newest: the newest message whose content is stored, empty where there is none; payload: its fields, masked.
    """

    person: Person
    wishes: tuple[Wish, ...]
    records: tuple[OwnRecord, ...]
    open_items: tuple[LeftOut, ...]
    questions: tuple[Question, ...]
    history: tuple[Step, ...]
    older: int
    why: Why | None
    newest: str = ""
    type: str = ""
    payload: tuple[ShownField, ...] = ()

    def revealed(self, store: Store, who: str, reason: str) -> Portrait:
        """The same with every value, after recording who asked and why. Raises FixConfiguration."""
        payload = store.reveal.payload(self.newest, who, reason)
        return replace(self, payload=tuple(revealed(payload, self.type)))


@dataclass(frozen=True, slots=True)
class Replayable:
    """How many deliveries of a person in one state can be written again."""

    wanted: Filter
    count: int

    @property
    def is_dead(self) -> bool:
        """Whether they were not written."""
        return self.wanted.state == DeliveryState.DEAD


def portrait(store: Store, person: Person, accounts: Sequence[Account] = (), before: int = 0) -> Portrait:
    """Read what is known of a person. before: the event that the page of the history before this one ended with."""
    steps = store.trail.of_customer(person.customer_id, person.agency, before=before, limit=EVENTS + 1)
    history, questions = steps[:EVENTS], store.questions.of_customer(person.customer_id)
    shown = Portrait(
        person,
        tuple(_wishes(store, person)),
        tuple(_records(store, person, accounts)),
        tuple(item for item in store.open_items.of_customer(person.customer_id) if _is_of(person, item.destination)),
        tuple(question for question in questions if _is_of(person, question.destination) and question.is_open),
        tuple(history),
        history[-1].delivery_id if len(steps) > EVENTS else 0,
        explain_person(store, person, accounts),
    )
    newest = next((step for step in steps if not step.purged), None)
    if newest is None or before:
        newest = next((step for step in store.trail.of_customer(*reversed(person)) if not step.purged), None)
    return _with_payload(store, shown, newest) if newest else shown


def _with_payload(store: Store, shown: Portrait, newest: Step) -> Portrait:
    kind, payload = newest.event.type, store.desk.payload(newest.event.message_id)
    return replace(shown, newest=newest.event.message_id, type=kind, payload=tuple(masked(payload, kind)))


def replayable(store: Store, person: Person) -> list[Replayable]:
    """How many of a person's deliveries can be written again, by account and state."""
    listed = []
    for destination in _destinations(store, person):
        for state in REPLAYABLE:
            wanted = Filter(customer_id=person.customer_id, destination=destination, state=state)
            if count := store.desk.count(wanted):
                listed.append(Replayable(wanted, count))
    return listed


def _destinations(store: Store, person: Person) -> list[str]:
    """The accounts that the agency has lanes for."""
    return sorted({lane.destination for lane in store.desk.lanes() if _is_of(person, lane.destination)})


def _wishes(store: Store, person: Person) -> list[Wish]:
    listed = store.owing.of_customer(person.agency, person.customer_id)
    owed = {(own.opt_out.destination, own.opt_out.flag): own for own in listed}
    places = sorted({*_destinations(store, person), *(destination for destination, _ in owed)})
    return [Wish(place, flag, owed.get((place, flag))) for place in places for flag in FLAGS]


def _records(store: Store, person: Person, accounts: Sequence[Account]) -> list[OwnRecord]:
    records = []
    for known in store.trail.records(person.customer_id):
        crm_id = known.entry.crm_id
        if crm_id and _is_of(person, known.destination):
            account = named(accounts, known.destination)
            link = account.link(known.object, crm_id) if account else ""
            records.append(OwnRecord(known.destination, known.object, crm_id, link))
    return list(dict.fromkeys(records))


def _is_of(person: Person, destination: str) -> bool:
    return destination.partition("/")[0] == person.agency
