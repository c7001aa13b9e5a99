"""An older copy takes the place of the database: it is noticed, and a replay after it leaves no trace of that."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.builders import signed
from tests.chaos.conftest import Case
from tests.chaos.postgres import Postgres
from tests.chaos.traffic import Story, Traffic
from tests.chaos.world import World
from tests.patience import PATIENCE

STAGES = {"Lead": "Open - Not Contacted", "Active": "Working"}


class Flips(Story):
    """Beside what every story says, two values that come back again and again: an old ledger has them already."""

    def status(self, number: int) -> str:
        return ("Lead", "Active")[number // self.people % 2]

    def payload(self, number: int) -> dict[str, Any]:
        payload = super().payload(number)
        (payload.get("customer") or payload)["status"] = self.status(number)
        return payload


class Ground:
    """The database under a world, to be copied and put back."""

    def __init__(self, world: World, server: Postgres | None) -> None:
        self.world, self.server = world, server
        self.file = world.folder / "connector.db"

    def copy(self) -> Path:
        if self.server:
            return self.server.copy()
        copy = self.world.folder / "older.db"
        source, made = sqlite3.connect(self.file), sqlite3.connect(copy)
        source.backup(made)
        source.close()
        made.close()
        return copy

    def put_back(self, copy: Path) -> None:
        if self.server:
            self.server.fail_over(copy)
            return
        fresh = self.world.folder / "fresh.db"
        shutil.copy(copy, fresh)
        for end in ("-wal", "-shm"):
            self.file.with_name(self.file.name + end).unlink(missing_ok=True)
        fresh.replace(self.file)


@pytest.fixture(params=["sqlite", "postgres"])
def ground(request: pytest.FixtureRequest, case: Case) -> Ground:
    server = case.postgres() if request.param == "postgres" else None
    return Ground(case.world(server.address if server else ""), server)


def command(world: World, *words: str) -> subprocess.CompletedProcess[str]:
    call = [sys.executable, "-m", "connector", *words]
    return subprocess.run(call, env=world.environment, capture_output=True, text=True, check=False, timeout=PATIENCE)


def go_on(world: World) -> None:
    """As the operator says that what was lost is back."""
    ended = command(world, "restored")
    assert ended.returncode == 0, ended.stdout + ended.stderr


def metric(world: World, name: str) -> float:
    lines = requests.get(f"http://127.0.0.1:{world.admin_port}/metrics", timeout=PATIENCE).text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(f"{name} "))


def noticed(world: World) -> bool:
    try:
        return metric(world, "connector_history_gap") == 1
    except requests.RequestException:
        return False


def kept_outside(world: World, events: int) -> bool:
    """Whether the receiver's file says that it accepted at least so many."""
    files = (world.folder / "state").glob("*history-receive.json")
    return any(point[1] >= events for file in files for point in json.loads(file.read_text())["points"].values())


def replay(world: World, traffic: Traffic, until: int) -> None:
    """As careCycle's dashboard does: the same messages again, until each is acknowledged."""
    for number in sorted(number for number in traffic.acknowledged if number <= until):
        body, headers = signed(traffic.story.payload(number), message_id=f"m{number}")
        hook = partial(requests.post, f"http://127.0.0.1:{world.port}/hooks/sunrise", data=body, headers=headers)
        world.until(lambda again=hook: again(timeout=PATIENCE).status_code == 204)


def stale_statuses(world: World, story: Flips, acknowledged: list[int]) -> list[str]:
    newest = {story.customer(number): story.status(number) for number in sorted(acknowledged)}
    found = []
    for row in world.salesforce.records("Contact"):
        if row["Status__c"] != STAGES[newest[row["careCycle_Id__c"]]]:
            found.append(f"salesforce {row['careCycle_Id__c']}: {row['Status__c']}")
    return found


def lost_and_goes_on(world: World, ground: Ground, traffic: Traffic, *, stopped: bool) -> int:
    """Traffic, a copy, more traffic, and the copy in the database's place, noticed. Returns the last event before."""
    traffic.more(40)
    copy = ground.copy()
    traffic.more(40)
    if stopped:  # what was committed within a second of the crash may be lost unseen
        world.until(partial(kept_outside, world, len(traffic.acknowledged)))
        world.crash("run", again=False)
    ground.put_back(copy)
    if stopped:
        world.role("run", "run")
    world.repaired()
    world.until(lambda: noticed(world))
    return max(traffic.acknowledged)


@pytest.mark.parametrize(("stopped", "order"), [(False, "restored first"), (True, "replay first")])
def test_after_a_replay_both_crms_hold_what_they_would_hold(
    ground: Ground, case: Case, stopped: bool, order: str
) -> None:
    world, story = ground.world, Flips(12)
    world.role("run")
    world.ready()
    with world.send(story=story, rate=60) as traffic:
        before = lost_and_goes_on(world, ground, traffic, stopped=stopped)
        status = command(world, "status").stdout
        assert "is in the CRM." not in status
        assert "connector restored" in status
        lanes = json.loads(command(world, "lanes", "list", "--json").stdout)
        (told,) = {(lane["paused"], lane["pause_code"]) for lane in lanes}
        assert told == (True, "history")
        traffic.more(40)
        if order == "restored first":
            go_on(world)
            replay(world, traffic, before)
        else:
            replay(world, traffic, before)
            go_on(world)
        traffic.more(20)
    assert str(case.record(f"history back, {order}, {'stopped' if stopped else 'running'}", world, 120)) == "the same"
    acknowledged = sorted(traffic.acknowledged)
    assert stale_statuses(world, story, acknowledged) == []
    world.until(lambda: "is in the CRM." in command(world, "status").stdout)  # a delivery may still be noted as ended
