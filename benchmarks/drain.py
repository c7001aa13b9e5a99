"""Drain a backlog into each sandbox: API calls per 1,000 events and events per second, at several latencies of the CRM.

    python -m benchmarks.drain [--events 10000] [--runs 3] [--latency 0 0.1 0.4]

Mixed events: of every 1,000, 800 are updates of 500 people and 200 are calls. The CRM already has every second person,
and every fifth shares an address and a phone with a spouse. Each figure is compared with the limit that latency and
batch size set for one lane (as if the connector took no time), and with the same engine handling one event at a time,
as tools that act on each webhook do (measured on the first events of the backlog).
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product
from typing import Any

from benchmarks.figures import Beside, Figure, table
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

WANTED_SHARE = ">= 0.8"
WANTED_CALLS = {"salesforce": "<= 10", "hubspot": "<= 30"}


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
    """What it took to drain a backlog."""

    events: int
    seconds: float
    calls: int

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
) -> Drained:
    """Deliver a backlog to a new sandbox. before: messages that are delivered first and not counted.

    undo: whether what the CRM had before is kept.
    """
    calls = 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    with ExitStack() as closing:
        folder = closing.enter_context(tempfile.TemporaryDirectory())
        store = open_store(f"sqlite:///{folder}/bench.db", {})
        closing.callback(store.close)
        url = closing.enter_context(Sandboxes(latency)).url[crm]
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
            began, calls, ahead = time.perf_counter(), 0, PlannedAhead()
            while deliver(store, route, lease, pace, ahead):
                continue
            took = time.perf_counter() - began
            store.lanes.release(lease)
        assert store.desk.waiting() == 0, "the backlog was not drained"
        return Drained(len(messages), took, calls)


def figures(events: int, runs_at: Mapping[float, int]) -> list[Figure]:
    """Measure rates and calls for both CRMs, taking turns with the comparisons. runs_at: seconds per call -> runs."""
    configure("error")
    collect_rarely()
    messages, before, results = backlog(events), known(events), []
    for latency, runs in runs_at.items():
        ours: dict[str, list[Drained]] = {crm: [] for crm in SHIPPED}
        singly: dict[str, list[Drained]] = {crm: [] for crm in SHIPPED}
        for _, crm in product(range(runs), SHIPPED):
            ours[crm].append(drain(crm, latency, messages, Pace(hold_ms=600_000), before))
            singly[crm].append(drain(crm, latency, messages[:SINGLY], Pace(1, hold_ms=600_000)))
        for crm in SHIPPED:
            results += _figures(crm, latency, ours[crm], singly[crm])
    return results


def _figures(crm: str, latency: float, ours: Sequence[Drained], singly: Sequence[Drained]) -> list[Figure]:
    group, name = f"Draining a backlog of {ours[0].events:,} events", f"{crm} at {latency * 1000:.0f} ms a call"
    alone = f"one event at a time ({singly[0].events} of them)"
    beside = [Beside(alone, [run.rate for run in singly])]
    if latency:
        wanted = WANTED_SHARE if crm == "salesforce" and latency == 0.1 else ""
        limit = [run.events / (run.calls * latency) for run in ours]
        beside.insert(0, Beside("limit of latency and batch size", limit, wanted))
    calls = Beside(alone, [run.calls_per_thousand for run in singly])
    return [
        Figure(group, name, "events/s", [run.rate for run in ours], beside),
        Figure(group, name, "calls per 1,000", [run.calls_per_thousand for run in ours], [calls], WANTED_CALLS[crm]),
    ]


def main() -> None:
    """Print one section."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--events", type=int, default=1000)
    arguments.add_argument("--runs", type=int, default=3)
    arguments.add_argument("--latency", type=float, nargs="*", default=[0.0, 0.1, 0.4])
    chosen = arguments.parse_args()
    print(table(figures(chosen.events, dict.fromkeys(chosen.latency, chosen.runs))))


if __name__ == "__main__":
    main()
