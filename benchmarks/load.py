"""Shared by the benchmarks: requests signed in advance, and a client that is not the bottleneck."""

from __future__ import annotations

import json
import random
import selectors
import socket
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any

from connector.carecycle.samples import Samples
from connector.carecycle.signature import sign

SIGNED_WITH = "whsec_YmVuY2htYXJrIG9mIHRoZSBjb25uZWN0b3I="
_numbers = count(1)


def requests_for(path: str, many: int) -> list[bytes]:
    """Build complete HTTP requests with different message ids. Signed now, so they are valid for five minutes."""
    samples = Samples(random.Random(5), datetime(2026, 6, 1, tzinfo=UTC))
    people = [samples.person() for _ in range(200)]
    return [request(path, samples.updated(people[number % 200], status="Active")) for number in range(many)]


def requests_of_new_people(path: str, many: int, seed: int) -> dict[str, bytes]:
    """Build such requests by the id of the customer each creates. seed: a number for each crowd of people."""
    samples = Samples(random.Random(seed), datetime(2026, 6, 1, tzinfo=UTC))
    people = [samples.person() for _ in range(many)]
    return {person["id"]: request(path, samples.created(person)) for person in people}


def request(path: str, payload: dict[str, Any]) -> bytes:
    """Build one signed HTTP request."""
    body, now = json.dumps(payload), datetime.now(UTC)
    message_id = f"bench-{time.time_ns()}-{next(_numbers)}"
    head = (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        f"svix-id: {message_id}\r\nsvix-timestamp: {int(now.timestamp())}\r\n"
        f"svix-signature: {sign(SIGNED_WITH, message_id, now, body)}\r\n\r\n"
    )
    return (head + body).encode()


@dataclass
class Timing:
    """How long a run of requests took in all, and each answer. In seconds."""

    seconds: float
    each: list[float] = field(repr=False)

    @property
    def rate(self) -> float:
        return len(self.each) / self.seconds

    def quantile(self, share: float) -> float:
        """Return the time in ms within which this share of the requests was answered."""
        return 1000 * sorted(self.each)[min(len(self.each) - 1, int(share * len(self.each)))]


def send(port: int, messages: list[bytes], connections: int, rate: float = 0.0) -> Timing:
    """Send messages over persistent connections, as fast as they are answered or at a rate. Each must get a 204.

    At a rate, an answer's time counts from the moment its request was due, so that stalls count.
    """
    with selectors.DefaultSelector() as selector:
        free = deque(_connect(selector, port) for _ in range(connections))
        timing = _exchange(selector, free, deque(messages), rate)
        for connection in free:
            connection.close()
    return timing


def _connect(selector: selectors.BaseSelector, port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    selector.register(connection, selectors.EVENT_READ)
    return connection


def _exchange(
    selector: selectors.BaseSelector, free: deque[socket.socket], waiting: deque[bytes], rate: float
) -> Timing:
    began_at: dict[socket.socket, float] = {}
    each: list[float] = []
    began, sent = time.perf_counter(), 0
    while waiting or began_at:
        now = time.perf_counter()
        while waiting and free and (not rate or now >= began + sent / rate):
            connection = free.popleft()
            began_at[connection] = began + sent / rate if rate else time.perf_counter()
            connection.sendall(waiting.popleft())
            sent += 1
        idle = rate and waiting and free
        for key, _ in selector.select(max(0.0, began + sent / rate - now) if idle else None):
            connection = key.fileobj  # type: ignore[assignment]  # only sockets were registered
            answer = connection.recv(65536)
            assert answer.startswith(b"HTTP/1.1 204"), answer[:200]
            each.append(time.perf_counter() - began_at.pop(connection))
            free.append(connection)
    return Timing(time.perf_counter() - began, each)


def send_apart(port: int, many: int, connections: int, rate: float = 0.0) -> Timing:
    """Send from a process of its own."""
    command = [sys.executable, "-m", "benchmarks.load", *map(str, (port, many, connections, rate))]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    seconds, *each = json.loads(done.stdout)
    return Timing(seconds, each)


def main(port: int, many: int, connections: int, rate: float) -> None:
    """Send, then print the times as JSON."""
    timing = send(port, requests_for("/hooks/bench", many), connections, rate)
    print(json.dumps([timing.seconds, *timing.each]))


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:4]), float(sys.argv[4]))
