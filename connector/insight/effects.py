"""Work out what one event did to one field of a CRM record. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from connector.delivery.authors import is_undone
from connector.model import Entry, Mark, Plan, Stamp, Write
from connector.settlement import DeliveryState, RecordNote
from connector.store.trail import Step, Try


class EffectVerdict(StrEnum):
    """What an event did to a field of a CRM record."""

    WROTE = "wrote"
    OPTED_OUT = "opted out"
    """Set the field on its own, ahead of everything else of the event."""
    REPEATED = "repeated"
    UNDONE = "undone"
    """Wrote the field, and an operator restored what was there before."""
    SUPERSEDED = "superseded"
    WITHHELD = "withheld"
    KEPT = "kept"
    REFUSED = "refused"
    LEFT_OUT = "left out"
    WAITING = "waiting"
    UNMAPPED = "unmapped"


SET_THE_VALUE: Final = (EffectVerdict.WROTE, EffectVerdict.OPTED_OUT, EffectVerdict.REPEATED)


@dataclass(frozen=True, slots=True)
class Effect:
    """What one event did to one field. at: careCycle's time of the event, epoch ms.

    by: the consent flag or error code behind it; for REPEATED, the message that wrote the value. written_at: when the
    value was written. mapping_version: of the attempt that wrote it.
    """

    message_id: str
    type: str
    at: int
    verdict: EffectVerdict
    by: str = ""
    written_at: int | None = None
    mapping_version: str = ""


Offers = Mapping[str, Stamp | None]
"""The fields that one event could set, each with the time its value dates from, if known."""


@dataclass(slots=True)
class Draft:
    """One record before it is explained. writes, notes, raises and offers are by delivery ID.

    raises: when an opt-out reached a field of the record, in epoch ms.
    """

    object: str
    entry: Entry = field(default_factory=Entry)
    name: str = ""
    writes: dict[int, Write] = field(default_factory=dict)
    notes: dict[int, list[tuple[Try, RecordNote]]] = field(default_factory=dict)
    raises: Mapping[int, Mapping[str, int]] = field(default_factory=dict)
    offers: dict[int, Offers] = field(default_factory=dict)


def writer_in(mark: Mark) -> str:
    """What identifies the message behind a watermark, in its stamp's tie-break: see `identity`."""
    return mark.stamp.tie[-12:]


def identity(message_id: str) -> str:
    """A message as the tie-breaks of its stamps name it."""
    return hashlib.sha256(_bytes(message_id)).hexdigest()[:12]


def _bytes(message_id: str) -> bytes:
    return message_id.encode("utf-8", "surrogatepass")


def effect_of(step: Step, name: str, draft: Draft, planned: Plan) -> Effect | None:
    """Work out what one event did to a field; None if it did not concern the field."""
    event, notes, offers = step.event, draft.notes[step.delivery_id], draft.offers[step.delivery_id]
    mark = draft.entry.fields.get(name)
    blank = Effect(event.message_id, event.type, event.source_time, EffectVerdict.UNMAPPED)
    if sent := _sent(blank, step, name, draft):
        return sent
    if _changed_a_number(name, draft, notes, planned):
        return _written(blank, name, notes, None)
    if name not in offers:
        return None
    if flag := _withheld(name, notes, planned):
        return replace(blank, verdict=EffectVerdict.WITHHELD, by=flag)
    if code := next((note.left_out[name] for _, note in notes[-1:] if name in note.left_out), ""):
        return replace(blank, verdict=EffectVerdict.LEFT_OUT, by=code)
    if any(name in note.kept for _, note in notes[-1:]):
        return replace(blank, verdict=EffectVerdict.KEPT)
    if _repeats_a_flag(draft.writes.get(step.delivery_id), name, mark):
        return replace(blank, verdict=EffectVerdict.REPEATED)
    return _unwritten(blank, step, newer=_is_newer(mark, offers[name]))


def _sent(blank: Effect, step: Step, name: str, draft: Draft) -> Effect | None:
    """Describe an event whose value the CRM holds, or held until that was undone; None for every other event."""
    notes, mark = draft.notes[step.delivery_id], draft.entry.fields.get(name)
    raised_at = draft.raises.get(step.delivery_id, {}).get(name)
    if raised_at is not None or (mark is not None and writer_in(mark) == identity(step.event.message_id)):
        return _written(blank, name, notes, raised_at)
    if undone := _undone(step, name, notes, mark):
        return replace(_written(blank, name, undone, None), verdict=EffectVerdict.UNDONE)
    return None


def _changed_a_number(name: str, draft: Draft, notes: Sequence[tuple[Try, RecordNote]], planned: Plan) -> bool:
    """Whether an event wrote a number of calls: all that did count, whichever of the calls is the newest."""
    counts = any((own.record, own.field) == (draft.name, name) for own in planned.counted)
    return counts and any(name in note.fields for _, note in notes)


def _undone(
    step: Step, name: str, notes: Sequence[tuple[Try, RecordNote]], mark: Mark | None
) -> list[tuple[Try, RecordNote]]:
    """List the attempts that wrote what was undone."""
    event = step.event
    return [
        (attempt, note)
        for attempt, note in notes
        if name in note.fields and is_undone(mark, attempt.mapping_version, event.run, event.source_time)
    ]


def _unwritten(blank: Effect, step: Step, *, newer: bool) -> Effect:
    """Describe an event whose value did not reach the CRM. newer: the CRM holds a newer one."""
    if step.state is DeliveryState.DEAD:
        return replace(blank, verdict=EffectVerdict.REFUSED, by=step.code)
    if step.state is DeliveryState.READY:
        return replace(blank, verdict=EffectVerdict.WAITING, by=step.code)
    return replace(blank, verdict=EffectVerdict.SUPERSEDED) if newer else blank


def _written(blank: Effect, name: str, notes: Sequence[tuple[Try, RecordNote]], raised_at: int | None) -> Effect:
    """Describe an event whose value the CRM holds: it wrote the value, or repeated an equal one."""
    attempt = next((attempt for attempt, note in reversed(notes) if name in note.fields), None)
    if attempt is None:
        verdict = EffectVerdict.REPEATED if raised_at is None else EffectVerdict.OPTED_OUT
        return replace(blank, verdict=verdict, written_at=raised_at)
    return replace(blank, verdict=EffectVerdict.WROTE, written_at=attempt.at, mapping_version=attempt.mapping_version)


def _repeats_a_flag(write: Write | None, name: str, mark: Mark | None) -> bool:
    """Return whether an event raises a flag the record has: that neither writes the field nor moves its watermark."""
    return write is not None and mark is not None and name in write.flags.values() and not _is_newer(mark, write.stamp)


def _is_newer(mark: Mark | None, stamp: Stamp | None) -> bool:
    """Return whether the CRM holds a value newer than this one; a value of unknown time counts as older."""
    return mark is not None and (stamp is None or stamp < mark.stamp)


def _withheld(name: str, notes: Sequence[tuple[Try, RecordNote]], planned: Plan) -> str:
    """Return the consent flag that withheld a field; empty if none did."""
    noted = next((note.withheld[name] for _, note in reversed(notes) if name in note.withheld), "")
    return noted or next((held.flag for held in planned.withheld if held.field == name), "")


def traced(effect: Effect, name: str, draft: Draft, steps: Iterable[Step]) -> Effect:
    """If the event repeated the value the CRM held, add the event that had written it, and when."""
    if effect.verdict is not EffectVerdict.REPEATED:
        return effect
    written = [write for step in steps for write in _writes(step, name, draft)]
    if not written:
        return effect
    at, _, message_id, version = max(written)
    return replace(effect, by=message_id, written_at=at, mapping_version=version)


def _writes(step: Step, name: str, draft: Draft) -> Iterator[tuple[int, int, str, str]]:
    """Yield each time an event wrote a field: when, the event's own time, its message and the mapping's version."""
    event = step.event
    for attempt, note in draft.notes[step.delivery_id]:
        if name in note.fields:
            yield attempt.at, event.source_time, event.message_id, attempt.mapping_version
    raised_at = draft.raises.get(step.delivery_id, {}).get(name)
    if raised_at is not None:
        yield raised_at, event.source_time, event.message_id, ""
