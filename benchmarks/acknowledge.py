"""Acknowledged events per second, and answer times while a backlog drains.

    python -m benchmarks.acknowledge [--seconds 3] [--runs 3] [--node-modules DIR]

Durable on SQLite and PostgreSQL, in turn with our own server that verifies and keeps nothing, and with what a user
would write instead (peers/inline.py, peers/express.js), which calls a Salesforce sandbox before it answers. Each in a
process of its own, sent to by the same client. Then the product itself, at a steady rate, with two sandboxes to deliver
to.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import socket
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
from benchmarks.load import SIGNED_WITH, Told, apart
from connector.carecycle.signature import Verifier
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
    """Receive on a database, or with no address verify alone, until stopped."""
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


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def started(closing: ExitStack, port: int, command: Sequence[str], environment: Mapping[str, str] | None = None) -> int:
    """The port of a server in a process of its own, once it answers."""
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
    """The receiving half alone."""
    port = free_port()
    return started(closing, port, [sys.executable, "-m", "benchmarks.acknowledge", "--serve", address, str(port)])


def peers(closing: ExitStack, modules: Path | None) -> dict[str, int]:
    """What a user would write instead, and its port. Without Node or its modules: Flask alone."""
    crm = closing.enter_context(Sandboxes(0.1)).url["salesforce"]
    grant = {"grant_type": "client_credentials", "client_id": CLIENT[0], "client_secret": CLIENT[1]}
    session = requests.post(f"{crm}/services/oauth2/token", grant, timeout=30).json()["access_token"]
    given, port = {"SECRET": SIGNED_WITH, "CRM": crm, "SESSION": session}, free_port()
    gunicorn = [sys.executable, "-m", "gunicorn", "--log-level", "error", "--workers", "2"]
    command = [*gunicorn, "--bind", f"127.0.0.1:{port}", "--threads", "16", "benchmarks.peers.inline:app"]
    found = {FLASK: started(closing, port, command, given)}
    if modules and (node := shutil.which("node")):
        given |= {"NODE_PATH": str(modules.resolve()), "PORT": str(port := free_port())}
        found[EXPRESS] = started(closing, port, [node, str(PEERS / "express.js")], given)
    return found


def sent(port: int, seconds: float, crowd: int) -> Told:
    """So many events as take about these seconds, told by some sent before."""
    rate = apart(port, max(100, 4 * crowd), crowd).rate
    return apart(port, max(4 * crowd, int(rate * seconds)), crowd)


def compare(
    made: Mapping[str, str], seconds: float, runs: int, modules: Path | None, connections: Sequence[int]
) -> list[Figure]:
    """Every number of connections, once; that of the bounds in several runs, and with the peers."""
    told: dict[tuple[str, int], list[Told]] = {}
    with ExitStack() as closing:
        servers = {name: ours(closing, address) for name, address in {VERIFYING: "", **made}.items()}
        others = peers(closing, modules)
        for crowd in connections:
            wanted = {**servers, **others} if crowd == CROWD else servers
            for _, (name, port) in product(range(runs if crowd == CROWD else 1), wanted.items()):
                told.setdefault((name, crowd), []).append(sent(port, seconds, crowd))
    return [one for name in made for one in _told(name, connections, told)]


def _told(name: str, connections: Sequence[int], told: Mapping[tuple[str, int], Sequence[Told]]) -> list[Figure]:
    group, made = "Acknowledging: verified, kept on disk, answered", []
    for crowd in connections:
        several = f"{name}, {crowd} connection{'s' if crowd > 1 else ''}"
        wanted = WANTED_SHARE if crowd == CROWD else ""
        others = [other for other in (FLASK, EXPRESS) if (other, crowd) in told]
        beside = [Beside(VERIFYING, [one.rate for one in told[VERIFYING, crowd]], wanted)]
        beside += [Beside(other, [one.rate for one in told[other, crowd]]) for other in others]
        rates = [one.rate for one in told[name, crowd]]
        made.append(Figure(group, several, "events/s", rates, beside))
        if crowd == CROWD:
            slowest = [Beside(other, [one.at(0.99) for one in told[other, crowd]]) for other in (VERIFYING, *others)]
            late = [one.at(0.99) for one in told[name, crowd]]
            made.append(Figure(group, f"{several}, 99 of 100 answers within", "ms", late, slowest))
    return made


def drain(address: str, waiting: int, rate: float, seconds: float) -> Told:
    """Answers while the product drains a backlog of so many events. Raises AssertionError where it ended too early."""
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
        told = apart(port, int(seconds * rate), CROWD, rate)
        assert store.desk.waiting(), "the backlog was drained before the last event came"
        return told


def draining(found: Databases, waiting: int, rate: float, seconds: float) -> list[Figure]:
    """A row a database."""
    made = found.made("draining")
    told = {kind: [drain(address, waiting, rate, seconds).at(0.99)] for kind, address in made.items()}
    group = f"Acknowledging {rate:.0f} events/s while the same container drains {waiting:,} into both CRMs"
    name = f"{CROWD} connections, 99 of 100 answers within"
    return [Figure(group, f"{kind}, {name}", "ms", each, wanted=WANTED_P99) for kind, each in told.items()]


def figures(
    seconds: float, runs: int, waiting: int, modules: Path | None, connections: Sequence[int] = CONNECTIONS
) -> list[Figure]:
    """Rates beside the peers', then answer times while `waiting` events drain. seconds: of each measurement."""
    configure("error")
    with databases() as found:
        made = compare(found.made("bench"), seconds, runs, modules, connections)
        return made + draining(found, waiting, 200, 2 * seconds)


def main() -> None:
    """Print two sections."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    arguments.add_argument("--seconds", type=float, default=3, help="of each measurement")
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
