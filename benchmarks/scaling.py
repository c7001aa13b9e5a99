"""How delivery scales: 1, 2 and 4 worker processes, 8 destinations at 100 ms per call, one PostgreSQL database.

    python -m benchmarks.scaling [--events 2000] [--runs 3]

Each worker holds two lanes at once, so that processes are compared and not the threads within one. Each account is a
separate sandbox with its own limit of calls in ten seconds. The numbers of workers take turns.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.databases import KEY, databases
from benchmarks.drain import backlog
from benchmarks.figures import Beside, Figure, table
from benchmarks.load import SIGNED_WITH
from connector.carecycle.signature import Verifier
from connector.receive import Agency, read
from connector.sandbox.hubspot import BEARER, HubSpotSandbox
from connector.store import open_store
from connector.telemetry import configure

DESTINATIONS = 8
HELD = 2


def serve() -> None:
    """Serve the accounts until stopped; print each address on its own line."""
    for url in [HubSpotSandbox(latency=0.1).start() for _ in range(DESTINATIONS)]:
        print(url, flush=True)
    threading.Event().wait()


def accounts(closing: ExitStack) -> list[str]:
    """Start the accounts in a separate process; return their addresses."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.scaling", "--serve"], stdout=subprocess.PIPE, text=True
    )
    closing.callback(process.communicate)
    closing.callback(process.kill)
    assert process.stdout is not None
    return [process.stdout.readline().strip() for _ in range(DESTINATIONS)]


def agency_file(urls: Sequence[str]) -> str:
    """Write the file of an agency with all of these accounts."""
    line = "  crm{}: {{mapping: hubspot, auth: {{access_token: {}}}, endpoint: '{}'}}\n"
    accounts = "".join(line.format(number, BEARER, url) for number, url in enumerate(urls))
    return f"agency: bench\nwebhook: {{secrets: ['{SIGNED_WITH}']}}\ndestinations:\n{accounts}"


def drain(address: str, workers: int, events: int) -> float:
    """Return the deliveries per second, from the first lease of a lane to the last settled delivery."""
    with ExitStack() as closing:
        folder = Path(closing.enter_context(tempfile.TemporaryDirectory()))
        store = open_store(address, KEY)
        closing.callback(store.close)
        urls = accounts(closing)
        (folder / "agency.yaml").write_text(agency_file(urls))
        owed = {f"crm{number}": 1 for number in range(DESTINATIONS)}
        agency = Agency("bench", Verifier("bench", [SIGNED_WITH]), owed)
        store.inbox.accept([read(agency, message_id, body, 0) for message_id, body in backlog(events)])
        environment = {**os.environ, **KEY, "CONNECTOR_DATABASE_URL": address, "CONNECTOR_LOG_LEVEL": "error"}
        environment |= {"CONNECTOR_ADMIN_LISTEN": "off", "CONNECTOR_WORKER_LANES": str(HELD)}
        command = [sys.executable, "-m", "connector", "work", "-c", str(folder / "agency.yaml")]
        for _ in range(workers):
            process = subprocess.Popen(command, env=environment)
            closing.callback(process.wait)
            closing.callback(process.terminate)
        while not any(lane.owner for lane in store.desk.lanes()):
            time.sleep(0.01)
        began = time.perf_counter()
        while store.desk.waiting():
            time.sleep(0.02)
        return events * DESTINATIONS / (time.perf_counter() - began)


def figures(events: int, runs: int, workers: Sequence[int] = (1, 2, 4)) -> list[Figure]:
    """Compare the rate of each number of workers with that of the first."""
    configure("error")
    rates: dict[int, list[float]] = {number: [] for number in workers}
    with databases() as engines:
        for run in range(runs):
            for number in workers:
                rates[number].append(drain(engines.made_postgres(f"run{run}with{number}"), number, events))
    group = f"Scaling: {events:,} events to each of {DESTINATIONS} HubSpot accounts at 100 ms a call, one PostgreSQL"
    first, *others = workers
    beside = Beside(f"{first} worker", rates[first])
    more = [Figure(group, f"{number} workers", "deliveries/s", rates[number], [beside]) for number in others]
    return [Figure(group, beside.name, "deliveries/s", rates[first]), *more]


def main() -> None:
    """Print one section."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments.add_argument("--events", type=int, default=2000)
    arguments.add_argument("--runs", type=int, default=3)
    chosen = arguments.parse_args()
    if chosen.serve:
        serve()
        return
    print(table(figures(chosen.events, chosen.runs)))


if __name__ == "__main__":
    main()
