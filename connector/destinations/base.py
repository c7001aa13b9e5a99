"""The contract of a destination: rows go in, and one outcome per row comes back, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Protocol

from connector.crm import Crm, CrmAccount
from connector.destinations.bench import Bench
from connector.destinations.provision import Provisioner
from connector.errors import DestinationUnusable, PauseReason
from connector.mapping.target import TargetSchema
from connector.model import Mode, RecordKey, Value
from connector.settlement import WRITTEN, Refusal


@dataclass(frozen=True, slots=True)
class Link:
    """Another CRM record to associate with, by the CRM's own id."""

    object: str
    id: str


@dataclass(frozen=True, slots=True)
class Row:
    """One record to write, with all references resolved.

    fields: target field -> value, without the key field. None clears the field.
    id: the CRM record to write to (adopted or known); without it, the key decides.
    keyed: whether a record written by its id also gets the key.
    known: the CRM's id of the record according to the ledger: the `id`, unless it is written by its key.
    compared: the `fields` sent because of the record's previous values, or because it did not exist.
    consent: the `fields` that set an opt-out; they are written alone when the CRM rejects the rest.
    unsubscribe: the email address to opt out through the CRM's own subscription service.
    unique: whether the CRM enforces unique keys; if not, a row without an id is created, and only once.
    held: addresses that the CRM has just shown to be another record's -> that record's id.
    new: whether nothing is known of the record, so that it is created, and refused if another one has its key.
    """

    key: RecordKey
    fields: Mapping[str, Value] = field(repr=False)
    id: str | None = None
    mode: Mode = Mode.UPSERT
    consent: frozenset[str] = frozenset()
    links: tuple[Link, ...] = ()
    unsubscribe: str | None = field(default=None, repr=False)
    known: str | None = None
    keyed: bool = True
    compared: frozenset[str] = frozenset()
    unique: bool = True
    held: Mapping[str, str] = field(default_factory=dict, repr=False)
    new: bool = False


@contextmanager
def one_call(rows: Iterable[Row]) -> Iterator[None]:
    """Name the records of one call in the error if the call fails as a whole."""
    try:
        yield
    except DestinationUnusable as error:
        error.keys = error.keys or [row.key for row in rows]
        raise


class Verdict(StrEnum):
    """What the CRM did with one row."""

    DELIVERED = "delivered"
    SKIPPED = "skipped"  # an update of a record that does not exist
    DEFERRED = "deferred"  # may succeed later: a lock, an internal CRM error on this record, a missing parent
    REJECTED = "rejected"  # will fail until someone changes something


@dataclass(frozen=True, slots=True)
class Outcome:
    """The CRM's answer for one row. `refusal` is in our words, because the CRM's own text may repeat values.

    id: the CRM's id of the record, if it exists.
    consent_written: the opt-outs were written although the row was rejected.
    retry_after: seconds, if the CRM asked for a pause.
    patient: deferred for something about the account that its people will change, so that no time is too long to wait.
    of_fields: rejected for the values of some fields, the refusal's or, where it names none of the row's, unknown ones:
    without them the CRM may accept the row.
    subscription: why the CRM's subscription service did not opt the address out, of a row that was not rejected.
    ignored: of a row that was accepted, the fields whose values the CRM warned about: it may not have taken them.
    holder: of a row rejected because another record has a value that the CRM allows once: that record's id, or empty
    if it is not known. None for every other row.
    created: whether the CRM created the record for this row; None if it does not say.
    shown: the values the record has after the write, as far as the reply shows them.
    is_whole: whether it shows the whole record, so that what it leaves out is blank.
    """

    verdict: Verdict
    id: str | None = None
    refusal: Refusal = WRITTEN
    consent_written: bool = False
    retry_after: float | None = None
    patient: bool = False
    request_id: str = ""
    of_fields: bool = False
    subscription: Refusal = WRITTEN
    ignored: Refusal = WRITTEN
    holder: str | None = None
    created: bool | None = None
    shown: Mapping[str, Value] = field(default_factory=dict, repr=False)
    is_whole: bool = False

    @property
    def code(self) -> str:
        """The refusal's code; empty for a record that was written."""
        return self.refusal.code

    @property
    def fields(self) -> tuple[str, ...]:
        """The target fields that the CRM named."""
        return self.refusal.fields


@dataclass(frozen=True, slots=True)
class Found:
    """A record that exists in the CRM, with the requested fields (None if blank)."""

    id: str
    values: Mapping[str, Value] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Current:
    """What a CRM has now under an id we know.

    id: where the record lives, its own id or that of the record it became; None if it is deleted.
    values: what that record shows, None for a blank field. A field that could not be read is left out.
    """

    id: str | None
    values: Mapping[str, Value] = field(default_factory=dict, repr=False)


Answers = dict[str, list[Found] | Outcome]
"""What a search answers for each value: its records, or the outcome of a record that needs them, if they are unknown
because the CRM cannot be asked for this value."""


Narrow = Mapping[str, Sequence[str]]
"""What else a record that is searched for must have: further fields, each with one value or several."""
EVERY: Final[Narrow] = MappingProxyType({})
"""Nothing else."""


Compare = Callable[[Value], str]
"""A value as text, in which two values of a field are compared."""


def as_text(value: Value) -> str:
    """A value as text: booleans in lower case, whole numbers without a decimal point."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float() if value.is_integer():
            return str(int(value))
        case _:
            return str(value)


def another_account(crm: Crm, ours: CrmAccount, theirs: CrmAccount, destination: str = "") -> DestinationUnusable:
    """The error of credentials that lead to another account than the one whose ledger we have."""
    name = destination.partition("/")[2] or "NAME"
    problem = (
        f"the credentials lead to {crm.account} {theirs}, but this destination's ledger was written to {ours}: give "
        f"the former credentials, or run connector rebind -c agency.yaml --destination {name}"
    )
    return DestinationUnusable(destination or crm.title, PauseReason.ANOTHER_ACCOUNT, problem)


class CallLog(Protocol):
    """Called after every HTTP call with method, path without values, status (0: no answer) and milliseconds."""

    def __call__(self, method: str, path: str, status: int, duration_ms: float) -> None: ...


class Destination(Protocol):
    """One CRM account. Every method may raise DestinationUnusable and nothing else."""

    batch: int
    """The most rows one write call can send."""

    @property
    def crm(self) -> Crm:
        """The CRM this account belongs to."""
        ...

    @property
    def usage(self) -> tuple[int, int] | None:
        """API calls used and allowed today for the whole account, as last reported by the CRM; None if never."""
        ...

    @property
    def date(self) -> str:
        """The Date header of the CRM's last reply; empty if it had none."""
        ...

    def hold(self) -> float:
        """Seconds until the next batch should begin, so that the account's limit of calls lasts; mostly 0.

        Events that come meanwhile go with that batch, in the same calls. Opt-outs do not wait for it.
        """
        ...

    def account(self) -> CrmAccount | None:
        """The account that the credentials lead to now; None where the CRM does not say. Costs a call at most once."""
        ...

    def serve(self, account: CrmAccount) -> None:
        """Reach this account alone: where a new login leads to another one, calls raise DestinationUnusable."""
        ...

    def write(self, rows: Sequence[Row]) -> list[Outcome]:
        """Write rows with distinct keys, of any objects, none referring to another. One outcome per row, in order."""
        ...

    def find(
        self, object: str, field: str, values: Sequence[str], read: Iterable[str], narrow: Narrow = EVERY
    ) -> Answers:
        """Records whose `field` has one of `values`, with the `read` fields: value -> its records.

        narrow: records without the single value of such a field are left out, and those without any of several may be.
        Values match as they do in the CRM, ignoring case; the keys are the values as given. A value that no record can
        have has none; one that the CRM cannot be asked for has an Outcome, and affects no other.
        """
        ...

    def find_phones(self, object: str, field: str, numbers: Sequence[str], read: Iterable[str]) -> Answers:
        """Records whose `field` is one of these phone numbers, in whatever punctuation: number as given -> its records.

        May include a number of another country with the same digits.
        """
        ...

    def survivors(self, object: str, ids: Sequence[str]) -> dict[str, str | None]:
        """Where records live now: id -> its own id, that of the record it was merged into, or None if it is deleted.

        An id of which the CRM does not say is left out.
        """
        ...

    def current(self, object: str, ids: Sequence[str], fields: Iterable[str]) -> dict[str, Current]:
        """What is there now of these records, as many in a call as the CRM allows: id -> what it has.

        An id of which the CRM does not say is left out: the record may be hidden from us.
        """
        ...

    def linked(self, object: str, ids: Sequence[str], other: str) -> dict[str, frozenset[str]]:
        """The records of another object that each of these is associated with, where the CRM associates records."""
        ...

    def may_have_twins(self, object: str, field: str) -> bool:
        """Whether several records may have the same value of this key field, as far as is known without asking."""
        ...

    def refuses_taken(self, object: str, field: str) -> bool:
        """Whether creating a record is refused where another one has its key, as far as is known without asking.

        Then a record of which nothing is known need not be looked for before it is created.
        """
        ...

    def normal(self, value: Value) -> str:
        """A value as text in this CRM's canonical form, in which values written and read back compare equal."""
        ...

    def comparing(self, object: str, field: str) -> Compare | None:
        """What makes two values of this field equal exactly where the CRM's search takes them for the same.

        None where that is not known: only the search itself can tell.
        """
        ...

    def describe(self, objects: Iterable[str]) -> TargetSchema:
        """The account's schema for these objects."""
        ...

    def recall(self, kept: TargetSchema) -> None:
        """Know again what describe() said before a restart."""
        ...

    def provisioner(self) -> Provisioner:
        """The provisioner that prepares this account for a mapping."""
        ...

    def bench(self) -> Bench:
        """What a trial may do to this account besides delivering."""
        ...

    def close(self) -> None:
        """Close the connections."""
        ...
