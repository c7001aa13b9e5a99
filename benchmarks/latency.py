"""An idle connector's time from an event to the CRM's request, time to start, memory, idle CPU, imports and size.

    python -m benchmarks.latency [--events 100] [--idle 10] [--starts 5]

The product is `connector run`; the sandboxes are in this process, so that a single clock times both ends of an event.
Memory is the total of all roles; resident pages that several share are divided among them (PSS, Linux).
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import requests

from benchmarks.acknowledge import AGENCY, free_port
from benchmarks.databases import KEY, databases
from benchmarks.figures import Figure, table
from benchmarks.load import SIGNED_WITH, requests_for, send
from connector.sandbox.hubspot import BEARER, HubSpotSandbox
from connector.sandbox.salesforce import CLIENT, SalesforceSandbox

WANTED_WAIT, WANTED_START, WANTED_MEMORY = "< 30", "< 2", "< 150"
FIRST = "first request"
WRITES = {"salesforce": "/composite/sobjects", "hubspot": "/batch/upsert"}


class Product:
    """`connector run` with both sandboxes."""

    def __init__(self, closing: ExitStack, address: str) -> None:
        self.sandboxes = {"salesforce": SalesforceSandbox(), "hubspot": HubSpotSandbox()}
        url = {name: closing.enter_context(sandbox) for name, sandbox in self.sandboxes.items()}
        folder = Path(closing.enter_context(tempfile.TemporaryDirectory()))
        self.agency = folder / "agency.yaml"
        self.agency.write_text(AGENCY.format(secret=SIGNED_WITH, client=CLIENT, url=url, bearer=BEARER))
        self.port, self.admin = free_port(), free_port()
        self.environment = {
            **os.environ,
            **KEY,
            "CONNECTOR_DATABASE_URL": address,
            "CONNECTOR_LOG_LEVEL": "error",
            "CONNECTOR_LISTEN": f"127.0.0.1:{self.port}",
            "CONNECTOR_ADMIN_LISTEN": f"127.0.0.1:{self.admin}",
        }

    def __enter__(self) -> Product:
        command = [sys.executable, "-m", "connector", "run", "-c", str(self.agency)]
        self._process = subprocess.Popen(command, env=self.environment)
        until(self.ready)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()

    def ready(self) -> bool:
        try:
            return requests.get(f"http://127.0.0.1:{self.admin}/readyz", timeout=5).ok
        except requests.ConnectionError:
            return False

    def roles(self) -> list[int]:
        """List the process ids of all roles and of their parent process."""
        own = self._process.pid
        return [own, *map(int, Path(f"/proc/{own}/task/{own}/children").read_text().split())]

    def wrote(self, crm: str, since: float) -> bool:
        """Whether a write arrived since this time of the monotonic clock."""
        return bool(self.arrived(crm, since, WRITES[crm]))

    def arrived(self, crm: str, since: float, *parts: str) -> list[float]:
        """List the times of the monotonic clock at which requests with these parts in their path arrived."""
        return [seen.at for seen in self.sandboxes[crm].calls(*parts) if seen.at > since]


def until(holds: Callable[[], bool]) -> None:
    """Wait, checking every millisecond. Raises AssertionError after a minute."""
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, "waited a minute in vain"
        time.sleep(0.001)


def events(product: Product, many: int) -> dict[str, list[float]]:
    """Time each event alone, in ms from its first byte to the requests it causes in each CRM."""
    waits: dict[str, list[float]] = {}
    for number, message in enumerate(requests_for("/hooks/bench", many + 3)):
        sent = time.monotonic()
        send(product.port, [message], 1)
        for crm, path in WRITES.items():
            until(partial(product.wrote, crm, sent))
            if number < 3:  # the first events also log in and read the schema
                continue
            for name, parts in ((f"{crm}'s {FIRST}", ()), (f"the write to {crm}", (path,))):
                waits.setdefault(name, []).append(1000 * (product.arrived(crm, sent, *parts)[0] - sent))
        time.sleep(0.1)
    return waits


def share(waits: Sequence[float], part: float) -> float:
    """Return the time within which this share of the waits ended."""
    return sorted(waits)[min(len(waits) - 1, int(part * len(waits)))]


def memory(product: Product) -> float:
    """Return the memory of all roles in MB."""
    rollups = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in product.roles()]
    return sum(int(size) for rollup in rollups for size in re.findall(r"^Pss: +(\d+) kB", rollup, re.M)) * 1024 / 1e6


def idle_cpu(product: Product, seconds: float) -> float:
    """Return the CPU use of all roles while idle, in percent of a core."""

    def used() -> float:
        stats = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in product.roles()]
        return sum(int(stat[11]) + int(stat[12]) for stat in stats) / os.sysconf("SC_CLK_TCK")

    before = used()
    time.sleep(seconds)
    return 100 * (used() - before) / seconds


def seconds_of(command: list[str], runs: int) -> list[float]:
    """Time a command several times."""
    took = []
    for _ in range(runs):
        began = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        took.append(time.perf_counter() - began)
    return took


def installed_mb() -> float:
    """Return the size of the connector and its dependencies as installed, without Python."""
    waiting, seen, size = ["carecycle-crm-connector"], set(), 0
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


def measure(kind: str, address: str, many: int, seconds: float, starts: int) -> list[Figure]:
    """Measure all of it on one database."""
    with ExitStack() as closing:
        product, took = Product(closing, address), []
        for _ in range(starts):
            began = time.perf_counter()
            with product:
                took.append(time.perf_counter() - began)
        with product:
            waits = events(product, many)
            held, busy = memory(product), idle_cpu(product, seconds)
    group = f"An idle container with all roles, on {kind}"
    return [
        *(Figure(group, f"{many} single events, each to {name}", "ms", each,
                 wanted=WANTED_WAIT if name.endswith(FIRST) else "")
          for name, each in waits.items()),
        *(Figure(group, f"{many} single events, 99 of 100 to {name} within", "ms", [share(each, 0.99)])
          for name, each in waits.items()),
        Figure(group, "start to ready", "s", took, wanted=WANTED_START),
        Figure(group, "memory", "MB", [held], wanted=WANTED_MEMORY),
        Figure(group, f"processor, over {seconds:.0f} s", "% of a core", [busy]),
    ]  # fmt: skip


def figures(many: int, seconds: float, starts: int) -> list[Figure]:
    """Measure on both databases, then what does not depend on them. seconds: how long to watch the idle roles."""
    with databases() as engines:
        measured = [measure(kind, address, many, seconds, starts) for kind, address in engines.made("idle").items()]
    group = "As installed"
    return [
        *(figure for figures in measured for figure in figures),
        Figure(group, "connector --help", "s", seconds_of([sys.executable, "-m", "connector", "--help"], starts)),
        Figure(
            group,
            "import of all roles",
            "s",
            seconds_of([sys.executable, "-c", "import connector.running.roles"], starts),
        ),
        Figure(group, "on disk with all it needs but Python", "MB", [installed_mb()]),
    ]


def main() -> None:
    """Print what was measured."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--events", type=int, default=100)
    arguments.add_argument("--idle", type=float, default=10.0, help="seconds to watch the idle roles")
    arguments.add_argument("--starts", type=int, default=5)
    chosen = arguments.parse_args()
    print(table(figures(chosen.events, chosen.idle, chosen.starts)))


if __name__ == "__main__":
    main()
