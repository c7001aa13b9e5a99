"""Edited mappings take their place without a restart, and broken ones do not."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import pytest

from connector.delivery.reload import UNCHECKED, Watched, exposing, fingerprint
from connector.delivery.route import Route, Running
from connector.delivery.schemas import ASK_AGAIN, ASK_EVERY
from connector.destinations import VENDORS
from connector.destinations.base import Destination
from connector.errors import DestinationUnusable, PauseReason
from connector.mapping import load, shipped_folder
from connector.mapping.target import TargetObject, TargetSchema
from connector.settlement.listings import MappingStatus
from connector.store import Store
from tests.conftest import Clock
from tests.destinations import hubspot_fixtures

GOOD = "extends: hubspot\n"
OTHER = "extends: hubspot\nrecords: {contact: {fields: {remove: [state]}}}\n"
BROKEN = "extends: hubspot\nrecords: {contact: {fields: {city: customer.citty}}}\n"


class Crm:
    """A CRM that is asked for nothing but its schema; without one it is down."""

    def __init__(self) -> None:
        self.schema: TargetSchema | None = None
        self.asked = 0
        self.recalled: TargetSchema | None = None

    def account(self) -> None:
        return None

    def recall(self, kept: TargetSchema) -> None:
        self.recalled = kept

    def describe(self, objects: Iterable[str]) -> TargetSchema:
        self.asked += 1
        if self.schema is None:
            raise DestinationUnusable("HubSpot", PauseReason.OUTAGE, "down")
        return self.schema


class Edited:
    """A mapping file somebody edits while a route runs it."""

    def __init__(self, path: Path, store: Store, clock: Clock, text: str = GOOD) -> None:
        self.path, self.store, self.clock, self.start = path, store, clock, clock.now
        path.write_text(text)
        first = self.load()
        assert first.mapping is not None
        self.crm = Crm()
        self.route = Route("sunrise/crm", cast(Destination, self.crm), Running(first.mapping), "America/New_York")
        self.watched = Watched(self.route, self.load, fingerprint(first.files), store, self.passed, ask_at=ASK_EVERY)

    def passed(self) -> float:
        return (self.clock.now - self.start) / 1000

    def load(self, schema: TargetSchema | None = None, *, checked: bool = True) -> Any:
        return load(self.path, schema=schema, shipped=shipped_folder(), crms=VENDORS, checked=checked)

    def wait(self, seconds: float) -> None:
        self.clock.forward(int(seconds * 1000))

    def save(self, text: str) -> None:
        self.path.write_text(text)
        self.refresh()

    def refresh(self) -> None:
        self.watched.refresh()

    def told(self) -> MappingStatus:
        (row,) = self.store.mappings.all()
        return row


@pytest.fixture
def edited(tmp_path: Path, store: Store, clock: Clock) -> Edited:
    return Edited(tmp_path / "own.yaml", store, clock)


def portal(without: str = "") -> TargetSchema:
    """The sandbox portal's own schema."""
    with hubspot_fixtures.sandbox_and_destination() as (_, destination):
        schema = destination.describe(["contacts", "calls", "owners"])
    contacts = schema.objects["contacts"]
    kept = {name: field for name, field in contacts.fields.items() if name != without}
    return schema.model_copy(update={"objects": {**schema.objects, "contacts": TargetObject(fields=kept)}})


class TestReloading:
    def test_an_edited_mapping_takes_its_place(self, edited: Edited) -> None:
        before = edited.route.mapping.version
        edited.save(OTHER)
        assert edited.route.mapping.version != before
        assert edited.told().version == edited.route.mapping.version

    def test_a_broken_one_is_refused_and_the_last_good_one_runs_on(self, edited: Edited) -> None:
        before = edited.route.mapping
        edited.save(BROKEN)
        assert edited.route.mapping is before
        assert "own.yaml:2:" in edited.told().problem

    def test_mended_it_runs_and_the_refusal_is_forgotten(self, edited: Edited) -> None:
        edited.save(BROKEN)
        edited.save(OTHER)
        assert (edited.told().problem, edited.told().refused_at) == ("", None)

    def test_a_file_that_disappears_changes_nothing_but_is_told(self, edited: Edited) -> None:
        before = edited.route.mapping
        edited.path.unlink()
        edited.refresh()
        assert edited.route.mapping is before
        assert "cannot be read" in edited.told().problem

    def test_another_crms_mapping_is_refused(self, edited: Edited) -> None:
        edited.save("extends: salesforce-contact\n")
        assert "a restart is needed" in edited.told().problem

    def test_an_edit_that_does_not_fit_the_crm_is_refused(self, edited: Edited) -> None:
        before = edited.route.mapping
        edited.crm.schema = portal(without="city")
        edited.save(OTHER)
        assert edited.route.mapping is before
        assert "error[M201] contacts has no field 'city'" in edited.told().problem

    def test_what_the_crm_does_not_describe_any_more_is_kept_and_the_rest_is_checked(self, edited: Edited) -> None:
        edited.crm.schema = portal()
        edited.wait(ASK_EVERY)
        edited.refresh()
        changed = portal(without="city")
        there = {name: own for name, own in changed.objects.items() if name != "calls"}
        edited.crm.schema = changed.model_copy(update={"objects": there, "unread": {"calls": "refused"}})
        edited.wait(ASK_EVERY)
        edited.refresh()
        known, asked = edited.watched.schema.known, edited.crm.asked
        assert known is not None
        assert ("calls" in known.objects, known.unread, "M201" in edited.told().problem) == (True, {}, True)
        edited.wait(ASK_AGAIN)
        edited.refresh()
        assert edited.crm.asked == asked + 1

    def test_what_the_schema_warns_of_is_logged_once(self, edited: Edited, capsys: pytest.CaptureFixture[str]) -> None:
        edited.crm.schema = portal()
        edited.save(f"{GOOD}tables: {{stage: {{Lead: lead, Active: customer, Inactive: subscriber}}}}\n")
        edited.wait(ASK_EVERY)
        edited.refresh()
        logged = capsys.readouterr().out
        assert (logged.count("mapping doubtful"), logged.count("M214")) == (1, 1)

    def test_a_schema_that_changes_is_told_and_the_mapping_runs_on(self, edited: Edited) -> None:
        edited.crm.schema = portal(without="city")
        edited.wait(ASK_EVERY)
        edited.refresh()
        assert "M201" in edited.told().problem
        edited.crm.schema = portal()
        edited.wait(ASK_EVERY)
        edited.refresh()
        assert edited.told().problem == ""

    def test_the_crm_is_asked_seldom(self, edited: Edited) -> None:
        edited.crm.schema = portal()
        edited.wait(ASK_EVERY)
        for _ in range(3):
            edited.refresh()
        assert edited.crm.asked == 1

    def test_an_unchanged_file_is_not_loaded_again(self, edited: Edited) -> None:
        edited.save(OTHER)
        running = edited.route.mapping
        edited.refresh()
        assert edited.route.mapping is running


class Noting(Route):
    """A route that notes what was put in place, assignment by assignment."""

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == "running":
            self.__dict__.setdefault("noted", []).append((value.mapping.version, value.barred))


class TestTheSwap:
    @pytest.mark.parametrize(("before", "after"), [(0, 1), (1, 0)])
    def test_puts_a_mapping_in_place_together_with_its_own_bar(
        self, tmp_path: Path, store: Store, clock: Clock, before: int, after: int
    ) -> None:
        texts, bars = (GOOD, HIDDEN), (None, UNCHECKED)
        edited = Edited(tmp_path / "own.yaml", store, clock, texts[before])
        route = Noting("sunrise/crm", edited.route.destination, Running(edited.route.mapping, bars[before]), "UTC")
        edited.watched.route = route
        edited.save(texts[after])
        assert vars(route)["noted"][1:] == [(edited.load().mapping.version, bars[after])]


MBI = "extends: hubspot\nrecords: {contact: {fields: {%s: customer.mbiNumber}}}\n"
HIDDEN, PLAIN, ACCEPTED = (
    MBI % "carecycle_mbi",
    MBI % "jobtitle",
    MBI.replace("customer.mbiNumber", "{from: customer.mbiNumber, sensitive: accepted}") % "jobtitle",
)


def running(tmp_path: Path, store: Store, clock: Clock, text: str) -> Edited:
    """A process that starts on this mapping."""
    edited = Edited(tmp_path / "own.yaml", store, clock, text)
    edited.watched.ask_at = 0.0
    edited.route.running = Running(edited.route.mapping, UNCHECKED if exposing(edited.load()) else None)
    return edited


def reason(edited: Edited) -> str:
    assert edited.route.running.barred is not None
    return edited.route.running.barred.problem


class TestHealthInformation:
    def test_nothing_is_sent_before_the_crm_told_what_is_sensitive(
        self, tmp_path: Path, store: Store, clock: Clock
    ) -> None:
        edited = running(tmp_path, store, clock, HIDDEN)
        edited.refresh()
        assert "has not yet confirmed" in reason(edited)

    def test_a_sensitive_property_may_have_it(self, tmp_path: Path, store: Store, clock: Clock) -> None:
        edited = running(tmp_path, store, clock, HIDDEN)
        edited.crm.schema = portal()
        edited.refresh()
        assert edited.route.running.barred is None

    def test_an_outage_afterwards_holds_nothing_up(self, tmp_path: Path, store: Store, clock: Clock) -> None:
        edited = running(tmp_path, store, clock, HIDDEN)
        edited.crm.schema = portal()
        edited.refresh()
        edited.crm.schema = None
        edited.wait(ASK_EVERY)
        edited.refresh()
        assert edited.route.running.barred is None

    def test_a_plain_property_may_not_and_the_reason_says_what_to_do(
        self, tmp_path: Path, store: Store, clock: Clock
    ) -> None:
        edited = running(tmp_path, store, clock, PLAIN)
        edited.crm.schema = portal()
        edited.refresh()
        assert "customer.mbiNumber is health information and contacts.jobtitle is not marked" in reason(edited)
        assert "sensitive: accepted" in reason(edited)

    def test_an_outage_afterwards_lifts_no_bar(self, tmp_path: Path, store: Store, clock: Clock) -> None:
        edited = running(tmp_path, store, clock, PLAIN)
        edited.crm.schema = portal()
        edited.refresh()
        edited.crm.schema = None
        edited.wait(ASK_EVERY)
        edited.refresh()
        assert "jobtitle" in reason(edited)

    @pytest.mark.parametrize("text", [ACCEPTED, GOOD, HIDDEN])
    def test_an_edit_that_mends_it_frees_it(self, tmp_path: Path, store: Store, clock: Clock, text: str) -> None:
        edited = running(tmp_path, store, clock, PLAIN)
        edited.crm.schema = portal()
        edited.refresh()
        edited.save(text)
        assert edited.route.running.barred is None
        assert edited.told().problem == ""

    def test_a_portal_that_is_changed_is_noticed_within_a_minute(
        self, tmp_path: Path, store: Store, clock: Clock
    ) -> None:
        edited = running(tmp_path, store, clock, HIDDEN)
        edited.crm.schema = portal(without="carecycle_mbi")
        edited.refresh()
        assert edited.route.running.barred is not None
        edited.crm.schema = portal()
        edited.wait(ASK_AGAIN)
        edited.refresh()
        assert edited.route.running.barred is None

    def test_an_edit_that_is_refused_bars_nothing(self, edited: Edited) -> None:
        edited.crm.schema = portal()
        edited.save(PLAIN)
        assert edited.route.running.barred is None
        assert "M210" in edited.told().problem

    def test_an_edit_nobody_could_check_is_barred_until_it_is(self, edited: Edited) -> None:
        edited.save(HIDDEN)
        assert edited.route.running.barred is UNCHECKED
        edited.crm.schema = portal()
        edited.wait(ASK_AGAIN)
        edited.refresh()
        assert edited.route.running.barred is None

    def test_on_a_call_nothing_is_sensitive(self, tmp_path: Path, store: Store, clock: Clock) -> None:
        text = "extends: hubspot\nrecords: {call: {fields: {hs_call_body: call.summary}}}\n"
        edited = running(tmp_path, store, clock, text)
        edited.crm.schema = portal()
        edited.refresh()
        assert "calls.hs_call_body is not marked sensitive" in reason(edited)
