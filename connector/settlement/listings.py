"""What the store lists for people: lanes, deliveries, dead letters, mappings, API calls. Times in epoch ms, ages in ms.

`--json` prints these fields by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from connector.settlement import AttemptOutcome, DeliveryState, RecordNote


@dataclass(frozen=True, slots=True)
class PausedAt:
    """What a lane was sending when it paused: its first event and that event's record, and how many records in a call.

    crm_id: empty if not known. waits: the delivery still waits, so that it can be set aside.
    """

    delivery_id: int
    message_id: str
    record: str
    object: str
    crm_id: str
    count: int
    waits: bool

    def __str__(self) -> str:
        record = " ".join(part for part in (self.object, self.crm_id) if part)
        call = f", the first of {self.count:,} records in that call" if self.count > 1 else ""
        return f"event {self.message_id} (record {self.record}, {record}){call}"


@dataclass(frozen=True, slots=True)
class LaneStatus:
    """A lane, its backlog, and the opt-outs it owes.

    ready: deliveries waiting. oldest_ms: for how long the oldest does that was sent, not fetched. opt_outs: owed or
    refused, the oldest for opt_out_ms.
    paused_at: what it was sending, where the pause may be due to that. stopped_since: since when it is paused or its
    CRM has been failing (epoch ms), 0 if neither.
    """

    name: str
    destination: str
    owner: str = ""
    failures: int = 0
    pause_code: str = ""
    pause_reason: str = ""
    paused_until: int = 0
    paused: bool = False
    leased: bool = False
    ready: int = 0
    oldest_ms: int | None = None
    opt_outs: int = 0
    opt_out_ms: int | None = None
    paused_at: PausedAt | None = None
    stopped_since: int = 0

    @property
    def fails(self) -> bool:
        """Whether its last batch failed as a whole: even if it is being tried again, nothing gets through."""
        return self.failures > 0 and self.stopped_since > 0


@dataclass(frozen=True, slots=True)
class LaneOptOuts:
    """A lane's opt-outs that are not in its CRM, by state; oldest_ms: the age of the oldest to act on, 0 for none.

    waiting: owed. refused: by the CRM. no_record, not_mapped: the CRM has no record for them, or no mapped field.
    lowered: confirmed by the CRM, and found lowered there since, last at lowered_at.
    """

    name: str
    destination: str
    waiting: int = 0
    refused: int = 0
    no_record: int = 0
    not_mapped: int = 0
    oldest_ms: int = 0
    paused: bool = False
    pause_code: str = ""
    pause_reason: str = ""
    lowered: int = 0
    lowered_at: int = 0


@dataclass(frozen=True, slots=True)
class DeadCause:
    """Dead letters of one destination with the same cause. reason: of one of them. since: when the first died."""

    destination: str
    code: str
    reason: str
    count: int
    since: int


@dataclass(frozen=True, slots=True)
class HeldField:
    """A field left out because another record has its value. holder: the ID of that record; empty if unknown."""

    customer_id: str | None
    crm_id: str | None
    holder: str


@dataclass(frozen=True, slots=True)
class OpenField:
    """A field that one CRM refuses in some records, whose rest was written. record: of the mapping.

    reason, action: of one of them. since: when the first was left out. newest: the newest delivery's ID.
    held: in how many of the records it is because another record has the value.
    """

    destination: str
    object: str
    record: str
    field: str
    code: str
    reason: str
    action: str
    count: int
    customers: int
    since: int
    newest: int
    held: int = 0


class LeftOut(NamedTuple):
    """A field left out of one record. since: epoch ms."""

    destination: str
    object: str
    crm_id: str | None
    field: str
    code: str
    reason: str
    action: str
    since: int


@dataclass(frozen=True, slots=True)
class RecentDead:
    """How many deliveries to one destination died with one code in the last hour."""

    destination: str
    code: str
    count: int


@dataclass(frozen=True, slots=True)
class StateCount:
    """How many deliveries to one destination are in one state for one reason."""

    destination: str
    state: DeliveryState
    code: str
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class MappingStatus:
    """The mapping a destination runs. problem: why an edited mapping was rejected at refused_at; empty if none was."""

    destination: str
    version: str = ""
    running_since: int | None = None
    refused_at: int | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class CallsToday:
    """A destination's API calls today: used and limit as the CRM reported `at`, None if it never did.

    ours: those this connector made, as of its last batch.
    """

    destination: str
    used: int | None
    limit: int | None
    at: int | None
    ours: int


@dataclass(frozen=True, slots=True)
class DeliveryStatus:
    """One delivery with its event, without the payload. fields: the CRM fields its refusal names, a JSON array."""

    id: int
    destination: str
    lane: str
    state: DeliveryState
    priority: int
    attempts: int
    accepted_at: int
    due_at: int
    settled_at: int | None
    code: str
    reason: str
    action: str
    fields: str
    record: str
    mapping_version: str
    agency: str
    message_id: str
    type: str
    customer_id: str | None
    source_time: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to write a delivery to its CRM."""

    id: int
    delivery_id: int
    at: int
    outcome: AttemptOutcome
    code: str
    records: tuple[RecordNote, ...]
    request_id: str
    duration_ms: int
    mapping_version: str


@dataclass(frozen=True, slots=True)
class DeliveryStory(DeliveryStatus):
    """One delivery with its attempts, in order."""

    tries: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True)
class SentAlarm:
    """When an alarm was last sent, and whether it still applies."""

    at: int
    on: bool
