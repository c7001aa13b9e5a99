"""Drain a backlog into each sandbox: API calls per 1,000 events and events per second, at several latencies of the CRM.

1,000 mixed events as the issue tracker counts them: 800 updates of 500 people and 200 calls. The limit beside each
figure is what latency and batch size alone would allow, were the connector to cost nothing.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter

from connector import destinations
from connector.bootstrap import load_mapping
from connector.config import Auth
from connector.deliver import Pace, Route, deliver
from connector.mapping import shipped_folder
from connector.receive import Agency, read
from connector.samples import Samples
from connector.sandbox.hubspot import BEARER
from connector.sandbox.salesforce import CLIENT
from connector.signature import Verifier
from connector.store import open_store
from connector.telemetry import configure

LANE, DESTINATION = "bench/crm/0", "bench/crm"


def backlog(events: int) -> list[tuple[str, bytes]]:
    """Message ids and bodies: of every 1,000, 800 updates of 500 people and 200 calls."""
    samples = Samples(random.Random(11), datetime(2026, 6, 1, tzinfo=UTC))
    people = [samples.person() for _ in range(events // 2)]
    chance = random.Random(12)
    made = []
    for number in range(events):
        if number % 5 == 4:
            made.append(samples.call(people[chance.randrange(len(people))]))
        elif number % 8 < 5:
            made.append(samples.created(people[number * 5 // 8 % len(people)]))
        else:
            made.append(samples.updated(people[chance.randrange(len(people))], status="Active"))
    return [(f"m{number}", json.dumps(payload).encode()) for number, payload in enumerate(made)]


class Sandboxes:
    """Both sandboxes in a process of their own, so that their work is not counted as ours."""

    def __init__(self, latency: float) -> None:
        command = [sys.executable, "-m", "connector", "sandbox", "--salesforce-port", "0", "--hubspot-port", "0"]
        self._process = subprocess.Popen([*command, "--latency", str(latency)], stdout=subprocess.PIPE, text=True)
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


def drain(crm: str, shipped: str, latency: float, messages: list[tuple[str, bytes]]) -> tuple[float, int, int]:
    """Seconds, API calls and deliveries left, for one backlog."""
    calls = 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    with ExitStack() as closing:
        folder = closing.enter_context(tempfile.TemporaryDirectory())
        store = open_store(f"sqlite:///{folder}/bench.db", {})
        closing.callback(store.close)
        url = closing.enter_context(Sandboxes(latency)).url[crm]
        auth: Any = TypeAdapter(Auth).validate_python(AUTH[crm])
        account = destinations.connect(crm, auth, endpoint=url, api_version=None, on_call=count)
        closing.callback(account.close)
        agency = Agency("bench", Verifier("bench", ["whsec_YmVuY2htYXJr"]), {"crm": 1})
        store.lanes.open({LANE: DESTINATION})
        store.inbox.accept([read(agency, message_id, body, 0) for message_id, body in messages])
        route = Route(DESTINATION, account, load_mapping(shipped_folder() / f"{shipped}.yaml"), "America/New_York")
        lease = store.lanes.lease("bench", [LANE], 600_000)
        assert lease is not None
        began = time.perf_counter()
        while deliver(store, route, lease, Pace()):
            continue
        return time.perf_counter() - began, calls, store.desk.waiting()


def main() -> None:
    """Print one row a CRM and latency."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--events", type=int, default=1000)
    arguments.add_argument("--runs", type=int, default=3)
    arguments.add_argument("--latency", type=float, nargs="*", default=[0.0, 0.1, 0.4])
    chosen = arguments.parse_args()
    configure("error")
    messages = backlog(chosen.events)
    print(f"{'CRM':11}{'latency':>9}{'calls/1,000':>13}{'events/s':>10}{'spread':>16}{'limit':>8}{'of limit':>10}")
    for crm, shipped in (("salesforce", "salesforce-contact"), ("hubspot", "hubspot")):
        for latency in chosen.latency:
            runs = [drain(crm, shipped, latency, messages) for _ in range(chosen.runs)]
            assert all(left == 0 for _, _, left in runs), "the backlog was not drained"
            rates = [chosen.events / seconds for seconds, _, _ in runs]
            calls = runs[0][1]
            limit = chosen.events / (calls * latency) if latency else float("inf")
            rate = statistics.median(rates)
            spread = f"{min(rates):.0f}..{max(rates):.0f}"
            share = f"{rate / limit:.2f}" if latency else "-"
            per_thousand = calls * 1000 / chosen.events
            print(f"{crm:11}{latency * 1000:7.0f}ms{per_thousand:13.1f}{rate:10.0f}{spread:>16}{limit:8.0f}{share:>10}")


if __name__ == "__main__":
    main()
