"""How much of a worker's memory a batch may take: the more lanes are being drained, the less each takes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

DELIVERIES: Final = 2_000
"""In all batches together. A lane that is drained alone plans as many ahead."""

BYTES: Final = 8 * 1024 * 1024
"""Of payloads, in all batches together: as much of them as is mapped stays until the batch is settled."""

FEWEST: Final = 25


@dataclass(frozen=True, slots=True)
class Share:
    """What one batch may take. ahead: whether the next one may be planned meanwhile."""

    deliveries: int
    bytes: int
    ahead: bool


class Shares:
    """Divides what a worker may hold among the lanes it drains now."""

    def __init__(self) -> None:
        self._lock, self._lanes = threading.Lock(), 0

    @contextmanager
    def taken(self) -> Iterator[Share]:
        """Take a lane's share for the time of the block."""
        with self._lock:
            self._lanes += 1
            lanes = self._lanes
        try:
            # With a second lane there is something to work on while a CRM responds: planning ahead gains little then.
            yield Share(max(FEWEST, DELIVERIES // lanes), BYTES // lanes, ahead=lanes == 1)
        finally:
            with self._lock:
                self._lanes -= 1
