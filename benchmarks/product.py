"""The installed product as users run it: `connector run` or one of its roles, with an agency file of its own."""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

import requests

from benchmarks.databases import KEY
from benchmarks.load import SIGNED_WITH
from benchmarks.sides import Side
from connector.cli.stage import free_port
from connector.sandbox.hubspot import BEARER
from connector.sandbox.salesforce import CLIENT

AGENCY = """\
agency: {agency}
webhook: {{secrets: ["{secret}"]}}
destinations:
  salesforce:
    mapping: salesforce-contact
    auth: {{flow: client_credentials, client_id: {client[0]}, client_secret: "{client[1]}", domain: bench.my}}
    endpoint: {url[salesforce]}
  hubspot: {{mapping: hubspot, auth: {{access_token: "{bearer}"}}, endpoint: "{url[hubspot]}"}}
"""
NOWHERE = {"salesforce": "http://127.0.0.1:9", "hubspot": "http://127.0.0.1:9"}
"""For roles that call no CRM."""

FRESH = 2.0
"""Seconds: older figures are those of a reading before."""


class Product:
    """A version of the connector with this database. urls: of an agency's sandboxes, by its name and theirs."""

    def __init__(
        self,
        closing: ExitStack,
        side: Side,
        address: str,
        urls: Mapping[str, Mapping[str, str]],
        role: str = "run",
        settings: Mapping[str, str] | None = None,
    ) -> None:
        folder = Path(closing.enter_context(tempfile.TemporaryDirectory()))
        self.files = [folder / f"{agency}.yaml" for agency in urls]
        for file, (agency, url) in zip(self.files, urls.items(), strict=True):
            text = AGENCY.format(agency=agency, secret=SIGNED_WITH, client=CLIENT, url=url, bearer=BEARER)
            file.write_text(text, "utf-8")
        self.port, self.admin = free_port(), free_port()
        self._side, self._role = side, role
        self.environment = {
            **KEY,
            "CONNECTOR_DATABASE_URL": address,
            "CONNECTOR_STATE_DIR": str(folder),
            "CONNECTOR_LOG_LEVEL": "error",
            "CONNECTOR_LISTEN": f"127.0.0.1:{self.port}",
            "CONNECTOR_ADMIN_LISTEN": f"127.0.0.1:{self.admin}",
            **(settings or {}),
        }

    def __enter__(self) -> Product:
        given = [word for file in self.files for word in ("-c", str(file))]
        self._process = self._side.started("connector", self._role, *given, env=self.environment)
        try:
            until(self.ready)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()

    def ready(self) -> bool:
        """Whether it answers that it is ready. Raises AssertionError if it has ended."""
        assert self._process.poll() is None, f"connector {self._role} ended"
        try:
            return requests.get(f"http://127.0.0.1:{self.admin}/readyz", timeout=5).ok
        except requests.RequestException:
            return False

    def waiting(self, lane: str = "") -> int:
        """Return how many deliveries wait, of all lanes or of those whose name begins so.

        A database that is busy is left out of the metrics at first. Raises AssertionError if it stays so for a minute.
        """
        deadline = time.monotonic() + 60
        while True:
            text = requests.get(f"http://127.0.0.1:{self.admin}/metrics", timeout=60).text
            gauges = re.findall(r'^connector_deliveries_ready\{.*?lane="([^"]*)".*?\} (\S+)$', text, re.M)
            age = re.search(r"^connector_figures_age_seconds (\S+)$", text, re.M)
            if gauges and (age is None or float(age[1]) < FRESH):
                return int(sum(float(value) for name, value in gauges if name.startswith(lane)))
            assert time.monotonic() < deadline, "the metrics do not say how many deliveries wait"
            time.sleep(0.2)

    def began(self, waiting: int) -> bool:
        """Whether fewer deliveries wait than did, looking so seldom that it costs the product little."""
        time.sleep(0.2)
        return self.waiting() < waiting

    def roles(self) -> list[int]:
        """List the process ids of all roles and of their parent process."""
        return family(self._process.pid)

    def memory(self) -> float:
        """Return the memory of all roles in MB."""
        return memory(self.roles())

    def processor(self) -> float:
        """Return the seconds of processor that all roles have used."""
        stats = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in self.roles()]
        return sum(int(stat[11]) + int(stat[12]) for stat in stats) / os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    """List a process and the processes below it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(below for child in children for below in family(int(child)))]


def memory(pids: list[int]) -> float:
    """Return the memory of processes in MB; what several share is divided among them (PSS, Linux)."""
    rollups = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in pids]
    return sum(int(size) for rollup in rollups for size in re.findall(r"^Pss: +(\d+) kB", rollup, re.M)) * 1024 / 1e6


def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    """Wait, checking every millisecond. Raises AssertionError after so many seconds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s in vain"
        time.sleep(0.001)
