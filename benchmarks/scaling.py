"""How delivering scales: 1, 2 and 4 worker processes over 8 destinations at 100 ms a call, on one PostgreSQL.

    python -m benchmarks.scaling [--events 2000] [--runs 3]

Each worker holds two lanes at once, so that what is compared is the workers, not the threads within one. Interleaved.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.databases import KEY, databases
from benchmarks.drain import Sandboxes, backlog
from benchmarks.figures import Beside, Figure, table
from benchmarks.load import SIGNED_WITH
from connector.receive import Agency, read
from connector.sandbox.hubspot import BEARER
from connector.signature import Verifier
from connector.store import open_store
from connector.telemetry import configure

DESTINATIONS = 8
HELD = 2


def agency_file(url: str) -> str:
    """Eight accounts of one agency, all played by one sandbox."""
    one = f"{{mapping: hubspot, auth: {{access_token: {BEARER}}}, endpoint: '{url}'}}"
    accounts = "".join(f"  crm{number}: {one}\n" for number in range(DESTINATIONS))
    return f"agency: bench\nwebhook: {{secrets: ['{SIGNED_WITH}']}}\ndestinations:\n{accounts}"


def drain(address: str, workers: int, events: int) -> float:
    """Deliveries a second, from the first one settled to the last."""
    with ExitStack() as closing:
        folder = Path(closing.enter_context(tempfile.TemporaryDirectory()))
        store = open_store(address, KEY)
        closing.callback(store.close)
        url = closing.enter_context(Sandboxes(0.1)).url["hubspot"]
        (folder / "agency.yaml").write_text(agency_file(url))
        accounts = {f"crm{number}": 1 for number in range(DESTINATIONS)}
        agency = Agency("bench", Verifier("bench", [SIGNED_WITH]), accounts)
        store.inbox.accept([read(agency, message_id, body, 0) for message_id, body in backlog(events)])
        environment = {**os.environ, **KEY, "CONNECTOR_DATABASE_URL": address, "CONNECTOR_LOG_LEVEL": "error"}
        environment |= {"CONNECTOR_ADMIN_LISTEN": "off", "CONNECTOR_WORKER_LANES": str(HELD)}
        command = [sys.executable, "-m", "connector", "work", "-c", str(folder / "agency.yaml")]
        for _ in range(workers):
            process = subprocess.Popen(command, env=environment)
            closing.callback(process.wait)
            closing.callback(process.terminate)
        total = events * DESTINATIONS
        while (left := store.desk.waiting()) == total:
            time.sleep(0.005)
        began, first = time.perf_counter(), left
        while left:
            time.sleep(0.02)
            left = store.desk.waiting()
        return first / (time.perf_counter() - began)


def figures(events: int, runs: int, workers: Sequence[int] = (1, 2, 4)) -> list[Figure]:
    """The rate of each number of workers beside that of the first."""
    configure("error")
    rates: dict[int, list[float]] = {one: [] for one in workers}
    with databases() as found:
        for run in range(runs):
            for one in workers:
                rates[one].append(drain(found.made_postgres(f"run{run}with{one}"), one, events))
    group = f"Scaling: {events:,} events to each of {DESTINATIONS} HubSpot accounts at 100 ms a call, one PostgreSQL"
    first, *others = workers
    beside = Beside(f"{first} worker", rates[first])
    more = [Figure(group, f"{one} workers", "deliveries/s", rates[one], [beside]) for one in others]
    return [Figure(group, beside.name, "deliveries/s", rates[first]), *more]


def main() -> None:
    """Print one section."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--events", type=int, default=2000)
    arguments.add_argument("--runs", type=int, default=3)
    chosen = arguments.parse_args()
    print(table(figures(chosen.events, chosen.runs)))


if __name__ == "__main__":
    main()
