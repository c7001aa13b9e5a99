"""What one event wrote and an operator undid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from connector.delivery.authors import is_undone
from connector.settlement import RecordNote
from connector.store import Store
from connector.store.trail import Known, Step, Try


@dataclass(frozen=True, slots=True)
class Undone:
    """The fields of one record that have again what was there before a version of the mapping, in a run or not."""

    destination: str
    object: str
    crm_id: str
    mapping_version: str
    fields: tuple[str, ...]


def undone_of(store: Store, message_id: str) -> list[Undone]:
    """List what was undone of a message's writes."""
    message = store.trail.event(message_id)
    if message is None or message[1] is None:
        return []
    known = store.trail.records(message[1])
    return [undone for step in store.trail.of_event(message[0]) for undone in _of_step(step, known)]


def _of_step(step: Step, known: list[Known]) -> Iterator[Undone]:
    for attempt in step.tries:
        for note in attempt.records:
            for held in known:
                same = (held.destination, held.object, held.entry.crm_id)
                if same == (step.destination, note.object, note.crm_id) and (
                    fields := _fields(step, attempt, note, held)
                ):
                    yield Undone(held.destination, held.object, note.crm_id or "", attempt.mapping_version, fields)


def _fields(step: Step, attempt: Try, note: RecordNote, held: Known) -> tuple[str, ...]:
    version, event = attempt.mapping_version, step.event
    marks = held.entry.fields
    return tuple(name for name in note.fields if is_undone(marks.get(name), version, event.run, event.source_time))
