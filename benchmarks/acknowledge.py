"""Acknowledged events per second, and answer times while a backlog drains.

    python -m benchmarks.acknowledge [--seconds 3] [--runs 3] [--node-modules DIR]

The receiver storing events in SQLite and PostgreSQL takes turns with our own server that verifies and stores nothing,
and with what a user would write instead (peers/inline.py, peers/express.js), which calls a Salesforce sandbox before it
answers. Each runs in its own process, and the same client sends to all. Then the whole product at a steady rate,
delivering to two sandboxes.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from itertools import product
from pathlib import Path

import requests

from benchmarks.databases import KEY, Databases, databases
from benchmarks.drain import Sandboxes, backlog
from benchmarks.figures import Beside, Figure, table
from benchmarks.load import SIGNED_WITH, Timing, send_apart
from connector.carecycle.signature import Verifier
from connector.cli.stage import free_port
from connector.receive import Agency, read
from connector.running.roles import collect_rarely
from connector.sandbox.hubspot import BEARER
from connector.sandbox.salesforce import CLIENT
from connector.store import open_store
from connector.store.writer import Bounded, Writer
from connector.telemetry import configure
from connector.web.door import Door, Limits, serve_all
from connector.web.hooks import create_hooks

KEPT: Future[bool] = Future()
KEPT.set_result(True)
LOCAL, PEERS = "http://127.0.0.1", Path(__file__).parent / "peers"
VERIFYING = "our server, verifying and keeping nothing"
FLASK, EXPRESS = "Flask, svix and gunicorn calling the CRM", "Express and svix calling the CRM"
CONNECTIONS, CROWD = (1, 8, 32, 128), 32
WANTED_SHARE, WANTED_P99 = ">= 0.75", "< 50"
AGENCY = """\
agency: bench
webhook: {{secrets: ["{secret}"]}}
destinations:
  salesforce:
    mapping: salesforce-contact
    auth: {{flow: client_credentials, client_id: {client[0]}, client_secret: "{client[1]}", domain: bench.my}}
    endpoint: {url[salesforce]}
  hubspot: {{mapping: hubspot, auth: {{access_token: "{bearer}"}}, endpoint: "{url[hubspot]}"}}
"""


def serve(address: str, port: int) -> None:
    """Receive until stopped. Without an address, only verify."""
    configure("error")
    collect_rarely()
    agencies = {"bench": Agency("bench", Verifier("bench", [SIGNED_WITH]), {"salesforce": 1, "hubspot": 1})}
    if address:
        store = open_store(address, KEY)
        writer = Writer(Bounded(store.inbox.accept, store.inbox.waiting, 10**6))
        door = Door(create_hooks(agencies, writer), "127.0.0.1", port, Limits(threads=0))
        writer.tell = door.soon
    else:
        door = Door(create_hooks(agencies, lambda _: KEPT), "127.0.0.1", port, Limits(threads=0))
    asyncio.run(serve_all([door]))


def started(closing: ExitStack, port: int, command: Sequence[str], environment: Mapping[str, str] | None = None) -> int:
    """Start a server in its own process; return its port as soon as it answers."""
    process = subprocess.Popen(command, env={**os.environ, **(environment or {})}, stdout=subprocess.DEVNULL)
    closing.callback(process.wait)
    closing.callback(process.terminate)
    while process.poll() is None:
        with suppress(requests.ConnectionError):
            requests.get(f"{LOCAL}:{port}/", timeout=5)
            return port
        time.sleep(0.02)
    raise ChildProcessError(f"{command[0]} did not start")


def ours(closing: ExitStack, address: str) -> int:
    """Start only the receiver; return its port."""
    port = free_port()
    return started(closing, port, [sys.executable, "-m", "benchmarks.acknowledge", "--serve", address, str(port)])


def peers(closing: ExitStack, modules: Path | None) -> dict[str, int]:
    """Start what a user would write instead; return the ports. Without Node or its modules, only Flask."""
    crm = closing.enter_context(Sandboxes(0.1)).url["salesforce"]
    grant = {"grant_type": "client_credentials", "client_id": CLIENT[0], "client_secret": CLIENT[1]}
    session = requests.post(f"{crm}/services/oauth2/token", grant, timeout=30).json()["access_token"]
    given, port = {"SECRET": SIGNED_WITH, "CRM": crm, "SESSION": session}, free_port()
    gunicorn = [sys.executable, "-m", "gunicorn", "--log-level", "error", "--workers", "2"]
    command = [*gunicorn, "--bind", f"127.0.0.1:{port}", "--threads", "16", "benchmarks.peers.inline:app"]
    ports = {FLASK: started(closing, port, command, given)}
    if modules and (node := shutil.which("node")):
        given |= {"NODE_PATH": str(modules.resolve()), "PORT": str(port := free_port())}
        ports[EXPRESS] = started(closing, port, [node, str(PEERS / "express.js")], given)
    return ports


def sent(port: int, seconds: float, crowd: int) -> Timing:
    """Send events for about this many seconds, judging their number by a short run."""
    rate = send_apart(port, max(100, 4 * crowd), crowd).rate
    return send_apart(port, max(4 * crowd, int(rate * seconds)), crowd)


def compare(
    made: Mapping[str, str], seconds: float, runs: int, modules: Path | None, connections: Sequence[int]
) -> list[Figure]:
    """Measure each number of connections once, and `CROWD` of them in several runs alternating with the peers."""
    timings: dict[tuple[str, int], list[Timing]] = {}
    with ExitStack() as closing:
        servers = {name: ours(closing, address) for name, address in {VERIFYING: "", **made}.items()}
        others = peers(closing, modules)
        for crowd in connections:
            wanted = {**servers, **others} if crowd == CROWD else servers
            for _, (name, port) in product(range(runs if crowd == CROWD else 1), wanted.items()):
                timings.setdefault((name, crowd), []).append(sent(port, seconds, crowd))
    return [figure for name in made for crowd in connections for figure in _figures(name, crowd, timings)]


def _figures(name: str, crowd: int, timings: Mapping[tuple[str, int], Sequence[Timing]]) -> list[Figure]:
    group = "Acknowledging: verified, kept on disk, answered"
    title = f"{name}, {crowd} connection{'s' if crowd > 1 else ''}"
    rates = {server: [run.rate for run in runs] for (server, size), runs in timings.items() if size == crowd}
    peers = [peer for peer in (VERIFYING, FLASK, EXPRESS) if peer in rates]
    wanted = {VERIFYING: WANTED_SHARE if crowd == CROWD else ""}
    beside = [Beside(peer, rates[peer], wanted.get(peer, "")) for peer in peers]
    figures = [Figure(group, title, "events/s", rates[name], beside)]
    if crowd == CROWD:
        slow = {server: [run.quantile(0.99) for run in timings[server, crowd]] for server in (name, *peers)}
        slowest = [Beside(peer, slow[peer]) for peer in peers]
        figures.append(Figure(group, f"{title}, 99 of 100 answers within", "ms", slow[name], slowest))
    return figures


def drain(address: str, waiting: int, rate: float, seconds: float) -> Timing:
    """Time answers while the product drains a backlog. Raises AssertionError if the backlog was drained too early."""
    with ExitStack() as closing:
        sandboxes = closing.enter_context(Sandboxes(0.1))
        folder = Path(closing.enter_context(tempfile.TemporaryDirectory()))
        text = AGENCY.format(secret=SIGNED_WITH, client=CLIENT, url=sandboxes.url, bearer=BEARER)
        (folder / "agency.yaml").write_text(text)
        store = open_store(address, KEY)
        closing.callback(store.close)
        agency = Agency("bench", Verifier("bench", [SIGNED_WITH]), {"salesforce": 1, "hubspot": 1})
        store.inbox.accept([read(agency, message_id, body, 0) for message_id, body in backlog(waiting)])
        port = free_port()
        environment = {**KEY, "CONNECTOR_DATABASE_URL": address, "CONNECTOR_LOG_LEVEL": "error"}
        environment |= {"CONNECTOR_LISTEN": f"127.0.0.1:{port}", "CONNECTOR_ADMIN_LISTEN": f"127.0.0.1:{free_port()}"}
        command = [sys.executable, "-m", "connector", "run", "-c", str(folder / "agency.yaml")]
        started(closing, port, command, environment)
        while store.desk.waiting() > 2 * waiting - 100:
            time.sleep(0.02)
        timing = send_apart(port, int(seconds * rate), CROWD, rate)
        assert store.desk.waiting(), "the backlog was drained before the last event came"
        return timing


def draining(engines: Databases, waiting: int, rate: float, seconds: float) -> list[Figure]:
    """Measure answer times while draining, with a row for each kind of database."""
    addresses = engines.made("draining")
    slow = {kind: [drain(address, waiting, rate, seconds).quantile(0.99)] for kind, address in addresses.items()}
    group = f"Acknowledging {rate:.0f} events/s while the same container drains {waiting:,} into both CRMs"
    name = f"{CROWD} connections, 99 of 100 answers within"
    return [Figure(group, f"{kind}, {name}", "ms", times, wanted=WANTED_P99) for kind, times in slow.items()]


def figures(
    seconds: float, runs: int, waiting: int, modules: Path | None, connections: Sequence[int] = CONNECTIONS
) -> list[Figure]:
    """Measure rates next to the peers', then answer times while `waiting` events drain. seconds: per measurement."""
    configure("error")
    with databases() as engines:
        rates = compare(engines.made("bench"), seconds, runs, modules, connections)
        return rates + draining(engines, waiting, 200, 2 * seconds)


def main() -> None:
    """Print two sections."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    arguments.add_argument("--seconds", type=float, default=3, help="per measurement")
    arguments.add_argument("--runs", type=int, default=3)
    arguments.add_argument("--backlog", type=int, default=10_000)
    arguments.add_argument("--node-modules", type=Path, help="where peers/package.json is installed")
    chosen = arguments.parse_args()
    if chosen.serve:
        serve(chosen.serve[0], int(chosen.serve[1]))
        return
    print(table(figures(chosen.seconds, chosen.runs, chosen.backlog, chosen.node_modules)))


if __name__ == "__main__":
    main()
