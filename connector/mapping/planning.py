"""Plan what one event writes to one destination, from a compiled mapping and a payload. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
from connector.mapping.facts import Facts, consent_of, customer_of, facts_of, stamps_of, zone_of
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
_NONE: Final = frozenset[str]()


class _Target(NamedTuple):
    """A record to write. whole: with its fields; otherwise it only carries raised flags and erasures."""

    program: RecordProgram
    key: RecordKey
    stamp: Stamp
    whole: bool


class _Left(NamedTuple):
    """What is left out on the way."""

    withheld: list[Withheld]
    untranslated: list[Untranslated]


def plan(event: Event, mapping: CompiledMapping, *, timezone: str) -> Plan:
    """Plan the writes for an event. Never raises for an event the catalogue can read.

    timezone: the agency's IANA time zone, used for customers whose own is unknown.
    """
    customer = customer_of(event)
    consent, program = consent_of(customer), mapping.programs.get(event.type)
    if program is None:
        return _nothing(event, consent, "nothing mapped")
    if _is_left_out(customer, mapping):
        return _nothing(event, consent, "test customer")
    zone = zone_of(event, timezone)
    facts = facts_of(event, consent, _spoken(event, program, zone), zone)
    return _planned(event, consent, program, facts)


def hear(event: Event, mapping: CompiledMapping, *, timezone: str) -> Plan:
    """Plan an event's opt-outs, as `plan` does, and nothing that is written."""
    customer = customer_of(event)
    heard, program = _nothing(event, consent_of(customer), "not planned"), mapping.programs.get(event.type)
    if program is None or _is_left_out(customer, mapping):
        return heard
    return heard._replace(spoken=_spoken(event, program, zone_of(event, timezone)))


def _is_left_out(customer: Mapping[str, Any] | None, mapping: CompiledMapping) -> bool:
    return customer is not None and customer.get("testCustomer") is True and not mapping.test_customers


def _nothing(event: Event, consent: Mapping[str, bool | None], reason: str) -> Plan:
    stamp = stamps_of(event)[Clock.CUSTOMER]
    return Plan(event.customer_id, consent, stamp, reason=reason, fetched=event.fetched)


def flags_alone(whole: Plan) -> Plan:
    """Reduce a plan to the opt-outs it raises, on records that hold the key: nobody's flag goes onto a look-alike."""
    raising = (write for write in whole.writes if write.flags or write.unsubscribe is not None)
    bare = (
        write._replace(fields={}, mode=Mode.UPDATE, links=(), also_match=(), rank=0, lacking=()) for write in raising
    )
    return whole._replace(writes=tuple(bare))


def _spoken(event: Event, program: EventProgram, zone: tzinfo) -> frozenset[str]:
    """Return the flags the event raises by itself, whatever its customer snapshot says."""
    if event.customer_id is None or not program.raises:
        return _NONE
    return frozenset(flag for flag, holds in program.raises if holds(event.payload, zone))


def _planned(event: Event, consent: Mapping[str, bool | None], program: EventProgram, facts: Facts) -> Plan:
    passes = program.filter is None or program.filter(facts.payload, facts.zone)
    left = _Left([], [])
    targets = [target for record in program.records if (target := _target(record, facts, passes, left.withheld))]
    keys = {target.program.name: target.key for target in targets if target.whole}
    writes = tuple([_write(target, facts, keys, left) for target in targets])
    reason = "" if writes else _reason(program, facts, passes, left.withheld)
    withheld, untranslated = tuple(left.withheld), tuple(left.untranslated)
    spoken, fetched = facts.spoken, event.fetched
    counted = _counted(program, facts) if passes else ()
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
            return _Target(program, key, stamp, whole=True)
        withheld.append(Withheld(program.name, "", blocking))
    if any(flag in facts.raised for flag, _ in program.flags) or _erasing(program, facts):
        return _Target(program, key, stamp, whole=False)
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
    program, whole = target.program, target.whole
    flags = {flag: field for flag, field in program.flags if flag in facts.raised}
    address = _address(program, facts) if program.unsubscribe else None
    unsubscribe = address if flags.keys() & program.unsubscribe else None
    silent: dict[str, Stamp] = {}
    fields = _fields(target, facts, keys, left, silent) if whole else dict(_erased(target, facts))
    mode, guards, links = (program.mode, program.guards, _links(program, keys)) if whole else (Mode.UPDATE, (), ())
    lacking = _lacking(program, fields, facts) if whole else ()
    # In the order of its fields, because naming twenty of them takes three times as long.
    what = (program.name, target.key, target.stamp, fields, flags, program.flags, mode, guards, links)
    whose = (_also_match(program, facts), _person(program, facts), unsubscribe, address, program.unsubscribe)
    return Write(*what, *whose, program.rank, program.unique, silent, lacking, program.shared, program.mapped)


def _links(program: RecordProgram, keys: Mapping[str, RecordKey]) -> tuple[RecordKey, ...]:
    return tuple([keys[name] for name in program.links if name in keys])


def _fields(
    target: _Target, facts: Facts, keys: Mapping[str, RecordKey], left: _Left, silent: dict[str, Stamp]
) -> dict[str, FieldWrite]:
    """Return the fields to write; note in `left` and `silent` what the event says of others."""
    program, payload, zone, stamps = target.program, facts.payload, facts.zone, facts.stamps
    rest = list(range(len(program.fields)) if facts.fetched else program.decided)
    fields = {} if facts.fetched else program.read(payload, zone, stamps, silent, rest)
    for number in sorted(rest):
        field, (name, _, get, clock, *_) = program.fields[number], program.readings[number]
        value = fields.get(name)
        if value is None:
            value = get(payload, zone)
        if value is None and not field.clears:
            if not field.order:  # what moves forward is not settled by an event that does not speak of it
                silent[name] = stamps[clock]
        elif (written := _decided(field, value, target, facts, keys, left, silent)) is not None:
            fields[name] = written
        else:
            fields.pop(name, None)
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
    """Return what to write of a field that is not simply written."""
    if type(value) is PointsTo:
        value = Ref(keys[value.record]) if value.record in keys else ABSENT
    if value is ABSENT:
        left.untranslated.extend(_missed(target, field, facts))
        return None
    blocking = _blocking(field.guards, facts) if field.guards else None
    if blocking is not None:
        left.withheld.append(Withheld(target.program.name, field.target, blocking))
        silent[field.target] = _stamp(field, target, facts)
        return None
    return _field_write(field, value, target, facts)


def _counted(program: EventProgram, facts: Facts) -> tuple[Counted, ...]:
    """List the fields that count calls. A call counts whether or not consent withholds its record or field."""
    counted: list[Counted] = []
    for record in program.records:
        if not record.counting or not (record.when is None or record.when(facts.payload, facts.zone)):
            continue
        if (key := _key(record, facts)) is None:
            continue
        target = _Target(record, key, facts.stamps[record.clock], whole=True)
        counted += [_count(target, field, field.count, facts) for field in record.counting if field.count]
    return tuple(counted)


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


def _lacking(program: RecordProgram, fields: Mapping[str, FieldWrite], facts: Facts) -> tuple[str, ...]:
    """List the required fields without a value; what consent withholds is not missing."""
    lacking = [field for field in program.required if field.target not in fields]
    return tuple([field.target for field in lacking if _blocking(field.guards, facts) is None])


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


def _also_match(program: RecordProgram, facts: Facts) -> tuple[tuple[Fact, ...], ...]:
    """List the steps that can be asked for this event; a name or date of birth it lacks leaves a record unsure."""
    steps = [tuple([_fact(fact, facts) for fact in step]) for step in program.also_match]
    return tuple(
        [wanted for wanted in steps if wanted[0].value and all(fact.value or fact.kind in WHO for fact in wanted)]
    )


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
