"""A destination's ledger belongs to one CRM account: another one behind it is noticed before anything is written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from connector.crm import AccountKind, CrmAccount
from connector.delivery.route import Route, Running
from connector.store.accounts import peek
from tests.builders import a_call, a_customer
from tests.contracts.test_pipeline import DESTINATION, HUBSPOT, House, raised
from tests.contracts.test_pipeline import house as house
from tests.destinations import hubspot_fixtures, salesforce_fixtures

ORG, SANDBOX_ORG = "00DHs0000000001MAA", "00DHs0000000002MAA"
PORTAL, TEST_PORTAL = "12345678", "87654321"
MINUTE = 60_000


@pytest.fixture
def opening() -> Iterator[ExitStack]:
    with ExitStack() as opening:
        yield opening


def open_elsewhere(house: House, opening: ExitStack, **knobs: Any) -> House:
    """The same destination, restarted with credentials of a test account."""
    if house.names is HUBSPOT:
        knobs |= {"portal_id": int(TEST_PORTAL), "account_type": "DEVELOPER_TEST"}
        opened: Any = hubspot_fixtures.sandbox_and_destination(**knobs)
    else:
        auth = salesforce_fixtures.client_credentials()
        opened = salesforce_fixtures.sandbox_and_destination(auth, org_id=SANDBOX_ORG, is_sandbox=True)
    sandbox, destination = opening.enter_context(opened)
    route = Route(DESTINATION, destination, Running(house.route.mapping), "America/New_York")
    return replace(house, sandbox=sandbox, route=route)


def restarted(house: House) -> House:
    """The destination in a new process, which knows nothing but the store."""
    return replace(house, route=Route(DESTINATION, house.route.destination, Running(house.route.mapping), "UTC"))


def ids_of(house: House) -> tuple[str, str]:
    return (PORTAL, TEST_PORTAL) if house.names is HUBSPOT else (ORG, SANDBOX_ORG)


def pause(house: House) -> tuple[str, str]:
    (lane,) = house.store.desk.lanes()
    return (lane.pause_code, lane.pause_reason) if lane.paused else ("", "")


def written_in(house: House) -> int:
    writes = ("POST", "PATCH", "PUT")
    return sum(
        call.method in writes and "/search" not in call.path and "oauth2" not in call.path
        for call in house.sandbox.seen
    )


class TestFirstContact:
    def test_the_ledger_remembers_the_account_it_is_written_to(self, house: House) -> None:
        house.pass_on(a_customer())
        assert house.store.accounts.of(DESTINATION) == CrmAccount(ids_of(house)[0], AccountKind.PRODUCTION)

    def test_a_sandbox_is_remembered_as_one(self, house: House, opening: ExitStack) -> None:
        open_elsewhere(house, opening).pass_on(a_customer())
        assert house.store.accounts.of(DESTINATION) == CrmAccount(ids_of(house)[1], AccountKind.SANDBOX)

    def test_the_same_account_after_a_restart_goes_on(self, house: House) -> None:
        house.pass_on(a_customer())
        restarted(house).pass_on(a_customer(city="Tucson"))
        assert (len(house.people()), house.person()["city"], pause(house)) == (1, "Tucson", ("", ""))

    def test_it_is_asked_for_once(self, house: House) -> None:
        for city in ("Mesa", "Tucson", "Yuma"):
            house.pass_on(a_customer(city=city))
        asked = [call for call in house.sandbox.seen if "account-info" in call.path or "Organization" in call.path]
        assert len(asked) == (1 if house.names is HUBSPOT else 0)

    def test_it_can_be_read_without_opening_the_store(self, house: House, ready_address: str) -> None:
        house.pass_on(a_customer())
        assert peek(ready_address) == {DESTINATION: house.store.accounts.of(DESTINATION)}


class TestAnotherAccount:
    def test_pauses_the_lane_before_anything_is_written_and_names_both(self, house: House, opening: ExitStack) -> None:
        house.pass_on(a_call(a_customer()))
        elsewhere = open_elsewhere(house, opening)
        ours, theirs = ids_of(house)
        (waiting,) = elsewhere.pass_on(a_call(a_customer(city="Tucson", doNotCall=True)))
        code, reason = pause(house)
        assert (code, written_in(elsewhere)) == ("another account", 0)
        assert f"{theirs} (sandbox)" in reason
        assert f"{ours} (production)" in reason
        assert "connector rebind -c agency.yaml --destination crm" in reason
        assert house.state(waiting) == ("ready", "")

    def test_nothing_is_looked_up_in_it(self, house: House, opening: ExitStack) -> None:
        house.pass_on(a_customer())
        elsewhere = open_elsewhere(house, opening)
        elsewhere.pass_on(a_call(a_customer(agentName="Priya Raman")))
        asked = [call.path for call in elsewhere.sandbox.seen]
        assert [path for path in asked if "account-info" not in path and "oauth2" not in path] == []

    def test_an_opt_out_waits_too(self, house: House, opening: ExitStack) -> None:
        house.pass_on(a_customer())
        elsewhere = open_elsewhere(house, opening)
        elsewhere.pass_on(a_customer(doNotCall=True))
        house.clock.forward(MINUTE)
        elsewhere.drain()
        (lane,) = house.store.opt_outs.standing()
        assert (lane.waiting, written_in(elsewhere)) == (1, 0)

    def test_the_former_credentials_go_on_where_it_stopped(self, house: House, opening: ExitStack) -> None:
        house.pass_on(a_customer())
        open_elsewhere(house, opening).pass_on(a_customer(doNotCall=True))
        house.clock.forward(MINUTE)
        restarted(house).drain()
        assert (raised(house.person()["no_call"]), pause(house)) == (True, ("", ""))


class TestAnAccountThatCannotBeRead:
    @pytest.fixture
    def hidden(self, house: House) -> House:
        if house.names is not HUBSPOT:
            pytest.skip("a login to Salesforce always names its org")
        house.sandbox.account_info = False
        return house

    def test_stops_nothing(self, hidden: House) -> None:
        hidden.pass_on(a_customer())
        assert (len(hidden.people()), hidden.store.accounts.of(DESTINATION)) == (1, None)

    def test_stops_nothing_even_if_it_was_known_before(self, hidden: House, opening: ExitStack) -> None:
        hidden.sandbox.account_info = True
        hidden.pass_on(a_customer())
        elsewhere = open_elsewhere(hidden, opening, account_info=False)
        elsewhere.pass_on(a_customer(city="Tucson"))
        assert (len(elsewhere.people()), pause(hidden)) == (1, ("", ""))

    def test_the_older_address_answers_where_the_newer_is_refused(self, house: House) -> None:
        if house.names is not HUBSPOT:
            pytest.skip("HubSpot alone has two addresses for it")
        house.sandbox.fault("/account-info", house.sandbox.refused(403, "MISSING_SCOPES"))
        house.pass_on(a_customer())
        assert house.store.accounts.of(DESTINATION) == CrmAccount(PORTAL, AccountKind.PRODUCTION)

    def test_a_gateway_that_fails_this_question_alone_only_delays_deliveries(self, house: House) -> None:
        if house.names is not HUBSPOT:
            pytest.skip("a login to Salesforce always names its org")
        for path in ("/account-info", "/integrations"):
            house.sandbox.fault(path, house.sandbox.html(502), times=1000)
        house.accept(a_customer())
        for _ in range(4):
            house.drain()
            house.clock.forward(MINUTE)
        house.drain()
        assert (len(house.people()), pause(house)) == (1, ("", ""))
