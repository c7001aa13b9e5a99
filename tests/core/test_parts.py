"""What a batch leaves behind, in parts: nothing is recorded later than a delivery that rests on it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import fields, replace
from typing import Any

import pytest

from connector.errors import PauseReason
from connector.model import Candidate, Delivery, Entry, Event, FlagState, OpenItem, Plan, RecordKey, Stamp, Write
from connector.settlement import (
    Asked,
    AttemptOutcome,
    CauseKey,
    Claim,
    DeliveryState,
    Obligation,
    Pause,
    Payment,
    Raised,
    Remembered,
    Settled,
    Settlement,
    Streak,
)
from connector.settlement.oddities import Oddity
from connector.settlement.parts import in_parts

LAST, EVERY = ("pause", "refused", "proven"), ("mapping_version", "freed", "probing")
PAUSE = Pause(1, PauseReason.OUTAGE, "down")


def key(name: str) -> RecordKey:
    return RecordKey("Contact", "Key", name)


def planned(number: int, customer: str | None, *records: str) -> tuple[Delivery, Plan]:
    event = Event("sunrise", f"m{number}", "customer.updated", customer, 0, 0, {})
    writes = tuple(Write(name, key(name), {}, Stamp(0, "")) for name in records)
    return Delivery(number, 0, 0, event, number), Plan(customer, {}, Stamp(0, ""), writes)


BATCH = [planned(1, "ana", "ana"), planned(2, "ben", "ben"), planned(3, "cem", "cem")]
"""One delivery of each of three customers."""


def ended(*numbers: int) -> list[Settled]:
    return [Settled(number, DeliveryState.DELIVERED, AttemptOutcome.DELIVERED) for number in numbers]


def known(name: str, customer: str | None, delivery: int, crm_id: str = "", **changes: Any) -> Remembered:
    return Remembered(key(name), Entry(crm_id or name), customer, delivery, **changes)


def parted(settlement: Settlement, batch: Sequence[tuple[Delivery, Plan]] = BATCH, most: int = 1) -> list[Settlement]:
    return in_parts(replace(settlement, settled=settlement.settled or ended(1, 2, 3)), batch, most)


def where(name: str, things: Any, batch: Sequence[tuple[Delivery, Plan]] = BATCH) -> list[int]:
    """The parts with something of a field."""
    parts = parted(Settlement("v", **{name: things}), batch)
    return [number for number, part in enumerate(parts) if getattr(part, name)]


OF_BEN: dict[str, Any] = {
    "settled": None,
    "remembered": [known("ben", "ben", 2)],
    "consents": {"ben": {"doNotCall": FlagState(Stamp(0, ""), True)}},
    "raised": [Raised("ben", "doNotCall", "Contact", "ben", 2)],
    "owed": [Obligation("sunrise/crm", "ben", "doNotCall", 0)],
    "duplicated": ["ben"],
    "oddities": [Oddity("sunrise", "status", message_id="m2")],
    "asked": [Asked(key("ben"), "contact", "ben", 2, (Candidate("1"), Candidate("2")))],
    "answered": [(key("ben"), "1")],
    "again": {"ben": 5},
    "released": [Claim(key("ben"), "1", "ben")],
}
"""What belongs to the second of three deliveries."""

AT_ONCE: dict[str, Any] = {
    "payments": [Payment(Obligation("sunrise/crm", "ben", "doNotCall", 0), PauseReason.OUTAGE)],
    "gone": [("Contact", "1")],
}


class TestEachField:
    def test_has_its_place(self) -> None:
        names = {one.name for one in fields(Settlement)}
        assert names == {*OF_BEN, *AT_ONCE, *LAST, *EVERY}

    @pytest.mark.parametrize("name", sorted(OF_BEN.keys() - {"settled"}))
    def test_of_a_delivery_is_recorded_with_it(self, name: str) -> None:
        assert where(name, OF_BEN[name]) == [1]

    @pytest.mark.parametrize("name", sorted(OF_BEN.keys() - {"settled", "consents"}))
    def test_of_no_delivery_that_ends_comes_first(self, name: str) -> None:
        others = [planned(4, "dora", "dora"), planned(5, "eve", "eve"), planned(6, "fay", "fay")]
        parts = parted(Settlement("v", ended(4, 5, 6), **{name: OF_BEN[name]}), others)
        assert [number for number, part in enumerate(parts) if getattr(part, name)] == [0]

    def test_of_customers_none_of_whose_deliveries_ends_is_parted_too(self) -> None:
        heard = {name: {"doNotCall": FlagState(Stamp(0, ""), True)} for name in ("ana", "ben", "cem")}
        assert [list(part.consents) for part in in_parts(Settlement("v", consents=heard), [], 2)] == [
            ["ana", "ben"],
            ["cem"],
        ]

    @pytest.mark.parametrize("name", AT_ONCE)
    def test_of_an_obligation_comes_first(self, name: str) -> None:
        assert where(name, AT_ONCE[name]) == [0]

    def test_of_the_lane_comes_last(self) -> None:
        streak = Streak(CauseKey("LOCKED"), 3)
        parts = parted(Settlement("v", pause=PAUSE, refused=streak, proven=True))
        assert [part.pause for part in parts] == [None, None, PAUSE]
        assert [part.refused for part in parts] == [Streak(), Streak(), streak]
        assert [part.proven for part in parts] == [False, False, True]

    def test_leaves_the_lanes_failures_alone_before_the_last_part(self) -> None:
        assert [part.probing for part in parted(Settlement("v"))] == [True, True, False]
        assert [part.probing for part in parted(Settlement("v", probing=True))] == [True, True, True]

    def test_that_was_given_up_is_looked_for_first_and_wherever_something_may_wait_for_it(self) -> None:
        assert where("freed", ["digest"]) == [0]
        waits = OpenItem("TAKEN", "another has it", "", "contact", "digest", Stamp(0, ""), "v", "7")
        opening = Settlement("v", remembered=[known("cem", "cem", 3, opened={"Email": waits})], freed=["digest"])
        assert [bool(part.freed) for part in parted(opening)] == [True, False, True]

    def test_that_was_lost_is_known_before_anything_ends(self) -> None:
        assert where("remembered", [known("ben", "ben", 2, lost=True)]) == [0]


class TestAPart:
    def sizes(self, most: int, *customers: str | None) -> list[int]:
        batch = [planned(number, customer) for number, customer in enumerate(customers, 1)]
        parts = parted(Settlement("v", ended(*range(1, len(batch) + 1))), batch, most)
        return [len(part.settled) for part in parts]

    def test_has_a_few_deliveries(self) -> None:
        assert self.sizes(2, "a", "b", "c", "d", "e") == [2, 2, 1]
        assert self.sizes(2, None, None, None) == [2, 1]

    def test_has_all_of_a_customers(self) -> None:
        assert self.sizes(2, "a", "b", "a", "c", "b") == [2, 2, 1]
        assert self.sizes(3, "a", "b", "b", "b") == [1, 3]

    def test_has_no_more_of_a_customer_with_too_many(self) -> None:
        assert self.sizes(2, "b", "a", "a", "a", "a", "a") == [1, 2, 2, 1]

    def test_is_all_there_is_of_nothing(self) -> None:
        assert in_parts(Settlement("v", pause=PAUSE), [], 1) == [Settlement("v", [], [], pause=PAUSE, **empty())]

    def test_has_a_record_of_several_customers_with_the_first_of_them(self) -> None:
        shared = [planned(1, "ana", "ana"), planned(2, "ben", "home"), planned(3, "cem", "home")]
        assert where("remembered", [known("home", "cem", 3)], shared) == [1]

    def test_gives_a_new_record_to_one_key(self) -> None:
        twice = [known("ana", "ana", 1, "R", new=True), known("cem", "cem", 3, "R", new=True)]
        parts = parted(Settlement("v", remembered=twice))
        assert [[one.new for one in part.remembered] for part in parts] == [[True], [], [False]]

    def test_loses_nothing(self) -> None:
        whole = Settlement("v", ended(3, 1, 2), **{name: own for name, own in OF_BEN.items() if own})
        parts = parted(whole)
        for name in OF_BEN:
            assert gathered(parts, lambda part, name=name: getattr(part, name)) == sorted(
                map(repr, listed(getattr(whole, name)))
            )


def gathered(parts: Sequence[Settlement], of: Callable[[Settlement], Any]) -> list[str]:
    return sorted(repr(one) for part in parts for one in listed(of(part)))


def listed(things: Any) -> Collection[Any]:
    return list(things.items() if isinstance(things, dict) else things)


def empty() -> dict[str, Any]:
    return {name: [] for name in (*OF_BEN, *AT_ONCE) if name not in ("settled", "remembered", "consents", "again")}
