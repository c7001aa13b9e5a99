"""HubSpot opts addresses out, not people: the address a contact shows is opted out for as long as the flag stands."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from connector.delivery.deliver import deliver_batch
from connector.delivery.paying import pay
from connector.delivery.route import Pace, Route, Running
from connector.delivery.turn import deliver
from connector.destinations import VENDORS
from connector.mapping import load, shipped_folder
from connector.store.consent_tables import obligations
from tests.conftest import Clock
from tests.destinations.hubspot_fixtures import sandbox_and_destination
from tests.promises.accounts import UNLIMITED
from tests.promises.stage import DESTINATION, HOLD, HOUR, LANE, ZONE, Stage, a_person, compiled, open_stage

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
        sandbox_and_destination(index_lag=0.0, tier=UNLIMITED) as (sandbox, destination),
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


NO_ADDRESS = a_person("c-1", 3, email=None, doNotEmail=True)
BY_HAND = "by.hand@example.com"
BY_PHONE = """\
version: 1
extends: hubspot
records:
  contact:
    also_match:
      - { phone: customer.phoneNumber, firstname: customer.firstName, lastname: customer.lastName }
"""
DAY = 24 * HOUR


class TestAnOptOutWithoutAnAddress:
    def test_opts_out_the_address_of_a_contact_that_it_adopts(self, portal: Portal) -> None:
        portal.route.running = Running(compiled(BY_PHONE))
        portal.sandbox.put("contacts", firstname="Marcus", lastname="Delacroix", phone="+13128471928", email=BY_HAND)
        portal.stage.accept("m0", NO_ADDRESS)
        portal.drain()
        (contact,) = portal.sandbox.records("contacts")
        assert (contact.get("carecycle_id"), portal.sandbox.opted_out) == ("c-1", {BY_HAND})

    def test_opts_out_the_address_where_it_comes_while_others_are_written(self, portal: Portal) -> None:
        portal.stage.accept("m0", a_person("c-1", 0, email="old@example.com"))
        portal.drain()
        portal.stage.accept("other", a_person("c-2", 0, email=None))
        lease = portal.stage.lease()
        assert lease is not None
        pace = Pace(400, HOLD, roll=lambda: 0.5)
        assert pay(portal.stage.store, portal.route, lease, pace)
        portal.stage.accept("m1", NO_ADDRESS)
        deliver_batch(portal.stage.store, portal.route, lease, pace)
        portal.stage.store.lanes.release(lease)
        portal.drain()
        assert portal.sandbox.opted_out == {"old@example.com"}

    def test_opts_out_an_address_that_somebody_enters_later(self, portal: Portal) -> None:
        portal.stage.accept("m0", NO_ADDRESS)
        portal.drain()
        (contact,) = portal.sandbox.records("contacts")
        portal.sandbox.change("contacts", contact["id"], email=BY_HAND)
        portal.stage.clock.forward(DAY + HOUR)
        portal.drain()
        assert portal.sandbox.opted_out == {BY_HAND}

    def test_opts_out_every_address_of_a_contact(self, portal: Portal) -> None:
        portal.stage.accept("m0", a_person("c-1", 0, email="old@example.com"))
        portal.drain()
        (contact,) = portal.sandbox.records("contacts")
        other = portal.sandbox.put("contacts", lastname="Delacroix", email=BY_HAND)
        portal.sandbox.merge("contacts", other, contact["id"])
        portal.stage.accept("m1", NO_ADDRESS)
        portal.drain()
        assert portal.sandbox.opted_out == {"old@example.com", BY_HAND}

    def test_looks_once_a_day_with_two_calls_for_a_hundred_people(self, portal: Portal) -> None:
        for number in range(30):
            changes = {"email": f"a{number}@example.com", "doNotEmail": True}
            portal.stage.accept(f"m{number}", a_person(f"c-{number}", number, **changes))
        portal.drain()
        before = len(portal.sandbox.seen)
        portal.stage.clock.forward(DAY + HOUR)
        portal.drain()
        assert [seen.path for seen in portal.sandbox.seen[before:]] == ["/crm/objects/2026-03/contacts/batch/read"] * 2

    def test_is_not_looked_for_once_the_customer_wants_emails_again(self, portal: Portal) -> None:
        portal.stage.accept("m0", NO_ADDRESS)
        portal.drain()
        portal.stage.accept("m1", a_person("c-1", 5, email=None, doNotEmail=False))
        portal.drain()
        (contact,) = portal.sandbox.records("contacts")
        portal.sandbox.change("contacts", contact["id"], email=BY_HAND)
        portal.stage.clock.forward(3 * DAY)
        portal.drain()
        assert portal.sandbox.opted_out == set()

    @pytest.mark.slow
    @pytest.mark.parametrize("ours", ["wins", "loses"])
    @pytest.mark.parametrize("apart", [True, False], ids=["apart", "together"])
    def test_leaves_no_address_of_the_customer_subscribed(self, portal: Portal, apart: bool, ours: str) -> None:
        orders = list(itertools.permutations(["without", "with", "by hand", "merged"]))
        lives = [Life(portal, f"c-{number}", loses=ours == "loses") for number in range(len(orders))]
        portal.drain()
        for steps in zip(*orders, strict=True):
            for life, step in zip(lives, steps, strict=True):
                life.do(step)
            if apart:
                portal.drain()
        portal.drain()
        portal.stage.clock.forward(DAY + HOUR)
        portal.drain()
        left = {order: life.shown() - portal.sandbox.opted_out for order, life in zip(orders, lives, strict=True)}
        assert {order: addresses for order, addresses in left.items() if addresses} == {}
        assert all(life.shown() for life in lives)


class Life:
    """A customer with a contact, to whom things happen."""

    def __init__(self, portal: Portal, customer: str, *, loses: bool) -> None:
        self.portal, self.customer, self.loses = portal, customer, loses
        self.id = portal.sandbox.put("contacts", lastname="Ng", carecycle_id=customer)
        self.accept(0, email=None)

    def accept(self, at: int, **changes: Any) -> None:
        own = {"firstName": self.customer, "lastName": "Ng", "phoneNumber": f"+1312847{self.customer[2:]:0>4}"}
        self.portal.stage.accept(f"{self.customer}-{at}", a_person(self.customer, at, **own, **changes))

    def do(self, step: str) -> None:
        match step:
            case "without":
                self.accept(3, email=None, doNotEmail=True)
            case "with":
                self.accept(4, email=f"own.{self.customer}@example.com", doNotEmail=None)
            case "by hand":
                self.portal.sandbox.change("contacts", self.id, email=f"hand.{self.customer}@example.com")
            case _:
                pair = (
                    self.portal.sandbox.put("contacts", lastname="Ng", email=f"m.{self.customer}@example.com"),
                    self.id,
                )
                self.id = self.portal.sandbox.merge("contacts", *(reversed(pair) if self.loses else pair))

    def shown(self) -> set[str]:
        """Every address of the contact."""
        (own,) = (one for one in self.portal.sandbox.records("contacts") if one["id"] == self.id)
        return set(filter(None, [own.get("email"), *own.get("hs_additional_emails", "").split(";")]))
