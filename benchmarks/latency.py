"""An idle connector's time from an event to the CRM's request, time to start, memory, idle CPU, imports and size.

    python -m benchmarks.latency [--events 100] [--idle 10] [--starts 5] [--before COMMIT]

The product is `connector run`; the sandboxes are in this process, so that a single clock times both ends of an event.
Memory is the total of all roles; resident pages that several share are divided among them (PSS, Linux).
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import re
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from benchmarks.databases import databases
from benchmarks.figures import Failed, Figure, table
from benchmarks.load import requests_for, requests_of_new_people, send
from benchmarks.product import Product, until
from benchmarks.sides import OURS, ROOT, Older, Side, clean, prepared
from connector.sandbox.hubspot import HubSpotSandbox
from connector.sandbox.salesforce import SalesforceSandbox
from connector.sandbox.wire import Seen, Wire

WANTED_WAIT, WANTED_START, WANTED_SIZE = "< 30", "<= 1.5", "< 1"
WANTED_MEMORY = {"SQLite": "<= 120", "PostgreSQL": "<= 130"}
WANTED_APART = {"hubspot": "<= 1000"}
APART = 0.05
"""Seconds between single events that come close together."""

FIRST = "first request"
CRMS = ("salesforce", "hubspot")
Taken = dict[str, list[float]]


class Sandboxed:
    """Both sandboxes, in this process."""

    def __init__(self, closing: ExitStack, latency: float = 0.0) -> None:
        self._wires: dict[str, Wire] = {
            "salesforce": SalesforceSandbox(latency=latency),
            "hubspot": HubSpotSandbox(latency=latency),
        }
        self.url = {name: closing.enter_context(wire) for name, wire in self._wires.items()}

    def arrived(self, crm: str, since: float) -> list[Seen]:
        """List the requests that arrived since this time of the monotonic clock."""
        return [seen for seen in self._wires[crm].calls() if seen.at > since]

    def written(self, crm: str, since: float) -> list[Seen]:
        """List those of them that wrote something."""
        return [seen for seen in self.arrived(crm, since) if writes(seen)]


def writes(seen: Seen) -> bool:
    """Whether a request writes records. Salesforce takes several requests in one, and reads by POST, too."""
    body = seen.body if isinstance(seen.body, dict) else {}
    inside = body.get("compositeRequest") or [
        part for graph in body.get("graphs", ()) for part in graph["compositeRequest"]
    ]
    if inside:
        return any(part["method"] != "GET" for part in inside)
    return Wire.is_write(seen.method, seen.path) and not ("/sobjects" in seen.path and "ids" in body)


def events(product: Product, sandboxes: Sandboxed, many: int) -> Taken:
    """Time each event alone, in ms from its first byte to the requests it causes in each CRM."""
    waits: Taken = {}
    for number, message in enumerate(requests_for("/hooks/bench", many + 3)):
        sent = time.monotonic()
        send(product.port, [message], 1)
        for crm in CRMS:
            until(lambda crm=crm, sent=sent: bool(sandboxes.written(crm, sent)))
            if number < 3:  # the first events also log in and read the schema
                continue
            for name, requests in ((f"{crm}'s {FIRST}", sandboxes.arrived), (f"the write to {crm}", sandboxes.written)):
                waits.setdefault(name, []).append(1000 * (requests(crm, sent)[0].at - sent))
        time.sleep(0.1)
    return waits


def close_together(
    product: Product, sandboxes: Sandboxed, many: int, seed: int = 6, apart: float = APART, agency: str = "bench"
) -> Taken:
    """Send new people's events `apart` seconds from each other; time each, in ms, until the first write that has it."""
    messages = requests_of_new_people(f"/hooks/{agency}", many, seed)
    began = time.monotonic()
    send(product.port, list(messages.values()), 8, 1 / apart)
    due = {customer: began + apart * number for number, customer in enumerate(messages)}
    return {crm: _waits(sandboxes, crm, due, began) for crm in CRMS}


def _waits(sandboxes: Sandboxed, crm: str, due: dict[str, float], began: float) -> list[float]:
    waits: dict[str, float] = {}

    def all_written() -> bool:
        for seen in sandboxes.written(crm, began):
            text = json.dumps(seen.body)
            for customer in due.keys() - waits.keys():
                if customer in text:
                    waits[customer] = 1000 * (seen.at - due[customer])
        time.sleep(0.2)
        return len(waits) == len(due)

    until(all_written, 120)
    return list(waits.values())


def share(waits: Sequence[float], part: float) -> float:
    """Return the time within which this share of the waits ended."""
    return sorted(waits)[min(len(waits) - 1, int(part * len(waits)))]


def idle_cpu(product: Product, seconds: float) -> float:
    """Return the CPU use of all roles while idle, in percent of a core."""
    before = product.processor()
    time.sleep(seconds)
    return 100 * (product.processor() - before) / seconds


def seconds_of(side: Side, *arguments: str) -> list[float]:
    """Time Python with these arguments once."""
    began = time.perf_counter()
    command = [side.python, *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=side.folder, env=clean())
    return [time.perf_counter() - began]


def installed_mb() -> float:
    """Return the size of the connector and its dependencies as installed, without Python."""
    waiting, seen = ["carecycle-crm-connector"], set()
    # Installed so that it can be edited, the connector's own files are not in its list.
    own = (path for folder in ("connector", "mappings") for path in (ROOT / folder).rglob("*"))
    size = sum(path.stat().st_size for path in own if path.is_file() and path.suffix != ".pyc")
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        try:
            package = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # only needed on another system or Python version
        size += sum(Path(str(file.locate())).stat().st_size for file in package.files or () if file.locate().exists())
        needs = [requirement for requirement in package.requires or () if "extra ==" not in requirement]
        waiting += [re.split(r"[^\w.-]", requirement)[0].lower() for requirement in needs]
    return size / 1e6


def measure(side: Side, address: str, many: int, seconds: float, starts: int) -> Taken:
    """Measure all of it on one database, by name."""
    with ExitStack() as closing:
        sandboxes = Sandboxed(closing)
        product, took = Product(closing, side, address, {"bench": sandboxes.url}), []
        for _ in range(starts):
            began = time.perf_counter()
            with product:
                took.append(time.perf_counter() - began)
        with product:
            waits = events(product, sandboxes, many)
            held, busy = product.memory(), idle_cpu(product, seconds)
            near = close_together(product, sandboxes, 4 * many)
    slow = {f"99 of 100 to {name} within": [share(each, 0.99)] for name, each in waits.items()}
    apart = {f"close {crm}": [share(each, 0.99)] for crm, each in near.items()}
    return {**waits, **slow, **apart, START: took, MEMORY: [held], PROCESSOR: [busy]}


START, MEMORY, PROCESSOR = "start to ready", "memory", "processor"


def _figures(kind: str, took: Taken, older: Older, many: int, seconds: float) -> list[Figure]:
    group = f"An idle container with all roles, on {kind}"

    def figure(name: str, key: str, unit: str, wanted: str = "") -> Figure:
        return Figure(group, name, unit, took[key], older.beside(f"{kind} {key}"), wanted)

    waits = [name for name in took if name.startswith(("salesforce's", "hubspot's", "the write"))]
    slow = [name for name in took if name.startswith("99 of 100")]
    return [
        *(figure(f"{many} single events, each to {name}", name, "ms", WANTED_WAIT if name.endswith(FIRST) else "")
          for name in waits),
        *(figure(f"{many} single events, {name}", name, "ms") for name in slow),
        *(figure(f"{4 * many} new people {APART * 1000:.0f} ms apart, 99 of 100 to the write to {crm} within",
                 f"close {crm}", "ms", WANTED_APART.get(crm, "")) for crm in CRMS),
        figure(START, START, "s", WANTED_START),
        figure(MEMORY, MEMORY, "MB", WANTED_MEMORY[kind]),
        figure(f"{PROCESSOR}, over {seconds:.0f} s", PROCESSOR, "% of a core"),
    ]  # fmt: skip


HELP, IMPORT, DISK = "connector --help", "import of all roles", "on disk with all it needs but Python"


def installed(side: Side) -> Taken:
    """Measure what does not depend on the database, once."""
    return {
        HELP: seconds_of(side, "-m", "connector", "--help"),
        IMPORT: seconds_of(side, "-c", "import connector.running.roles"),
        DISK: [side.call(installed_mb)],
    }


def figures(many: int, seconds: float, starts: int, before: Side | None) -> list[Figure | Failed]:
    """Measure on both databases, then what does not depend on them. seconds: how long to watch the idle roles."""
    older, results = Older(before), list[Figure | Failed]()
    with databases() as engines:
        old = engines.made("idle_before")
        for kind, address in engines.made("idle").items():
            took = measure(OURS, address, many, seconds, starts)
            older.take(partial(_named, kind, old[kind], many, seconds, starts))
            results += _figures(kind, took, older, many, seconds)
    group, ours = "As installed", Taken()
    for _ in range(starts):
        for name, runs in installed(OURS).items():
            ours.setdefault(name, []).extend(runs)
        older.take(installed)
    units = {HELP: "s", IMPORT: "s", DISK: "MB"}
    wanted = {DISK: WANTED_SIZE}
    results += [
        Figure(group, name, units[name], runs[:1] if name == DISK else runs, older.beside(name, wanted.get(name, "")))
        for name, runs in ours.items()
    ]
    return results + older.failures(group)


def _named(kind: str, address: str, many: int, seconds: float, starts: int, side: Side) -> Taken:
    return {f"{kind} {name}": runs for name, runs in measure(side, address, many, seconds, starts).items()}


def main() -> None:
    """Print what was measured."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--events", type=int, default=100)
    arguments.add_argument("--idle", type=float, default=10.0, help="seconds to watch the idle roles")
    arguments.add_argument("--starts", type=int, default=5)
    arguments.add_argument("--before", metavar="COMMIT", help="an older version to compare with")
    chosen = arguments.parse_args()
    before = prepared(chosen.before) if chosen.before else None
    print(table(figures(chosen.events, chosen.idle, chosen.starts, before)))


if __name__ == "__main__":
    main()
