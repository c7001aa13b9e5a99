"""The words of the house as frozen values. Times are whole milliseconds since 1970 UTC everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as attribute  # some classes below have a field of their own called 'field'
from enum import StrEnum
from typing import Any, NamedTuple

Value = str | int | float | bool | None
"""What a CRM field can be given; None clears it."""


class Stamp(NamedTuple):
    """When the source said something, and a fixed tie-break. The greater stamp wins, whichever arrived first."""

    at: int
    tie: str


@dataclass(frozen=True, slots=True)
class Event:
    """A verified webhook message the catalogue can read."""

    agency: str
    message_id: str
    type: str
    customer_id: str | None
    source_time: int
    received_at: int
    payload: Mapping[str, Any] = attribute(repr=False)


class Rule(StrEnum):
    """When a field may be written over what the CRM holds."""

    ALWAYS = "always"
    ON_CREATE = "on_create"
    IF_BLANK = "if_blank"
    UNLESS_EDITED = "unless_edited"


class Mode(StrEnum):
    """What a record may do in the CRM."""

    UPSERT = "upsert"
    CREATE = "create"
    UPDATE = "update"


@dataclass(frozen=True, slots=True, order=True)
class RecordKey:
    """The identity of one CRM object the mapping makes."""

    object: str
    field: str
    value: str = attribute(repr=False)


@dataclass(frozen=True, slots=True)
class Ref:
    """A look-up field that points at another record of the mapping."""

    key: RecordKey


@dataclass(frozen=True, slots=True)
class Lookup:
    """A value found in the CRM: `returns` of the one `object` whose `match` field holds `value`.

    required: without it the record is refused; waits: without it the record waits.
    """

    object: str
    match: str
    value: str = attribute(repr=False)
    returns: str = "Id"
    required: bool = False
    waits: bool = False


@dataclass(frozen=True, slots=True)
class FieldWrite:
    """One field an event asks for. `guards` are the consent flags that keep it back while true or unknown.

    erases: consent takes the value away, which nothing keeps back.
    """

    value: Value | Ref | Lookup = attribute(repr=False)
    stamp: Stamp
    rule: Rule = Rule.ALWAYS
    guards: tuple[str, ...] = ()
    line: int = 0
    erases: bool = False


@dataclass(frozen=True, slots=True)
class Write:
    """One record an event asks for.

    flags: consent flag -> target field, for each flag this event raises on this record. carries: the same for each
    flag it could raise.
    guards: consent flags that keep the whole record back. links: records to associate with.
    also_match: in order, the target fields and values that identify a record people made by hand.
    unsubscribe: the e-mail address to opt out through the CRM's own subscription service.
    address, address_flags: the address of the event's customer, and the flags that opt it out there while they stand.
    rank: 0 for a record that points at none, else one more than the highest it points at.
    unique: whether the CRM itself keeps the key unique. Where it does not, we remember the record's id.
    """

    name: str
    key: RecordKey
    stamp: Stamp
    fields: Mapping[str, FieldWrite] = attribute(default_factory=dict)
    flags: Mapping[str, str] = attribute(default_factory=dict)
    carries: tuple[tuple[str, str], ...] = ()
    mode: Mode = Mode.UPSERT
    guards: tuple[str, ...] = ()
    links: tuple[RecordKey, ...] = ()
    also_match: tuple[tuple[tuple[str, str], ...], ...] = ()
    unsubscribe: str | None = attribute(default=None, repr=False)
    address: str | None = attribute(default=None, repr=False)
    address_flags: frozenset[str] = frozenset()
    rank: int = 0
    unique: bool = True


@dataclass(frozen=True, slots=True)
class Withheld:
    """Something the event offered that consent held back: a field, or a whole record when field is empty."""

    record: str
    field: str
    flag: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything one event asks of one destination.

    consent: what the event's customer snapshot says of each flag (None: unknown), at `stamp`.
    reason: why there are no writes ("test customer", "filtered", "nothing mapped"), else empty.
    """

    customer_id: str | None
    consent: Mapping[str, bool | None]
    stamp: Stamp
    writes: tuple[Write, ...] = ()
    withheld: tuple[Withheld, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """The ledger's memory of one field: the watermark that last wrote it and a keyed digest of the value."""

    stamp: Stamp
    digest: str


@dataclass(frozen=True, slots=True)
class Entry:
    """The ledger's memory of one record. crm_id is None until the CRM confirmed a write."""

    crm_id: str | None = None
    marks: Mapping[str, Mark] = attribute(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FlagState:
    """The newest thing any event said of one customer's flag (None: unknown), and whether the CRM holds a raise.

    owed: some event raised it, and that has not reached the CRM.
    """

    stamp: Stamp
    value: bool | None
    applied: bool = False
    owed: bool = False


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event owed to one destination, as leased. first_at: epoch ms of the moment it was accepted."""

    id: int
    attempts: int
    first_at: int
    event: Event
