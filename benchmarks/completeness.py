"""Is everybody here? A book of business whose webhooks partly got lost, compared by `connector reconcile source`.

    python -m benchmarks.completeness [--customers 50000] [--lost 0.01] [--kills 3] [--calls] [--requests 6000]

The command runs as people run it, against the sandbox of careCycle's API over HTTP, and is killed (kill -9) at random.
Prints what was lost, and of it what was found, missed and invented; the requests, the time and the most memory.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import text

from benchmarks.databases import KEY
from benchmarks.load import SIGNED_WITH
from connector.carecycle.signature import Verifier
from connector.receive import Agency, read
from connector.sandbox.carecycle import KEY as API_KEY
from connector.sandbox.carecycle import CareCycleSandbox
from connector.sandbox.carecycle.book import Book
from connector.store import open_store

AGENCY = """\
agency: bench
webhook: {{secrets: ["{secret}"]}}
carecycle: {{api_key: "{key}", endpoint: "{url}", requests_a_minute: {requests}, compare_every: 0}}
destinations:
  crm: {{mapping: hubspot, auth: {{access_token: none}}, endpoint: "http://127.0.0.1:9"}}
"""
_STEP = 1000


@dataclass
class Lost:
    """The webhooks that never arrived, by what they were about."""

    unknown: set[str]
    newer: set[str]
    calls: set[str]


def messages(sandbox: CareCycleSandbox, chance: random.Random, share: float, lost: Lost) -> Iterator[tuple[str, Any]]:
    """What careCycle sent and what of it arrived: a creation each, an update of every tenth, and every call."""
    for customer in list(sandbox.book):
        identity = customer["id"]
        if chance.random() >= share:
            yield f"created-{identity}", {**sandbox.webhook(identity), "event_type": "customer.created"}
        else:
            lost.unknown.add(identity)
        if chance.random() < 0.1:
            sandbox.book.change(identity, city="Yuma")
            if chance.random() >= share:
                lost.unknown.discard(identity)
                yield f"updated-{identity}", sandbox.webhook(identity)
            elif identity not in lost.unknown:
                lost.newer.add(identity)
        for call in sandbox.book.calls(identity):
            inside = {name: value for name, value in sandbox.webhook(identity).items() if name != "event_type"}
            if chance.random() >= share:
                yield f"call-{call['id']}", {"event_type": "call.completed", **call, "customer": inside}
            else:
                lost.calls.add(call["id"])


def resident(pid: int) -> int:
    """The memory of a process, in MB; 0 if it has ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") >> 20


def compare(command: list[str], environment: dict[str, str], kills: int, chance: random.Random) -> dict[str, Any]:
    """Run the command until it ends by itself, killing it a few times; return what it printed and what it took."""
    most, began = 0, time.monotonic()
    while True:
        ends_at = time.monotonic() + (chance.uniform(1.5, 5.0) if kills else float("inf"))
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        while process.poll() is None and time.monotonic() < ends_at:
            most = max(most, resident(process.pid))
            time.sleep(0.05)
        if process.poll() is None:
            process.kill()
            process.wait()
            kills -= 1
            continue
        output, _ = process.communicate()
        (said,) = json.loads(output)
        return {**said, "seconds": round(time.monotonic() - began, 1), "mb": most, "exit": process.returncode}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=50_000)
    parser.add_argument("--lost", type=float, default=0.01)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--requests", type=int, default=6000)
    parser.add_argument("--calls", action="store_true")
    asked = parser.parse_args()
    chance = random.Random(20)
    sandbox = CareCycleSandbox(Book(asked.customers), a_minute=0)
    with tempfile.TemporaryDirectory() as name, sandbox:
        folder = Path(name)
        file = folder / "agency.yaml"
        file.write_text(AGENCY.format(secret=SIGNED_WITH, key=API_KEY, url=sandbox.url, requests=asked.requests))
        address = f"sqlite:///{folder}/connector.db"
        environment = {**os.environ, "CONNECTOR_DATABASE_URL": address, **KEY}
        lost = Lost(set(), set(), set())
        store = open_store(address, environment)
        agency = Agency("bench", Verifier("bench", [SIGNED_WITH]), {"crm": 1})
        arriving = messages(sandbox, chance, asked.lost, lost)
        while some := list(islice(arriving, _STEP)):
            store.inbox.accept([read(agency, message_id, json.dumps(body).encode()) for message_id, body in some])
        command = [sys.executable, "-m", "connector", "reconcile", "source", "-c", str(file), "--json"]
        said = compare([*command, *(["--calls"] if asked.calls else [])], environment, asked.kills, chance)
        with store.database.reading() as connection:
            rows = connection.execute(text("SELECT customer_id, type FROM events WHERE origin = 'carecycle'")).all()
        fetched = {customer for customer, kind in rows if kind != "call.completed"}
        calls = sum(kind == "call.completed" for _, kind in rows)
        twins = len([1 for _, kind in rows if kind != "call.completed"]) - len(fetched)
        again = compare(command, environment, 0, chance)
        store.close()
    wanted = lost.unknown | lost.newer
    found, missed, invented = len(wanted & fetched), len(wanted - fetched), len(fetched - wanted)
    print(f"customers {asked.customers:,}; lost: {len(lost.unknown)} new customers, {len(lost.newer)} updates")
    print(f"found {found}, missed {missed}, invented {invented}, twins {twins}")
    print(f"calls lost {len(lost.calls)}, fetched {calls}")
    took = f"{said['seconds']} s, killed {asked.kills} times, {said['mb']} MB"
    print(f"requests {len(sandbox.seen)}, {took}, left {said['left']}")
    print(f"compared again: missing {again['missing']}, {again['seconds']} s")


if __name__ == "__main__":
    main()
