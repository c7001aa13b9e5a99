"""Work out what one event did to one field of a CRM record. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from connector.model import Entry, Mark, Plan, Stamp, Write
from connector.settlement import DeliveryState, RecordNote
from connector.store.trail import Step, Try


class EffectVerdict(StrEnum):
    """What an event did to a field of a CRM record."""

    WROTE = "wrote"
    REPEATED = "repeated"
    SUPERSEDED = "superseded"
    WITHHELD = "withheld"
    KEPT = "kept"
    REFUSED = "refused"
    WAITING = "waiting"
    UNMAPPED = "unmapped"


SET_THE_VALUE: Final = (EffectVerdict.WROTE, EffectVerdict.REPEATED)


@dataclass(frozen=True, slots=True)
class Effect:
    """What one event did to one field. at: careCycle's time of the event, epoch ms.

    by: the consent flag or error code behind it; for REPEATED, the message that wrote the value. written_at,
    mapping_version: of the attempt that wrote the value.
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
    """One record before it is explained. writes, notes and offers are by delivery ID."""

    object: str
    entry: Entry = field(default_factory=Entry)
    name: str = ""
    writes: dict[int, Write] = field(default_factory=dict)
    notes: dict[int, list[tuple[Try, RecordNote]]] = field(default_factory=dict)
    offers: dict[int, Offers] = field(default_factory=dict)


def _tie(message_id: str) -> str:
    """Return a stamp's tie-break, which identifies the event behind a watermark."""
    return hashlib.sha256(message_id.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def effect_of(step: Step, name: str, draft: Draft, planned: Plan) -> Effect | None:
    """Work out what one event did to a field; None if it did not concern the field."""
    event, notes, offers = step.event, draft.notes[step.delivery_id], draft.offers[step.delivery_id]
    mark = draft.entry.fields.get(name)
    blank = Effect(event.message_id, event.type, event.source_time, EffectVerdict.UNMAPPED)
    if mark is not None and mark.stamp.tie == _tie(event.message_id):
        return _written(blank, name, notes)
    if name not in offers:
        return None
    if flag := _withheld(name, notes, planned):
        return replace(blank, verdict=EffectVerdict.WITHHELD, by=flag)
    if any(name in note.kept for _, note in notes[-1:]):
        return replace(blank, verdict=EffectVerdict.KEPT)
    if step.state is DeliveryState.DEAD:
        return replace(blank, verdict=EffectVerdict.REFUSED, by=step.code)
    if step.state is DeliveryState.READY:
        return replace(blank, verdict=EffectVerdict.WAITING, by=step.code)
    return replace(blank, verdict=EffectVerdict.SUPERSEDED if _is_newer(mark, offers[name]) else EffectVerdict.UNMAPPED)


def _written(blank: Effect, name: str, notes: Sequence[tuple[Try, RecordNote]]) -> Effect:
    """Describe an event whose value the CRM holds: it wrote the value, or repeated an equal one."""
    attempt = next((attempt for attempt, note in reversed(notes) if name in note.fields), None)
    if attempt is None:
        return replace(blank, verdict=EffectVerdict.REPEATED)
    return replace(blank, verdict=EffectVerdict.WROTE, written_at=attempt.at, mapping_version=attempt.mapping_version)


def _is_newer(mark: Mark | None, stamp: Stamp | None) -> bool:
    """Return whether the CRM holds a value newer than this one; a value of unknown time counts as older."""
    return mark is not None and (stamp is None or stamp < mark.stamp)


def _withheld(name: str, notes: Sequence[tuple[Try, RecordNote]], planned: Plan) -> str:
    """Return the consent flag that withheld a field; empty if none did."""
    noted = next((note.withheld[name] for _, note in reversed(notes) if name in note.withheld), "")
    return noted or next((held.flag for held in planned.withheld if held.field == name), "")


def traced(effect: Effect, name: str, draft: Draft, steps: Iterable[Step]) -> Effect:
    """If the event repeated the value the CRM held, add the attempt that had written it."""
    if effect.verdict is not EffectVerdict.REPEATED:
        return effect
    written = [
        (attempt.at, step.event.source_time, step, attempt)
        for step in steps
        for attempt, note in draft.notes[step.delivery_id]
        if name in note.fields
    ]
    if not written:
        return effect
    _, _, step, attempt = max(written, key=lambda entry: entry[:2])
    return replace(effect, by=step.event.message_id, written_at=attempt.at, mapping_version=attempt.mapping_version)
