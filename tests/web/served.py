"""The hooks application behind its door, over real HTTP on loopback."""

from __future__ import annotations

import asyncio
import select
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import requests

from connector.carecycle.signature import Verifier
from connector.receive import Agency
from connector.settlement.listings import DeliveryStatus
from connector.store import Store, open_store
from connector.store.desk import Filter
from connector.store.writer import Writer
from connector.web.bodies import Body
from connector.web.door import Door, Limits, serve_all
from connector.web.hooks import create_hooks
from tests.builders import DATA_KEY, SECRET, a_customer, signed
from tests.patience import PATIENCE
from tests.ports import free_port

OLD_SECRET = "whsec_b2xkIHNlY3JldCBvZiB0aGUgdGVzdHMsIDMyIGJ5dGVz"

CROWD = 1_500
BRIEF = 2.0
"""Seconds to send a request, for whom it is about those who do not."""


class Served:
    """The hooks application behind its door, on loopback."""

    def __init__(self, store: Store, seconds: float = PATIENCE) -> None:
        self.store = store
        self.writer = Writer(store.inbox.accept)
        agency = Agency("sunrise", Verifier("sunrise", [SECRET, OLD_SECRET]), {"salesforce": 1, "hubspot": 1})
        app = create_hooks({"sunrise": agency}, self.writer, patience=PATIENCE)
        self.door = Door(app, "127.0.0.1", free_port(), Limits(seconds=seconds, threads=0))
        self.writer.tell = self.door.soon
        self.thread = threading.Thread(target=lambda: asyncio.run(serve_all([self.door])))
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.door.port}/hooks/sunrise"
        self._wait()

    def _wait(self) -> None:
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.door.port)).close()
            except ConnectionRefusedError:
                continue
            return

    def post(self, payload: Any, **how: Any) -> requests.Response:
        body, headers = signed(payload, **how)
        return requests.post(self.url, data=body, headers=headers, timeout=PATIENCE)

    def deliveries(self, **wanted: Any) -> list[DeliveryStatus]:
        return self.store.desk.deliveries(Filter(**wanted))

    def half_sent(self) -> set[Body]:
        """The bodies that count as half-sent, which nobody outside sees."""
        return set(self.door._bodies._half_sent)

    def taken(self) -> dict[bool, int]:
        """The bytes of large bodies that are in memory, and those of small ones."""
        return dict(self.door._bodies._taken)

    def stop(self) -> None:
        self.door.close()
        self.thread.join()
        self.writer.close()

    def connect(self, *said: bytes) -> socket.socket:
        """A connection on which this was said."""
        wire = socket.create_connection(("127.0.0.1", self.door.port), timeout=PATIENCE)
        for part in said:
            wire.sendall(part)
        return wire

    def say(self, *said: bytes) -> bytes:
        """Say this on a connection, and hear everything until it is closed."""
        with self.connect(*said) as wire:
            return heard(wire)


def served(address: str, seconds: float = PATIENCE) -> Iterator[Served]:
    store = open_store(address, {"CONNECTOR_DATA_KEY": DATA_KEY})
    served = Served(store, seconds)
    yield served
    served.stop()
    store.close()


def heard(wire: socket.socket) -> bytes:
    return b"".join(iter(lambda: wire.recv(65536), b""))


def head(headers: Mapping[str, str], *more: str, version: str = "1.1", path: str = "/hooks/sunrise") -> bytes:
    """A request without its body."""
    lines = [f"POST {path} HTTP/{version}", "Host: x", *(f"{name}: {value}" for name, value in headers.items()), *more]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def begun(length: int, sent: int = 4) -> bytes:
    """The beginning of a message that looks genuine as far as it has come."""
    return head(signed(a_customer())[1], f"Content-Length: {length}") + b"x" * sent


def shown_out(connections: Sequence[socket.socket]) -> list[bytes]:
    """What those connections were answered that were answered so far, or closed."""
    looking = select.poll()
    for connection in connections:
        looking.register(connection, select.POLLIN)
    answered = {number for number, _ in looking.poll(0)}
    return [connection.recv(100) for connection in connections if connection.fileno() in answered]
