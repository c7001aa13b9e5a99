"""Clocks that are wrong: nothing is deleted early or written twice, and no opt-out is lost or waits for long."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable

import pytest
import requests
from sqlalchemy import func, select

from connector.store import Store, open_store
from connector.store.tables import events
from tests.builders import DATA_KEY, a_customer
from tests.chaos.conftest import Case
from tests.chaos.faketime import FakeClock
from tests.chaos.postgres import Postgres
from tests.chaos.world import World
from tests.patience import PATIENCE

pytestmark = pytest.mark.slow

DAY = 86_400
HOUR = 3_600
PEOPLE = 10

Open = Callable[..., World]


def metric(world: World, name: str, role: str = "work") -> float | None:
    """A gauge of a process of this role, as the first receiver shows it."""
    try:
        text = world.metrics()
    except requests.RequestException:
        return None
    found = re.search(rf'^{name}{{[^}}]*role="{role}"[^}}]*}} (\S+)$', text, re.M)
    return float(found[1]) if found else None


def halted(world: World) -> bool:
    return metric(world, "connector_worker_halted") == 1


def store_of(case: Case, world: World) -> Store:
    store = open_store(world.environment["CONNECTOR_DATABASE_URL"], {"CONNECTOR_DATA_KEY": DATA_KEY})
    case.keep(store)
    return store


def kept(store: Store) -> int:
    """Events whose content is still there."""
    with store.database.reading() as connection:
        wanted = select(func.count()).select_from(events).where(events.c.payload.is_not(None))
        return int(connection.execute(wanted).scalar_one())


def said_by(world: World, *command: str) -> str:
    line = [sys.executable, "-m", "connector", *command]
    return subprocess.run(
        line, env=world.environment, capture_output=True, check=False, timeout=PATIENCE
    ).stdout.decode()


class TestAWorker:
    @pytest.mark.parametrize("seconds", [100 * DAY, 600, -HOUR])
    def test_that_is_off_takes_no_lane_and_deletes_nothing_until_it_is_right(
        self, case: Case, open_world: Open, seconds: int
    ) -> None:
        clock, world = FakeClock(case.folder, seconds), open_world()
        world.role("receive")
        world.ready()
        assert world.post(["not an event"], message_id="dead") == 204
        world.role("work", **clock.environment)
        with world.send(people=PEOPLE) as traffic:
            traffic.more(30)
            world.until(lambda: halted(world))
        offset = metric(world, "connector_clock_offset_seconds")
        assert offset is not None
        assert abs(offset - seconds) < 20
        assert "takes no lane" in said_by(world, "status")
        assert (sum(world.landed()), kept(store_of(case, world))) == (0, len(traffic.acknowledged) + 1)
        world.repaired()
        clock.move(0)
        assert case.record(f"worker off by {seconds} s", world).clean

    def test_beside_one_that_is_right_nobody_notices(self, case: Case, open_world: Open) -> None:
        world = open_world()
        world.role("run")
        world.ready()
        world.role("work", "wrong", **FakeClock(case.folder, -HOUR).environment)
        with world.send(people=PEOPLE) as traffic:
            traffic.more(60)
        assert case.record("one of two workers an hour behind", world).clean

    def test_that_jumps_back_in_the_middle_goes_on_once_it_is_right(self, case: Case, open_world: Open) -> None:
        clock, world = FakeClock(case.folder), open_world()
        world.role("receive")
        world.ready()
        world.role("work", **clock.environment)
        with world.send(people=PEOPLE) as traffic:
            traffic.more(20)
            clock.move(-HOUR)
            world.until(lambda: halted(world))
            traffic.more(20)
            world.repaired()
            clock.move(0)
        assert case.record("worker jumps back an hour", world).clean


class TestAReceiver:
    def test_an_hour_behind_refuses_and_says_why(self, case: Case, open_world: Open) -> None:
        clock, world = FakeClock(case.folder, -HOUR), open_world()
        world.role("receive", **clock.environment)
        world.ready()
        assert world.post(a_customer()) == 401
        world.until(
            lambda: (
                (metric(world, "connector_clock_offset_seconds", "receive") or 0) < -HOUR + 20
                or "behind" in said_by(world, "status")
            )
        )
        assert "Clock wrong: receive" in said_by(world, "status")

    def test_four_minutes_ahead_goes_on(self, case: Case, open_world: Open) -> None:
        clock, world = FakeClock(case.folder, 240), open_world()
        world.role("receive", **clock.environment)
        world.role("work")
        world.ready()
        with world.send(people=PEOPLE) as traffic:
            traffic.more(40)
        assert case.record("receiver four minutes ahead", world).clean
        findings = json.loads(said_by(world, "doctor", "-c", str(world.agency), "--json"))
        (wrong,) = [one for one in findings if one["thing"].startswith("clock of receive")]
        ahead = re.search(r"(\d+) s ahead", wrong["found"])
        assert ahead is not None
        assert abs(int(ahead[1]) - 240) < 20


class TestTheDatabaseServer:
    @pytest.fixture
    def server(self, case: Case) -> Postgres:
        server: Postgres = case.keep(Postgres())
        self.clock = FakeClock(server.root)
        server.environment = self.clock.environment
        server.start()
        return server

    @pytest.mark.parametrize("seconds", [-HOUR, -600, HOUR])
    def test_that_jumps_makes_nothing_wait(self, case: Case, server: Postgres, seconds: int) -> None:
        world = case.world(server.address)
        world.role("run")
        world.ready()
        with world.send(people=PEOPLE) as traffic:
            traffic.more(20)
            self.clock.move(seconds)
            traffic.more(40)
            world.repaired()
        assert case.record(f"database's clock jumps by {seconds} s", world).clean

    def test_that_jumps_months_ahead_deletes_nothing(self, case: Case, server: Postgres) -> None:
        world = case.world(server.address)
        world.role("run")
        world.ready()
        assert world.post(["not an event"], message_id="dead") == 204
        with world.send(people=PEOPLE) as traffic:
            traffic.more(20)
        assert world.settle().clean
        self.clock.move(100 * DAY)
        world.until(self.clock.is_known)
        world.crash("run")  # retention is applied at every start
        world.ready()
        world.until(lambda: "Nothing is deleted for now" in said_by(world, "status"))
        assert kept(store_of(case, world)) == len(traffic.acknowledged) + 1
        assert case.record("database's clock jumps 100 days", world).clean
