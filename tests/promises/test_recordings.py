"""The recording of a call comes after the call: it is asked for within an hour, and written like any other field."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from connector.delivery.route import Route, Running
from connector.running.recordings import LONG_REST, REST, RecordingWatch
from connector.sandbox.carecycle import KEY, CareCycleSandbox
from connector.sandbox.carecycle.book import Book
from connector.source.client import CareCycle
from connector.source.recording import FIELD
from connector.source.settings import CareCycleSettings
from tests.promises.stage import AGENCY, DESTINATION, ZONE, Stage, compiled
from tests.source.test_client import Pace

MINUTE = 60_000
MAPPING = compiled(
    """\
version: 1
crm: salesforce
consent: { waive: [doNotCall, doNotSMS, doNotEmail, doNotMail] }
records:
  call:
    object: Call
    events: [call.completed]
    when: { campaign.name: AEP }
    key: { Key: call.id }
    fields:
      Result: call.disposition
      Recording: { from: call.recordingUrl, sensitive: accepted }
"""
)
LINK = "https://api.carecycle.ai/recordings/1.mp3"


class World:
    """A stage, careCycle's API, and a call that its webhook announced."""

    def __init__(self, stage: Stage, sandbox: CareCycleSandbox) -> None:
        self.stage, self.sandbox, self.ticks = stage, sandbox, [0.0]
        stage.route = Route(DESTINATION, stage.crm, Running(MAPPING), ZONE)
        self.customer = sandbox.book.add(firstName="Odessa", doNotCall=False)
        self.call = sandbox.book.add_call(self.customer["id"], recordingUrl=None)
        settings = CareCycleSettings.model_validate({"api_key": KEY, "endpoint": sandbox.url})
        self.source = CareCycle("sunrise", settings, Pace(), lambda _: None)
        self.watch = RecordingWatch(stage.store, AGENCY, self.source, lambda: MAPPING.reads, lambda: self.ticks[0])

    def announce(self, **changes: Any) -> None:
        campaign = {"id": "m-1", "name": "AEP"}
        payload = {"event_type": "call.completed", **self.call, "campaign": campaign, "customer": self.customer}
        self.stage.accept("sent", {**payload, **changes})
        self.stage.drain()

    def after(self, minutes: float) -> None:
        """Look once more, so many minutes later."""
        self.stage.clock.forward(round(minutes * MINUTE))
        self.ticks[0] += LONG_REST
        self.watch()
        self.stage.drain()

    def recorded(self, link: str | None = LINK) -> None:
        self.call["recordingUrl"] = link

    def written(self) -> dict[str, Any]:
        (call,) = self.stage.crm.all("Call", self.call["id"])
        return call

    def asked(self) -> int:
        return len(self.sandbox.calls("/calls"))


@pytest.fixture
def world(stage: Stage) -> Iterator[World]:
    sandbox = CareCycleSandbox(Book(3), a_minute=0)
    with sandbox:
        world = World(stage, sandbox)
        yield world
        world.source.close()


class TestARecording:
    @pytest.mark.slow
    def test_is_written_once_it_is_there_and_nothing_else_changes(self, world: World) -> None:
        world.announce(disposition="Enrolled")
        assert "Recording" not in world.written()
        world.after(1)
        world.recorded()
        world.after(2)
        assert (world.written()["Recording"], world.written()["Result"]) == (LINK, "Enrolled")

    def test_is_asked_for_six_times_within_the_hour_and_then_no_more(self, world: World) -> None:
        world.announce()
        for _ in range(180):
            world.after(0.5)
        assert world.asked() == 6

    def test_that_was_found_is_not_asked_for_again(self, world: World) -> None:
        world.announce()
        world.recorded()
        for _ in range(180):
            world.after(0.5)
        assert world.asked() == 1

    @pytest.mark.slow
    @pytest.mark.parametrize("link", ["http://api.carecycle.ai/1.mp3", "https://169.254.169.254/1.mp3"])
    def test_that_leads_elsewhere_is_left_out(self, world: World, link: str) -> None:
        world.announce()
        world.recorded(link)
        world.after(1)
        assert "Recording" not in world.written()

    def test_of_a_customer_who_was_forgotten_is_not_asked_for(self, world: World) -> None:
        world.announce()
        world.after(0)
        world.stage.store.forget.run(world.customer["id"], "ana")
        world.recorded()
        world.after(1)
        assert world.asked() == 0


class TestAskingForThem:
    def test_no_call_is_asked_for_while_no_mapping_uses_recordings(self, world: World) -> None:
        world.announce()
        world.watch.read = frozenset
        world.after(1)
        assert world.asked() == 0
        assert FIELD in MAPPING.reads

    def test_a_missing_permission_makes_it_rest_for_long(self, world: World) -> None:
        world.announce()
        world.sandbox.forbidden = {"calls"}
        world.after(1)
        world.ticks[0] += REST
        world.stage.clock.forward(10 * MINUTE)
        world.watch()
        assert world.asked() == 1

    def test_of_two_workers_one_asks(self, world: World) -> None:
        world.announce()
        store = world.stage.store.recordings
        store.note("sunrise")
        world.stage.clock.forward(MINUTE)
        assert [store.take("sunrise") is None, store.take("sunrise") is None] == [False, True]
