"""The product as processes before both sandboxes, each behind a proxy, and what became of the traffic."""

from __future__ import annotations

import signal
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests import processes
from tests.acceptance.product import Product
from tests.chaos.compare import Comparison, compare, held_by_hubspot, held_by_salesforce
from tests.chaos.proxy import Proxy
from tests.chaos.traffic import Story, Traffic
from tests.patience import PATIENCE
from tests.ports import free_port

LEASE = 2
WRITES = ("/composite", "/batch/", "/associations", "/unsubscribe")


class World(Product):
    """Both CRMs, each behind a proxy of its own, and the roles a case starts.

    partitions: of each destination. environment: of every role, beside what a role is given.
    """

    def __init__(
        self, folder: Path, database: str, *, latency: float = 0.0, partitions: int = 1, **environment: str
    ) -> None:
        super().__init__(folder, database, latency)
        self.crm: dict[str, Proxy] = {}
        text = self.agency.read_text()
        for name, sandbox in (("salesforce", self.salesforce), ("hubspot", self.hubspot)):
            port = int(sandbox.url.rpartition(":")[2])
            self.crm[name] = Proxy(port)
            text = text.replace(sandbox.url, f"http://127.0.0.1:{self.crm[name].port}")
        if partitions > 1:
            text = text.replace("    mapping:", f"    partitions: {partitions}\n    mapping:")
        self.agency.write_text(text)
        self.environment.pop("PYTHONDONTWRITEBYTECODE", None)  # each process would compile all it imports again
        self.environment |= {"CONNECTOR_LEASE_SECONDS": str(LEASE), **environment}
        self.roles: dict[str, tuple[subprocess.Popen[bytes], str, dict[str, str]]] = {}
        self.receivers: dict[str, int] = {}
        self.traffic: Traffic | None = None
        self.repaired_at: float | None = None

    # --- processes

    def role(self, kind: str, name: str = "", **environment: str) -> subprocess.Popen[bytes]:
        """Start a role with an environment of its own. The first that listens has `port` and `admin_port`."""
        name = name or kind
        if kind in ("receive", "run") and name not in self.receivers:
            if self.receivers:
                ports = {"LISTEN": free_port(), "ADMIN_LISTEN": free_port()}
                environment = {f"CONNECTOR_{key}": f"127.0.0.1:{port}" for key, port in ports.items()} | environment
            listen = environment.get("CONNECTOR_LISTEN", f"127.0.0.1:{self.port}")
            self.receivers[name] = int(listen.rpartition(":")[2])
        elif kind == "work":
            environment = {"CONNECTOR_ADMIN_LISTEN": "off", **environment}
        process = self.beside(kind, **environment)
        self.roles[name] = (process, kind, environment)
        return process

    def crash(self, name: str, *, again: bool = True) -> None:
        """kill -9 a role, with the processes it started; and start it again."""
        process, kind, environment = self.roles[name]
        processes.kill(process.pid)
        process.wait(PATIENCE)
        if again:
            self.role(kind, name, **environment)

    # --- traffic, and what became of it

    def send(self, people: int = 40, *, story: Story | None = None, **how: Any) -> Traffic:
        """Traffic to every receiver of this world, to be used as a context manager."""
        self.traffic = Traffic(story or Story(people), lambda: list(self.receivers.values()), **how)
        return self.traffic

    def repaired(self) -> None:
        """From here on, seconds until receiving and delivering again are counted."""
        self.repaired_at = time.monotonic()

    def compare(self) -> Comparison:
        assert self.traffic is not None
        held = (held_by_salesforce(self.salesforce), held_by_hubspot(self.hubspot))
        return compare(self.traffic.story, self.traffic.sent, self.traffic.acknowledged, held)

    def settle(self, patience: float = PATIENCE) -> Comparison:
        """Wait until both CRMs hold what was acknowledged, or patience ends; then what differs."""
        deadline = time.monotonic() + patience
        while not (now := self.compare()).clean and time.monotonic() < deadline:
            time.sleep(0.1)  # between two looks at the CRMs there is nothing to wait on
        self.until(lambda: self.idle() or time.monotonic() > deadline, patience + 5)
        return self.compare() if now.clean else now

    def idle(self) -> bool:
        try:
            return self.waiting() == 0
        except OSError:  # requests' errors are
            return False

    def calls(self) -> int:
        """How many requests the CRMs have had."""
        return len(self.salesforce.calls()) + len(self.hubspot.calls())

    def receiving_again(self) -> float | None:
        """Seconds from repaired() to the first event acknowledged."""
        if self.repaired_at is None or self.traffic is None:
            return None
        first = self.traffic.first_after(self.repaired_at)
        return first and first - self.repaired_at

    def delivering_again(self) -> float | None:
        """Seconds from repaired() to the first write that a CRM accepted; of the slower CRM."""
        if self.repaired_at is None:
            return None
        firsts = [self._first_write(sandbox, self.repaired_at) for sandbox in (self.salesforce, self.hubspot)]
        return None if None in firsts else max(first for first in firsts if first is not None)

    @staticmethod
    def _first_write(sandbox: Any, since: float) -> float | None:
        writes = (seen.at for seen in sandbox.calls() if seen.method != "GET" and 200 <= seen.status < 300)
        return min((at - since for at in writes if at >= since), default=None)

    def close(self) -> None:
        with ExitStack() as closing:
            for proxy in self.crm.values():
                closing.callback(proxy.close)
            closing.callback(super().close)
            for made in self.made:  # a case is over: nothing is worth waiting for
                for pid in (made.pid, *processes.children(made.pid)):
                    processes.send(pid, signal.SIGKILL)
