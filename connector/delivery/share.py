"""How much of a worker's memory a batch may take: the more lanes are being drained, the less each takes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

DELIVERIES: Final = 600
"""In all batches together. A delivery takes about 40 KB from its plan to its settlement; as many are planned ahead."""

BYTES: Final = 8 * 1024 * 1024
"""Of payloads, in all batches together: as much of them as is mapped stays until the batch is settled."""

FEWEST: Final = 25
FEW_LANES: Final = 4
"""With more lanes than this there is always one to work on while a CRM responds."""


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
            yield Share(max(FEWEST, DELIVERIES // lanes), BYTES // lanes, ahead=lanes <= FEW_LANES)
        finally:
            with self._lock:
                self._lanes -= 1
