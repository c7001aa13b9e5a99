"""How long an idle connector takes from an event to the CRM's request; start to ready; memory, idle CPU, imports, size.

    python -m benchmarks.latency [--events 100] [--idle 10] [--starts 5]

The product is `connector run`, the sandboxes are this process, so both ends of each event are told by one clock.
Memory is that of all roles together: resident pages shared by several are divided among them (PSS, Linux).
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
        """The process ids of all roles, and of the process above them."""
        own = self._process.pid
        return [own, *map(int, Path(f"/proc/{own}/task/{own}/children").read_text().split())]

    def wrote(self, crm: str, since: float) -> bool:
        """Whether a write arrived since then."""
        return bool(self.arrived(crm, since, WRITES[crm]))

    def arrived(self, crm: str, since: float, *parts: str) -> list[float]:
        """When each request of that path arrived since then, by the monotonic clock."""
        return [seen.at for seen in self.sandboxes[crm].calls(*parts) if seen.at > since]


def until(holds: Callable[[], bool]) -> None:
    """Look every millisecond."""
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, "waited a minute in vain"
        time.sleep(0.001)


def events(product: Product, many: int) -> dict[str, list[float]]:
    """Milliseconds from the first byte of an event to what follows from it in each CRM, nothing else going on."""
    waits: dict[str, list[float]] = {}
    for number, message in enumerate(requests_for("/hooks/bench", many + 3)):
        sent = time.monotonic()
        send(product.port, [message], 1)
        for crm, path in WRITES.items():
            until(partial(product.wrote, crm, sent))
            if number < 3:  # these log in and ask for the schema
                continue
            for name, parts in ((f"{crm}'s {FIRST}", ()), (f"the write to {crm}", (path,))):
                waits.setdefault(name, []).append(1000 * (product.arrived(crm, sent, *parts)[0] - sent))
        time.sleep(0.1)
    return waits


def share(waits: Sequence[float], part: float) -> float:
    """The wait that this part of all kept to."""
    return sorted(waits)[min(len(waits) - 1, int(part * len(waits)))]


def memory(product: Product) -> float:
    """MB of all roles together."""
    rollups = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in product.roles()]
    return sum(int(pages) for one in rollups for pages in re.findall(r"^Pss: +(\d+) kB", one, re.M)) * 1024 / 1e6


def idle_cpu(product: Product, seconds: float) -> float:
    """Percent of one core that all roles take while nothing comes."""

    def used() -> float:
        stats = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in product.roles()]
        return sum(int(one[11]) + int(one[12]) for one in stats) / os.sysconf("SC_CLK_TCK")

    before = used()
    time.sleep(seconds)
    return 100 * (used() - before) / seconds


def seconds_of(command: list[str], runs: int) -> list[float]:
    """The time a command takes, several times."""
    took = []
    for _ in range(runs):
        began = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        took.append(time.perf_counter() - began)
    return took


def installed_mb() -> float:
    """The connector and everything it needs, as installed, without Python itself."""
    waiting, seen, size = ["carecycle-crm-connector"], set(), 0
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        try:
            found = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # needed elsewhere: on another system or Python
        size += sum(Path(str(one.locate())).stat().st_size for one in found.files or () if one.locate().exists())
        needs = [one for one in found.requires or () if "extra ==" not in one]
        waiting += [re.split(r"[^\w.-]", one)[0].lower() for one in needs]
    return size / 1e6


def measure(kind: str, address: str, many: int, seconds: float, starts: int) -> list[Figure]:
    """All of it, on one database."""
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
    """Both databases, then what is the same on either. seconds: how long the idle roles are watched."""
    with databases() as found:
        made = [measure(kind, address, many, seconds, starts) for kind, address in found.made("idle").items()]
    group = "As installed"
    return [
        *(one for each in made for one in each),
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
