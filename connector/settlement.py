"""What a drained batch leaves behind, as values: what became of each delivery, of the records, of the lane."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from connector.model import Entry, FlagState, RecordKey

NO_RECORD: Final = "NO_RECORD"
"""The code of an update that found no record."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """A record's new ledger entry, and the newest delivery and the customer that led to it.

    new: the record is in the CRM since now, as far as the ledger knows.
    """

    key: RecordKey
    entry: Entry
    customer_id: str | None
    delivery_id: int
    new: bool = False


@dataclass(frozen=True, slots=True)
class Raised:
    """An opt-out that reached the CRM: on which record, and the newest delivery that asked for it."""

    customer_id: str
    flag: str
    object: str
    crm_id: str | None
    delivery_id: int


@dataclass(frozen=True, slots=True)
class Streak:
    """How many records running a destination refused for one cause."""

    cause: str = ""
    count: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """A leased lane as the last batch left it. `at`: this moment by the store's clock."""

    failures: int
    refused: Streak
    at: int


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of one delivery. `wait_ms`: when it is to be ready again, so long from now."""

    delivery_id: int
    state: str
    outcome: str
    code: str = ""
    reason: str = ""
    records: Sequence[Mapping[str, Any]] = ()
    request_id: str = ""
    duration_ms: int = 0
    wait_ms: int = 0


@dataclass(frozen=True, slots=True)
class Pause:
    """Why and how long a lane rests."""

    wait_ms: int
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Theirs:
    """Whose deliveries are meant: all of these customers', and these."""

    customers: Collection[str]
    deliveries: Collection[int]


@dataclass(frozen=True, slots=True)
class Settlement:
    """Everything a batch leaves behind, recorded in one commit.

    ahead: deliveries whose opt-outs went ahead: what is left of them waits its turn.
    put_off: deliveries that wait so many milliseconds without having been tried.
    """

    mapping_version: str
    settled: Sequence[Settled] = ()
    remembered: Sequence[Remembered] = ()
    consents: Mapping[str, Mapping[str, FlagState]] = field(default_factory=dict)
    raised: Sequence[Raised] = ()
    pause: Pause | None = None
    refused: Streak = Streak()
    ahead: Sequence[int] = ()
    put_off: Mapping[int, int] = field(default_factory=dict)
