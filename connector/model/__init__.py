"""The connector's core types, frozen. All times are whole milliseconds since 1970 UTC."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from dataclasses import field as attribute  # some classes below have a field of their own called 'field'
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from connector.model.lookup import Lookup as Lookup
from connector.model.person import WHO as WHO
from connector.model.person import Candidate as Candidate
from connector.model.person import Fact as Fact
from connector.model.person import FactKind as FactKind
from connector.model.person import Person as Person
from connector.model.person import PersonFields as PersonFields
from connector.model.stamp import OLDEST as OLDEST
from connector.model.stamp import Stamp as Stamp
from connector.model.stamp import Timing as Timing

Value = str | int | float | bool | None
"""A value a CRM field can be set to; None clears it."""

_EMPTY: Final[Mapping[str, Any]] = MappingProxyType({})


def _without_values(made: Any, hidden: Collection[str]) -> str:
    """Write a named tuple as text without the fields that may hold personal data."""
    shown = (f"{name}={getattr(made, name)!r}" for name in made._fields if name not in hidden)
    return f"{type(made).__name__}({', '.join(shown)})"


class Unopened(NamedTuple):
    """Why a stored payload cannot be decrypted. key: the fingerprint it names. missing: this key was not given."""

    key: str
    missing: bool


@dataclass(frozen=True, slots=True)
class Event:
    """An event the catalogue can read. unopened: why its stored payload is not here.

    again: the number of the `reapply` that delivers it, or of the last one before it was sent; else 0.
    fetched: from careCycle's API or a file, not sent: it says what somebody's state is, and not since when. run: that
    fetched it.
    """

    agency: str
    message_id: str
    type: str
    customer_id: str | None
    source_time: int
    received_at: int
    payload: Mapping[str, Any] = attribute(repr=False)
    unopened: Unopened | None = None
    fetched: bool = False
    again: int = 0
    run: str = ""


def fold_key(value: str) -> str:
    """A key as CRMs compare keys.

    >>> fold_key(" CRM-48213 ")
    'crm-48213'
    """
    return value.strip().lower()


class Rule(StrEnum):
    """When a field may overwrite the CRM's value."""

    ALWAYS = "always"
    ON_CREATE = "on_create"
    IF_BLANK = "if_blank"
    UNLESS_EDITED = "unless_edited"
    FORWARD = "forward"


class Cut(StrEnum):
    """What `cut: true` did to a text: nothing without it; it fits the field; or the field's length is not known yet."""

    NO = "no"
    FITS = "fits"
    UNKNOWN = "unknown"


class Mode(StrEnum):
    """What may be done to a record in the CRM."""

    UPSERT = "upsert"
    CREATE = "create"
    UPDATE = "update"


@dataclass(frozen=True, slots=True, order=True)
class RecordKey:
    """The identity of one CRM object the mapping writes.

    folded: the value as CRMs compare keys, ignoring letter case and outer blanks: keys are equal if this is.
    """

    object: str
    field: str
    value: str = attribute(repr=False, compare=False)
    folded: str = attribute(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "folded", fold_key(self.value))


@dataclass(frozen=True, slots=True)
class Ref:
    """A look-up field that points at another record of the mapping."""

    key: RecordKey


class FieldWrite(NamedTuple):
    """One field an event writes. guards: the consent flags that withhold it while true or unknown.

    A tuple, because every plan makes many, and making or changing a dataclass takes four times as long.
    erases: consent erases the value; no flag withholds the erasing. spoken: the flag was raised in a call, which erases
    newer values as well. required: the record is not written without it. fallback: written instead of a refused value.
    cut: whether the text was cut to the field's length. refers: whether the value is the id of a record of ours.
    order: the values that the field moves along, the first one first; empty unless its rule is to move forward.
    """

    value: Value | Ref | Lookup
    stamp: Stamp
    rule: Rule = Rule.ALWAYS
    guards: tuple[str, ...] = ()
    line: int = 0
    erases: bool = False
    spoken: bool = False
    required: bool = False
    fallback: Value = None
    cut: Cut = Cut.NO
    refers: bool = False
    order: tuple[Value, ...] = ()
    timing: Timing = Timing.UNKNOWN

    def __repr__(self) -> str:
        return _without_values(self, ("value", "fallback", "order"))


class Write(NamedTuple):
    """One record an event writes.

    flags: consent flag -> target field, for each flag this event raises on this record. carries: the same for each
    flag it could raise.
    guards: consent flags that withhold the whole record. links: records to associate it with.
    also_match: in order, the steps of facts that identify a record created by hand.
    person: the customer whose record it is; None for a call and whatever else is not identified by a customer.
    unsubscribe: the e-mail address to opt out through the CRM's own subscription service.
    address, address_flags: the customer's e-mail address, and the flags that opt it out while they are true.
    rank: 0 if the record points at none, else one more than the highest rank it points at.
    unique: whether the CRM itself keeps the key unique. If not, we remember the record's id.
    silent: fields for which the event has no value to write, or one that consent withholds, with their stamps.
    lacking: fields that the mapping requires and the event has no value for.
    shared: the object's fields that people may edit too (`OVER_OURS`), whether or not the event has a value.
    mapped: all the record's fields with their rules, also those of which this type of event says nothing.
    """

    name: str
    key: RecordKey
    stamp: Stamp
    fields: Mapping[str, FieldWrite] = _EMPTY
    flags: Mapping[str, str] = _EMPTY
    carries: tuple[tuple[str, str], ...] = ()
    mode: Mode = Mode.UPSERT
    guards: tuple[str, ...] = ()
    links: tuple[RecordKey, ...] = ()
    also_match: tuple[tuple[Fact, ...], ...] = ()
    person: Person | None = None
    unsubscribe: str | None = None
    address: str | None = None
    address_flags: frozenset[str] = frozenset()
    rank: int = 0
    unique: bool = True
    silent: Mapping[str, Stamp] = _EMPTY
    lacking: tuple[str, ...] = ()
    shared: frozenset[str] = frozenset()
    mapped: Mapping[str, Rule] = _EMPTY

    def __repr__(self) -> str:
        return _without_values(self, ("unsubscribe", "address"))


@dataclass(frozen=True, slots=True)
class Withheld:
    """Something in the event that consent withheld: a field, or the whole record if `field` is empty."""

    record: str
    field: str
    flag: str


@dataclass(frozen=True, slots=True)
class Untranslated:
    """A target field that is not written because nothing translates the value of the event field `path`."""

    record: str
    field: str
    path: str


@dataclass(frozen=True, slots=True)
class Counted:
    """A field that holds how many calls a record had. write: the field, as of this event alone.

    record: the mapping's. call: of the event; empty for none. counts: whether it counts. withheld: whether consent
    withholds the field. finish: makes a number the field's value.
    """

    record: str
    key: RecordKey
    field: str
    write: FieldWrite
    call: str
    counts: bool
    withheld: bool
    finish: Callable[[int], Value] = attribute(repr=False)


class Plan(NamedTuple):
    """Everything one event writes to one destination.

    consent: each flag in the event's customer snapshot (None: unknown), as of `stamp`.
    reason: of no writes ("test customer", "filtered", "withheld", "nothing mapped", "not planned"), else empty.
    spoken: the flags the event itself raises, by the mapping's `raise:`, whatever the snapshot says.
    fetched: the event was: what it says of a flag that it does not raise gives way to every webhook.
    counted: the fields of its records that count calls.
    """

    customer_id: str | None
    consent: Mapping[str, bool | None]
    stamp: Stamp
    writes: tuple[Write, ...] = ()
    withheld: tuple[Withheld, ...] = ()
    reason: str = ""
    spoken: frozenset[str] = frozenset()
    untranslated: tuple[Untranslated, ...] = ()
    fetched: bool = False
    counted: tuple[Counted, ...] = ()


class Mark(NamedTuple):
    """The ledger's memory of a field: the watermark, the value's keyed digest, who wrote it (see delivery.authors).

    A tuple, as a `FieldWrite` is. timing: of the watermark; it tells no two marks apart.
    """

    stamp: Stamp
    digest: str
    by: str = ""
    turn: str = ""
    timing: Timing = Timing.UNKNOWN

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mark) and self[:4] == other[:4]

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self[:4])


@dataclass(frozen=True, slots=True)
class OpenItem:
    """A field the CRM refused while the rest of its record was written.

    record: the mapping's. cause, action: in our words. digest: of the refused value; empty to have it sent again.
    stamp: of the newest event that sends this value. version: of the mapping that sent it.
    holder: where another record has the value, that record's id, or empty if it is not known; None otherwise.
    """

    code: str
    cause: str
    action: str
    record: str
    digest: str
    stamp: Stamp
    version: str
    holder: str | None = None


@dataclass(frozen=True, slots=True)
class Decided:
    """What people decided about a record: CRM ids.

    same: the record it lives on. others: those that are somebody else's. twins: the others that hold its key. former:
    the record of its own it had before. left: that it lived on until this was taken back. asked: of an open question.
    """

    same: str | None = None
    others: frozenset[str] = frozenset()
    twins: frozenset[str] = frozenset()
    former: str | None = None
    left: str | None = None
    asked: frozenset[str] = frozenset()

    def after_merge(self, ids: Collection[str], into: str) -> Decided:
        """Return the same decisions after the CRM merged these records into another."""
        same = into if self.same in ids else self.same
        return replace(self, same=same, asked=self.asked | {into} if self.asked & set(ids) else self.asked)


@dataclass(frozen=True, slots=True)
class Entry:
    """The ledger's memory of one record. crm_id is None until the CRM confirmed a write.

    fields: what was last written to each. links: the associations made, by the other record's object. meant: for a
    field people may edit, digests of further values that count as ours: those sent that may be there, and what the CRM
    filled in or made of ours. unread: the fields it may have filled in when we created the record, unconfirmed, or that
    could not be read. unsubscribed: the address last opted out through the CRM's own service. creating: when a record
    was sent to be created without being looked for, epoch ms, until the answer is known. open: the fields left out.
    decided: what people decided about which CRM record it is. undone: who had written it, if an undo deletes or deleted
    it, and when (epoch ms). merged: it became another customer's by a merge: only links and opt-outs are written to it.
    """

    crm_id: str | None = None
    fields: Mapping[str, Mark] = attribute(default_factory=dict)
    links: Mapping[str, Mark] = attribute(default_factory=dict)
    meant: Mapping[str, Mapping[str, Stamp]] = attribute(default_factory=dict)
    unsubscribed: Mark | None = None
    creating: int | None = None
    open: Mapping[str, OpenItem] = attribute(default_factory=dict)
    decided: Decided = Decided()
    unread: tuple[str, ...] = ()
    merged: bool = False
    undone: tuple[str, int] | None = None


BLANK: Final = Entry()
"""The memory of a record that was never written."""


class FlagState(NamedTuple):
    """The newest value of one customer's flag (None: unknown), and whether the CRM holds a raised flag.

    A tuple, because every batch makes one for each flag of each customer.
    owed: an event raised the flag, and that has not reached the CRM yet.
    spoken: an event itself raised it, as when a customer says "do not call" in a call. It then counts as true, whatever
    newer snapshots say, until an operator lowers it. lowered: when that was, epoch ms; 0 for never.
    """

    stamp: Stamp
    value: bool | None
    applied: bool = False
    owed: bool = False
    spoken: bool = False
    lowered: int = 0


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event owed to one destination, as leased. first_at: when it was accepted, in epoch ms. event_id: its row.

    owing: the flags that it is known to raise, each of which is an obligation already.
    """

    id: int
    attempts: int
    first_at: int
    event: Event
    event_id: int = 0
    owing: frozenset[str] = frozenset()
