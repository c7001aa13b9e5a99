"""What comes while an undo writes: a repair, an opt-out, and a customer who is forgotten."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connector.delivery.undoing import End, What
from connector.errors import DestinationUnusable
from tests.builders import CUSTOMER, a_customer
from tests.contracts.test_pipeline import EARLIER, HUBSPOT, LATER, House, house
from tests.contracts.test_verification import found, repair, verify
from tests.promises.test_undo import Around, about, kept, made_by_hand, right, undone, withholding, wrong

__all__ = ["house", "kept"]

NUMBER = "+16025550100"


def undone_while(house: House, version: str, act: Callable[[], object], *, first: bool = True) -> list[End]:
    """Undo, with something done just before the CRM takes the first write, or just after."""
    usual, calls = house.route.destination, list[int]()

    def write(write: Any, rows: Any) -> Any:
        calls.append(1)
        if len(calls) > 1:
            return write(rows)
        if first:
            act()
            return write(rows)
        outcomes = write(rows)
        act()
        return outcomes

    house.route.destination = Around(usual, write)
    try:
        return undone(house, version)
    finally:
        house.route.destination = usual
        house.drain()


def wrongly_written(house: House, **changes: Any) -> str:
    """Let a version write a wrong city; return it."""
    right(house)
    house.pass_on(a_customer(city="Mesa", updatedAt=EARLIER, **changes))
    version = wrong(house)
    house.pass_on(a_customer(city="Mesa", updatedAt=LATER, **changes))
    right(house)
    return version


class TestARepair:
    def test_of_an_opt_out_is_not_lost(self, kept: House) -> None:
        version = wrongly_written(kept, doNotCall=True)
        kept.by_hand("change", **{kept.names["no_call"]: "false" if kept.names is HUBSPOT else False})

        undone_while(kept, version, lambda: repair(kept, verify(kept)))
        assert str(kept.person()["no_call"]).lower() == "true"

    def test_of_a_record_that_is_gone_is_not_lost(self, kept: House) -> None:
        version = wrongly_written(kept)

        def act() -> None:
            kept.by_hand("delete")
            repair(kept, verify(kept))

        undone_while(kept, version, act)
        assert kept.person()["city"] == "Mesa"
        assert kept.person()["mobile"]

    def test_of_an_owned_field_is_not_lost(self, kept: House) -> None:
        made_by_hand(kept, city="Yuma")
        version = withholding(kept, "customer.phoneNumber", guarded=True)
        kept.pass_on(a_customer(email=None))
        kept.by_hand("change", **{"lastname" if kept.names is HUBSPOT else "LastName": "Bonn"})
        undone_while(kept, version, lambda: repair(kept, verify(kept), owned=True))
        assert not found(verify(kept))


class TestAnOptOut:
    """It counts from the moment it is acknowledged, also while an undo is writing."""

    def numbered(self, house: House) -> str:
        made_by_hand(house, mobile=NUMBER)
        version = withholding(house, "customer.phoneNumber", guarded=True)
        house.pass_on(a_customer(updatedAt=EARLIER, email=None))
        return version

    @pytest.mark.parametrize("first", [True, False])
    def test_while_it_writes(self, kept: House, first: bool) -> None:
        version = self.numbered(kept)
        opted_out = a_customer(doNotSMS=True, updatedAt=LATER, email=None)
        ends = undone_while(kept, version, lambda: kept.accept(opted_out), first=first)
        assert about(ends, kept, "mobile") == [What.KEPT]
        assert kept.person()["mobile"] != NUMBER

    def test_while_it_writes_to_a_crm_that_then_fails(self, kept: House) -> None:
        version = self.numbered(kept)

        def act() -> None:
            kept.accept(a_customer(doNotSMS=True, updatedAt=LATER, email=None))
            kept.sandbox.lose_replies(99)

        with pytest.raises(DestinationUnusable):
            undone_while(kept, version, act)
        kept.sandbox.faults.clear()
        assert about(undone(kept, version), kept, "mobile") == [What.KEPT]
        assert kept.person()["mobile"] != NUMBER


class TestForgetting:
    def test_nothing_is_written_to_somebody_forgotten_after_the_records_were_read(self, kept: House) -> None:
        made_by_hand(kept, city="Yuma")
        version = right(kept)
        kept.pass_on(a_customer(city="Mesa"))
        usual = kept.route.destination
        kept.route.destination = Forgetting(usual, kept)
        ends = undone(kept, version)
        kept.route.destination = usual
        assert {end.what for end in ends} == {What.WAITS}
        assert kept.person()["city"] == "Mesa"
        assert undone(kept, version) == []


class Forgetting:
    """A CRM account during whose reads a customer is forgotten."""

    def __init__(self, destination: Any, house: House) -> None:
        self._destination, self._house = destination, house

    def __getattr__(self, name: str) -> Any:
        return getattr(self._destination, name)

    def find(self, *asked: Any) -> Any:
        answers = self._destination.find(*asked)
        self._house.store.forget.run(CUSTOMER, "ana")
        return answers
