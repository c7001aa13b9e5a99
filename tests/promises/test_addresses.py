"""HubSpot opts addresses out, not people: the address a contact shows is opted out for as long as the flag stands."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from connector.delivery.route import Pace, Route, Running
from connector.delivery.turn import deliver
from connector.destinations import VENDORS
from connector.mapping import load, shipped_folder
from connector.store.tables import obligations
from tests.conftest import Clock
from tests.destinations.hubspot_fixtures import sandbox_and_destination
from tests.promises.stage import DESTINATION, HOLD, HOUR, LANE, ZONE, Stage, a_person, open_stage

OPTED_OUT = a_person("c-1", 1, email="old@example.com", doNotEmail=True)
NEW_ADDRESS = a_person("c-1", 2, email="new@example.com", doNotEmail=None)


class Portal:
    """The shipped HubSpot mapping between a real store and the sandbox."""

    def __init__(self, stage: Stage, sandbox: Any, destination: Any) -> None:
        self.stage, self.sandbox = stage, sandbox
        loaded = load(shipped_folder() / "hubspot.yaml", shipped=shipped_folder(), crms=VENDORS)
        assert loaded.mapping is not None
        self.route = Route(DESTINATION, destination, Running(loaded.mapping), ZONE)

    def drain(self) -> None:
        pace = Pace(400, HOLD, roll=lambda: 0.5)
        while lease := self.stage.lease():
            while deliver(self.stage.store, self.route, lease, pace):
                continue
            self.stage.store.lanes.release(lease)

    def state(self) -> str:
        (lane,) = [lane for lane in self.stage.store.opt_outs.standing() if lane.name == LANE]
        counts = {"refused": lane.refused, "waiting": lane.waiting, "no record": lane.no_record}
        return next((state for state, count in counts.items() if count), "applied")


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[Portal]:
    with (
        open_stage(f"sqlite:///{tmp_path}/connector.db", Clock()) as stage,
        sandbox_and_destination(index_lag=0.0) as (sandbox, destination),
    ):
        yield Portal(stage, sandbox, destination)


class TestTheAddressAContactShows:
    @pytest.mark.parametrize("apart", [True, False], ids=["apart", "together"])
    @pytest.mark.parametrize("order", list(itertools.permutations([OPTED_OUT, NEW_ADDRESS])), ids=["old", "new"])
    def test_is_opted_out_whatever_came_first(self, portal: Portal, order: Any, apart: bool) -> None:
        for number, payload in enumerate(order):
            portal.stage.accept(f"m{number}", payload)
            if apart:
                portal.drain()
        portal.drain()
        (contact,) = portal.sandbox.records("contacts")
        assert contact["email"] in portal.sandbox.opted_out
        assert portal.state() == "applied"

    def test_is_opted_out_where_its_event_and_the_opt_out_are_written_together(self, portal: Portal) -> None:
        opt_outs = [
            a_person("c-1", at, email=email, doNotEmail=True) for at, email in ((9, None), (1, "old@example.com"))
        ]
        for number, payload in enumerate([NEW_ADDRESS, *opt_outs]):
            portal.stage.accept(f"m{number}", payload)
        portal.drain()
        (contact,) = portal.sandbox.records("contacts")
        assert (contact["email"], contact["email"] in portal.sandbox.opted_out) == ("new@example.com", True)


class TestARefusedSubscription:
    def test_is_not_taken_for_applied_and_is_tried_again(self, portal: Portal) -> None:
        portal.stage.accept("m0", a_person("c-1", 0, email="old@example.com"))
        portal.drain()
        refused = portal.sandbox.refused(400, "VALIDATION_ERROR")
        portal.sandbox.fault("/communication-preferences", refused, times=99)
        portal.stage.accept("m1", OPTED_OUT)
        portal.drain()
        assert portal.state() == "refused"
        portal.sandbox.faults.clear()
        portal.stage.clock.forward(HOUR)
        portal.drain()
        assert (portal.state(), "old@example.com" in portal.sandbox.opted_out) == ("applied", True)

    def test_without_the_scope_everything_else_goes_on(self, portal: Portal) -> None:
        portal.sandbox.tokens[portal.sandbox.token] -= {"communication_preferences.read_write"}
        for number in range(25):
            changes = {"email": f"a{number}@example.com", "doNotEmail": True, "doNotCall": True}
            portal.stage.accept(f"m{number}", a_person(f"c-{number}", number, **changes))
        portal.drain()
        assert {portal.stage.state(f"m{number}")[0] for number in range(25)} == {"delivered"}
        assert portal.stage.lane().paused_until == 0
        with portal.stage.store.database.reading() as connection:
            rows = connection.execute(select(obligations.c.flag, obligations.c.state, obligations.c.code)).all()
        assert set(map(tuple, rows)) == {
            ("doNotCall", "applied", ""),
            ("doNotEmail", "refused", "UNSUBSCRIBE_SCOPE"),
        }
