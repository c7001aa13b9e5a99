"""The roles as running processes: receive and console behind listeners, work behind its lanes, run above both."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flask import Flask

from connector import bootstrap, telemetry
from connector.config import AgencyFile, Process
from connector.deliver import Pace
from connector.errors import FixConfiguration
from connector.receive import lane_name
from connector.store import Store
from connector.store.writer import Writer
from connector.upkeep import Keep, Upkeep
from connector.watch import Watch
from connector.web.console import create_console
from connector.web.door import Door, serve_all
from connector.web.health import create_admin
from connector.web.hooks import create_hooks
from connector.worker import Worker

CONFIGURATION_REFUSED: Final = 2
GRACE: Final = 25.0
"""Seconds a role has to finish what is in hand; a container is commonly killed after 30."""


def lanes_of(files: Sequence[AgencyFile]) -> dict[str, str]:
    """Every lane these agencies have, and its destination."""
    return {
        lane_name(file.settings.agency, name, partition): f"{file.settings.agency}/{name}"
        for file in files
        for name, settings in file.settings.destinations.items()
        for partition in range(settings.partitions)
    }


def serve_web(process: Process, files: Sequence[AgencyFile], *, hooks: bool, console: bool) -> None:
    """Serve the hooks listener, or the admin listener, or both, until SIGTERM. Raises FixConfiguration."""
    with ExitStack() as closing:
        store = bootstrap.open_process_store(process, os.environ)
        closing.callback(store.close)
        store.lanes.open(lanes_of(files))
        doors = []
        if hooks:
            writer = Writer(store.inbox.accept)
            closing.callback(writer.close)
            doors.append(_door(create_hooks(bootstrap.open_agencies(files), writer), process.listen))
        if process.admin_listen:
            doors.append(_door(_admin(store, process, console=console), process.admin_listen))
        role = "receive" if hooks else "console"
        telemetry.role_started(role, " ".join(f"{door.host}:{door.port}" for door in doors))
        asyncio.run(_until_told(doors))
        telemetry.role_stopped(role)


def _admin(store: Store, process: Process, *, console: bool) -> Flask:
    if not console or process.console_password_hash is None:
        return create_admin(store)
    return create_admin(store, [create_console(store, process.console_password_hash, _cookie_key(store))])


def _cookie_key(store: Store) -> bytes:
    """The key of the console's cookies: the same after a restart, and in every container of one database."""
    return bytes.fromhex(store.database.digest("console cookies", size=32))


def _door(app: Flask, address: tuple[str, int]) -> Door:
    """A listener on a free port. Raises FixConfiguration when another program has it."""
    host, port = address
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            raise FixConfiguration(f"{host}:{port}", f"cannot be listened on: {error.strerror}") from None
    return Door(app, host, port)


async def _until_told(doors: Sequence[Door]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _close_all, doors)
    await serve_all(doors)


def _close_all(doors: Sequence[Door]) -> None:
    for door in doors:
        door.close()


def serve_work(process: Process, files: Sequence[AgencyFile]) -> None:
    """Deliver until SIGTERM; then finish the batch in hand. Raises FixConfiguration, FixMapping."""
    with ExitStack() as closing:
        store = bootstrap.open_process_store(process, os.environ)
        closing.callback(store.close)
        watched = bootstrap.open_routes(files)
        routes = {one.route.name: one.route for one in watched}
        for route in routes.values():
            closing.callback(route.destination.close)
            store.mappings.running(route.name, route.mapping.version)
        lanes = lanes_of(files)
        store.lanes.open(lanes)
        keep = {one.settings.agency: Keep(**dict(one.settings.retention)) for one in files}
        upkeep = Upkeep(store, keep, watched, time.time)
        told = [one for one in map(bootstrap.subscriber, files) if one.ways]
        beside = (upkeep, Watch(store, told, time.time))
        worker = Worker(store, {lane: routes[name] for lane, name in lanes.items()}, Pace(), beside)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: worker.stop())
        if process.admin_listen:
            closing.callback(_beside(_door(create_admin(store), process.admin_listen)))
        telemetry.role_started("work", f"{len(lanes)} lanes")
        worker.run()
        telemetry.role_stopped("work")


def _beside(door: Door) -> Callable[[], None]:
    """Serve a listener in a thread of its own; returns what stops it."""
    thread = threading.Thread(target=lambda: asyncio.run(serve_all([door])), name="admin", daemon=True)
    thread.start()

    def stop() -> None:
        door.close()
        thread.join(GRACE)

    return stop


@dataclass(slots=True)
class _Role:
    """One role's process, started again after it died: at once, then after 1 s, 2 s, ... 30 s."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    child: subprocess.Popen[bytes] | None = None
    wait: float = 0.0
    start_at: float = 0.0

    def tend(self, now: float) -> bool:
        """Start the process where there is none; whether it refused its configuration."""
        if self.child is None:
            if now >= self.start_at:
                self.child = subprocess.Popen(self.arguments, env=self.environment)
            return False
        status = self.child.poll()
        if status is not None and status != CONFIGURATION_REFUSED:
            telemetry.role_died(self.name, status)
            self.wait = min(max(self.wait * 2, 1.0), 30.0)
            self.child, self.start_at = None, now + self.wait
        return status == CONFIGURATION_REFUSED

    def stop(self, deadline: float) -> None:
        """Wait for the process to finish what is in hand, until the deadline."""
        if self.child is not None:
            try:
                self.child.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self.child.kill()


def supervise(paths: Sequence[Path], environment: Mapping[str, str]) -> int:
    """Run every role until SIGTERM, or until one refuses its configuration; the exit status."""
    files = [part for path in paths for part in ("-c", str(path))]
    command = [sys.executable, "-m", "connector"]
    roles = [
        _Role("receive", [*command, "receive", "--console", *files], environment),
        _Role("work", [*command, "work", *files], {**environment, "CONNECTOR_ADMIN_LISTEN": "off"}),
    ]
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    refused = False
    try:
        while not (refused or stopping.is_set()):
            refused = any(role.tend(time.monotonic()) for role in roles)
            stopping.wait(0.1)
    finally:  # whatever happened here, no role is left behind
        for role in roles:
            if role.child is not None:
                role.child.terminate()
        deadline = time.monotonic() + GRACE
        for role in roles:
            role.stop(deadline)
    return CONFIGURATION_REFUSED if refused else 0
