"""What every CRM must do: take rows, answer one outcome per row, in order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

from connector.crm import Crm
from connector.destinations.provision import Provisioner
from connector.mapping.target import TargetSchema
from connector.model import Mode, RecordKey, Value
from connector.settlement import WRITTEN, Refusal


@dataclass(frozen=True, slots=True)
class Link:
    """Another CRM record, by the CRM's own id, to associate with."""

    object: str
    id: str


@dataclass(frozen=True, slots=True)
class Row:
    """One record to write, everything resolved.

    fields: target -> value; the key field is not among them. None clears.
    id: write to this CRM record (adopted, or known) and set its key field; without it, write by the key.
    known: the CRM's id of the record as the ledger has it, which may be out of date.
    compared: those of `fields` that are sent because of what the record held, or that it did not exist.
    consent: those of `fields` that raise an opt-out: they are written alone when the rest is refused.
    unsubscribe: the e-mail address to opt out through the CRM's own subscription service.
    unique: whether the CRM keeps the key unique; where not, a row without an id is created, and only once.
    adopt: the fields by which a record people made by hand may be taken over.
    """

    key: RecordKey
    fields: Mapping[str, Value] = field(repr=False)
    id: str | None = None
    mode: Mode = Mode.UPSERT
    consent: frozenset[str] = frozenset()
    links: tuple[Link, ...] = ()
    unsubscribe: str | None = field(default=None, repr=False)
    known: str | None = None
    compared: frozenset[str] = frozenset()
    unique: bool = True
    adopt: frozenset[str] = frozenset()


LOST_ID: Final = "GONE"
"""The code of a record that was to be written by its id, and which the CRM has lost."""


class Verdict(StrEnum):
    """What the CRM said of one row."""

    DELIVERED = "delivered"
    SKIPPED = "skipped"  # an update of a record that does not exist
    DEFERRED = "deferred"  # may pass later: a lock, a fault of the CRM for this one record, a missing parent
    REJECTED = "rejected"  # will not pass until somebody changes something


@dataclass(frozen=True, slots=True)
class Outcome:
    """The CRM's answer for one row. `refusal` is in our words: the CRM's own text may repeat values.

    id: the CRM's id of the record, where it exists.
    consent_written: the opt-outs went out although the row was refused. retry_after: seconds, where the CRM said so.
    """

    verdict: Verdict
    id: str | None = None
    refusal: Refusal = WRITTEN
    consent_written: bool = False
    retry_after: float | None = None
    request_id: str = ""

    @property
    def code(self) -> str:
        """The refusal's code; empty for a record that was written."""
        return self.refusal.code

    @property
    def fields(self) -> tuple[str, ...]:
        """The target fields the CRM named."""
        return self.refusal.fields


@dataclass(frozen=True, slots=True)
class Found:
    """A record that exists in the CRM, with the fields asked for (a blank one is None)."""

    id: str
    values: Mapping[str, Value] = field(repr=False)


def as_text(value: Value) -> str:
    """A value as both CRMs spell it in text: booleans in small letters, whole numbers without a point."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float() if value.is_integer():
            return str(int(value))
        case _:
            return str(value)


class CallLog(Protocol):
    """Told of every HTTP call to a CRM: the method, a path without values, the status (0: no answer), milliseconds."""

    def __call__(self, method: str, path: str, status: int, duration_ms: float) -> None: ...


class Destination(Protocol):
    """One CRM account. Every method may raise DestinationUnusable and nothing else."""

    batch: int
    """How many rows fit one write call."""

    @property
    def crm(self) -> Crm:
        """Whose account it is."""
        ...

    @property
    def usage(self) -> tuple[int, int] | None:
        """API calls used and allowed today by the whole account, as the last reply told; None where none did."""
        ...

    def write(self, rows: Sequence[Row]) -> list[Outcome]:
        """Write rows (distinct keys, any mix of objects, none pointing at another). One outcome per row, in order."""
        ...

    def find(self, object: str, field: str, values: Sequence[str], read: Iterable[str]) -> dict[str, list[Found]]:
        """Records whose `field` is one of `values`, with `read` fields: value -> the records that hold it.

        The values are matched as the CRM matches them (letter case aside) and answered under the value asked.
        """
        ...

    def normal(self, value: Value) -> str:
        """A value as this CRM hands it back, as text: what we wrote and what we read compare equal by it."""
        ...

    def describe(self, objects: Iterable[str]) -> TargetSchema:
        """The account's own schema of these objects."""
        ...

    def provisioner(self) -> Provisioner:
        """What prepares the account for a mapping."""
        ...

    def close(self) -> None:
        """Let connections go."""
        ...
