"""Plan what one event writes to one destination, from a compiled mapping and a payload. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Any, Final, NamedTuple

from connector.carecycle.catalogue import ABSENT
from connector.mapping.compiled import (
    Clock,
    CompiledMapping,
    CountProgram,
    EventProgram,
    FactProgram,
    FieldProgram,
    PointsTo,
    RecordProgram,
)
from connector.mapping.facts import Facts, consent_of, facts_of, of_customer, stamps_of, zone_of
from connector.mapping.gaps import is_made_up, is_unsaid
from connector.mapping.steps import texts
from connector.model import (
    OLDEST,
    WHO,
    Counted,
    Cut,
    Event,
    Fact,
    FieldWrite,
    Lookup,
    Mode,
    Person,
    Plan,
    RecordKey,
    Ref,
    Rule,
    Stamp,
    Untranslated,
    Value,
    Withheld,
    Write,
)

_CONTROL_CHARACTERS: Final = dict.fromkeys((*range(32), 127))
"""What no CRM keeps in a key, as a table for str.translate."""


class _Target(NamedTuple):
    """A record to write. whole: with its fields; otherwise it only carries raised flags and erasures."""

    program: RecordProgram
    key: RecordKey
    stamp: Stamp
    whole: bool
    mode: Mode


@dataclass(frozen=True, slots=True)
class _Left:
    """What is left out on the way."""

    withheld: list[Withheld]
    untranslated: list[Untranslated]


def plan(event: Event, mapping: CompiledMapping, *, timezone: str) -> Plan:
    """Plan the writes for an event. Never raises for an event the catalogue can read.

    timezone: the agency's IANA time zone, used for customers whose own is unknown.
    """
    consent = consent_of(event)
    program = mapping.programs.get(event.type)
    if program is None:
        return _nothing(event, consent, "nothing mapped")
    if not mapping.test_customers and of_customer(event, "testCustomer") is True:
        return _nothing(event, consent, "test customer")
    zone = zone_of(event, timezone)
    facts = facts_of(event, consent, _spoken(event, program, zone), zone)
    return _planned(event, consent, program, facts)


def _nothing(event: Event, consent: Mapping[str, bool | None], reason: str) -> Plan:
    stamp = stamps_of(event)[Clock.CUSTOMER]
    return Plan(event.customer_id, consent, stamp, reason=reason, fetched=event.fetched)


def flags_alone(whole: Plan) -> Plan:
    """Reduce a plan to the opt-outs it raises, on records that hold the key: nobody's flag goes onto a look-alike."""
    raising = (write for write in whole.writes if write.flags or write.unsubscribe is not None)
    bare = (
        write._replace(fields={}, mode=Mode.UPDATE, links=(), also_match=(), rank=0, lacking=()) for write in raising
    )
    return replace(whole, writes=tuple(bare))


def _spoken(event: Event, program: EventProgram, zone: tzinfo) -> frozenset[str]:
    """Return the flags the event raises by itself, whatever its customer snapshot says."""
    if event.customer_id is None:
        return frozenset()
    return frozenset(flag for flag, holds in program.raises if holds(event.payload, zone))


def _planned(event: Event, consent: Mapping[str, bool | None], program: EventProgram, facts: Facts) -> Plan:
    passes = program.filter is None or program.filter(facts.payload, facts.zone)
    left = _Left([], [])
    targets = [target for record in program.records if (target := _target(record, facts, passes, left.withheld))]
    keys = {target.program.name: target.key for target in targets if target.whole}
    writes = tuple(_write(target, facts, keys, left) for target in targets)
    reason = "" if writes else _reason(program, facts, passes, left.withheld)
    withheld, untranslated = tuple(left.withheld), tuple(left.untranslated)
    spoken, fetched = facts.spoken, event.fetched
    counted = tuple(_counted(program, facts)) if passes else ()
    said = (withheld, reason, spoken, untranslated, fetched, counted)
    return Plan(event.customer_id, consent, facts.heard, writes, *said)


def _reason(program: EventProgram, facts: Facts, passes: bool, withheld: list[Withheld]) -> str:
    if withheld:
        return "withheld"
    filtered = any(record.when is not None and not record.when(facts.payload, facts.zone) for record in program.records)
    return "filtered" if not passes or filtered else "nothing mapped"


def _target(program: RecordProgram, facts: Facts, passes: bool, withheld: list[Withheld]) -> _Target | None:
    """Decide whether a record is written whole, only carries raised flags and erasures, or is left alone."""
    key = _key(program, facts)
    if key is None:
        return None
    stamp = facts.stamps[program.clock]
    if passes and (program.when is None or program.when(facts.payload, facts.zone)):
        blocking = _blocking(program.guards, facts)
        if blocking is None:
            return _Target(program, key, stamp, whole=True, mode=program.mode)
        withheld.append(Withheld(program.name, "", blocking))
    if any(flag in facts.raised for flag, _ in program.flags) or _erasing(program, facts):
        return _Target(program, key, stamp, whole=False, mode=Mode.UPDATE)
    return None


def _key(program: RecordProgram, facts: Facts) -> RecordKey | None:
    return key_of(program, facts.payload, facts.zone)


def key_of(program: RecordProgram, payload: Mapping[str, Any], zone: tzinfo) -> RecordKey | None:
    """Return what identifies a record; None where an event has no value for it."""
    value = program.key(payload, zone)
    if value is None or value is ABSENT:
        return None
    text = texts.text(value)
    if not text.isprintable():
        text = text.translate(_CONTROL_CHARACTERS)
    text = text.strip()
    return RecordKey(program.object, program.key_field, text) if text else None


def _blocking(guards: tuple[str, ...], facts: Facts) -> str | None:
    return next((flag for flag in guards if flag in facts.blocked), None)


def _write(target: _Target, facts: Facts, keys: Mapping[str, RecordKey], left: _Left) -> Write:
    program = target.program
    flags = {flag: field for flag, field in program.flags if flag in facts.raised}
    address = _address(program, facts) if program.unsubscribe else None
    silent: dict[str, Stamp] = {}
    fields = _fields(target, facts, keys, left, silent) if target.whole else dict(_erased(target, facts))
    return Write(
        name=program.name,
        key=target.key,
        stamp=target.stamp,
        fields=fields,
        flags=flags,
        carries=program.flags,
        mode=target.mode,
        guards=program.guards if target.whole else (),
        links=_links(program, keys) if target.whole else (),
        also_match=tuple(_also_match(program, facts)),
        person=_person(program, facts),
        unsubscribe=address if flags.keys() & program.unsubscribe else None,
        address=address,
        address_flags=program.unsubscribe,
        rank=program.rank,
        unique=program.unique,
        silent=silent,
        lacking=tuple(_lacking(program, fields, facts)) if target.whole else (),
        shared=program.shared,
        mapped=program.mapped,
    )


def _links(program: RecordProgram, keys: Mapping[str, RecordKey]) -> tuple[RecordKey, ...]:
    return tuple([keys[name] for name in program.links if name in keys])


def _fields(
    target: _Target, facts: Facts, keys: Mapping[str, RecordKey], left: _Left, silent: dict[str, Stamp]
) -> dict[str, FieldWrite]:
    """Return the fields to write; note in `left` and `silent` what the event says of others."""
    program, stamps, new, was_sent = target.program, facts.stamps, tuple.__new__, not facts.fetched
    values, fields = program.read(facts.payload, facts.zone), dict[str, FieldWrite]()
    for name, clock, usual, field in program.rows:
        value = values.get(name)
        if value is not None and usual is not None and was_sent:
            fields[name] = new(FieldWrite, (value, stamps[clock], *usual))
        elif (written := _decided(field, value, target, facts, keys, left, silent)) is not None:
            fields[name] = written
    if program.erases:
        fields |= _erased(target, facts)
    return fields


def _decided(
    field: FieldProgram,
    value: Any,
    target: _Target,
    facts: Facts,
    keys: Mapping[str, RecordKey],
    left: _Left,
    silent: dict[str, Stamp],
) -> FieldWrite | None:
    """Return what to write of a field that has no value (None), or one that is not simply written."""
    if value is None:
        value = field.get(facts.payload, facts.zone)
    if type(value) is PointsTo:
        value = Ref(keys[value.record]) if value.record in keys else ABSENT
    if value is ABSENT:
        left.untranslated.extend(_missed(target, field, facts))
        return None
    if value is None and not field.clears:
        if not field.order:  # what moves forward is not settled by an event that does not speak of it
            silent[field.target] = _stamp(field, target, facts)
        return None
    blocking = _blocking(field.guards, facts) if field.guards else None
    if blocking is not None:
        left.withheld.append(Withheld(target.program.name, field.target, blocking))
        silent[field.target] = _stamp(field, target, facts)
        return None
    return _field_write(field, value, target, facts)


def _counted(program: EventProgram, facts: Facts) -> Iterator[Counted]:
    """List the fields that count calls. A call counts whether or not consent withholds its record or field."""
    for record in program.records:
        if not record.counting or not (record.when is None or record.when(facts.payload, facts.zone)):
            continue
        if (key := _key(record, facts)) is None:
            continue
        target = _Target(record, key, facts.stamps[record.clock], whole=True, mode=record.mode)
        yield from (_count(target, field, field.count, facts) for field in record.counting if field.count)


def _count(target: _Target, field: FieldProgram, count: CountProgram, facts: Facts) -> Counted:
    program, write = target.program, _field_write(field, None, target, facts)
    if facts.fetched and is_unsaid(count.counts, facts.payload, facts.zone):
        write = write._replace(stamp=OLDEST)
    return Counted(
        program.name,
        target.key,
        field.target,
        write,
        call=count.call(facts.payload, facts.zone),
        counts=count.counts(facts.payload, facts.zone),
        withheld=_blocking(program.guards + field.guards, facts) is not None,
        finish=count.finish,
    )


def _missed(target: _Target, field: FieldProgram, facts: Facts) -> tuple[Untranslated, ...]:
    path = field.missed(facts.payload, facts.zone) if field.missed is not None else ""
    return (Untranslated(target.program.name, field.target, path),) if path else ()


def _lacking(program: RecordProgram, fields: Mapping[str, FieldWrite], facts: Facts) -> Iterator[str]:
    """List the required fields without a value; what consent withholds is not missing."""
    for field in program.required:
        if field.target not in fields and _blocking(field.guards, facts) is None:
            yield field.target


def _erasing(program: RecordProgram, facts: Facts) -> list[FieldProgram]:
    return [field for field in program.erases if not facts.blocked.isdisjoint(field.guards)]


def _erased(target: _Target, facts: Facts) -> Iterator[tuple[str, FieldWrite]]:
    """Erase withheld fields whether or not the event holds a value. No flag withholds the erasing itself."""
    for field in _erasing(target.program, facts):
        spoken = not facts.spoken.isdisjoint(field.guards)
        stamp = _stamp(field, target, facts)
        erasing = FieldWrite(None, stamp, field.rule, (), field.line, required=field.required, timing=field.timing)
        yield field.target, erasing._replace(erases=True, spoken=spoken)


def _field_write(field: FieldProgram, value: Value | Ref | Lookup, target: _Target, facts: Facts) -> FieldWrite:
    stamp, rule = _stamp(field, target, facts), field.rule
    cut = field.cut if isinstance(value, str) else Cut.NO
    # Otherwise it could lower in the CRM what another field makes of a flag, or replace what is known by nothing known.
    may_be = (facts.fetched or field.bare is not None) and rule is not Rule.FORWARD
    if may_be and (not facts.unsaid.isdisjoint(field.flags) or _is_made_up(field, value, facts)):
        stamp, rule = OLDEST, Rule.ON_CREATE if rule is Rule.ON_CREATE else Rule.IF_BLANK
    write = FieldWrite(value, stamp, rule, field.guards, field.line, required=field.required, timing=field.timing)
    return write._replace(cut=cut, order=field.order) if cut is not Cut.NO or field.order else write


def _is_made_up(field: FieldProgram, value: Value | Ref | Lookup, facts: Facts) -> bool:
    return is_made_up(field, value, facts.payload, facts.zone, fetched=facts.fetched)


def _stamp(field: FieldProgram, target: _Target, facts: Facts) -> Stamp:
    return target.stamp if field.clock is Clock.OWN else facts.stamps[field.clock]


def _also_match(program: RecordProgram, facts: Facts) -> Iterator[tuple[Fact, ...]]:
    """List the steps that can be asked for this event; a name or date of birth it lacks leaves a record unsure."""
    for step in program.also_match:
        wanted = tuple(_fact(fact, facts) for fact in step)
        if wanted[0].value and all(fact.value or fact.kind in WHO for fact in wanted):
            yield wanted


def _fact(program: FactProgram, facts: Facts) -> Fact:
    value = program.get(facts.payload, facts.zone)
    return Fact(program.field, "" if value is None or value is ABSENT else texts.text(value), program.kind)


def _person(program: RecordProgram, facts: Facts) -> Person | None:
    if program.person is None or not program.also_match:
        return None
    read = {part: get(facts.payload, facts.zone) for part, get in program.person.parts.items()}
    return Person(
        **{part: value for part, value in read.items() if isinstance(value, str)}, fields=program.person.fields
    )


def _address(program: RecordProgram, facts: Facts) -> str | None:
    address = program.address(facts.payload, facts.zone)
    return address if isinstance(address, str) else None
