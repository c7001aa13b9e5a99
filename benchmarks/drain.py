"""Drain a backlog into each sandbox: API calls per 1,000 events and events per second, at several latencies of the CRM.

    python -m benchmarks.drain [--events 10000] [--runs 3] [--latency 0 0.1 0.4] [--before COMMIT]

Mixed events: of every 1,000, 800 are updates of 500 people and 200 are calls. The CRM already has every second person,
and every fifth shares an address and a phone with a spouse. Each figure is compared with the limit that latency and
batch size set for one lane, with an older version, and with the same engine handling one event at a time, as tools that
act on each webhook do (measured on the first events of the backlog).
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import product
from typing import Any

from benchmarks.figures import Beside, Failed, Figure, table
from benchmarks.sides import OURS, Older, Side, prepared
from connector import destinations
from connector.carecycle.samples import Samples
from connector.carecycle.signature import Verifier
from connector.delivery.plan_ahead import PlannedAhead
from connector.delivery.route import Pace, Route, Running
from connector.delivery.turn import deliver
from connector.mapping import shipped_folder
from connector.receive import Agency, read
from connector.running.bootstrap import load_mapping
from connector.running.roles import collect_rarely
from connector.sandbox.hubspot import BEARER
from connector.sandbox.salesforce import CLIENT
from connector.store import open_store
from connector.telemetry import configure

LANE, DESTINATION = "bench/crm/0", "bench/crm"
SHIPPED = {"salesforce": "salesforce-contact", "hubspot": "hubspot"}
SINGLY = 20
"""How many events are handled one at a time: more would take too long at 400 ms per call."""

WANTED_SHARE, WANTED_GAIN = ">= 0.85", ">= 1.6"
WANTED_CALLS = {"salesforce": "<= 3", "hubspot": "<= 12"}


def backlog(events: int) -> list[tuple[str, bytes]]:
    """Make message ids and bodies: of every 1,000, 800 updates of 500 people and 200 calls."""
    samples = Samples(random.Random(11), datetime(2026, 6, 1, tzinfo=UTC))
    people = _people(samples, events)
    chance = random.Random(12)
    payloads = []
    for number in range(events):
        if number % 5 == 4:
            payloads.append(samples.call(people[chance.randrange(len(people))]))
        elif number % 8 < 5:
            payloads.append(samples.created(people[number * 5 // 8 % len(people)]))
        else:
            payloads.append(samples.updated(people[chance.randrange(len(people))], status="Active"))
    return [(f"m{number}", json.dumps(payload).encode()) for number, payload in enumerate(payloads)]


def known(events: int) -> list[tuple[str, bytes]]:
    """Make the messages by which the CRM knows every second person of such a backlog."""
    samples = Samples(random.Random(11), datetime(2026, 6, 1, tzinfo=UTC))
    people = _people(samples, events)[::2]
    return [(f"k{number}", json.dumps(samples.created(person)).encode()) for number, person in enumerate(people)]


def _people(samples: Samples, events: int) -> list[dict[str, Any]]:
    people = [samples.person() for _ in range(events // 2)]
    for person, spouse in zip(people[::5], people[1::5], strict=False):
        spouse |= {name: person[name] for name in ("lastName", "email", "phoneNumber", "address", "address2")}
    return people


class Sandboxes:
    """Both sandboxes in a separate process, so that their work does not count as ours."""

    def __init__(self, latency: float) -> None:
        ports = (word for name in ("salesforce", "hubspot", "carecycle") for word in (f"--{name}-port", "0"))
        command = [sys.executable, "-m", "connector", "sandbox", *ports, "--latency", str(latency)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        words = (word for line in self._process.stdout for word in line.split())
        urls = (word for word in words if word.startswith("http://"))
        self.url = {"salesforce": next(urls), "hubspot": next(urls)}

    def __enter__(self) -> Sandboxes:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()


AUTH: dict[str, dict[str, str]] = {
    "hubspot": {"access_token": BEARER},
    "salesforce": {
        "flow": "client_credentials", "client_id": CLIENT[0], "client_secret": CLIENT[1], "domain": "bench.my",
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Drained:
    """What it took to drain a backlog. chain: calls that had to wait for each other, as `longest_chain` counts them."""

    events: int
    seconds: float
    calls: int
    chain: int

    @property
    def rate(self) -> float:
        return self.events / self.seconds

    @property
    def calls_per_thousand(self) -> float:
        return self.calls * 1000 / self.events


def drain(
    crm: str,
    latency: float,
    messages: list[tuple[str, bytes]],
    pace: Pace,
    before: Sequence[tuple[str, bytes]] = (),
    *,
    undo: bool = False,
    url: str = "",
) -> Drained:
    """Deliver a backlog to a sandbox. before: messages that are delivered first and not counted.

    undo: whether what the CRM had before is kept. url: of the sandbox; without it, one of this version is started.
    """
    calls: list[tuple[float, float]] = []

    def count(method: str, path: str, status: int, duration_ms: float) -> None:
        ended = time.perf_counter()
        calls.append((ended - duration_ms / 1000, ended))

    with ExitStack() as closing:
        folder = closing.enter_context(tempfile.TemporaryDirectory())
        store = open_store(f"sqlite:///{folder}/bench.db", {})
        closing.callback(store.close)
        url = url or closing.enter_context(Sandboxes(latency)).url[crm]
        settings = destinations.read_settings({"mapping": SHIPPED[crm], "auth": AUTH[crm], "endpoint": url})
        account = destinations.connect(destinations.VENDORS[crm], settings, count)
        closing.callback(account.close)
        agency = Agency("bench", Verifier("bench", ["whsec_YmVuY2htYXJr"]), {"crm": 1})
        store.lanes.open({LANE: DESTINATION})
        route = Route(
            DESTINATION, account, Running(load_mapping(shipped_folder() / f"{SHIPPED[crm]}.yaml")), "America/New_York"
        )
        route.undo = undo
        if crm == "salesforce":  # a worker does this when it starts; HubSpot's schema is only used for checks
            account.describe(route.mapping.objects)
        for due in filter(None, (before, messages)):
            store.inbox.accept([read(agency, message_id, body, 0) for message_id, body in due])
            lease = store.lanes.lease("bench", [LANE], 600_000)
            assert lease is not None
            calls.clear()
            began, ahead = time.perf_counter(), PlannedAhead()
            while deliver(store, route, lease, pace, ahead):
                continue
            took = time.perf_counter() - began
            store.lanes.release(lease)
        assert store.desk.waiting() == 0, "the backlog was not drained"
        return Drained(len(messages), took, len(calls), longest_chain(calls))


def longest_chain(calls: Sequence[tuple[float, float]]) -> int:
    """Return how many of these calls, given as begin and end, came one after the other at most.

    Calls that overlap needed nothing from each other. So with as many calls at once as it makes, even a connector that
    took no time itself would wait for this number of calls in a row.
    """
    length, until = 0, float("-inf")
    for began, ended in sorted(calls, key=lambda call: call[1]):  # the earliest end leaves the most room
        if began >= until:
            length, until = length + 1, ended
    return length


def drain_apart(crm: str, latency: float, events: int, singly: bool, url: str) -> dict[str, float]:
    """Drain a backlog in the version this runs in. singly: one event at a time, and the first few alone."""
    configure("error")
    collect_rarely()
    messages = backlog(events)
    if singly:
        done = drain(crm, latency, messages[:SINGLY], Pace(1, hold_ms=600_000), url=url)
    else:
        done = drain(crm, latency, messages, Pace(hold_ms=600_000), known(events), url=url)
    return asdict(done)


def drained(side: Side, crm: str, latency: float, events: int, *, singly: bool = False) -> Drained:
    """Drain in a process of a version, into this version's sandbox: both get the same."""
    with Sandboxes(latency) as sandboxes:
        return Drained(**side.call(drain_apart, crm, latency, events, singly, sandboxes.url[crm]))


def figures(events: int, runs_at: Mapping[float, int], before: Side | None) -> list[Figure | Failed]:
    """Measure rates and calls for both CRMs, taking turns with the comparisons. runs_at: seconds per call -> runs."""
    results: list[Figure | Failed] = []
    older = Older(before)

    def turn_before(crm: str, latency: float) -> Callable[[Side], dict[str, list[float]]]:
        def measure(side: Side) -> dict[str, list[float]]:
            done = drained(side, crm, latency, events)
            return {f"{crm} {latency}": [done.rate], f"{crm} {latency} calls": [done.calls_per_thousand]}

        return measure

    for latency, runs in runs_at.items():
        ours: dict[str, list[Drained]] = {crm: [] for crm in SHIPPED}
        singly: dict[str, list[Drained]] = {crm: [] for crm in SHIPPED}
        for run, crm in product(range(runs), SHIPPED):
            ours[crm].append(drained(OURS, crm, latency, events))
            older.take(turn_before(crm, latency))
            if run == 0:
                singly[crm].append(drained(OURS, crm, latency, events, singly=True))
        for crm in SHIPPED:
            results += _figures(crm, latency, ours[crm], singly[crm], older)
    return results + older.failures(_group(events))


def _group(events: int) -> str:
    return f"Draining a backlog of {events:,} events"


def _figures(
    crm: str, latency: float, ours: Sequence[Drained], singly: Sequence[Drained], older: Older
) -> list[Figure]:
    group, name = _group(ours[0].events), f"{crm} at {latency * 1000:.0f} ms a call"
    alone, key = f"one event at a time ({singly[0].events} of them)", f"{crm} {latency}"
    beside = [*older.beside(key, "" if latency else WANTED_GAIN), Beside(alone, [run.rate for run in singly])]
    if latency:
        limit = [run.events / (run.chain * latency) for run in ours]
        beside.insert(0, Beside(LIMIT, limit, WANTED_SHARE if latency == 0.1 else ""))
    calls = [*older.beside(f"{key} calls"), Beside(alone, [run.calls_per_thousand for run in singly])]
    return [
        Figure(group, name, "events/s", [run.rate for run in ours], beside),
        Figure(group, name, "calls per 1,000", [run.calls_per_thousand for run in ours], calls, WANTED_CALLS[crm]),
    ]


LIMIT = "limit of latency and batch size"


def main() -> None:
    """Print one section."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--events", type=int, default=1000)
    arguments.add_argument("--runs", type=int, default=3)
    arguments.add_argument("--latency", type=float, nargs="*", default=[0.0, 0.1, 0.4])
    arguments.add_argument("--before", metavar="COMMIT", help="an older version to compare with")
    chosen = arguments.parse_args()
    before = prepared(chosen.before) if chosen.before else None
    print(table(figures(chosen.events, dict.fromkeys(chosen.latency, chosen.runs), before)))


if __name__ == "__main__":
    main()
