"""Why the CRM holds what it holds: of one customer or call, each field, the event that wrote it, why others did not.

Told from the ledger's watermarks and the attempts' notes. Where the mapping is known, its plan of each stored event
tells what the event would have said. Names, ids and times only, never a value.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC

from connector.carecycle import recognise
from connector.carecycle.catalogue import ABSENT
from connector.errors import UnreadableEvent
from connector.insight.accounts import Account, named, place
from connector.mapping import formats
from connector.mapping.planning import plan
from connector.model import Entry, Mark, Plan, RecordKey, Stamp, Write
from connector.settlement import DeliveryState, RecordNote, RecordVerdict
from connector.store import Store
from connector.store.trail import LONGEST, Known, Step, Try


@dataclass(frozen=True, slots=True)
class Said:
    """What one event meant for one field. at: the source's time, epoch ms.

    verdict: wrote, repeated, superseded, withheld, kept, refused, waiting or unmapped. by: the flag or code behind it;
    of one that repeated, the message that wrote. written_at, mapping_version: of the attempt that wrote.
    """

    message_id: str
    type: str
    at: int
    verdict: str
    by: str = ""
    written_at: int | None = None
    mapping_version: str = ""


@dataclass(frozen=True, slots=True)
class FieldWhy:
    """One field of a record. place: where the mapping says so, as file:line. said: by each event, the newest first."""

    field: str
    place: str
    said: tuple[Said, ...]

    @property
    def writer(self) -> Said | None:
        """The event whose value the CRM was given last."""
        return next((one for one in self.said if one.verdict in ("wrote", "repeated")), None)

    @property
    def others(self) -> tuple[Said, ...]:
        """Every other event that had something to say."""
        return tuple(one for one in self.said if one is not self.writer)


@dataclass(frozen=True, slots=True)
class RecordWhy:
    """One CRM record. withheld: the consent flag that keeps it back as a whole, if one does."""

    destination: str
    record: str
    object: str
    crm_id: str
    link: str
    fields: tuple[FieldWhy, ...]
    withheld: str = ""


@dataclass(frozen=True, slots=True)
class Why:
    """Everything there is to say of a customer or a call. events: looked at; purged: of them, without content.

    unmapped: the destinations whose mapping is not known here, so that only what was written down is told.
    """

    asked: str
    customer_id: str
    events: int
    purged: int
    capped: bool
    unmapped: tuple[str, ...]
    records: tuple[RecordWhy, ...]


def explain(store: Store, asked: str, accounts: Sequence[Account] = ()) -> Why | None:
    """Why the records of a customer, a call or a message's customer are as they are; None when nobody knows the id.

    A call's id is found through the mappings of `accounts` alone.
    """
    found = _found(store, asked, accounts)
    if found is None:
        return None
    event_id, customer, only = found
    steps = store.trail.of_customer(customer) if customer else store.trail.of_event(event_id)
    known = store.trail.records(customer) if customer else _known_of(store, steps, accounts)
    records: list[RecordWhy] = [
        one
        for destination in sorted({step.destination for step in steps} | {one.destination for one in known})
        for one in _Telling(
            store,
            destination,
            named(accounts, destination),
            [step for step in steps if step.destination == destination],
            [one for one in known if one.destination == destination],
        ).records(only)
    ]
    records.sort(key=_weight, reverse=True)  # the person, whom every event is about, before the calls
    named_here = {account.name for account in accounts if account.mapping}
    return Why(
        asked,
        customer or "",
        len({step.event.message_id for step in steps}),
        len({step.event.message_id for step in steps if step.purged}),
        len(steps) == LONGEST,
        tuple(sorted({step.destination for step in steps} - named_here)),
        tuple(records),
    )


def _weight(record: RecordWhy) -> int:
    return max((len(field.said) for field in record.fields), default=0)


_Found = tuple[int, str | None, Mapping[str, frozenset[tuple[str, str]]] | None]
"""An event, its customer, and the records asked for by destination (None: all of the customer's)."""


def _found(store: Store, asked: str, accounts: Sequence[Account]) -> _Found | None:
    if message := store.trail.event(asked):
        return *message, None
    if store.trail.of_customer(asked):
        return 0, asked, None
    keys = {account.name: frozenset(_call_keys(store, account, asked)) for account in accounts}
    for name, wanted in keys.items():
        if behind := store.trail.behind(name, wanted):
            return *behind, keys
    return None


def _call_keys(store: Store, account: Account, call_id: str) -> Iterator[tuple[str, str]]:
    """The records a mapping makes of a call of this id, as the ledger names them."""
    program = account.mapping.programs.get("call.completed") if account.mapping else None
    for record in program.records if program else ():
        key = record.key({"event_type": "call.completed", "id": call_id}, UTC)
        if key is not None and key is not ABSENT and call_id in (text := formats.text(key)):
            yield record.object, store.ledger.key_digest(RecordKey(record.object, record.key_field, text))


def _known_of(store: Store, steps: Iterable[Step], accounts: Sequence[Account]) -> list[Known]:
    """The records of an event without a customer."""
    known = []
    for step in steps:
        for write in _planned(step, named(accounts, step.destination)).writes:
            known += store.trail.record(step.destination, write.key.object, store.ledger.key_digest(write.key))
    return known


def _planned(step: Step, account: Account | None) -> Plan:
    """What the mapping that is known now says of a stored event; nothing where it cannot be told."""
    nothing = Plan(step.event.customer_id, {}, Stamp(step.event.source_time, ""))
    mapping = account.mapping if account else None
    if account is None or mapping is None or step.purged:
        return nothing
    try:
        event = recognise.as_read(step.event)
    except UnreadableEvent:
        return nothing
    return plan(event, mapping, timezone=account.timezone) if event else nothing


@dataclass(slots=True)
class _Row:
    """One record being told: what the ledger holds, what each event's plan asks of it."""

    object: str
    entry: Entry = field(default_factory=Entry)
    name: str = ""
    writes: dict[int, Write] = field(default_factory=dict)


@dataclass(slots=True)
class _Telling:
    """One destination's records of one customer."""

    store: Store
    destination: str
    account: Account | None
    steps: Sequence[Step]
    known: Sequence[Known]
    plans: dict[int, Plan] = field(default_factory=dict)

    def records(self, only: Mapping[str, frozenset[tuple[str, str]]] | None) -> Iterator[RecordWhy]:
        """Every record, or those asked for."""
        rows = {(one.object, one.key): _Row(one.object, one.entry) for one in self.known}
        for step in self.steps:
            planned = self.plans[step.delivery_id] = _planned(step, self.account)
            for write in planned.writes:
                key = (write.key.object, self.store.ledger.key_digest(write.key))
                row = rows.setdefault(key, _Row(write.key.object))
                row.name = row.name or write.name
                row.writes[step.delivery_id] = write
        wanted = None if only is None else only.get(self.destination, frozenset())
        kept_back = self._kept_back()
        for key, row in rows.items():
            if wanted is None or key in wanted:
                yield self._record(row, kept_back)
        named_above = {row.name for row in rows.values()}
        for name, flag in kept_back.items() if wanted is None else ():
            if flag and name not in named_above:
                yield RecordWhy(self.destination, name, "", "", "", (), flag)

    def _kept_back(self) -> dict[str, str]:
        """Each record of the mapping, with the flag that kept it back as a whole at its newest event, if one did."""
        found: dict[str, str] = {}
        for step in sorted(self.steps, key=lambda one: -one.event.source_time):
            for one in reversed(step.tries):
                for note in one.records:
                    found.setdefault(note.record, note.withheld_by)
        return found

    def _record(self, row: _Row, kept_back: Mapping[str, str]) -> RecordWhy:
        notes = {step.delivery_id: self._notes(step, row) for step in self.steps}
        row.name = row.name or next((note.record for kept in notes.values() for _, note in kept), "")
        told = {step.delivery_id: dict(self._offers(step, row, notes[step.delivery_id])) for step in self.steps}
        names = dict.fromkeys(
            [*(name for offers in told.values() for name in offers), *row.entry.fields],
        )
        fields = tuple(self._field(row, name, told, notes) for name in names)
        crm_id = row.entry.crm_id or ""
        link = self.account.link(row.object, crm_id) if self.account and crm_id else ""
        shown = tuple(one for one in fields if one.said)
        return RecordWhy(self.destination, row.name, row.object, crm_id, link, shown, kept_back.get(row.name, ""))

    def _notes(self, step: Step, row: _Row) -> list[tuple[Try, RecordNote]]:
        """What this event's attempts noted of the record."""
        mine = row.name if step.delivery_id in row.writes else None
        return [
            (one, note)
            for one in step.tries
            for note in one.records
            if (note.crm_id and note.crm_id == row.entry.crm_id) or (mine and note.record == mine)
        ]

    def _offers(
        self, step: Step, row: _Row, notes: Sequence[tuple[Try, RecordNote]]
    ) -> Iterator[tuple[str, Stamp | None]]:
        """The fields this event had something to say about, with the time it says it of where that is known."""
        own = row.writes.get(step.delivery_id)
        planned = self.plans[step.delivery_id]
        if own is not None:
            yield from ((name, one.stamp) for name, one in own.fields.items())
            yield from ((target, planned.stamp) for target in own.flags.values())
            yield from ((one.field, None) for one in planned.withheld if one.record == own.name and one.field)
        for _, note in notes:
            yield from ((name, None) for name in (*note.withheld, *note.kept))

    def _field(
        self,
        row: _Row,
        name: str,
        told: Mapping[int, Mapping[str, Stamp | None]],
        notes: Mapping[int, Sequence[tuple[Try, RecordNote]]],
    ) -> FieldWhy:
        mark = row.entry.fields.get(name)
        said = [
            _said(step, name, mark, notes[step.delivery_id], self.plans[step.delivery_id], told[step.delivery_id])
            for step in sorted(self.steps, key=lambda one: -one.event.source_time)
        ]
        said = [self._traced(one, name, notes) if one and one.verdict == "repeated" else one for one in said]
        where = place(self.account.loaded(), row.name, name) if self.account and row.name else ""
        return FieldWhy(name, where, tuple(one for one in said if one is not None))

    def _traced(self, one: Said, name: str, notes: Mapping[int, Sequence[tuple[Try, RecordNote]]]) -> Said:
        """An event that said what the CRM held already, with the attempt that had written it."""
        wrote = [
            (made.at, step.event.source_time, step, made)
            for step in self.steps
            for made, note in notes[step.delivery_id]
            if name in note.fields and note.verdict is RecordVerdict.DELIVERED
        ]
        if not wrote:
            return one
        _, _, step, made = max(wrote, key=lambda found: found[:2])
        return replace(one, by=step.event.message_id, written_at=made.at, mapping_version=made.mapping_version)


def _tie(message_id: str) -> str:
    """The tie-break a stamp carries: it tells which event a watermark is of."""
    return hashlib.sha256(message_id.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _said(
    step: Step,
    name: str,
    mark: Mark | None,
    notes: Sequence[tuple[Try, RecordNote]],
    planned: Plan,
    offers: Mapping[str, Stamp | None],
) -> Said | None:
    """What one event meant for a field; None when it had nothing to say about it."""
    event = step.event
    blank = Said(event.message_id, event.type, event.source_time, "")
    if mark is not None and mark.stamp.tie == _tie(event.message_id):
        wrote = next((one for one, note in reversed(notes) if name in note.fields), None)
        if wrote is None:
            return replace(blank, verdict="repeated")
        return replace(blank, verdict="wrote", written_at=wrote.at, mapping_version=wrote.mapping_version)
    if name not in offers:
        return None
    if flag := _withheld(name, notes, planned):
        return replace(blank, verdict="withheld", by=flag)
    if any(name in note.kept for _, note in notes[-1:]):
        return replace(blank, verdict="kept")
    if step.state in (DeliveryState.DEAD, DeliveryState.READY):
        refused = step.state is DeliveryState.DEAD
        return replace(blank, verdict="refused" if refused else "waiting", by=step.code)
    stamp = offers[name]
    newer = mark is not None and (stamp is None or stamp < mark.stamp)
    return replace(blank, verdict="superseded" if newer else "unmapped")


def _withheld(name: str, notes: Sequence[tuple[Try, RecordNote]], planned: Plan) -> str:
    noted = next((note.withheld[name] for _, note in reversed(notes) if name in note.withheld), "")
    return noted or next((one.flag for one in planned.withheld if one.field == name), "")
