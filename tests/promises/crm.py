"""An in-memory CRM that stores records as a real one does, fails on request, and lists every broken promise."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum, auto
from typing import Any

from connector.crm import CrmAccount
from connector.destinations import VENDORS
from connector.destinations.base import EVERY, Answers, Compare, Current, Found, Narrow, Outcome, Row, Verdict, as_text
from connector.destinations.phone_search import find_spelled
from connector.errors import DestinationUnusable, PauseReason
from connector.mapping.target import TargetSchema
from connector.model import Mode, Value
from connector.settlement import Refusal

MEMORY = VENDORS["salesforce"]
"""It behaves as the CRM that its mappings are written for."""

FLAGS = frozenset({"NoCall", "NoText"})
REQUIRED = "LastName"
REFUSED = "Refused"
"""The value of City that this CRM rejects while it is strict."""

ODD = "Odd"
"""A value that begins with this is rejected in any field; the rest of its record may be written."""

BY_HAND = "Dana"
"""An Owner or a Stage chosen by a person, which the connector must not replace."""


NOON = 1781784000000
LONG_AGO, SINCE = "2020-06-18T12:00:00.000+0000", "2036-06-18T13:00:00.000+0000"
"""When people created this CRM's records, and when records are changed: long after their creation."""


def moment(milliseconds: int) -> str:
    """A moment, epoch ms, as this CRM shows it."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")


class Killed(BaseException):
    """The worker's process dies here: no code of the worker may catch this."""


class Fault(StrEnum):
    """How a write call fails."""

    LOCKED = auto()  # every second row is deferred
    REFUSED = auto()  # every second row is refused
    DOWN = auto()  # unusable before any write
    CUT = auto()  # unusable after the first row was written
    REPLY_LOST = auto()  # unusable after all of it was written
    KILLED_BEFORE = auto()
    KILLED_AFTER = auto()


@dataclass
class Crm:
    """Implements destinations.base.Destination. strict: whether `REFUSED` and `ODD` are rejected.

    names_fields: whether a refusal of `ODD` names its fields.

    owner: the Owner that it gives a new contact without one. held: seconds until the next batch should begin.
    refuses: whether a record that is created is refused where another has its key. taken: how many were.
    now: epoch ms.
    meanwhile: what others do during a call: when ("before", "after" or "looking"), and a function that does it.
    """

    crm: Any = MEMORY
    batch: int = 200
    usage: tuple[int, int] | None = None
    strict: bool = True
    owner: str = ""
    unwritable: set[str] = field(default_factory=set)
    unsearchable: dict[str, Outcome] = field(default_factory=dict)
    names_fields: bool = True
    faults: list[Fault] = field(default_factory=list)
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    writes: list[Row] = field(default_factory=list)
    calls: int = 0
    searches: int = 0
    merged: dict[str, str] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    meanwhile: list[tuple[str, Callable[[], None]]] = field(default_factory=list)
    own: CrmAccount | None = None
    held: float = 0.0
    refuses: bool = True
    taken: int = 0
    now: Callable[[], int] = lambda: NOON
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def write(self, rows: Sequence[Row]) -> list[Outcome]:
        self.calls += 1
        if len({row.key for row in rows}) != len(rows):
            self.broken.append("the same record twice in a call")
        fault = self.faults.pop(0) if self.faults else None
        when, elsewhere = self.meanwhile.pop() if self.meanwhile else ("", lambda: None)
        if when == "before":
            elsewhere()
        outcomes = self._answer(rows, fault)
        if when == "after":
            elsewhere()
        return outcomes

    def _answer(self, rows: Sequence[Row], fault: Fault | None) -> list[Outcome]:
        match fault:
            case None:
                return [self._write(row) for row in rows]
            case Fault.LOCKED:
                locked = Outcome(Verdict.DEFERRED, refusal=Refusal("LOCKED", "planned"))
                return self._alternate(rows, lambda _: locked)
            case Fault.REFUSED:
                return self._alternate(rows, self._refuse)
            case Fault.DOWN | Fault.CUT | Fault.REPLY_LOST | Fault.KILLED_BEFORE | Fault.KILLED_AFTER:
                raise self._break_off(rows, fault)

    def _alternate(self, rows: Sequence[Row], fail: Callable[[Row], Outcome]) -> list[Outcome]:
        return [fail(row) if place % 2 == 0 else self._write(row) for place, row in enumerate(rows)]

    def _break_off(self, rows: Sequence[Row], fault: Fault) -> BaseException:
        """Write the rows that this fault lets through; return what ends the call."""
        written = {Fault.CUT: rows[:1], Fault.REPLY_LOST: rows, Fault.KILLED_AFTER: rows}
        for row in written.get(fault, ()):
            self._write(row)
        if fault in (Fault.KILLED_BEFORE, Fault.KILLED_AFTER):
            return Killed()
        return DestinationUnusable("memory", PauseReason.OUTAGE, "planned")

    def _refuse(self, row: Row) -> Outcome:
        """Reject a row, but write its opt-outs if the record exists."""
        flags = row.consent and self._write(replace(row, fields=dict.fromkeys(row.consent, True), mode=Mode.UPDATE))
        written = bool(flags) and flags.verdict is Verdict.DELIVERED
        return Outcome(Verdict.REJECTED, refusal=Refusal("PLANNED", "planned"), consent_written=written)

    def _write(self, row: Row) -> Outcome:
        if row.new and self.all(row.key.object, row.key.value):
            self.taken += 1
            return Outcome(Verdict.REJECTED, refusal=Refusal("DUPLICATE_VALUE", "another record has the key"))
        return self._upsert(row)

    def _upsert(self, row: Row) -> Outcome:
        if row.id is None and len(self.all(row.key.object, row.key.value)) > 1:
            twins = Refusal("DUPLICATE_EXTERNAL_ID", "several records hold the key", "merge them")
            return Outcome(Verdict.REJECTED, refusal=twins)
        held = self._held(row)
        if held is None and row.id is not None:
            return Outcome(Verdict.DEFERRED, refusal=Refusal("ENTITY_IS_DELETED", "the record is gone"))
        if held is None and row.mode is Mode.UPDATE:
            return Outcome(Verdict.SKIPPED)
        if hidden := sorted(self.unwritable & row.fields.keys()):
            written = bool(row.consent) and row.consent != row.fields.keys() and self._refuse(row).consent_written
            refusal = Refusal("INVALID_FIELD", "hidden from this user", "make it visible", tuple(hidden))
            return Outcome(Verdict.REJECTED, refusal=refusal, consent_written=written, of_fields=True)
        if odd := self._odd(row):
            why = Refusal.of("ODD_VALUE", "odd", "make {fields} even", odd if self.names_fields else ())
            written = self._refuse(row).consent_written
            return Outcome(Verdict.REJECTED, refusal=why, consent_written=written, of_fields=True)
        if self.strict and row.fields.get("City") == REFUSED:
            why = Refusal.of("BAD_VALUE", "the value is not offered", "offer it, then replay", ("City",))
            return Outcome(Verdict.REJECTED, refusal=why, consent_written=self._refuse(row).consent_written)
        if held is None and row.key.object == "Contact" and not row.fields.get(REQUIRED):
            return Outcome(Verdict.REJECTED, refusal=Refusal("REQUIRED_FIELD_MISSING", "required", fields=(REQUIRED,)))
        is_new = held is None
        if held is None:
            filled_in = {"Owner": self.owner} if self.owner and row.key.object == "Contact" else {}
            held = self.add(row.key.object, CreatedDate=moment(self.now()), **filled_in)
        self._watch(row, held)
        held.update(row.fields, LastModifiedDate=held["CreatedDate"] if is_new else SINCE)
        if row.key.field != self.crm.id_field and row.keyed:
            held[row.key.field] = row.key.value
        self.writes.append(row)
        return Outcome(Verdict.DELIVERED, id=held["Id"], created=is_new)

    def add(self, object: str, **fields: Value) -> dict[str, Any]:
        """Create a record, as a person does; return it."""
        number = f"{next(self._ids):03d}"
        self.records[number] = {"CreatedDate": LONG_AGO, **fields, "Id": number, "object": object}
        return self.records[number]

    def _odd(self, row: Row) -> tuple[str, ...]:
        odd = [name for name, value in row.fields.items() if str(value).startswith(ODD)]
        return tuple(odd) if self.strict else ()

    def _held(self, row: Row) -> dict[str, Any] | None:
        if row.id is not None:
            return self.records.get(row.id)
        return self.record(row.key.object, row.key.value)

    def _watch(self, row: Row, held: dict[str, Any]) -> None:
        if any(row.fields[flag] is not True for flag in FLAGS & row.fields.keys()):
            self.broken.append("a flag was lowered")
        if held.get("Owner") == BY_HAND and "Owner" in row.fields:
            self.broken.append("an owner the team chose was replaced")
        if held.get("Stage") == BY_HAND and "Stage" in row.fields:
            self.broken.append("a stage of the team's own was replaced")

    def find(
        self, object: str, field: str, values: Sequence[str], read: Iterable[str], narrow: Narrow = EVERY
    ) -> Answers:
        if self.meanwhile and self.meanwhile[-1][0] == "looking":
            self.meanwhile.pop()[1]()
        self.searches += 1
        names = list(read)
        matches: Answers = {value: self.unsearchable[value] for value in values if value in self.unsearchable}
        for value in values:
            if value in matches:
                continue
            matches[value] = [
                Found(record["Id"], {name: record.get(name) for name in names})
                for record in self.records.values()
                if record["object"] == object and as_text(record.get(field)).lower() == value.lower()
                if all(as_text(record.get(name)) in wanted for name, wanted in narrow.items())
            ]
        return matches

    def find_phones(self, object: str, field: str, numbers: Sequence[str], read: Iterable[str]) -> Answers:
        return find_spelled(lambda texts: self.find(object, field, texts, read), numbers)

    def record(self, object: str, key: str) -> dict[str, Any] | None:
        """Return the record with this key."""
        records = self.all(object, key)
        if len(records) > 1:
            self.broken.append("two records with the same key")
        return records[0] if records else None

    def all(self, object: str, key: str) -> list[dict[str, Any]]:
        """List the records with this key."""
        wanted = (object, key)
        return [record for record in self.records.values() if (record["object"], record.get("Key")) == wanted]

    def survivors(self, object: str, ids: Sequence[str]) -> dict[str, str | None]:
        return {crm_id: self._lives(crm_id) for crm_id in ids}

    def current(self, object: str, ids: Sequence[str], fields: Iterable[str]) -> dict[str, Current]:
        names, lives = list(fields), self.survivors(object, ids)
        shown = {own: {name: self.records[own].get(name) for name in names} for own in lives.values() if own}
        return {crm_id: Current(own, shown[own] if own else {}) for crm_id, own in lives.items()}

    def linked(self, object: str, ids: Sequence[str], other: str) -> dict[str, frozenset[str]]:
        return {}

    def _lives(self, crm_id: str) -> str | None:
        while crm_id in self.merged:
            crm_id = self.merged[crm_id]
        return crm_id if crm_id in self.records else None

    def merge(self, loser: str, winner: str) -> None:
        """Merge a record into another, which keeps its own values: the loser's key is gone."""
        del self.records[loser]
        self.merged[loser] = winner

    def hold(self) -> float:
        return self.held

    def account(self) -> CrmAccount | None:
        return self.own

    def serve(self, account: CrmAccount) -> None:
        pass

    def may_have_twins(self, object: str, field: str) -> bool:
        return True

    def refuses_taken(self, object: str, field: str) -> bool:
        return self.refuses

    def normal(self, value: Value) -> str:
        return as_text(value)

    def comparing(self, object: str, field: str) -> Compare | None:
        return as_text

    def describe(self, objects: Iterable[str]) -> TargetSchema:
        return TargetSchema(crm=self.crm)

    def recall(self, kept: TargetSchema) -> None:
        """Nothing is known from before."""

    def close(self) -> None:
        self.records.clear()
