"""A destination's ledger belongs to one CRM account: another one behind it is noticed before anything is written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from connector.crm import AccountKind, CrmAccount
from connector.delivery.route import Route, Running
from connector.errors import StateChanged
from connector.mapping import shipped_folder
from connector.running.bootstrap import load_mapping
from connector.store import Store
from connector.store.accounts import peek
from connector.store.desk import Filter
from connector.store.opt_outs import Period
from connector.store.rebinding import Move
from tests.builders import CUSTOMER, NOON, a_call, a_customer
from tests.conftest import Clock
from tests.contracts.test_pipeline import DESTINATION, HUBSPOT, LANE, SALESFORCE, House, raised
from tests.contracts.test_pipeline import house as house
from tests.destinations import hubspot_fixtures, salesforce_fixtures

ORG, SANDBOX_ORG = "00DHs0000000001MAA", "00DHs0000000002MAA"
PORTAL, TEST_PORTAL = "12345678", "87654321"
MINUTE = 60_000
LATER, LATEST = "2026-06-18T13:00:00.000Z", "2026-06-18T14:00:00.000Z"


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
    writes = [call for call in house.sandbox.seen if call.method in ("POST", "PATCH", "PUT") and call.status < 400]
    return sum("/search" not in call.path and "oauth2" not in call.path for call in writes)


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

    def test_where_its_records_are_seen_is_learned_later_and_of_itself_alone(self, store: Store) -> None:
        def met(id: str, pages: str) -> str:
            store.accounts.meet(DESTINATION, CrmAccount(id, pages=pages))
            known = store.accounts.of(DESTINATION)
            assert known == CrmAccount("1")
            return known.pages if known else ""

        learned = [met("1", ""), met("1", "app.hubspot.com"), met("1", "app-eu1.hubspot.com"), met("1", "")]
        assert learned == ["", "app.hubspot.com", "app-eu1.hubspot.com", "app-eu1.hubspot.com"]
        assert met("2", "app.hubspot.com") == "app-eu1.hubspot.com"

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


def rebind(house: House) -> Move:
    """Move the destination to the account that this house reaches, as the command does."""
    account, former = house.route.destination.account(), house.store.accounts.of(DESTINATION)
    assert account
    assert former
    move = house.store.rebinding.plan(DESTINATION, account, former)
    house.store.rebinding.run(move, "ana")
    return move


def opt_outs(house: House) -> list[tuple[str, str]]:
    """Where each opt-out is, as compliance reads it."""
    period = Period(NOON - 1, house.clock() + 1)
    return [(opt_out.destination, opt_out.status) for opt_out in house.store.opt_outs.report(period)]


class TestMovingToAnotherAccount:
    def test_everything_is_written_to_the_new_account_and_nothing_more_to_the_former(
        self, house: House, opening: ExitStack
    ) -> None:
        house.pass_on(a_call(a_customer()))
        elsewhere = open_elsewhere(house, opening)
        elsewhere.pass_on(a_customer(city="Tucson"))
        before = written_in(house)
        rebind(elsewhere)
        elsewhere.drain()
        assert (elsewhere.person()["city"], elsewhere.person()["state"], pause(house)) == ("Tucson", "AZ", ("", ""))
        assert written_in(house) == before

    def test_what_an_event_leaves_unchanged_is_written_too(self, house: House, opening: ExitStack) -> None:
        (first,) = house.pass_on(a_customer())
        elsewhere = open_elsewhere(house, opening)
        rebind(elsewhere)
        house.store.desk.replay(Filter(message_id=first, state="delivered"), "ana")
        elsewhere.drain()
        assert elsewhere.person()["state"] == "AZ"

    def test_the_plan_counts_what_changes_and_changes_nothing(self, house: House, opening: ExitStack) -> None:
        house.pass_on(a_call(a_customer(doNotCall=True)))
        elsewhere = open_elsewhere(house, opening)
        elsewhere.accept(a_customer(city="Tucson"))
        ours, theirs = house.store.accounts.of(DESTINATION), elsewhere.route.destination.account()
        assert ours
        assert theirs
        move = house.store.rebinding.plan(DESTINATION, theirs, ours)
        assert move == Move(DESTINATION, ours, theirs, kept=2, brought_back=0, owed_again=1, waiting=1)
        assert house.store.accounts.of(DESTINATION) == ours

    @pytest.mark.slow
    def test_an_opt_out_is_owed_to_the_new_account_and_proven_for_both(self, house: House, opening: ExitStack) -> None:
        house.pass_on(a_customer(doNotCall=True))
        elsewhere = open_elsewhere(house, opening)
        rebind(elsewhere)
        former = f"{DESTINATION}@{ids_of(house)[0]}"
        elsewhere.drain()
        assert opt_outs(house) == [(DESTINATION, "no record"), (former, "applied")]
        elsewhere.pass_on(a_customer(city="Tucson", updatedAt=LATER))
        assert raised(elsewhere.person()["no_call"])
        assert opt_outs(house) == [(DESTINATION, "applied"), (former, "applied")]

    def test_an_opt_out_lowered_since_is_not_raised_in_the_new_account(self, house: House, opening: ExitStack) -> None:
        house.pass_on(a_customer(doNotCall=True))
        house.pass_on(a_customer(doNotCall=False, updatedAt=LATER))
        elsewhere = open_elsewhere(house, opening)
        rebind(elsewhere)
        elsewhere.pass_on(a_customer(doNotCall=False, city="Tucson", updatedAt=LATEST))
        assert not raised(elsewhere.person()["no_call"])

    @pytest.mark.slow
    def test_moving_back_brings_the_former_ledger_back(self, house: House, opening: ExitStack) -> None:
        house.pass_on(a_customer())
        elsewhere = open_elsewhere(house, opening)
        rebind(elsewhere)
        elsewhere.pass_on(a_customer(city="Tucson", updatedAt=LATER))
        back = restarted(house)
        assert rebind(back).brought_back == 1
        back.pass_on(a_customer(city="Yuma", updatedAt=LATEST))
        assert (len(back.people()), back.person()["city"]) == (1, "Yuma")
        assert elsewhere.person()["city"] == "Tucson"
        (served,) = house.store.trail.records(CUSTOMER)
        (kept,) = house.store.ledger.records_of(f"{DESTINATION}@{ids_of(house)[1]}", [CUSTOMER])
        assert (served.entry.crm_id, kept.crm_id) == (back.person()["id"], elsewhere.person()["id"])

    def test_an_opt_out_of_meanwhile_reaches_the_account_moved_back_to(self, house: House, opening: ExitStack) -> None:
        house.pass_on(a_customer())
        elsewhere = open_elsewhere(house, opening)
        rebind(elsewhere)
        elsewhere.pass_on(a_customer(doNotCall=True, updatedAt=LATER))
        back = restarted(house)
        rebind(back)
        back.drain()
        assert raised(back.person()["no_call"])

    def test_a_lane_that_is_being_delivered_is_not_taken_away(self, house: House, opening: ExitStack) -> None:
        house.pass_on(a_customer())
        elsewhere = open_elsewhere(house, opening)
        house.accept(a_customer(city="Tucson"))
        assert house.lease()
        with pytest.raises(StateChanged, match="delivered right now"):
            rebind(elsewhere)
        ours = house.store.accounts.of(DESTINATION)
        assert (ours and ours.id, len(house.store.trail.records(CUSTOMER))) == (ids_of(house)[0], 1)

    def test_a_lane_paused_by_hand_stays_paused(self, house: House, opening: ExitStack) -> None:
        house.pass_on(a_customer())
        house.store.desk.pause(LANE, "ana")
        rebind(open_elsewhere(house, opening))
        assert pause(house)[0] == "operator"

    def test_a_worker_that_still_has_the_former_credentials_writes_nothing(
        self, house: House, opening: ExitStack
    ) -> None:
        house.pass_on(a_customer())
        rebind(open_elsewhere(house, opening))
        before = written_in(house)
        house.pass_on(a_customer(city="Tucson"))
        assert (written_in(house), pause(house)[0]) == (before, "another account")

    def test_is_audited_with_both_accounts(self, house: House, opening: ExitStack) -> None:
        house.pass_on(a_customer())
        rebind(open_elsewhere(house, opening))
        (entry,) = house.store.audit.entries()
        ours, theirs = ids_of(house)
        assert (entry.action, entry.thing) == (
            "rebind",
            f"{DESTINATION}: from {ours} (production) to {theirs} (sandbox)",
        )

    def test_a_forgotten_customer_is_forgotten_in_every_ledger(self, house: House, opening: ExitStack) -> None:
        house.pass_on(a_customer())
        elsewhere = open_elsewhere(house, opening)
        rebind(elsewhere)
        elsewhere.pass_on(a_customer(city="Tucson"))
        held = house.store.forget.run(CUSTOMER, "ana")
        assert {destination for destination, _, _ in held.crm_records} == {
            DESTINATION,
            f"{DESTINATION}@{ids_of(house)[0]}",
        }
        assert held.ledger == 2


class TestAnOrgThatIsReplaced:
    """The refresh of a Salesforce sandbox: the same credentials lead to another org from one login to the next."""

    @pytest.fixture
    def house(self, store: Store, clock: Clock, opening: ExitStack) -> House:
        store.lanes.open({LANE: DESTINATION})
        auth = salesforce_fixtures.client_credentials()
        sandbox, destination = opening.enter_context(salesforce_fixtures.sandbox_and_destination(auth))
        mapping = load_mapping(shipped_folder() / "salesforce-contact.yaml")
        route = Route(DESTINATION, destination, Running(mapping), "America/New_York")
        return House(store, clock, sandbox, route, SALESFORCE)

    def test_in_the_middle_of_a_batch_stops_before_the_next_write(self, house: House) -> None:
        house.pass_on(a_customer())
        house.sandbox.refresh(SANDBOX_ORG)
        before = written_in(house)
        house.pass_on(a_customer(city="Tucson"))
        assert (pause(house)[0], written_in(house)) == ("another account", before)
        house.clock.forward(MINUTE)
        house.drain()
        assert SANDBOX_ORG in pause(house)[1]
        assert house.sandbox.records("Contact")[0]["MailingCity"] is None

    def test_is_served_after_moving_to_it_without_a_restart(self, house: House) -> None:
        house.pass_on(a_customer())
        house.sandbox.refresh(SANDBOX_ORG)
        house.pass_on(a_customer(city="Tucson"))
        rebind(house)
        house.drain()
        assert (house.person()["city"], pause(house)) == ("Tucson", ("", ""))
