"""Where events come from, and the newest known state of a customer or call, as values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Origin(StrEnum):
    """Where an event comes from: careCycle sent it, or we fetched it, from careCycle's API or from a file."""

    WEBHOOK = "webhook"
    CARECYCLE = "carecycle"
    FILE = "file"


class Kind(StrEnum):
    """Whose state it is."""

    CUSTOMER = "customer"
    CALL = "call"


@dataclass(frozen=True, slots=True)
class Kept:
    """The event that holds the newest state of a customer or call. at: what time that state is of, in epoch ms.

    sent: by the webhook, not fetched. event_id: its row, which retention may have deleted.
    """

    agency: str
    kind: Kind
    id: str
    customer_id: str | None
    at: int
    sent: bool
    event_id: int
