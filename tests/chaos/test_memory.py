"""Workers stay within twice their idle size, whatever waits, and receivers within three times theirs."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import pytest
import requests

from connector.receive import Agency, read
from connector.settlement import DeliveryState
from connector.store import open_store
from tests.builders import signed
from tests.chaos.conftest import Case
from tests.chaos.traffic import Story
from tests.chaos.world import World
from tests.destinations.servers import NEVER_SMALL, serving
from tests.patience import PATIENCE

MEGABYTE = 1024 * 1024
OTHER_KEY = base64.b64encode(b"n" * 32).decode()
TRANSCRIPT = "Agent: Hello.\nCaller: I would like to know what is covered. "


def resident(pid: int) -> float:
    """The most megabytes the process has had in memory."""
    return most_in(Path(f"/proc/{pid}/status").read_text())


def most_in(status: str) -> float:
    words = status.split()
    return int(words[words.index("VmHWM:") + 1]) / 1024


def fill(world: World, payloads: Iterable[dict[str, Any] | bytes], partitions: int = 1, **changes: Any) -> None:
    """Let these events wait, as a receiver would have stored them."""
    agency = Agency("sunrise", None, dict.fromkeys(("salesforce", "hubspot"), partitions))  # type: ignore[arg-type]
    store = open_store(world.environment["CONNECTOR_DATABASE_URL"], world.environment)
    try:
        for portion in portions(payloads):
            now = int(time.time() * 1000)
            arrivals = [read(agency, f"m{number}", body, now) for number, body in portion]
            store.inbox.accept([replace(arrival, **changes) for arrival in arrivals])
    finally:
        store.close()


def portions(payloads: Iterable[dict[str, Any] | bytes]) -> Iterator[list[tuple[int, bytes]]]:
    portion: list[tuple[int, bytes]] = []
    for number, payload in enumerate(payloads):
        portion.append((number, payload if isinstance(payload, bytes) else json.dumps(payload).encode()))
        if len(portion) == 500 or sum(len(body) for _, body in portion) > 8 * MEGABYTE:
            yield portion
            portion = []
    yield portion


def events(count: int, people: int, *, calls: bool = False, **extra: Any) -> Iterator[dict[str, Any]]:
    story = Story(people, calls=calls, extra=extra)
    return (story.payload(number) for number in range(count))


def idle_worker(world: World) -> tuple[Any, float]:
    """A worker that has nothing to do, and its size."""

    def started() -> int:
        return sum(
            '"event": "started"' in line and '"role": "work"' in line for line in world.log.read_text().splitlines()
        )

    before = started()
    worker = world.role("work")
    world.until(lambda: started() > before)
    seen = world.calls()
    world.until(lambda: world.calls() > seen or world.idle())  # what it asks the CRMs at its start
    return worker, resident(worker.pid)


MAPPED = """\
extends: salesforce-contact
records: { call: { fields: { Description: { from: call.transcript, cut: true, sensitive: accepted } } } }
"""

CASES = {
    "5 MB payloads": ("sqlite", lambda: events(30, 30, unknown="x" * (5 * MEGABYTE - 2_000)), 1),
    "5 MB payloads, on PostgreSQL": ("postgresql", lambda: events(30, 30, unknown="x" * (5 * MEGABYTE - 2_000)), 1),
    "transcripts of 1 MB, mapped": ("sqlite", lambda: events(60, 9, calls=True, transcript=TRANSCRIPT * 17_000), 1),
    "5,000 events of 1,000 customers": ("sqlite", lambda: events(5_000, 1_000), 1),
    "5,000 calls of one customer": ("sqlite", lambda: events(5_000, 1, calls=True), 1),
}


class TestAWorker:
    @pytest.mark.parametrize("name", CASES)
    def test_stays_within_twice_its_idle_size(self, case: Case, name: str) -> None:
        engine, payloads, partitions = CASES[name]
        server = case.postgres() if engine == "postgresql" else None
        world = case.world(server.address if server else "", partitions=partitions)
        (world.folder / "mapped.yaml").write_text(MAPPED)
        world.agency.write_text(world.agency.read_text().replace("mapping: salesforce-contact", "mapping: mapped.yaml"))
        world.role("receive")
        world.ready()
        worker, idle = idle_worker(world)
        fill(world, payloads(), partitions)
        waited = world.waiting()
        world.until(lambda: world.waiting() < waited)
        moved, deadline = waited - world.waiting(), time.monotonic() + 20
        world.until(lambda: (world.waiting() == 0 and moved > 0) or time.monotonic() > deadline)
        case.figures |= {"fault": f"memory: {name}", "database": engine, "acknowledged": waited // 2}
        case.figures |= {"idle": f"{idle:.0f} MB", "most": f"{(most := resident(worker.pid)):.0f} MB"}
        assert worker.poll() is None
        assert most < 2 * idle

    @pytest.mark.parametrize("name", ["pours chunks", "pours a body of 200 MB"])
    def test_stays_within_twice_its_idle_size_while_both_crms_reply_without_end(self, case: Case, name: str) -> None:
        world = case.world(partitions=4)
        world.role("receive")
        world.ready()
        worker, idle = idle_worker(world)
        assert world.post(Story(1).payload(1), message_id="first") == 204
        world.until(lambda: world.landed() == (1, 0, 1, 0))  # logged in: from now on it reads and writes
        with serving(NEVER_SMALL[name]) as (port, heard):
            for proxy in world.crm.values():
                proxy.target = port
                proxy.cut()
            fill(world, events(400, 200), partitions=4)
            world.until(lambda: len(heard) >= 24)
            most = resident(worker.pid)
        case.figures |= {"fault": f"memory: {len(heard)} replies without end: {name}", "database": "sqlite"}
        case.figures |= {"idle": f"{idle:.0f} MB", "most": f"{most:.0f} MB"}
        assert worker.poll() is None
        assert most < 2 * idle


class TestAReceiver:
    @pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
    def test_of_a_hundred_large_bodies_at_once_stays_within_three_times_its_idle_size(
        self, case: Case, engine: str
    ) -> None:
        world = case.world(case.postgres().address if engine == "postgresql" else "")
        receiver = world.role("receive")
        world.ready()
        idle = resident(receiver.pid)
        body = json.dumps(Story(1).payload(1) | {"unknown": "x" * (5 * MEGABYTE - 2_000)}).encode()

        def post(number: int) -> int:
            content, headers = signed(body, message_id=f"m{number}")
            url = f"http://127.0.0.1:{world.port}/hooks/sunrise"
            try:
                return requests.post(url, data=content, headers=headers, timeout=PATIENCE).status_code
            except requests.RequestException:
                return 0

        with ThreadPoolExecutor(128) as pool:
            answers = list(pool.map(post, range(128)))
        assert answers.count(204) > 0
        assert world.post(Story(1).payload(2)) == 204
        case.figures |= {"fault": "memory: 128 bodies of 5 MB", "database": engine, "acknowledged": answers.count(204)}
        case.figures |= {"refused": 128 - answers.count(204), "idle": f"{idle:.0f} MB"}
        case.figures["most"] = f"{(most := resident(receiver.pid)):.0f} MB"
        assert most < 3 * idle


COMMANDS = {
    "plan": ("plan", "mapped.yaml", "-c", "agency.yaml", "--last", "1000"),
    "replay": ("events", "replay", "--all", "--plan", "-c", "agency.yaml"),
    "why": ("why", "c-1", "-c", "agency.yaml"),
    "forget": ("forget", "c-9", "--plan"),
    "doctor": ("doctor", "-c", "agency.yaml"),
    "keys": ("keys", "list"),
    "rotate": ("keys", "rotate", "--yes"),
}
"""What reads stored payloads."""


RUN = """\
import atexit, pathlib, runpy, sys
sys.argv[0] = "connector"
atexit.register(lambda: print(pathlib.Path("/proc/self/status").read_text(), file=sys.__stderr__))
runpy.run_module("connector", run_name="__main__")
"""
"""What a process has had in memory is gone with it, and what wait4 tells of it begins with the parent's."""


def most_of(world: World, command: Iterable[str], **environment: str) -> float:
    """The most megabytes that a command has in memory."""
    told = {"capture_output": True, "text": True, "cwd": world.folder, "env": {**world.environment, **environment}}
    ended = subprocess.run([sys.executable, "-c", RUN, *command], check=False, **told)
    assert ended.returncode in (0, 1), ended.stderr
    return most_in(ended.stderr)


class TestACommand:
    @pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
    def test_stays_within_twice_what_it_takes_for_a_small_event(self, case: Case, engine: str) -> None:
        world = case.world(case.postgres().address if engine == "postgresql" else "")
        (world.folder / "mapped.yaml").write_text(MAPPED)
        new = {"CONNECTOR_DATA_KEY": f"{OTHER_KEY},{world.environment['CONNECTOR_DATA_KEY']}"}
        fill(world, [Story(3).payload(1)], state=DeliveryState.DEAD)
        small = {name: most_of(world, command) for name, command in COMMANDS.items()}
        large = events(15, 3, calls=True, transcript=TRANSCRIPT * 75_000)
        fill(world, chain(large, repeat(b"not JSON " * (5 * MEGABYTE // 9), 10)), state=DeliveryState.DEAD)
        most = {name: most_of(world, command, **new) for name, command in COMMANDS.items()}
        worst = max(most, key=lambda name: most[name] / small[name])
        case.figures |= {"fault": f"memory: 25 payloads of 5 MB read, {worst}", "database": engine}
        case.figures |= {"idle": f"{small[worst]:.0f} MB", "most": f"{most[worst]:.0f} MB"}
        assert most[worst] < 2 * small[worst]
