"""What the benchmarks share: signed requests made beforehand, and a client that is not the bottleneck."""

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

from connector.carecycle.samples import Samples
from connector.carecycle.signature import sign

SIGNED_WITH = "whsec_YmVuY2htYXJrIG9mIHRoZSBjb25uZWN0b3I="
_numbers = count(1)


def requests_for(path: str, many: int) -> list[bytes]:
    """Whole HTTP requests, each with a message of its own, signed now: they are genuine for five minutes."""
    samples, now = Samples(random.Random(5), datetime(2026, 6, 1, tzinfo=UTC)), datetime.now(UTC)
    people = [samples.person() for _ in range(200)]
    made = []
    for number in range(many):
        body = json.dumps(samples.updated(people[number % 200], status="Active"))
        message_id = f"bench-{time.time_ns()}-{next(_numbers)}"
        head = (
            f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            f"svix-id: {message_id}\r\nsvix-timestamp: {int(now.timestamp())}\r\n"
            f"svix-signature: {sign(SIGNED_WITH, message_id, now, body)}\r\n\r\n"
        )
        made.append((head + body).encode())
    return made


@dataclass
class Told:
    """What a run of requests showed: seconds in all, seconds of each answer."""

    seconds: float
    each: list[float] = field(repr=False)

    @property
    def rate(self) -> float:
        return len(self.each) / self.seconds

    def at(self, part: float) -> float:
        """The answer time in ms that this part of all kept to."""
        return 1000 * sorted(self.each)[min(len(self.each) - 1, int(part * len(self.each)))]


def send(port: int, messages: list[bytes], connections: int, rate: float = 0.0) -> Told:
    """Send them over kept connections, as fast as they are answered or at a rate; each must be answered 204.

    At a rate an answer's time counts from the moment its request was due, so that a stall is not forgiven.
    """
    waiting, free, each = deque(messages), deque[socket.socket](), []
    began_at: dict[socket.socket, float] = {}
    with selectors.DefaultSelector() as selector:
        for _ in range(connections):
            one = socket.create_connection(("127.0.0.1", port))
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(one, selectors.EVENT_READ)
            free.append(one)
        began, sent = time.perf_counter(), 0
        while waiting or began_at:
            now = time.perf_counter()
            while waiting and free and (not rate or now >= began + sent / rate):
                one = free.popleft()
                began_at[one] = began + sent / rate if rate else time.perf_counter()
                one.sendall(waiting.popleft())
                sent += 1
            idle = rate and waiting and free
            for key, _ in selector.select(max(0.0, began + sent / rate - now) if idle else None):
                one = key.fileobj  # type: ignore[assignment]  # only sockets were registered
                answer = one.recv(65536)
                assert answer.startswith(b"HTTP/1.1 204"), answer[:200]
                each.append(time.perf_counter() - began_at.pop(one))
                free.append(one)
        seconds = time.perf_counter() - began
        for one in free:
            one.close()
    return Told(seconds, each)


def apart(port: int, many: int, connections: int, rate: float = 0.0) -> Told:
    """The same from a process of its own."""
    command = [sys.executable, "-m", "benchmarks.load", *map(str, (port, many, connections, rate))]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    seconds, *each = json.loads(done.stdout)
    return Told(seconds, each)


def main(port: int, many: int, connections: int, rate: float) -> None:
    """Send, and print what was measured as JSON."""
    told = send(port, requests_for("/hooks/bench", many), connections, rate)
    print(json.dumps([told.seconds, *told.each]))


if __name__ == "__main__":
    main(*(int(one) for one in sys.argv[1:4]), float(sys.argv[4]))
