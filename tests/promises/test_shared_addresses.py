"""HubSpot allows an address once: who shares one gets a contact of their own, and no call is made to be refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from sqlalchemy import select

from connector.delivery.route import Route, Running
from connector.store.problem_tables import open_items
from tests.conftest import Clock
from tests.promises.accounts import Portal, portal, reshaped
from tests.promises.stage import DESTINATION, ZONE, Stage, a_person, open_stage

SHARED: Final = "whitakers@example.com"
HAROLD = {"firstname": "Harold", "lastname": "Whitaker"}
EDNA = {"firstName": "Edna", "lastName": "Whitaker", "email": SHARED}
UPSERT, READ = "/batch/upsert", "/batch/read"


@pytest.fixture
def house() -> Iterator[Portal]:
    with portal() as account:
        yield account


@pytest.fixture
def stage(house: Portal, sqlite_ready: str, clock: Clock) -> Iterator[Stage]:
    with open_stage(sqlite_ready, clock) as stage:
        stage.route = Route(DESTINATION, house.destination, Running(house.mapping), ZONE)
        yield stage


HOLDERS: dict[str, dict[str, str]] = {
    "made by hand": {"email": SHARED},
    "by a further address": {"email": "harold@example.com", "hs_additional_emails": f"h@example.com;{SHARED}"},
    "another customer's": {"email": SHARED, "carecycle_id": "c-harold"},
}


@pytest.fixture(params=HOLDERS)
def holder(request: pytest.FixtureRequest, house: Portal) -> dict[str, Any]:
    house.sandbox.put("contacts", **HAROLD, **HOLDERS[request.param])
    [record] = house.sandbox.records("contacts")
    return record


def refused(house: Portal) -> int:
    """How many writes of contacts the portal answered with a refusal."""
    return sum(seen.status != 200 for seen in house.sandbox.seen if UPSERT in seen.path)


def left_out(stage: Stage) -> dict[str, tuple[str, str, str | None]]:
    with stage.store.database.reading() as connection:
        rows = list(connection.execute(select(open_items)))
    return {row.customer_id: (row.field, row.code, row.holder) for row in rows}


def own(house: Portal, customer: str) -> dict[str, Any]:
    [record] = [one for one in house.everyone() if one.get("carecycle_id") == customer]
    return record


def has_own_contact_without(holder: dict[str, Any], house: Portal, stage: Stage) -> bool:
    edna, [unchanged] = own(house, "c-edna"), [one for one in house.everyone() if one["id"] == holder["id"]]
    assert edna["firstname"] == "Edna"
    assert left_out(stage) == {"c-edna": ("email", "ADDRESS_HELD", holder["id"])}
    return unchanged == holder and "email" not in edna and len(house.everyone()) == 2


class TestAnAddressSomebodyElseHas:
    @pytest.mark.parametrize("spelling", [str.lower, str.upper, str.title])
    def test_is_left_to_them_without_a_refusal(
        self, stage: Stage, house: Portal, holder: dict[str, Any], spelling: Callable[[str], str]
    ) -> None:
        stage.accept("m1", a_person("c-edna", 1, **{**EDNA, "email": spelling(SHARED)}))
        stage.drain()
        assert has_own_contact_without(holder, house, stage)
        assert stage.state("m1") == ("delivered", "ADDRESS_HELD")
        assert refused(house) == 0

    def test_is_left_to_them_where_the_search_does_not_show_them(
        self, stage: Stage, house: Portal, holder: dict[str, Any]
    ) -> None:
        unseen = reshaped(lambda body: {**body, "results": [], "errors": []})
        house.sandbox.fault(READ, unseen, times=2)
        stage.accept("m1", a_person("c-edna", 1, **EDNA))
        stage.drain_in_time()
        assert has_own_contact_without(holder, house, stage)

    @pytest.mark.parametrize("odd", [{"properties": None}, {"id": None}, {"archived": None, "url": None}], ids=str)
    def test_is_left_to_them_where_a_reply_has_a_null(
        self, stage: Stage, house: Portal, holder: dict[str, Any], odd: dict[str, Any]
    ) -> None:
        first = reshaped(lambda body: {**body, "results": [{**one, **odd} for one in body["results"]]})
        house.sandbox.fault(READ, first, times=2)
        stage.accept("m1", a_person("c-edna", 1, **EDNA))
        stage.drain_in_time()
        assert has_own_contact_without(holder, house, stage)

    def test_is_written_once_they_have_another(self, stage: Stage, house: Portal) -> None:
        for at, customer, first in ((1, "c-harold", "Harold"), (2, "c-edna", "Edna")):
            stage.accept(customer, a_person(customer, at, **{**EDNA, "firstName": first}))
            stage.drain()
        assert (refused(house), "email" in own(house, "c-edna")) == (0, False)
        stage.accept("new", a_person("c-harold", 3, **{**EDNA, "firstName": "Harold", "email": "new@example.com"}))
        stage.drain_in_time()
        assert (own(house, "c-edna")["email"], own(house, "c-harold")["email"]) == (SHARED, "new@example.com")

    def test_is_written_at_once_where_the_same_batch_gives_them_another(self, stage: Stage, house: Portal) -> None:
        stage.accept("m1", a_person("c-harold", 1, **{**EDNA, "firstName": "Harold"}))
        stage.drain()
        stage.accept("m2", a_person("c-edna", 2, **EDNA))
        stage.accept("m3", a_person("c-harold", 3, **{**EDNA, "firstName": "Harold", "email": "new@example.com"}))
        stage.drain()
        assert (own(house, "c-edna")["email"], own(house, "c-harold")["email"]) == (SHARED, "new@example.com")
        assert (refused(house), left_out(stage)) == (0, {})

    def test_does_not_keep_an_opt_out_from_their_own_contact(
        self, stage: Stage, house: Portal, holder: dict[str, Any]
    ) -> None:
        stage.accept("m1", a_person("c-edna", 1, **EDNA, doNotCall=True))
        stage.drain()
        [edna] = house.people("c-edna")
        assert (edna.flags, edna.address) == (frozenset({"doNotCall"}), "")
        assert "do_not_call" not in holder


@pytest.mark.parametrize("apart", [False, True], ids=["together", "one after another"])
def test_three_people_with_one_address_are_three(stage: Stage, house: Portal, apart: bool) -> None:
    for at, first in enumerate(("Harold", "Edna", "June")):
        stage.accept(first, a_person(f"c-{first}", at, **{**EDNA, "firstName": first}))
        if apart:
            stage.drain()
    stage.drain()
    people = {one["firstname"]: one.get("email") for one in house.everyone()}
    assert people.keys() == {"Harold", "Edna", "June"}
    assert sorted(people.values(), key=str) == [None, None, SHARED]
    assert refused(house) == 0
