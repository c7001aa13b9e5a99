"""What a drained batch leaves behind, as values: what became of each delivery, of the records, of the lane."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, NamedTuple, TypedDict

from connector.errors import InFlight, PauseReason, UnreadableEvent
from connector.model import Candidate, Entry, FlagState, OpenItem, RecordKey, Unopened
from connector.settlement.oddities import Oddity
from connector.settlement.previous import Before

NO_RECORD: Final = "NO_RECORD"
"""The code of an update that found no record."""


SET_ASIDE: Final = "SET_ASIDE"
"""The code of a delivery that an operator set aside because it held up its lane."""

UNOPENABLE: Final = "UNOPENABLE"
"""The code of a stored payload that cannot be decrypted."""


LENGTH_UNKNOWN: Final = "LENGTH_UNKNOWN"
"""The code of a text that waits until the CRM has said how much its field holds."""


class DeliveryState(StrEnum):
    """Where a delivery is. READY and DEAD are open; every other state needs no more work."""

    READY = "ready"
    DELIVERED = "delivered"
    SUPERSEDED = "superseded"
    SKIPPED = "skipped"
    IGNORED = "ignored"
    DEAD = "dead"


class AttemptOutcome(StrEnum):
    """What one attempt to deliver came to."""

    DELIVERED = "delivered"
    UNCHANGED = "unchanged"
    SUPERSEDED = "superseded"
    SKIPPED = "skipped"
    IGNORED = "ignored"
    DEFERRED = "deferred"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something was not written: its cause and what to do about it, each a clause without a capital or a period.

    fields: the CRM fields it is about. record: the mapping's record, once it is known.
    """

    code: str = ""
    cause: str = ""
    action: str = ""
    fields: tuple[str, ...] = ()
    record: str = ""

    @classmethod
    def of(cls, code: str, cause: str, action: str, fields: tuple[str, ...], a_field: str = "a field") -> Refusal:
        """A refusal whose cause names its fields: in place of `{fields}`, else before it.

        >>> Refusal.of("STRING_TOO_LONG", "the text is too long for {fields}", "shorten it", ("Phone",)).cause
        "the text is too long for 'Phone'"
        """
        names = ", ".join(f"'{name}'" for name in fields)
        if "{fields}" in cause:
            return cls(code, cause.replace("{fields}", names or a_field), action, fields)
        return cls(code, f"{names}: {cause}" if names else cause, action, fields)

    def held_by(self, holder: str | None) -> Refusal:
        """The refusal with the CRM record in its cause that has the value, if it is known."""
        return replace(self, cause=f"{self.cause} (record {holder})") if holder else self

    @property
    def key(self) -> CauseKey:
        """What makes two refusals the same cause."""
        return CauseKey(self.code, self.fields, self.record)


WRITTEN: Final = Refusal()
"""No refusal: everything was written."""

UNKNOWN_TYPE: Final = Refusal("UNKNOWN_TYPE", "this version does not know this type of event")


def unreadable(error: UnreadableEvent) -> Refusal:
    """Why an event cannot be delivered that careCycle sent in a form this version cannot read."""
    return Refusal(error.code, error.problem, "replay once the connector is updated, or discard")


def unopenable(unopened: Unopened) -> Refusal:
    """Why an event cannot be delivered whose stored payload cannot be decrypted."""
    if unopened.missing:
        cause = f"the content is encrypted with the key {unopened.key}, which is not in CONNECTOR_DATA_KEY"
        return Refusal(UNOPENABLE, cause, "add that key to CONNECTOR_DATA_KEY, restart every role, then replay")
    cause = f"the stored content was changed or cut short: it does not decrypt with the key {unopened.key}"
    return Refusal(UNOPENABLE, cause, "have careCycle send it again, or restore the row from a backup and replay")


class CauseKey(NamedTuple):
    """A cause is the same for the same code, fields and record of the mapping, whatever its sentence."""

    code: str = ""
    fields: tuple[str, ...] = ()
    record: str = ""


class RecordVerdict(StrEnum):
    """What became of one record in one attempt."""

    DELIVERED = "delivered"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    DEFERRED = "deferred"
    REJECTED = "rejected"
    WITHHELD = "withheld"


WHOLE_RECORD: Final = "(the whole record)"
"""How people and `--json` read that consent held back a whole record, in place of a field."""


class RecordNoteData(TypedDict):
    """A record's note as `--json` prints it."""

    record: str
    object: str
    crm_id: str | None
    fields: list[str]
    withheld: dict[str, str]
    kept: list[str]
    left_out: dict[str, str]
    verdict: str
    code: str
    untranslated: dict[str, str]


@dataclass(frozen=True, slots=True)
class RecordNote:
    """What an attempt keeps of one record: names and IDs, never a value.

    fields: those the CRM confirmed. withheld: field -> the consent flag that held it back. withheld_by: the flag that
    held back the whole record. kept: fields left as the CRM has them. untranslated: field -> the event field whose
    value nothing translates.
    """

    record: str
    object: str = ""
    crm_id: str | None = None
    fields: tuple[str, ...] = ()
    withheld: Mapping[str, str] = field(default_factory=dict)
    withheld_by: str = ""
    kept: tuple[str, ...] = ()
    verdict: RecordVerdict = RecordVerdict.UNCHANGED
    code: str = ""
    untranslated: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)

    def as_data(self) -> RecordNoteData:
        """As `--json` prints it."""
        whole = {WHOLE_RECORD: self.withheld_by} if self.withheld_by else {}
        return {
            "record": self.record,
            "object": self.object,
            "crm_id": self.crm_id,
            "fields": list(self.fields),
            "withheld": {**self.withheld, **whole},
            "kept": list(self.kept),
            "left_out": dict(self.left_out),
            "verdict": self.verdict.value,
            "code": self.code,
            "untranslated": dict(self.untranslated),
        }


@dataclass(frozen=True, slots=True)
class Remembered:
    """A record's new ledger entry, and the newest delivery and the customer that led to it.

    new: the record is in the CRM since now, as far as the ledger knows. lost: the CRM lost the one the ledger knew.
    opened: its fields that were left out, by name. closed: the names of those that no longer are.
    before: what the record had in fields that are about to be written. created: whether the CRM has created it now.
    """

    key: RecordKey
    entry: Entry
    customer_id: str | None
    delivery_id: int
    new: bool = False
    opened: Mapping[str, OpenItem] = field(default_factory=dict)
    closed: tuple[str, ...] = ()
    lost: bool = False
    before: Before | None = None
    created: bool = False


class Claim(NamedTuple):
    """A CRM record that is to belong to one key alone, and the customer of that key."""

    key: RecordKey
    crm_id: str
    customer_id: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A record for which several CRM records may be meant. by_key: they all hold its key."""

    key: RecordKey
    record: str
    customer_id: str | None
    delivery_id: int
    candidates: tuple[Candidate, ...]
    by_key: bool = False


@dataclass(frozen=True, slots=True)
class Raised:
    """An opt-out that reached the CRM: in which field of which record, and the newest delivery that asked for it.

    addressed: the addresses that its record shows have to be opted out too, before the CRM has all of it.
    """

    customer_id: str
    flag: str
    object: str
    crm_id: str | None
    delivery_id: int
    field: str = ""
    addressed: bool = False


class ObligationState(StrEnum):
    """Where an opt-out is that is owed to a destination."""

    OWED = "owed"
    APPLIED = "applied"
    REFUSED = "refused"
    NO_RECORD = "no record"
    NOT_MAPPED = "not mapped"


@dataclass(frozen=True, slots=True)
class Obligation:
    """One customer's opt-out, owed to one destination until the CRM confirms it.

    since: epoch ms when it was received. event_id: the newest event that raises it. attempts: since it was last owed.
    addresses: the digest of the addresses that were opted out with it; None if none was looked for.
    """

    destination: str
    customer_id: str
    flag: str
    since: int
    event_id: int = 0
    attempts: int = 0
    state: ObligationState = ObligationState.OWED
    addresses: str | None = None


@dataclass(frozen=True, slots=True)
class Payment:
    """What became of one obligation. wait_ms: until it is looked at again; None: not before something happens to it.

    addresses: the digest of the addresses that are opted out with it now; None as before.
    """

    obligation: Obligation
    state: ObligationState
    why: Refusal = WRITTEN
    object: str = ""
    crm_id: str | None = None
    wait_ms: int | None = None
    addresses: str | None = None


@dataclass(frozen=True, slots=True)
class Streak:
    """How many records in a row a destination rejected for one cause; None: for no cause."""

    cause: CauseKey | None = None
    count: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """A leased lane as the last batch left it. `at`: this moment by the store's clock.

    of_account: the pauses in a row of the account that its lanes share, where these were more.
    """

    failures: int
    refused: Streak
    at: int
    of_account: int = 0


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of one delivery. why: what was not written, and why. wait_ms: how long until it is ready again."""

    delivery_id: int
    state: DeliveryState
    outcome: AttemptOutcome
    why: Refusal = WRITTEN
    records: Sequence[RecordNote] = ()
    request_id: str = ""
    duration_ms: int = 0
    wait_ms: int = 0


@dataclass(frozen=True, slots=True)
class Pause:
    """Why and how long a lane rests. refused: the code of the rejected records, where those are the reason.

    in_flight: what was being sent, where the reason may lie in it.
    opt_outs_ms: how long opt-outs wait, where that is less.
    """

    wait_ms: int
    reason: PauseReason
    problem: str
    refused: str = ""
    in_flight: InFlight | None = None
    opt_outs_ms: int | None = None

    @property
    def opt_outs_wait(self) -> int:
        """Milliseconds until the lane may try an opt-out."""
        return self.wait_ms if self.opt_outs_ms is None else self.opt_outs_ms

    @property
    def code(self) -> str:
        """The refusal's code where records were rejected one after another, else the reason."""
        return self.refused or self.reason.value


@dataclass(frozen=True, slots=True)
class Theirs:
    """Whose deliveries are meant: all of these customers', and these."""

    customers: Collection[str]
    deliveries: Collection[int]


@dataclass(frozen=True, slots=True)
class Settlement:
    """Everything a batch, or a part of one, leaves behind, recorded in one commit.

    payments: what became of obligations; they leave the lane's failures as they are.
    probing: it does not show either that the account can be used, and leaves the failures as they are.
    owed: opt-outs that events raised themselves, as customers do in calls. oddities: values that nothing translated.
    freed: digests of the values that records gave up.
    gone: records the CRM no longer has, by object and id. asked: questions to keep for people.
    answered: the records, by key and CRM id, of which the CRM answered a question itself.
    again: customers whose delivered events since then, epoch ms, are delivered again.
    released: records that are no longer their key's. proven: the CRM answered, so that its account can be used.
    """

    mapping_version: str
    settled: Sequence[Settled] = ()
    remembered: Sequence[Remembered] = ()
    consents: Mapping[str, Mapping[str, FlagState]] = field(default_factory=dict)
    raised: Sequence[Raised] = ()
    pause: Pause | None = None
    refused: Streak = Streak()
    payments: Sequence[Payment] = ()
    probing: bool = False
    owed: Sequence[Obligation] = ()
    duplicated: Collection[str] = ()
    gone: Sequence[tuple[str, str]] = ()
    oddities: Sequence[Oddity] = ()
    asked: Sequence[Asked] = ()
    answered: Sequence[tuple[RecordKey, str]] = ()
    again: Mapping[str, int] = field(default_factory=dict)
    released: Sequence[Claim] = ()
    freed: Collection[str] = ()
    proven: bool = False
