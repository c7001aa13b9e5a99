"""What an undo created is deleted only where nothing else has happened to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from sqlalchemy import insert

from connector.delivery.undo_created import ATTACHED, BEGUN, CHANGED, EXPECTED, GONE, KNOWN, OPTED_OUT, SHARED
from connector.delivery.undoing import End, What
from connector.errors import DestinationUnusable, PauseReason
from connector.running.undo_deleting import delete_created
from connector.running.undos import undo
from connector.store.previous import Whose
from connector.store.problem_tables import questions
from tests.builders import a_call, a_customer
from tests.contracts.test_pipeline import DESTINATION, EARLIER, HUBSPOT, LATER, House, house, raised
from tests.promises.test_undo import fetch, made_by_hand, right, wrong

__all__ = ["house"]

LATEST = "2026-06-18T15:00:00.000Z"
RUN = Whose(run="r1")


@pytest.fixture
def kept(house: House) -> House:
    house.route.undo = True
    return house


def deleted(house: House, whose: Whose = RUN, *, plan: bool = False) -> list[End]:
    list(undo(house.store, house.route, 1, whose, plan=plan))
    return [end for ends in delete_created(house.store, house.route, 1, whose, plan=plan) for end in ends]


def ends(house: House, whose: Whose = RUN) -> list[tuple[What, str]]:
    return [(end.what, end.why) for end in deleted(house, whose)]


def attach(house: House) -> None:
    """A person's own record that belongs to the customer's."""
    person = house.person()["id"]
    if house.names is HUBSPOT:
        deal = house.sandbox.put("deals", dealname="A policy")
        house.sandbox.state.links.add(("deals", deal, "contacts", person))
    else:
        house.sandbox.put("Case", Subject="A question", ContactId=person)


class TestDeleting:
    def test_a_record_that_nothing_else_touched_is_deleted(self, kept: House) -> None:
        fetch(kept, "r1", city="Tempe")
        assert ends(kept) == [(What.DELETED, "")]
        assert kept.people() == []
        assert ends(kept) == []

    def test_a_plan_deletes_nothing(self, kept: House) -> None:
        fetch(kept, "r1", city="Tempe")
        assert [end.what for end in deleted(kept, plan=True)] == [What.DELETED]
        assert len(kept.people()) == 1

    def test_its_calls_go_first(self, kept: House) -> None:
        version = right(kept)
        kept.pass_on(a_call(a_customer()))
        assert [end.object for end in deleted(kept, Whose(version))] == [kept.names["calls"], kept.names["people"]]
        assert (kept.people(), kept.calls()) == ([], [])

    def test_one_that_is_gone_already_is_forgotten(self, kept: House) -> None:
        fetch(kept, "r1", city="Tempe")
        kept.by_hand("delete")
        assert ends(kept) == [(What.DELETED, GONE)]
        assert ends(kept) == []


class TestWhatStays:
    def test_what_people_made_is_never_deleted(self, kept: House) -> None:
        made_by_hand(kept, city="Mesa")
        fetch(kept, "r1", city="Tempe")
        assert ends(kept) == []
        assert kept.person()["city"] == "Mesa"

    def test_what_a_person_changed_since(self, kept: House) -> None:
        fetch(kept, "r1", city="Tempe")
        kept.by_hand("change", **{kept.names["city"]: "Yuma"})
        assert ends(kept) == [(What.KEPT, CHANGED)]

    @pytest.mark.parametrize("flag", ["doNotCall", "doNotSMS"])
    def test_somebody_who_opted_out(self, kept: House, flag: str) -> None:
        fetch(kept, "r1", city="Tempe", **{flag: True})
        assert ends(kept) == [(What.KEPT, OPTED_OUT)]

    def test_somebody_whose_opt_out_is_not_delivered_yet(self, kept: House) -> None:
        fetch(kept, "r1", city="Tempe", updatedAt=EARLIER)
        kept.accept(a_customer(doNotCall=True, updatedAt=LATER))
        assert ends(kept) == [(What.KEPT, OPTED_OUT)]

    def test_somebody_of_whom_an_event_waits(self, kept: House) -> None:
        fetch(kept, "r1", city="Tempe", updatedAt=EARLIER)
        kept.accept(a_customer(city="Mesa", updatedAt=LATER))
        assert ends(kept) == [(What.KEPT, EXPECTED)]

    def test_somebody_of_whom_something_else_was_sent(self, kept: House) -> None:
        fetch(kept, "r1", city="Tempe", updatedAt=LATER)
        kept.pass_on(a_customer(city="Mesa", updatedAt=EARLIER))
        assert ends(kept) == [(What.KEPT, KNOWN)]

    def test_what_a_newer_event_wrote_to(self, kept: House) -> None:
        version = right(kept)
        kept.pass_on(a_customer(city="Mesa", updatedAt=EARLIER))
        kept.pass_on(a_customer(city="Tempe", updatedAt=LATER))
        assert [what for what, _ in ends(kept, Whose(version))] == [What.KEPT]

    def test_what_another_version_wrote_to(self, kept: House) -> None:
        version = right(kept)
        kept.pass_on(a_customer(city="Mesa", updatedAt=EARLIER))
        wrong(kept)
        kept.pass_on(a_customer(city="Mesa", updatedAt=LATER))
        assert [what for what, _ in ends(kept, Whose(version))] == [What.KEPT]

    def test_what_something_of_others_belongs_to(self, kept: House) -> None:
        fetch(kept, "r1", city="Tempe")
        attach(kept)
        assert ends(kept) == [(What.KEPT, ATTACHED)]

    def test_what_cannot_be_looked_up(self, kept: House) -> None:
        fetch(kept, "r1", city="Tempe")
        hide(kept)
        ((what, why),) = ends(kept)
        assert (what, "cannot be looked up" in why) == (What.KEPT, True)


def hide(house: House) -> None:
    if house.names is HUBSPOT:
        house.sandbox.state.held["tickets-hidden"] = house.sandbox.state.held.pop("tickets")
    else:
        del house.sandbox.org.tables["case"]


class TestAfterwards:
    def test_neither_replay_nor_reapply_makes_it_again(self, kept: House) -> None:
        fetch(kept, "r1", city="Tempe")
        deleted(kept)
        again(kept)
        assert kept.people() == []
        wrong(kept)
        again(kept)
        assert kept.people() == []

    def test_a_corrected_mapping_makes_it_again(self, kept: House) -> None:
        version = wrong(kept)
        kept.pass_on(a_customer(city="Mesa"))
        deleted(kept, Whose(version))
        right(kept)
        again(kept)
        assert kept.person()["city"] == "Mesa"

    @pytest.mark.parametrize("at", [LATEST, EARLIER])
    def test_a_new_event_makes_it_anew_in_full(self, kept: House, at: str) -> None:
        fetch(kept, "r1", city="Tempe", updatedAt=LATER)
        deleted(kept)
        kept.pass_on(a_customer(city="Mesa", updatedAt=at))
        person = kept.person()
        assert (person["city"], bool(person["mobile"])) == ("Mesa", True)
        assert person["key" if "key" in person else "id"]


def again(house: House) -> None:
    """Deliver every stored event again."""
    with house.store.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE deliveries SET state = 'ready'")
    house.drain()


class Around:
    """A destination whose deletions do something first, and may be refused."""

    def __init__(self, usual: Any, first: Callable[[str], str | None]) -> None:
        self._usual, self._first = usual, first

    def __getattr__(self, name: str) -> Any:
        return getattr(self._usual, name)

    def bench(self) -> Any:
        return Around(self._usual.bench(), self._first)

    def delete_all(self, kind: str, ids: Sequence[str]) -> Any:
        why = self._first(kind)
        return dict.fromkeys(ids, why) if why else self._usual.delete_all(kind, ids)


def deleted_around(house: House, whose: Whose, first: Callable[[str], str | None]) -> list[End]:
    usual = house.route.destination
    house.route.destination = Around(usual, first)
    try:
        return deleted(house, whose)
    finally:
        house.route.destination = usual


class TestMeanwhile:
    def test_an_opt_out_accepted_while_it_deletes_is_written(self, kept: House) -> None:
        fetch(kept, "r1", city="Tempe", updatedAt=EARLIER)
        deleted_around(kept, RUN, lambda kind: kept.accept(a_customer(doNotCall=True, updatedAt=LATER)) and None)
        kept.drain()
        assert raised(kept.person()["no_call"])

    def test_an_event_accepted_while_it_deletes_is_written(self, kept: House) -> None:
        version = right(kept)
        kept.pass_on(a_customer(city="Tempe", updatedAt=EARLIER))
        deleted_around(
            kept, Whose(version), lambda kind: kept.accept(a_customer(city="Mesa", updatedAt=LATER)) and None
        )
        kept.drain()
        assert kept.person()["city"] == "Mesa"

    def test_a_new_event_is_written_although_ids_are_used_again(self, kept: House) -> None:
        fetch(kept, "r1", city="Tempe", updatedAt=EARLIER)
        deleted(kept)
        with kept.store.database.transaction() as connection:  # as retention does
            for table in ("attempts", "deliveries", "events"):
                connection.exec_driver_sql(f"DELETE FROM {table}")
        kept.pass_on(a_customer(city="Mesa", updatedAt=LATER))
        assert kept.person()["city"] == "Mesa"


class TestInDoubt:
    def test_a_person_whose_call_is_refused_stays(self, kept: House) -> None:
        version = right(kept)
        kept.pass_on(a_call(a_customer()))
        got = deleted_around(kept, Whose(version), lambda kind: "no" if kind == kept.names["calls"] else None)
        assert [(end.what, end.why) for end in got] == [(What.REFUSED, "no"), (What.KEPT, ATTACHED)]
        assert [end.what for end in deleted(kept, Whose(version))] == [What.DELETED, What.DELETED]

    def test_one_whose_deletion_was_interrupted_stays(self, kept: House) -> None:
        def breaks(kind: str) -> None:
            raise DestinationUnusable("the CRM", PauseReason.OUTAGE, "the reply was lost")

        fetch(kept, "r1", city="Tempe")
        with pytest.raises(DestinationUnusable):
            deleted_around(kept, RUN, breaks)
        assert ends(kept) == [(What.KEPT, BEGUN)]

    def test_somebody_of_whom_there_is_a_dead_letter(self, kept: House) -> None:
        kept.insist()
        version = kept.route.mapping.version
        kept.pass_on(a_customer(city="Tempe", updatedAt=EARLIER))
        kept.pass_on(a_customer(city="Mesa", email="no address", updatedAt=LATER))
        assert ends(kept, Whose(version)) == [(What.KEPT, EXPECTED)]

    def test_what_may_be_another_customers(self, kept: House) -> None:
        fetch(kept, "r1", city="Tempe")
        candidates = json.dumps([{"id": kept.person()["id"], "agrees": [], "differs": [], "blank": []}])
        of = {"destination": DESTINATION, "object": kept.names["people"], "key": "another", "customer_id": "c-2"}
        why = {"record": "contact", "by_key": False, "candidates": candidates, "delivery_id": 1, "since": 1}
        with kept.store.database.transaction() as connection:
            connection.execute(insert(questions).values(**of, **why, state="open"))
        assert ends(kept) == [(What.KEPT, SHARED)]
