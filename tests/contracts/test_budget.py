"""The budget of API calls from the inbox to the CRM, on both databases and into both sandboxes over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connector.backoff import DAY, HOUR
from connector.delivery.budget import Allowance, Budget
from connector.delivery.route import Route, Running
from connector.mapping import shipped_folder
from connector.running.bootstrap import load_mapping, open_route
from connector.running.config import read_agencies
from connector.sandbox.hubspot.limits import Tier
from connector.sandbox.salesforce import CLIENT, SalesforceSandbox
from connector.settlement.listings import CallsToday, LaneStatus
from connector.store import Store
from connector.store.desk import Filter
from connector.store.usage import Report
from connector.web.health import create_admin
from tests.builders import NOON, SECRET, a_call, a_customer
from tests.conftest import Clock
from tests.contracts.test_pipeline import DESTINATION, HUBSPOT, LANE, SALESFORCE, House, raised
from tests.destinations import hubspot_fixtures, salesforce_fixtures
from tests.web.conftest import metrics

LATER = "2026-06-18T13:00:00.000Z"


class Metered(House):
    """A house whose calls are counted."""

    def allow(self, calls: int | None, *, limit: int = 1_000) -> None:
        """Let it make so many calls of the day's; None for all."""
        midnight = self.names is HUBSPOT
        share = None if calls is None else calls / limit
        self.route.budget.allowance = Allowance(share, limit, "America/Phoenix" if midnight else "")

    def lane(self) -> LaneStatus:
        (lane,) = self.store.desk.lanes()
        return lane

    def ready(self, message_id: str) -> tuple[str, int]:
        (delivery,) = self.store.desk.deliveries(Filter(message_id=message_id))
        return delivery.state, delivery.attempts

    def use_up(self, calls: int) -> None:
        """Other programs make so many calls."""
        if self.names is HUBSPOT:
            self.sandbox.meter.day.times.extend([self.sandbox.clock()] * calls)
        else:
            self.sandbox.used += calls

    def drain_at(self, later: int, *payloads: Any) -> None:
        self.clock.forward(later)
        self.pass_on(*payloads)

    def restart(self) -> None:
        """A new process: what was counted in memory is gone."""
        self.route.budget = self.counting(self.route.budget.allowance)

    def counting(self, allowance: Allowance) -> Budget:
        self.budget = Budget(DESTINATION, allowance)
        return self.budget

    def called(self, method: str, path: str, status: int, duration_ms: float) -> None:
        self.budget.called()


@pytest.fixture(params=["salesforce", "hubspot"])
def house(request: pytest.FixtureRequest, store: Store, clock: Clock) -> Iterator[Metered]:
    store.lanes.open({LANE: DESTINATION})
    house: list[Metered] = []

    def on_call(*told: Any) -> None:
        house[0].called(*told)

    if request.param == "salesforce":
        opened: Any = salesforce_fixtures.sandbox_and_destination(options={"on_call": on_call}, daily_limit=1_000)
        shipped, names = "salesforce-contact", SALESFORCE
    else:
        opened = hubspot_fixtures.sandbox_and_destination(on_call=on_call, tier=Tier(daily=1_000))
        shipped, names = "hubspot", HUBSPOT
    mapping = load_mapping(shipped_folder() / f"{shipped}.yaml")
    with opened as (sandbox, destination):
        route = Route(DESTINATION, destination, Running(mapping), "America/New_York")
        house.append(Metered(store, clock, sandbox, route, names))
        house[0].restart()
        destination.account()  # asked once in a process
        house[0].restart()
        sandbox.seen.clear()
        if names is HUBSPOT:
            sandbox.meter.day.times.clear()
        house[0].allow(None)
        yield house[0]


class TestCounting:
    def test_every_call_is_counted_and_what_the_crm_says_is_kept(self, house: Metered) -> None:
        house.pass_on(a_customer(), a_call(a_customer()))
        (calls,) = house.store.usage.all()
        made = len(house.sandbox.calls())
        assert calls == CallsToday(DESTINATION, calls.used, 1_000, NOON, made)
        assert 0 < (calls.used or 0) <= made

    def test_what_raises_an_opt_out_in_a_paused_lane_is_counted_at_once(self, house: Metered) -> None:
        house.pass_on(a_customer())
        house.store.desk.pause(LANE, "ana")
        house.pass_on(a_customer(doNotCall=True, updatedAt=LATER))
        (calls,) = house.store.usage.all()
        assert calls.ours == len(house.sandbox.calls())

    def test_a_batch_without_a_call_counts_none(self, house: Metered) -> None:
        house.pass_on(a_customer(testCustomer=True))
        assert house.store.usage.all() == []


class TestTheBudget:
    def test_reached_in_the_middle_of_a_batch_the_rest_waits_untried(self, house: Metered) -> None:
        house.allow(1)
        person, call = house.pass_on(a_customer(), a_call(None))
        assert (len(house.people()), len(house.calls())) == (1, 0)
        assert house.state(person)[0] == "delivered"
        assert house.ready(call) == ("ready", 0)

    def test_the_pause_names_the_figure_and_when_it_goes_on(self, house: Metered) -> None:
        house.allow(1)
        house.pass_on(a_customer(), a_call(None))
        assert house.lane().pause_code == "budget"
        assert "of 1 calls, 0.1 % of 1,000" in house.lane().pause_reason
        assert "goes on 2026-06-19" in house.lane().pause_reason

    def test_the_day_turns_over_and_the_rest_goes_out(self, house: Metered) -> None:
        house.allow(1)
        _, call = house.pass_on(a_customer(), a_call(None))
        house.allow(20)
        house.clock.forward(DAY + HOUR)
        house.drain()
        assert house.state(call) == ("delivered", "")
        assert not house.lane().paused

    def test_a_restart_does_not_forget_the_day(self, house: Metered) -> None:
        house.pass_on(a_customer())
        house.restart()
        house.allow(1)
        before = len(house.sandbox.calls())
        (waiting,) = house.pass_on(a_call(None))
        assert (house.ready(waiting), len(house.sandbox.calls())) == (("ready", 0), before)

    def test_an_account_nearly_used_up_by_others_stops_us_too(self, house: Metered) -> None:
        house.pass_on(a_customer())
        house.use_up(955)
        (first,) = house.pass_on(a_customer(city="Yuma", updatedAt=LATER))
        (second,) = house.pass_on(a_call(None))
        assert house.state(first)[0] == "delivered"
        assert house.ready(second) == ("ready", 0)
        assert "of 1,000 by all programs" in house.lane().pause_reason


class TestOptOutsWhileWaiting:
    @pytest.fixture
    def waiting(self, house: Metered) -> Metered:
        """A customer is known, and the budget is used up."""
        house.pass_on(a_customer())
        house.allow(1)
        house.pass_on(a_call(None))
        assert house.lane().pause_code == "budget"
        return house

    def test_an_opt_out_goes_out_at_once_and_alone(self, waiting: Metered) -> None:
        (message_id,) = waiting.pass_on(a_customer(doNotCall=True, city="Yuma", updatedAt=LATER))
        assert raised(waiting.person()["no_call"])
        assert waiting.person()["city"] != "Yuma"
        assert waiting.ready(message_id) == ("ready", 0)

    def test_many_of_them_cost_few_calls(self, waiting: Metered) -> None:
        waiting.allow(None)
        waiting.drain_at(DAY + HOUR, *(a_customer(id=f"c-{n}", email=f"c{n}@example.com") for n in range(60)))
        waiting.allow(1)
        waiting.pass_on(a_call(None, id="2ca4a483-af54-4899-a804-766ee5812537"))
        before = len(waiting.sandbox.calls())
        later = "2026-06-21T00:00:00.000Z"
        waiting.pass_on(
            *(a_customer(id=f"c-{n}", email=f"c{n}@example.com", doNotCall=True, updatedAt=later) for n in range(60))
        )
        assert sum(raised(one["no_call"]) for one in waiting.people()) == 60
        assert len(waiting.sandbox.calls()) - before <= 3

    def test_it_no_longer_counts_as_an_opt_out_that_waits(self, waiting: Metered) -> None:
        waiting.pass_on(a_customer(doNotCall=True, updatedAt=LATER))
        assert (waiting.lane().opt_outs, waiting.lane().opt_out_ms) == (0, None)

    def test_it_is_not_sent_again_while_the_lane_waits(self, waiting: Metered) -> None:
        waiting.pass_on(a_customer(doNotCall=True, updatedAt=LATER))
        before = len(waiting.sandbox.calls())
        waiting.clock.forward(HOUR)
        waiting.drain()
        assert len(waiting.sandbox.calls()) == before

    def test_the_rest_of_it_follows_when_there_is_room(self, waiting: Metered) -> None:
        (message_id,) = waiting.pass_on(a_customer(doNotCall=True, city="Yuma", updatedAt=LATER))
        waiting.allow(20)
        waiting.clock.forward(DAY + HOUR)
        waiting.drain()
        assert (waiting.person()["city"], waiting.state(message_id)) == ("Yuma", ("delivered", ""))
        assert raised(waiting.person()["no_call"])

    def test_nobody_new_is_made_by_it(self, waiting: Metered) -> None:
        waiting.pass_on(a_customer(id="c-2", email="new@example.com", doNotCall=True))
        assert len(waiting.people()) == 1

    def test_a_crm_that_fails_meanwhile_is_not_asked_without_end(self, waiting: Metered) -> None:
        waiting.sandbox.fault("", waiting.sandbox.refuse, times=1_000)
        (message_id,) = waiting.pass_on(a_customer(doNotCall=True, updatedAt=LATER))
        assert waiting.ready(message_id) == ("ready", 0)
        waiting.sandbox.faults.clear()
        waiting.clock.forward(2 * 60_000)
        waiting.drain()
        assert raised(waiting.person()["no_call"])

    def test_an_operators_pause_does_not_hold_them_either(self, waiting: Metered) -> None:
        waiting.store.desk.pause(LANE, "ana")
        waiting.pass_on(a_customer(doNotCall=True, updatedAt=LATER))
        assert raised(waiting.person()["no_call"])

    @pytest.mark.slow
    def test_the_worker_wakes_for_an_opt_out_and_for_nothing_else(self, waiting: Metered) -> None:
        assert waiting.store.lanes.next_due_ms([LANE], 10_000) == 10_000
        waiting.accept(a_customer(doNotCall=True, updatedAt=LATER))
        assert waiting.store.lanes.next_due_ms([LANE], 10_000) == 0


class TestAsTheAgencyFileSays:
    AUTH = f"{{flow: client_credentials, client_id: {CLIENT[0]}, client_secret: {CLIENT[1]}, domain: youragency.my}}"

    def opened(self, folder: Path, settings: str) -> Route:
        file = folder / "agency.yaml"
        text = "agency: sunrise\nwebhook: {secrets: ['${HOOK}']}\ntimezone: America/Phoenix\n"
        file.write_text(f"{text}destinations: {{crm: {{{settings}}}}}\n")
        (agency,) = read_agencies([file], {"HOOK": SECRET, "TOKEN": "t"})
        return open_route(agency, "crm")

    def test_hubspots_day_ends_at_midnight_and_its_limit_may_be_given(self, tmp_path: Path) -> None:
        hubspot = "mapping: hubspot, auth: {access_token: '${TOKEN}'}, budget: 20%"
        assert self.opened(tmp_path, hubspot).budget.allowance == Allowance(0.2, 250_000, "America/Phoenix")
        given = self.opened(tmp_path, f"{hubspot}, daily_limit: 625000")
        assert given.budget.allowance == Allowance(0.2, 625_000, "America/Phoenix")

    def test_salesforces_day_is_the_last_24_hours_and_a_login_is_no_call(self, tmp_path: Path, store: Store) -> None:
        with SalesforceSandbox() as url:
            settings = f"mapping: salesforce-contact, auth: {self.AUTH}, endpoint: '{url}', budget: 5 %"
            route = self.opened(tmp_path, settings)
            route.destination.describe(["Contact"])
            route.budget.keep(store.usage, route.destination.usage, NOON)
            route.destination.close()
        assert route.budget.allowance == Allowance(0.05, None, "")
        assert store.usage.all() == [CallsToday("sunrise/crm", 1, 100_000, NOON, 1)]

    def test_the_figures_are_metrics(self, store: Store) -> None:
        store.usage.add("sunrise/crm", 7, Report(120, 1_000, NOON), NOON, NOON - DAY)
        page = metrics(create_admin(store).test_client())
        for name, value in (("used", 120), ("limit", 1_000), ("ours", 7)):
            assert f'connector_crm_calls_{name}{{destination="sunrise/crm"}} {value}.0' in page
