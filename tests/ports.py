"""Ports for what tests start: none is given twice in a run, however many processes it has.

A port that is only known to be free is anybody's until something listens there. Of a server that is stopped on
purpose, it is free for as long as that lasts.
"""

from __future__ import annotations

import itertools
import os
import random
import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

_ALL: Final = range(10_240, 20_000)
"""Below those of the demo and of outgoing connections, which take theirs at random."""


def ports_of(worker: str, workers: int) -> range:
    """The ports of one process of a run: `gw1` of four has every fourth."""
    return _ALL[int(worker.removeprefix("gw")) :: workers]


def in_turn(ports: range) -> Iterator[int]:
    """One after the other, from any place on: of two runs at once, neither follows the other."""
    place = random.randrange(len(ports))
    return itertools.cycle([*ports[place:], *ports[:place]])


_next = in_turn(
    ports_of(os.environ.get("PYTEST_XDIST_WORKER", "gw0"), int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))
)


def free_port() -> int:
    """Find a TCP port that nothing uses, and that this process was not given lately."""
    for port in _next:
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("unreachable: the ports come round again")
