"""What one event asks of one destination: pure, from a compiled mapping and a payload."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo
from typing import Any

from connector.carecycle import catalogue
from connector.carecycle.catalogue import ABSENT, FLAGS
from connector.mapping import formats
from connector.mapping.compiled import Clock, CompiledMapping, EventProgram, FieldProgram, PointsTo, RecordProgram
from connector.model import Event, FieldWrite, Lookup, Mode, Plan, RecordKey, Ref, Stamp, Value, Withheld, Write

_FLAG_READERS = {
    event: tuple((flag, catalogue.reader(f"customer.{flag}", event)) for flag in FLAGS) for event in catalogue.EVENTS
}
_CUSTOMER = {event: catalogue.reader("customer", event) for event in catalogue.EVENTS}


@dataclass(frozen=True, slots=True)
class _Facts:
    """One event, as its records see it. blocked: the flags that are true or unknown."""

    payload: Mapping[str, Any]
    zone: tzinfo
    stamps: tuple[Stamp, ...]
    raised: frozenset[str]
    blocked: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Turn:
    """One record's turn: its key, and whether it is made whole or only carries raised flags."""

    program: RecordProgram
    key: RecordKey
    stamp: Stamp
    whole: bool
    mode: Mode


def plan(event: Event, mapping: CompiledMapping, *, timezone: str) -> Plan:
    """The writes an event asks for. Never raises for an event the catalogue can read.

    timezone: the agency's IANA time zone, for dates of customers whose own is unknown.
    """
    payload = event.payload
    consent = _consent(event)
    stamps = _stamps(event)
    stamp = stamps[Clock.CUSTOMER]
    program = mapping.programs.get(event.type)
    if program is None:
        return Plan(event.customer_id, consent, stamp, reason="nothing mapped")
    if not mapping.test_customers and _of_customer(event, "testCustomer") is True:
        return Plan(event.customer_id, consent, stamp, reason="test customer")
    blocked = frozenset(flag for flag in FLAGS if consent.get(flag) is not False)
    raised = frozenset(flag for flag, value in consent.items() if value is True)
    facts = _Facts(payload, zone_of(event, timezone), stamps, raised, blocked)
    return _planned(event, consent, program, facts)


def flags_alone(whole: Plan) -> Plan:
    """Of a plan, the opt-outs it raises and nothing else: on records that exist, as cheap as it can be said."""
    raising = (write for write in whole.writes if write.flags or write.unsubscribe is not None)
    return replace(whole, writes=tuple(replace(one, fields={}, mode=Mode.UPDATE, links=(), rank=0) for one in raising))


def zone_of(event: Event, timezone: str) -> tzinfo:
    """Where the customer's dates are; timezone: the agency's, where the customer's own is unknown."""
    return formats.zone(_of_customer(event, "timezone"), formats.zone(timezone, UTC))


def _planned(event: Event, consent: Mapping[str, bool | None], program: EventProgram, facts: _Facts) -> Plan:
    passes = program.filter is None or program.filter(facts.payload)
    withheld: list[Withheld] = []
    turns = [turn for record in program.records if (turn := _turn(record, facts, passes, withheld))]
    keys = {turn.program.name: turn.key for turn in turns if turn.whole}
    writes = tuple(_write(turn, facts, keys, withheld) for turn in turns)
    reason = "" if writes else _reason(program, facts, passes, withheld)
    return Plan(event.customer_id, consent, facts.stamps[Clock.CUSTOMER], writes, tuple(withheld), reason)


def _reason(program: EventProgram, facts: _Facts, passes: bool, withheld: list[Withheld]) -> str:
    if withheld:
        return "withheld"
    filtered = any(record.when is not None and not record.when(facts.payload) for record in program.records)
    return "filtered" if not passes or filtered else "nothing mapped"


def _of_customer(event: Event, field: str) -> Any:
    customer = _CUSTOMER[event.type](event.payload)
    return customer.get(field) if isinstance(customer, Mapping) else None


def _consent(event: Event) -> dict[str, bool | None]:
    """What the customer snapshot says of each flag; nothing when there is no customer."""
    if not isinstance(_CUSTOMER[event.type](event.payload), Mapping):
        return {}
    read = ((flag, reader(event.payload)) for flag, reader in _FLAG_READERS[event.type])
    return {flag: value if isinstance(value, bool) else None for flag, value in read}


def _stamps(event: Event) -> tuple[Stamp, ...]:
    """The time of each part of the event, in the order of Clock; the event's own where a part is missing."""
    tie = hashlib.sha256(event.message_id.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    own = Stamp(event.source_time, tie)
    updated = _of_customer(event, "updatedAt")
    customer = Stamp(catalogue.epoch_ms(updated), tie) if isinstance(updated, str) else own
    if event.type != "call.completed":
        return own, customer, customer, customer
    created = event.payload.get("createdAt")
    call = Stamp(catalogue.epoch_ms(created), tie) if isinstance(created, str) else own
    return own, customer, call, max(customer, call)


def _turn(program: RecordProgram, facts: _Facts, passes: bool, withheld: list[Withheld]) -> _Turn | None:
    """Whether a record is made, only carries raised flags, or stays out."""
    key = program.key(facts.payload, facts.zone)
    if key is None or key is ABSENT:
        return None
    record_key = RecordKey(program.object, program.key_field, formats.text(key))
    stamp = facts.stamps[program.clock]
    passes = passes and (program.when is None or program.when(facts.payload))
    blocking = next((flag for flag in program.guards if flag in facts.blocked), None)
    if passes and blocking is None:
        return _Turn(program, record_key, stamp, whole=True, mode=program.mode)
    if passes and blocking is not None:
        withheld.append(Withheld(program.name, "", blocking))
    if any(flag in facts.raised for flag, _ in program.flags) or _erasing(program, facts):
        return _Turn(program, record_key, stamp, whole=False, mode=Mode.UPDATE)
    return None


def _write(turn: _Turn, facts: _Facts, keys: Mapping[str, RecordKey], withheld: list[Withheld]) -> Write:
    program = turn.program
    flags = {flag: target for flag, target in program.flags if flag in facts.raised}
    return Write(
        name=program.name,
        key=turn.key,
        stamp=turn.stamp,
        fields=dict(_fields(turn, facts, keys, withheld) if turn.whole else _erased(turn, facts)),
        flags=flags,
        carries=program.flags,
        mode=turn.mode,
        guards=program.guards if turn.whole else (),
        links=tuple(keys[name] for name in program.links if name in keys) if turn.whole else (),
        also_match=tuple(_also_match(program, facts)),
        unsubscribe=_address(program, facts) if flags.keys() & program.unsubscribe else None,
        rank=program.rank,
        unique=program.unique,
    )


def _fields(
    turn: _Turn, facts: _Facts, keys: Mapping[str, RecordKey], withheld: list[Withheld]
) -> Iterator[tuple[str, FieldWrite]]:
    for field in turn.program.fields:
        value = field.get(facts.payload, facts.zone)
        if type(value) is PointsTo:
            value = Ref(keys[value.record]) if value.record in keys else ABSENT
        if value is ABSENT or (value is None and not field.clears):
            continue
        blocking = next((flag for flag in field.guards if flag in facts.blocked), None) if field.guards else None
        if blocking is not None:
            withheld.append(Withheld(turn.program.name, field.target, blocking))
            continue
        yield field.target, _field_write(field, value, turn, facts)
    yield from _erased(turn, facts)


def _erasing(program: RecordProgram, facts: _Facts) -> list[FieldProgram]:
    return [field for field in program.erases if not facts.blocked.isdisjoint(field.guards)]


def _erased(turn: _Turn, facts: _Facts) -> Iterator[tuple[str, FieldWrite]]:
    """What consent keeps back and erases, whether or not the event holds a value: the clearing is never kept back."""
    for field in _erasing(turn.program, facts):
        yield field.target, replace(_field_write(field, None, turn, facts), guards=(), erases=True)


def _field_write(field: FieldProgram, value: Value | Ref | Lookup, turn: _Turn, facts: _Facts) -> FieldWrite:
    stamp = turn.stamp if field.clock is Clock.OWN else facts.stamps[field.clock]
    return FieldWrite(value, stamp, field.rule, field.guards, field.line)


def _also_match(program: RecordProgram, facts: _Facts) -> Iterator[tuple[tuple[str, str], ...]]:
    for entry in program.also_match:
        found = [(target, get(facts.payload, facts.zone)) for target, get in entry]
        if all(value is not None and value is not ABSENT for _, value in found):
            yield tuple((target, formats.text(value)) for target, value in found)


def _address(program: RecordProgram, facts: _Facts) -> str | None:
    address = program.address(facts.payload, facts.zone)
    return address if isinstance(address, str) else None
