"""The demo's stage: two sandboxes, the connector as a separate process, and a sender that plays careCycle."""

from __future__ import annotations

import contextlib
import json
import os
import random
import secrets
import shlex
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
import requests

from connector.carecycle.samples import Message
from connector.carecycle.signature import sign
from connector.cli.sandbox import open_pages
from connector.sandbox.hubspot import HubSpotSandbox
from connector.sandbox.salesforce import CLIENT, SalesforceSandbox
from connector.store import Store, open_store
from connector.web.passwords import hash_password

_LATENCY: Final = 0.05
"""Seconds each sandbox takes for a call, about as long as a nearby CRM."""

_AGENCY_FILE: Final = """\
# Made by `connector demo`. Yours looks the same, with your own CRM accounts and no endpoint: see config.example.yaml.
agency: demo
timezone: America/Phoenix
webhook:
  secrets: ["${DEMO_WEBHOOK_SECRET}"]
destinations:
  salesforce:
    mapping: our-contacts.yaml
    auth: {flow: client_credentials, client_id: %(client_id)s, client_secret: "${DEMO_CLIENT_SECRET}", domain: demo.my}
    endpoint: %(salesforce)s
  hubspot:
    mapping: hubspot
    auth: {access_token: "${DEMO_HUBSPOT_TOKEN}"}
    endpoint: %(hubspot)s
"""
_MAPPING_FILE: Final = """\
# The agency's own file: what differs from the mapping that comes with the connector.
version: 1
crm: salesforce
extends: salesforce-contact
tables:
  %s
"""


class Stage:
    """Everything the demo runs. Leaves nothing behind once `closing` is closed."""

    def __init__(self, closing: ExitStack) -> None:
        self.folder = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="connector-demo-")))
        self.salesforce, self.hubspot = SalesforceSandbox(latency=_LATENCY), HubSpotSandbox(latency=_LATENCY)
        open_pages(self.salesforce, self.hubspot)
        for sandbox in (self.salesforce, self.hubspot):
            closing.enter_context(sandbox)
        self.secret = "whsec_" + secrets.token_urlsafe(24).replace("-", "A").replace("_", "B")
        self.password = secrets.token_urlsafe(6)
        ports = free_ports(2)
        self.admin = f"http://127.0.0.1:{ports[1]}"
        self.hook = f"http://127.0.0.1:{ports[0]}/hooks/demo"
        self.environment = {
            **os.environ,
            "CONNECTOR_DATABASE_URL": f"sqlite:///{self.folder}/connector.db",
            "CONNECTOR_LISTEN": f"127.0.0.1:{ports[0]}",
            "CONNECTOR_ADMIN_LISTEN": f"127.0.0.1:{ports[1]}",
            "CONNECTOR_CONSOLE_PASSWORD_HASH": hash_password(self.password),
            "DEMO_WEBHOOK_SECRET": self.secret,
            "DEMO_CLIENT_SECRET": CLIENT[1],
            "DEMO_HUBSPOT_TOKEN": self.hubspot.token,
        }
        self.session = closing.enter_context(requests.Session())
        self.session.trust_env = False
        self.store: Store

    def start(self, closing: ExitStack, languages: str) -> None:
        """Run the connector; return once it is ready. languages: the line of the mapping that translates them."""
        settings = {"client_id": CLIENT[0], "salesforce": self.salesforce.url, "hubspot": self.hubspot.url}
        (self.folder / "agency.yaml").write_text(_AGENCY_FILE % settings)
        (self.folder / "our-contacts.yaml").write_text(_MAPPING_FILE % languages)
        ours = [
            f"export {name}={shlex.quote(text)}\n" for name, text in self.environment.items() if name not in os.environ
        ]
        (self.folder / "env").write_text("".join([*ours, f"PATH={Path(sys.executable).parent}:$PATH\n"]))
        log = closing.enter_context((self.folder / "connector.log").open("wb"))
        command = [sys.executable, "-m", "connector", "run", "-c", str(self.folder / "agency.yaml")]
        process = subprocess.Popen(command, env=self.environment, stderr=log)
        closing.callback(_stop, process)
        self._await_ready(process)
        self.store = open_store(self.environment["CONNECTOR_DATABASE_URL"], self.environment)
        closing.callback(self.store.close)

    def _await_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(requests.RequestException):
                if self.session.get(f"{self.admin}/readyz", timeout=5).ok:
                    return
            time.sleep(0.1)
        log = (self.folder / "connector.log").read_text()
        raise click.ClickException(f"the connector did not start:\n{log}")

    def send(self, messages: Iterable[Message]) -> Iterator[Message]:
        """Sign and send messages; yield each one once it is acknowledged."""
        for message in messages:
            body, now = json.dumps(message.payload), datetime.now(UTC)
            headers = {
                "svix-id": message.message_id,
                "svix-timestamp": str(int(now.timestamp())),
                "svix-signature": sign(self.secret, message.message_id, now, body),
            }
            answer = self.session.post(self.hook, data=body.encode(), headers=headers, timeout=30)
            if answer.status_code != 204:
                raise click.ClickException(f"{message.message_id} was answered with {answer.status_code}")
            yield message

    def drain(self, seconds: float = 120.0) -> Iterator[int]:
        """Yield how many deliveries are waiting, until none are or the time is up."""
        deadline = time.monotonic() + seconds
        while (waiting := self.store.desk.waiting()) and time.monotonic() < deadline:
            yield waiting
            time.sleep(0.05)


def free_ports(count: int) -> list[int]:
    """Find TCP ports that nothing uses, each another, below those that outgoing connections may take at any moment."""
    ports: list[int] = []
    with ExitStack() as held:  # together, so that no two are the same
        while len(ports) < count:
            probe, port = held.enter_context(socket.socket()), random.randrange(20_000, 32_000)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                ports.append(port)
    return ports


def free_port() -> int:
    """Find a TCP port that nothing uses, as `free_ports` does."""
    return free_ports(1)[0]


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
