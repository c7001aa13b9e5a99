"""Say why a mapping sends nothing of an event: which of its rules left a record or a field alone. Pure."""

from __future__ import annotations

from datetime import tzinfo

from connector.mapping.compiled import CompiledMapping, EventProgram, RecordProgram
from connector.mapping.facts import zone_of
from connector.mapping.planning import key_of
from connector.model import Event, Plan


def why_no_record(record: str, event: Event, mapping: CompiledMapping, planned: Plan, timezone: str) -> str:
    """Return which rule leaves a record alone, or writes nothing but flags to it; empty if none does."""
    if planned.reason == "test customer":
        return planned.reason
    program = mapping.programs.get(event.type)
    own = next((own for own in program.records if own.name == record), None) if program else None
    if program is None or own is None:
        return f"it does not run on {event.type}"
    return _rule(program, own, event, zone_of(event, timezone)) or _consent(record, "", planned, "consent.skip")


def _rule(program: EventProgram, own: RecordProgram, event: Event, zone: tzinfo) -> str:
    if program.filter is not None and not program.filter(event.payload, zone):
        return "the file's filter: does not hold"
    if own.when is not None and not own.when(event.payload, zone):
        return "its when: does not hold"
    return "" if key_of(own, event.payload, zone) else "the event has no value for its key"


def _consent(record: str, field: str, planned: Plan, rule: str) -> str:
    flag = next((held.flag for held in planned.withheld if (held.record, held.field) == (record, field)), "")
    if not flag:
        return ""
    return f"{rule}: {flag}" + (", which is unknown" if planned.consent.get(flag) is None else "")


def why_no_field(record: str, field: str, event: Event, mapping: CompiledMapping, planned: Plan, timezone: str) -> str:
    """Return why a field of a record is not sent."""
    if whole := why_no_record(record, event, mapping, planned, timezone):
        return whole
    if held := _consent(record, field, planned, "consent.withhold"):
        return held
    paths = (missed.path for missed in planned.untranslated if (missed.record, missed.field) == (record, field))
    if path := next(paths, ""):
        return f"the table has nothing for {path}"
    return _no_value(mapping.programs[event.type], record, field, event, zone_of(event, timezone))


def _no_value(program: EventProgram, record: str, field: str, event: Event, zone: tzinfo) -> str:
    (own,) = (own for own in program.records if own.name == record)
    made = next((made for made in own.fields if made.target == field), None)
    if made is None:
        return f"{event.type} says nothing of it" if field in own.mapped else "the mapping has no such field"
    holds = made.when is None or made.when(event.payload, zone)
    return "there is no value for it" if holds else "its when: does not hold"
