"""Acknowledged events per second, and answer times while a backlog drains.

    python -m benchmarks.acknowledge [--seconds 3] [--runs 3] [--node-modules DIR] [--before COMMIT]

`connector receive` on SQLite and PostgreSQL takes turns with our own server that verifies and stores nothing, with the
older version of both, and with what a user would write instead (peers/inline.py, peers/express.js), which calls a
Salesforce sandbox before it answers. Each runs in its own process, and the same client sends to all. Then
`connector run` at a steady rate, delivering to two sandboxes.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import requests

from benchmarks.databases import KEY, Databases, databases
from benchmarks.drain import Sandboxes, backlog
from benchmarks.figures import Beside, Failed, Figure, table
from benchmarks.load import SIGNED_WITH, Timing, send_apart
from benchmarks.product import NOWHERE, Product, family, memory, until
from benchmarks.sides import OURS, Older, Side, clean, prepared
from connector.carecycle.signature import Verifier
from connector.cli.stage import free_port
from connector.receive import Agency, read
from connector.running.roles import collect_rarely
from connector.sandbox.salesforce import CLIENT
from connector.store import open_store
from connector.telemetry import configure
from connector.web.door import Door, Limits, serve_all
from connector.web.hooks import create_hooks

KEPT: Future[bool] = Future()
KEPT.set_result(True)
LOCAL, PEERS = "http://127.0.0.1", Path(__file__).parent / "peers"
VERIFYING = "our server, verifying and keeping nothing"
FLASK, EXPRESS = "Flask, svix and gunicorn calling the CRM", "Express and svix calling the CRM"
CONNECTIONS, CROWD = (1, 8, 32, 128), 32
WANTED_SHARE, WANTED_P99, WANTED_GAIN = ">= 0.85", "< 50", ">= 1.3"
Servers = dict[str, "Server"]
Times = dict[tuple[str, int], list[Timing]]


def serve(port: int) -> None:
    """Verify until stopped, and keep nothing."""
    configure("error")
    collect_rarely()
    agencies = {"bench": Agency("bench", Verifier("bench", [SIGNED_WITH]), {"salesforce": 1, "hubspot": 1})}
    asyncio.run(serve_all([Door(create_hooks(agencies, lambda _: KEPT), "127.0.0.1", port, Limits(threads=0))]))


@dataclass(frozen=True, slots=True)
class Server:
    """A server that is running. pid: of its first process."""

    port: int
    pid: int


def answering(closing: ExitStack, port: int, start: Callable[[], subprocess.Popen[bytes]]) -> Server:
    """Start a server that ends with the block; return it as soon as it answers."""
    process = start()
    closing.callback(process.wait)
    closing.callback(process.terminate)
    while process.poll() is None:
        with suppress(requests.RequestException):
            requests.get(f"{LOCAL}:{port}/", timeout=5)
            return Server(port, process.pid)
        time.sleep(0.02)
    raise ChildProcessError("the server did not start")


def verifying(closing: ExitStack, side: Side) -> Server:
    """Start the server that only verifies."""
    port = free_port()
    return answering(closing, port, lambda: side.started("benchmarks.acknowledge", "--serve", str(port)))


def receiving(closing: ExitStack, side: Side, address: str) -> Server:
    """Start `connector receive`."""
    product = closing.enter_context(Product(closing, side, address, {"bench": NOWHERE}, "receive"))
    return Server(product.port, product.roles()[0])


def servers(closing: ExitStack, side: Side, addresses: Mapping[str, str]) -> Servers:
    """Start what one version offers: the server that only verifies, and the receiver on each database."""
    return {VERIFYING: verifying(closing, side)} | {
        kind: receiving(closing, side, address) for kind, address in addresses.items()
    }


def peers(closing: ExitStack, modules: Path | None) -> Servers:
    """Start what a user would write instead. Without Node or its modules, only Flask."""
    crm = closing.enter_context(Sandboxes(0.1)).url["salesforce"]
    grant = {"grant_type": "client_credentials", "client_id": CLIENT[0], "client_secret": CLIENT[1]}
    session = requests.post(f"{crm}/services/oauth2/token", grant, timeout=30).json()["access_token"]
    given, port = {**clean(), "SECRET": SIGNED_WITH, "CRM": crm, "SESSION": session}, free_port()
    gunicorn = [sys.executable, "-m", "gunicorn", "--log-level", "error", "--workers", "2"]
    command = [*gunicorn, "--bind", f"127.0.0.1:{port}", "--threads", "16", "benchmarks.peers.inline:app"]
    made = {FLASK: answering(closing, port, partial(subprocess.Popen, command, env=given))}
    if modules and (node := shutil.which("node")):
        port = free_port()
        given |= {"NODE_PATH": str(modules.resolve()), "PORT": str(port)}
        express = [node, str(PEERS / "express.js")]
        start = partial(subprocess.Popen, express, env=given, stdout=subprocess.DEVNULL)
        made[EXPRESS] = answering(closing, port, start)
    return made


def sent(port: int, seconds: float, crowd: int) -> Timing:
    """Send events for about this many seconds, judging their number by a short run."""
    rate = send_apart(port, max(100, 4 * crowd), crowd).rate
    return send_apart(port, max(4 * crowd, int(rate * seconds)), crowd)


def compare(
    engines: Databases, seconds: float, runs: int, modules: Path | None, older: Older, connections: Sequence[int]
) -> list[Figure]:
    """Measure each number of connections once, and `CROWD` of them in several runs alternating with the others."""
    timings: Times = {}
    old: Servers = {}

    def before(closing: ExitStack) -> Callable[[Side], dict[str, list[float]]]:
        def measure(side: Side) -> dict[str, list[float]]:
            if not old:
                old.update(servers(closing, side, engines.made("before")))
            took = {name: sent(server.port, seconds, CROWD) for name, server in old.items()}
            slow = {f"{name}{SLOW}": [run.quantile(0.99)] for name, run in took.items()}
            return {name: [run.rate] for name, run in took.items()} | slow

        return measure

    with ExitStack() as closing:
        addresses = engines.made("bench")
        own = servers(closing, OURS, addresses)
        others, turn = peers(closing, modules), before(closing)
        for crowd in connections:
            for _ in range(runs if crowd == CROWD else 1):
                for name, server in {**own, **(others if crowd == CROWD else {})}.items():
                    timings.setdefault((name, crowd), []).append(sent(server.port, seconds, crowd))
                if crowd == CROWD:
                    older.take(turn)
        held = {name: [memory(family(server.pid))] for name, server in {**own, **others}.items()}
    alone = [run.rate for run in timings[VERIFYING, CROWD]]
    figures = [Figure(GROUP, f"verifying alone, {CROWD} connections", "events/s", alone,
                      older.beside(VERIFYING, WANTED_GAIN))]  # fmt: skip
    beside = [Beside(name, held[name]) for name in others]
    figures.append(Figure(GROUP, MEMORY, "MB", held["SQLite"], beside))
    return figures + [
        figure for kind in addresses for crowd in connections for figure in _figures(kind, crowd, timings, older)
    ]


GROUP = "Acknowledging: verified, kept on disk, answered"
SLOW = ", 99 of 100"
MEMORY = "memory of the receiver alone on SQLite, after this load"


def _figures(kind: str, crowd: int, timings: Times, older: Older) -> list[Figure]:
    title = f"{kind}, {crowd} connection{'s' if crowd > 1 else ''}"
    rates = {server: [run.rate for run in runs] for (server, size), runs in timings.items() if size == crowd}
    peers = [peer for peer in (VERIFYING, FLASK, EXPRESS) if peer in rates]
    wanted = {VERIFYING: WANTED_SHARE if crowd == CROWD else ""}
    beside = [Beside(peer, rates[peer], wanted.get(peer, "")) for peer in peers]
    if crowd != CROWD:
        return [Figure(GROUP, title, "events/s", rates[kind], beside)]
    slow = {server: [run.quantile(0.99) for run in timings[server, crowd]] for server in (kind, *peers)}
    slowest = [Beside(peer, slow[peer]) for peer in peers] + older.beside(kind + SLOW)
    return [
        Figure(GROUP, title, "events/s", rates[kind], beside + older.beside(kind)),
        Figure(GROUP, f"{title}, 99 of 100 answers within", "ms", slow[kind], slowest),
    ]


def fill(address: str, waiting: int, agency: str = "bench") -> None:
    """Store this many events as if they had been received. Called in the version that drains them."""
    store = open_store(address, KEY)
    owed = Agency(agency, Verifier(agency, [SIGNED_WITH]), {"salesforce": 1, "hubspot": 1})
    received = int(time.time() * 1000)
    messages = backlog(waiting)
    for start in range(0, waiting, 500):
        store.inbox.accept([read(owed, number, body, received) for number, body in messages[start : start + 500]])
    store.close()


def drain(side: Side, address: str, waiting: int, rate: float, seconds: float) -> Timing:
    """Time answers while the product drains a backlog. Raises AssertionError if the backlog was drained too early."""
    side.call(fill, address, waiting)
    with ExitStack() as closing:
        sandboxes = closing.enter_context(Sandboxes(0.1))
        busy = closing.enter_context(Product(closing, side, address, {"bench": sandboxes.url}))
        until(lambda: busy.began(2 * waiting))
        timing = send_apart(busy.port, int(seconds * rate), CROWD, rate)
        assert busy.waiting(), "the backlog was drained before the last event came"
        return timing


def draining(engines: Databases, waiting: int, rate: float, seconds: float, older: Older) -> list[Figure]:
    """Measure answer times while draining, with a row for each kind of database."""
    slow = {}
    for kind, address in engines.made("draining").items():
        slow[kind] = [drain(OURS, address, waiting, rate, seconds).quantile(0.99)]
    for kind, address in engines.made("draining_before").items():
        older.take(
            lambda side, kind=kind, address=address: {
                f"draining {kind}": [drain(side, address, waiting, rate, seconds).quantile(0.99)]
            }
        )
    group = f"Acknowledging {rate:.0f} events/s while the same container drains {waiting:,} into both CRMs"
    name = f"{CROWD} connections, 99 of 100 answers within"
    return [
        Figure(group, f"{kind}, {name}", "ms", times, older.beside(f"draining {kind}"), WANTED_P99)
        for kind, times in slow.items()
    ]


def figures(
    seconds: float,
    runs: int,
    waiting: int,
    modules: Path | None,
    before: Side | None,
    connections: Sequence[int] = CONNECTIONS,
) -> list[Figure | Failed]:
    """Measure rates next to the peers', then answer times while `waiting` events drain. seconds: per measurement."""
    configure("error")
    older = Older(before)
    with databases() as engines:
        rates = compare(engines, seconds, runs, modules, older, connections)
        return [*rates, *draining(engines, waiting, 200, 2 * seconds, older), *older.failures(GROUP)]


def main() -> None:
    """Print two sections."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    arguments.add_argument("--seconds", type=float, default=3, help="per measurement")
    arguments.add_argument("--runs", type=int, default=3)
    arguments.add_argument("--backlog", type=int, default=10_000)
    arguments.add_argument("--node-modules", type=Path, help="where peers/package.json is installed")
    arguments.add_argument("--before", metavar="COMMIT", help="an older version to compare with")
    chosen = arguments.parse_args()
    if chosen.serve:
        serve(chosen.serve)
        return
    before = prepared(chosen.before) if chosen.before else None
    print(table(figures(chosen.seconds, chosen.runs, chosen.backlog, chosen.node_modules, before)))


if __name__ == "__main__":
    main()
