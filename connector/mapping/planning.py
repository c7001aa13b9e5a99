"""Plan what one event writes to one destination, from a compiled mapping and a payload. Pure."""

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
    """What every record of one event needs to know. blocked: the flags that are true or unknown."""

    payload: Mapping[str, Any]
    zone: tzinfo
    stamps: tuple[Stamp, ...]
    raised: frozenset[str]
    blocked: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Target:
    """A record to write. whole: with its fields; otherwise it only carries raised flags and erasures."""

    program: RecordProgram
    key: RecordKey
    stamp: Stamp
    whole: bool
    mode: Mode


def plan(event: Event, mapping: CompiledMapping, *, timezone: str) -> Plan:
    """Plan the writes for an event. Never raises for an event the catalogue can read.

    timezone: the agency's IANA time zone, used for customers whose own is unknown.
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
    """Reduce a plan to the opt-outs it raises, on existing records only: the cheapest request that writes them."""
    raising = (write for write in whole.writes if write.flags or write.unsubscribe is not None)
    bare = (replace(write, fields={}, mode=Mode.UPDATE, links=(), rank=0) for write in raising)
    return replace(whole, writes=tuple(bare))


def zone_of(event: Event, timezone: str) -> tzinfo:
    """Return the customer's time zone. timezone: the agency's, used if the customer's own is unknown."""
    return formats.zone(_of_customer(event, "timezone"), formats.zone(timezone, UTC))


def _planned(event: Event, consent: Mapping[str, bool | None], program: EventProgram, facts: _Facts) -> Plan:
    passes = program.filter is None or program.filter(facts.payload)
    withheld: list[Withheld] = []
    targets = [target for record in program.records if (target := _target(record, facts, passes, withheld))]
    keys = {target.program.name: target.key for target in targets if target.whole}
    writes = tuple(_write(target, facts, keys, withheld) for target in targets)
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
    """Read each flag from the customer snapshot; empty if the event has no customer."""
    if not isinstance(_CUSTOMER[event.type](event.payload), Mapping):
        return {}
    read = ((flag, reader(event.payload)) for flag, reader in _FLAG_READERS[event.type])
    return {flag: value if isinstance(value, bool) else None for flag, value in read}


def _stamps(event: Event) -> tuple[Stamp, ...]:
    """Return the time of each part of the event, in the order of Clock; the event's own if a part is missing."""
    tie = hashlib.sha256(event.message_id.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    own = Stamp(event.source_time, tie)
    updated = _of_customer(event, "updatedAt")
    customer = Stamp(catalogue.epoch_ms(updated), tie) if isinstance(updated, str) else own
    if event.type != "call.completed":
        return own, customer, customer, customer
    created = event.payload.get("createdAt")
    call = Stamp(catalogue.epoch_ms(created), tie) if isinstance(created, str) else own
    return own, customer, call, max(customer, call)


def _target(program: RecordProgram, facts: _Facts, passes: bool, withheld: list[Withheld]) -> _Target | None:
    """Decide whether a record is written whole, only carries raised flags and erasures, or is left alone."""
    value = program.key(facts.payload, facts.zone)
    if value is None or value is ABSENT:
        return None
    key = RecordKey(program.object, program.key_field, formats.text(value))
    stamp = facts.stamps[program.clock]
    if passes and (program.when is None or program.when(facts.payload)):
        blocking = _blocking(program.guards, facts)
        if blocking is None:
            return _Target(program, key, stamp, whole=True, mode=program.mode)
        withheld.append(Withheld(program.name, "", blocking))
    if any(flag in facts.raised for flag, _ in program.flags) or _erasing(program, facts):
        return _Target(program, key, stamp, whole=False, mode=Mode.UPDATE)
    return None


def _blocking(guards: tuple[str, ...], facts: _Facts) -> str | None:
    return next((flag for flag in guards if flag in facts.blocked), None)


def _write(target: _Target, facts: _Facts, keys: Mapping[str, RecordKey], withheld: list[Withheld]) -> Write:
    program = target.program
    flags = {flag: field for flag, field in program.flags if flag in facts.raised}
    return Write(
        name=program.name,
        key=target.key,
        stamp=target.stamp,
        fields=dict(_fields(target, facts, keys, withheld) if target.whole else _erased(target, facts)),
        flags=flags,
        carries=program.flags,
        mode=target.mode,
        guards=program.guards if target.whole else (),
        links=tuple(keys[name] for name in program.links if name in keys) if target.whole else (),
        also_match=tuple(_also_match(program, facts)),
        unsubscribe=_address(program, facts) if flags.keys() & program.unsubscribe else None,
        rank=program.rank,
        unique=program.unique,
    )


def _fields(
    target: _Target, facts: _Facts, keys: Mapping[str, RecordKey], withheld: list[Withheld]
) -> Iterator[tuple[str, FieldWrite]]:
    for field in target.program.fields:
        value = field.get(facts.payload, facts.zone)
        if type(value) is PointsTo:
            value = Ref(keys[value.record]) if value.record in keys else ABSENT
        if value is ABSENT or (value is None and not field.clears):
            continue
        blocking = _blocking(field.guards, facts) if field.guards else None
        if blocking is not None:
            withheld.append(Withheld(target.program.name, field.target, blocking))
            continue
        yield field.target, _field_write(field, value, target, facts)
    yield from _erased(target, facts)


def _erasing(program: RecordProgram, facts: _Facts) -> list[FieldProgram]:
    return [field for field in program.erases if not facts.blocked.isdisjoint(field.guards)]


def _erased(target: _Target, facts: _Facts) -> Iterator[tuple[str, FieldWrite]]:
    """Erase withheld fields whether or not the event holds a value. No flag withholds the erasing itself."""
    for field in _erasing(target.program, facts):
        yield field.target, replace(_field_write(field, None, target, facts), guards=(), erases=True)


def _field_write(field: FieldProgram, value: Value | Ref | Lookup, target: _Target, facts: _Facts) -> FieldWrite:
    stamp = target.stamp if field.clock is Clock.OWN else facts.stamps[field.clock]
    return FieldWrite(value, stamp, field.rule, field.guards, field.line)


def _also_match(program: RecordProgram, facts: _Facts) -> Iterator[tuple[tuple[str, str], ...]]:
    for entry in program.also_match:
        values = [(field, get(facts.payload, facts.zone)) for field, get in entry]
        if all(value is not None and value is not ABSENT for _, value in values):
            yield tuple((field, formats.text(value)) for field, value in values)


def _address(program: RecordProgram, facts: _Facts) -> str | None:
    address = program.address(facts.payload, facts.zone)
    return address if isinstance(address, str) else None
