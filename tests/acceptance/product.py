"""The installed product as a process, with both sandboxes beside it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

from connector.sandbox.hubspot import HubSpotSandbox
from connector.sandbox.salesforce import CLIENT, SalesforceSandbox
from tests import processes
from tests.builders import DATA_KEY, SECRET, signed
from tests.ports import free_port

FRESH = 2.0
"""Seconds: older figures are those of a reading before."""

AGENCY = """\
agency: sunrise
webhook: {{secrets: ["${{HOOK_SECRET}}"]}}
destinations:
  salesforce:
    mapping: salesforce-contact
    auth: {{flow: client_credentials, client_id: {client}, client_secret: "${{SF_SECRET}}", domain: youragency.my}}
    endpoint: {salesforce}
  hubspot:
    mapping: hubspot
    auth: {{access_token: "${{HUBSPOT_TOKEN}}"}}
    endpoint: {hubspot}
"""


class Product:
    """`connector run` on loopback. Waiting is for conditions, bounded by patience in seconds."""

    def __init__(self, folder: Path, database: str, latency: float = 0.0) -> None:
        self.folder = folder
        self.salesforce, self.hubspot = SalesforceSandbox(latency=latency), HubSpotSandbox(latency=latency)
        urls = {"salesforce": self.salesforce.start(), "hubspot": self.hubspot.start()}
        self.agency = folder / "agency.yaml"
        self.agency.write_text(AGENCY.format(client=CLIENT[0], **urls))
        self.port, self.admin_port = free_port(), free_port()
        self.environment = {
            **os.environ,
            "CONNECTOR_DATABASE_URL": database,
            "CONNECTOR_DATA_KEY": DATA_KEY,
            "CONNECTOR_ACCEPT_DATA_LOSS": "yes",  # the tests' server does not wait for its disk
            "CONNECTOR_STATE_DIR": str(folder / "state"),
            "CONNECTOR_LISTEN": f"127.0.0.1:{self.port}",
            "CONNECTOR_ADMIN_LISTEN": f"127.0.0.1:{self.admin_port}",
            "HOOK_SECRET": SECRET,
            "SF_SECRET": CLIENT[1],
            "HUBSPOT_TOKEN": self.hubspot.token,
        }
        self.log = folder / "log"
        self.process: subprocess.Popen[bytes] | None = None
        self.made: list[subprocess.Popen[bytes]] = []

    def start(self, role: str = "run") -> subprocess.Popen[bytes]:
        self.process = self.beside(role)
        return self.process

    def beside(self, role: str, **environment: str) -> subprocess.Popen[bytes]:
        """One more process, which close() ends too."""
        command = [sys.executable, "-m", "connector", role, "-c", str(self.agency)]
        with self.log.open("ab") as log:
            made = subprocess.Popen(command, env={**self.environment, **environment}, stderr=log, stdout=log)
        self.made.append(made)
        return made

    def ready(self, patience: float = 120) -> None:
        self.until(lambda: self.get("/readyz") == 200, patience)

    def get(self, path: str) -> int:
        try:
            return requests.get(f"http://127.0.0.1:{self.admin_port}{path}", timeout=60).status_code
        except requests.RequestException:
            return 0

    def post(self, payload: Any, **how: Any) -> int:
        answer = self.answer(payload, **how)
        return 0 if answer is None else answer.status_code

    def answer(self, payload: Any, *, port: int = 0, **how: Any) -> requests.Response | None:
        body, headers = signed(payload, **how)
        try:
            url = f"http://127.0.0.1:{port or self.port}/hooks/sunrise"
            return requests.post(url, data=body, headers=headers, timeout=60)
        except requests.RequestException:
            return None

    def until(self, holds: Callable[[], bool], patience: float = 120) -> None:
        deadline = time.monotonic() + patience
        while not holds():
            assert time.monotonic() < deadline, self.log.read_text()[-3000:]
            time.sleep(0.02)  # between two looks at another process there is nothing to wait on

    def landed(self) -> tuple[int, int, int, int]:
        """Contacts and tasks in Salesforce, contacts and calls in HubSpot."""
        salesforce = [len(self.salesforce.records(kind)) for kind in ("Contact", "Task")]
        hubspot = [len(self.hubspot.records(kind)) for kind in ("contacts", "calls")]
        return (salesforce[0], salesforce[1], hubspot[0], hubspot[1])

    def waiting(self) -> int:
        """Deliveries that wait, as /metrics tells."""
        ready = [line for line in self.metrics().splitlines() if line.startswith("connector_deliveries_ready{")]
        return sum(int(float(line.split()[-1])) for line in ready)

    def metrics(self) -> str:
        """The metrics with what the store holds now: a stall leaves it out, or shows what was read before."""
        pages = [""]

        def is_whole() -> bool:
            pages.append(requests.get(f"http://127.0.0.1:{self.admin_port}/metrics", timeout=60).text)
            read = re.search(r"^connector_figures_age_seconds (\S+)$", pages[-1], re.M)
            return read is not None and float(read[1]) < FRESH

        self.until(is_whole)
        return pages[-1]

    def children(self) -> dict[str, int]:
        """Role -> process id of the processes `run` started."""
        assert self.process is not None
        found = subprocess.run(
            ["ps", "-o", "pid=,comm=", "--ppid", str(self.process.pid)], capture_output=True, check=False
        )
        lines = [line.split() for line in found.stdout.decode().splitlines()]
        return {name: int(pid) for pid, name, *_ in lines if name in ("receive", "work")}

    def kill(self, role: str, number: int = signal.SIGKILL) -> None:
        self.until(lambda: role in self.children())
        os.kill(self.children()[role], number)

    def kill_all(self) -> None:
        """As a container dies: the supervisor and every role at once."""
        assert self.process is not None
        processes.kill(self.process.pid)
        self.process.wait()

    def stop(self) -> int:
        """Ask it to stop, and wait; its exit status."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(120)

    def close(self) -> None:
        for made in self.made:
            made.send_signal(signal.SIGCONT)
            made.terminate()
        for made in self.made:
            made.wait(120)
        self.salesforce.stop()
        self.hubspot.stop()
