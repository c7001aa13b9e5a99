"""Medicare agencies sell to couples: nobody is taken for somebody else, whoever existed and whoever came first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.promises.households import (
    ADDRESS,
    COMINGS,
    DAILY,
    RAY_BY_HAND,
    RAYMOND,
    SON,
    WIRINGS,
    Batches,
    Household,
    Landed,
    Someone,
    Town,
    cases,
    town,
)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with town(tmp_path_factory.mktemp("town")) as opened:
        yield opened


def came(coming: str) -> list[Someone]:
    return [someone for batch in COMINGS[coming] for someone in batch]


class Expected:
    """What must be there in the end, from what the household says."""

    def __init__(self, wiring: str, household: Household, coming: str, way: str, landed: Landed) -> None:
        self.wiring, self.household, self.way, self.landed = WIRINGS[wiring], household, way, landed
        self.came = came(coming)
        is_compared = not household.by_birthday or self.wiring.born
        self.same = household.same if is_compared else {}
        self.asked = household.asked if not household.by_birthday or not self.wiring.born else {}
        self.adopted = {
            someone.id: landed.held[place]
            for someone in self.came
            if (place := self.same.get(someone.id)) is not None and self.wiring.finds(household.held[place])
        }

    def check(self) -> None:
        assert self.landed.states <= {"delivered", "superseded"}
        self._everybody_has_one_contact()
        self._what_people_made_stays()
        self._nothing_is_mixed_up()
        self._the_address()
        self._questions()

    def _everybody_has_one_contact(self) -> None:
        new = len(self.came) - len(self.adopted)
        assert len(self.landed.contacts) == len(self.household.held) + new
        for someone in self.came:
            (contact,) = self.landed.of(someone)
            assert (contact.id in self.landed.held) == (someone.id in self.adopted)
            assert contact.id == self.adopted.get(someone.id, contact.id)

    def _what_people_made_stays(self) -> None:
        assert self.landed.untouched == set(self.landed.held) - set(self.adopted.values())

    def _nothing_is_mixed_up(self) -> None:
        for someone in self.came:
            (contact,) = self.landed.of(someone)
            assert contact.name == someone.name
            assert contact.flags == someone.raised
            assert contact.calls == ({f"call-{someone.id}"} if self.way != "by an update" else set())

    def _the_address(self) -> None:
        """Salesforce lets everybody have it; in HubSpot the first who has it keeps it."""
        if self.wiring.crm == "salesforce":
            assert all(contact.email == ADDRESS for someone in self.came for contact in self.landed.of(someone))
            assert self.landed.open == {}
            return
        (holder,) = self.landed.with_address()
        without = {someone.id for someone in self.came for contact in self.landed.of(someone) if not contact.email}
        assert self.landed.open.keys() == without
        assert all(items == [("email", holder.id)] for items in self.landed.open.values())

    def _questions(self) -> None:
        asked = {
            someone.id: frozenset(self.landed.held[place] for place in places)
            for someone in self.came
            if (places := self.asked.get(someone.id)) and self.wiring.finds(self.household.held[places[0]])
        }
        assert self.landed.questions == asked


def _params() -> Iterator[Any]:
    for wiring, household, coming, way in cases():
        daily = wiring in DAILY and way == "by both"
        case = f"{wiring}-{household.name}-{coming}-{way}"
        yield pytest.param(wiring, household, coming, way, id=case, marks=() if daily else pytest.mark.slow)


@pytest.mark.parametrize(("wiring", "household", "coming", "way"), list(_params()))
def test_everybody_is_who_they_are(opened: Town, wiring: str, household: Household, coming: str, way: str) -> None:
    Expected(wiring, household, coming, way, opened.lives(wiring, household, COMINGS[coming], way)).check()


@pytest.mark.parametrize("wiring", DAILY)
@pytest.mark.parametrize("batches", [((RAYMOND, SON),), ((RAYMOND,), (SON,)), ((SON,), (RAYMOND,))])
def test_a_father_and_a_son_of_one_name_share_no_contact(opened: Town, wiring: str, batches: Batches) -> None:
    landed = opened.lives(wiring, Household("Raymond", (RAY_BY_HAND,)), batches, "by both")
    together = len(batches) == 1  # then nobody knows whose the contact is, and it is a question for both
    assert landed.questions.keys() == ({RAYMOND.id, SON.id} if together else set())
    assert len(landed.contacts) == (3 if together else 2)
    for someone in (RAYMOND, SON):
        (contact,) = landed.of(someone)
        assert contact.calls == {f"call-{someone.id}"}
