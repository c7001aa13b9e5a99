"""Explain each CRM field of a customer or call: which event wrote it, and why other events did not.

The sources are the ledger's watermarks and the attempts' notes; where the mapping is known, also its plan of each
stored event. The result holds names, IDs and times only, never a value.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from typing import NamedTuple

from connector.carecycle import recognise
from connector.carecycle.catalogue import ABSENT
from connector.errors import UnreadableEvent
from connector.insight.accounts import Account, named, place
from connector.insight.effects import (
    SET_THE_VALUE,
    Draft,
    Effect,
    EffectVerdict,
    effect_of,
    identity,
    traced,
    writer_in,
)
from connector.insight.lowered import Person, lowered_of
from connector.mapping.planning import plan
from connector.mapping.steps import texts
from connector.model import Plan, RecordKey, Stamp
from connector.settlement import RecordNote
from connector.store import Store
from connector.store.handle_index import Person as Customer
from connector.store.trail import LONGEST, Known, RaisedFlag, Step, Try


@dataclass(frozen=True, slots=True)
class FieldWhy:
    """One field of a record. place: its line in the mapping, as file:line. said: each event's effect, newest first."""

    field: str
    place: str
    said: tuple[Effect, ...]

    @property
    def writer(self) -> Effect | None:
        """The event whose value was last sent to the CRM."""
        return next((effect for effect in self.said if effect.verdict in SET_THE_VALUE), None)

    @property
    def others(self) -> tuple[Effect, ...]:
        """Every other event that concerned the field."""
        return tuple(effect for effect in self.said if effect is not self.writer)


@dataclass(frozen=True, slots=True)
class RecordWhy:
    """One CRM record. withheld: the consent flag that withholds the whole record, if one does."""

    destination: str
    record: str
    object: str
    crm_id: str
    link: str
    fields: tuple[FieldWhy, ...]
    withheld: str = ""


@dataclass(frozen=True, slots=True)
class Why:
    """The explanation for a customer or call. events: how many were read; purged: how many of them have no content.

    capped: only the newest events were read. unmapped: destinations whose mapping is not known here, for which only
    the recorded facts are shown. lowered: the customer's opt-outs that are no longer in a CRM.
    """

    asked: str
    customer_id: str
    events: int
    purged: int
    capped: bool
    unmapped: tuple[str, ...]
    records: tuple[RecordWhy, ...]
    lowered: tuple[Person, ...] = ()


_Keys = frozenset[tuple[str, str]]
"""Records, each by its object and the digest of its key."""


class _Subject(NamedTuple):
    """What to explain: a customer, or an event without one. only: if set, just these records, by destination.

    agency: only what is of this one; empty for all.
    """

    event_id: int
    customer_id: str | None
    only: Mapping[str, _Keys] | None = None
    agency: str = ""

    def concerns(self, destination: str) -> bool:
        """Whether an account is of the agency."""
        return self.agency in ("", destination.partition("/")[0])


def explain(store: Store, asked: str, accounts: Sequence[Account] = ()) -> Why | None:
    """Explain the records of a customer, a call, or the customer of a message; None if the ID is unknown.

    A call's ID is known only if `accounts` include the mapping that writes the call.
    """
    subject = _subject(store, asked, accounts)
    return None if subject is None else _why(store, asked, subject, accounts)


def explain_person(store: Store, person: Customer, accounts: Sequence[Account] = ()) -> Why | None:
    """Explain the records of a customer in one agency; None if no event of theirs is stored."""
    subject = _Subject(0, person.customer_id, agency=person.agency)
    answer = _why(store, person.customer_id, subject, accounts)
    return answer if answer.events else None


def _why(store: Store, asked: str, subject: _Subject, accounts: Sequence[Account]) -> Why:
    customer_id = subject.customer_id
    steps = _steps(store, subject)
    known = store.trail.records(customer_id) if customer_id else _known_of(store, steps, accounts)
    known = [held for held in known if subject.concerns(held.destination)]
    raised = [flag for flag in store.trail.raises(customer_id or "") if subject.concerns(flag.destination)]
    mapped = {account.name for account in accounts if account.mapping}
    return Why(
        asked,
        customer_id or "",
        len({step.event.message_id for step in steps}),
        len({step.event.message_id for step in steps if step.purged}),
        len(steps) == LONGEST,
        tuple(sorted({step.destination for step in steps} - mapped)),
        tuple(_records(store, accounts, steps, known, raised, subject.only)),
        lowered_of(store, customer_id, accounts, subject.agency),
    )


def _steps(store: Store, subject: _Subject) -> list[Step]:
    if subject.customer_id:
        return store.trail.of_customer(subject.customer_id, subject.agency)
    return store.trail.of_event(subject.event_id)


def _subject(store: Store, asked: str, accounts: Sequence[Account]) -> _Subject | None:
    if message := store.trail.event(asked):
        return _Subject(*message)
    if store.trail.of_customer(asked):
        return _Subject(0, asked)
    keys = {account.name: frozenset(_call_keys(store, account, asked)) for account in accounts}
    for name, wanted in keys.items():
        if writer := store.trail.behind(name, wanted):
            return _Subject(*writer, keys)
    return None


def _call_keys(store: Store, account: Account, call_id: str) -> Iterator[tuple[str, str]]:
    """List the records that a mapping writes for a call."""
    program = account.mapping.programs.get("call.completed") if account.mapping else None
    for record in program.records if program else ():
        key = record.key({"event_type": "call.completed", "id": call_id}, UTC)
        if key is not None and key is not ABSENT and call_id in (text := texts.text(key)):
            key_of = RecordKey(record.object, record.key_field, text)
            yield record.object, store.ledger.key_digest(account.name, key_of)


def _known_of(store: Store, steps: Iterable[Step], accounts: Sequence[Account]) -> list[Known]:
    """List the records of an event that has no customer."""
    known = []
    for step in store.trail.opened(steps):
        for write in _planned(step, named(accounts, step.destination)).writes:
            key = store.ledger.key_digest(step.destination, write.key)
            known += store.trail.record(step.destination, write.key.object, key)
    return known


def _planned(step: Step, account: Account | None) -> Plan:
    """Plan a stored event with the current mapping, without the values; an empty plan if that is not possible."""
    nothing = Plan(step.event.customer_id, {}, Stamp(step.event.source_time, EffectVerdict.UNMAPPED))
    mapping = account.mapping if account else None
    if account is None or mapping is None or step.purged:
        return nothing
    try:
        event = recognise.as_read(step.event)
    except UnreadableEvent:
        return nothing
    return _without_values(plan(event, mapping, timezone=account.timezone)) if event else nothing


def _without_values(planned: Plan) -> Plan:
    """What an explanation needs of a plan: the texts of two hundred calls would not fit in memory."""
    writes = []
    for write in planned.writes:
        fields = {name: written._replace(value=None) for name, written in write.fields.items()}
        writes.append(write._replace(fields=fields))
    return planned._replace(writes=tuple(writes))


def _records(
    store: Store,
    accounts: Sequence[Account],
    steps: Sequence[Step],
    known: Sequence[Known],
    raises: Sequence[RaisedFlag],
    only: Mapping[str, _Keys] | None,
) -> list[RecordWhy]:
    """Explain the records of every destination: the person, whom every event concerns, before the calls."""
    records: list[RecordWhy] = []
    for destination in sorted({step.destination for step in steps} | {held.destination for held in known}):
        explainer = _Explainer(
            store,
            destination,
            named(accounts, destination),
            [step for step in steps if step.destination == destination],
            [held for held in known if held.destination == destination],
            [raised for raised in raises if raised.destination == destination],
        )
        records += explainer.records(None if only is None else only.get(destination, frozenset()))
    return sorted(records, key=_weight, reverse=True)


def _weight(record: RecordWhy) -> int:
    return max((len(field.said) for field in record.fields), default=0)


@dataclass(slots=True)
class _Explainer:
    """Explains one destination's records of one customer. raises: the oldest first. plans: by delivery ID.

    named: the deliveries whose attempts name a CRM ID, and those of a message by its identity in watermarks.
    """

    store: Store
    destination: str
    account: Account | None
    steps: Sequence[Step]
    known: Sequence[Known]
    raises: Sequence[RaisedFlag]
    plans: dict[int, Plan] = field(default_factory=dict)
    named: defaultdict[str, set[int]] = field(default_factory=lambda: defaultdict(set))

    def __post_init__(self) -> None:
        for step in self.steps:
            noted = {note.crm_id for attempt in step.tries for note in attempt.records if note.crm_id}
            for name in (identity(step.event.message_id), *noted):
                self.named[name].add(step.delivery_id)

    def records(self, wanted: _Keys | None) -> Iterator[RecordWhy]:
        """Explain every record, or only those wanted."""
        drafts, withheld = self._drafts(), self._withheld_records()
        for key, draft in drafts.items():
            if wanted is None or key in wanted:
                yield self._record(draft, withheld)
        if wanted is None:
            explained = {draft.name for draft in drafts.values()}
            for name, flag in withheld.items():
                if flag and name not in explained:
                    yield RecordWhy(self.destination, name, "", "", "", (), flag)

    def _drafts(self) -> dict[tuple[str, str], Draft]:
        """Collect the records that the ledger knows or a stored event plans, by object and key digest."""
        drafts = {(held.object, held.key): Draft(held.object, held.entry) for held in self.known}
        for step in self.store.trail.opened(self.steps):
            planned = self.plans[step.delivery_id] = _planned(step, self.account)
            for write in planned.writes:
                key = (write.key.object, self.store.ledger.key_digest(self.destination, write.key))
                draft = drafts.setdefault(key, Draft(write.key.object))
                draft.name = draft.name or write.name
                draft.writes[step.delivery_id] = write
        return drafts

    def _withheld_records(self) -> dict[str, str]:
        """Return the flag that withheld each whole record at its newest event; empty if none did."""
        flags: dict[str, str] = {}
        for step in sorted(self.steps, key=_newest):
            for attempt in reversed(step.tries):
                for note in attempt.records:
                    flags.setdefault(note.record, note.withheld_by)
        return flags

    def _record(self, draft: Draft, withheld: Mapping[str, str]) -> RecordWhy:
        steps = self._complete(draft)
        newest_first = sorted(steps, key=_newest)
        offered = [name for by_name in (*draft.offers.values(), *draft.raises.values()) for name in by_name]
        fields = [self._field(draft, name, newest_first) for name in dict.fromkeys([*offered, *draft.entry.fields])]
        crm_id = draft.entry.crm_id or ""
        link = self.account.link(draft.object, crm_id) if self.account and crm_id else ""
        shown = tuple(field for field in fields if field.said)
        flag = withheld.get(draft.name, "")
        return RecordWhy(self.destination, draft.name, draft.object, crm_id, link, shown, flag)

    def _complete(self, draft: Draft) -> list[Step]:
        """Add the raises, the notes, the name if only the notes know it, and the offers. Returns what concerns it."""
        draft.raises = self._raises(draft)
        steps = self._concerning(draft)
        draft.notes = {step.delivery_id: self._notes(step, draft) for step in steps}
        draft.name = draft.name or next((note.record for notes in draft.notes.values() for _, note in notes), "")
        draft.offers = {step.delivery_id: dict(self._offers(step, draft)) for step in steps}
        return steps

    def _concerning(self, draft: Draft) -> list[Step]:
        """List what may have done something to a record: of two hundred calls, each concerns its own record alone."""
        names = (draft.entry.crm_id or "", *map(writer_in, draft.entry.fields.values()))
        concerned = {*draft.writes, *draft.raises}.union(*(self.named.get(name, ()) for name in names))
        return [step for step in self.steps if step.delivery_id in concerned]

    def _notes(self, step: Step, draft: Draft) -> list[tuple[Try, RecordNote]]:
        """List what this event's attempts noted about the record."""
        name = draft.name if step.delivery_id in draft.writes else None
        return [
            (attempt, note)
            for attempt in step.tries
            for note in attempt.records
            if (note.crm_id and note.crm_id == draft.entry.crm_id) or (name and note.record == name)
        ]

    def _raises(self, draft: Draft) -> dict[int, dict[str, int]]:
        """Return when opt-outs reached the record: delivery ID -> field -> the newest time."""
        newest: dict[int, dict[str, int]] = {}
        for raised in self.raises:
            if raised.object == draft.object and draft.entry.crm_id in (raised.crm_id, None):
                newest.setdefault(raised.delivery_id, {})[raised.field] = raised.at
        return newest

    def _offers(self, step: Step, draft: Draft) -> Iterator[tuple[str, Stamp | None]]:
        own = draft.writes.get(step.delivery_id)
        planned = self.plans[step.delivery_id]
        if own is not None:
            yield from ((name, written.stamp) for name, written in own.fields.items())
            yield from ((target, planned.stamp) for target in own.flags.values())
            yield from ((held.field, None) for held in planned.withheld if held.record == own.name and held.field)
        for _, note in draft.notes[step.delivery_id]:
            yield from ((name, None) for name in (*note.withheld, *note.kept, *note.left_out))

    def _field(self, draft: Draft, name: str, steps: Sequence[Step]) -> FieldWhy:
        effects = [effect_of(step, name, draft, self.plans[step.delivery_id]) for step in steps]
        where = place(self.account.loaded(), draft.name, name) if self.account and draft.name else ""
        return FieldWhy(name, where, tuple(traced(effect, name, draft, steps) for effect in effects if effect))


def _newest(step: Step) -> int:
    return -step.event.source_time
