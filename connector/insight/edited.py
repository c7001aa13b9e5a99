"""What an edited mapping would change in the CRM records of everybody, counted by record and field."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from connector.delivery.answer import Answer
from connector.delivery.plan_ahead import Planned
from connector.delivery.settle import Answers
from connector.insight.stand_in import NEW
from connector.mapping import Mapping as CompiledMapping
from connector.mapping.rules import READING
from connector.model import FieldWrite, Lookup, RecordKey
from connector.settlement import WHOLE_RECORD


class Change(StrEnum):
    """What would become of one field of one record."""

    WRITTEN = "written"
    CLEARED = "cleared"
    DEPENDS = "depends_on_the_crm"
    UNCHANGED = "unchanged"
    SUPERSEDED = "superseded"
    WITHHELD = "withheld"
    KEPT = "kept"
    LEFT_OUT = "left_out"
    NO_LONGER = "no_longer_written"


class Fate(StrEnum):
    """What would become of one record."""

    CREATED = "created"
    CHANGED = "changed"
    DEPENDS = "depends_on_the_crm"
    UNCHANGED = "unchanged"


_WRITES: Final = frozenset({Change.WRITTEN, Change.CLEARED})

Edited = Mapping[RecordKey, Set[str]]
"""The fields that people changed in the CRM, by record."""

_Asked = dict[tuple[RecordKey, str], FieldWrite]
"""The fields of which the CRM says what becomes of them."""


@dataclass(slots=True)
class Edit:
    """Counts records and fields. Its size depends on the names, not on the number of records.

    over: the fields that are written over what people changed in the CRM.
    """

    mapping: CompiledMapping
    records: Counter[tuple[str, Fate]] = field(default_factory=Counter)
    fields: Counter[tuple[str, str, Change]] = field(default_factory=Counter)
    over: Counter[tuple[str, str]] = field(default_factory=Counter)

    def count(self, planned: Planned, answers: Answers, edited: Edited) -> None:
        """Count what a rehearsal came to. planned: as the mapping has it. edited: by people, as far as is known."""
        asked = _asked(planned)
        for answer in answers.values():
            name = answer.folded.write.name
            changes = dict(self._changes(answer, asked))
            self.records[name, _fate(answer, changes)] += 1
            self.fields.update((name, target, change) for target, change in changes.items())
            theirs = edited.get(answer.folded.write.key, frozenset())
            self.over.update((name, target) for target in theirs if changes.get(target) in _WRITES)
        self.fields.update((record, target, Change.WITHHELD) for _, record, target in _withheld(planned, answers))

    def fates(self) -> Counter[Fate]:
        """How many records became what."""
        counted = Counter[Fate]()
        for (_, fate), count in self.records.items():
            counted[fate] += count
        return counted

    def _changes(self, answer: Answer, asked: _Asked) -> Iterator[tuple[str, Change]]:
        write, decision = answer.folded.write, answer.decision
        for name in self._stays(answer):
            yield name, Change.NO_LONGER
        for held in answer.folded.withheld:
            yield held.field, Change.WITHHELD
        for flag, target in write.flags.items():
            yield target, Change.WRITTEN if flag in decision.consent else Change.UNCHANGED
        for key, name in asked:
            if key == write.key and name not in write.fields:  # a look-up, which was not asked
                yield name, Change.DEPENDS
        for name, field_write in write.fields.items():
            yield name, _change(name, field_write, answer, asks=(write.key, name) in asked)

    def _stays(self, answer: Answer) -> set[str]:
        """The fields of a record that we once wrote, and that the mapping has no more."""
        written = {name for name, mark in answer.entry.fields.items() if mark.digest}
        return written - set(self.mapping.writes.get(answer.folded.write.key.object, ()))

    def as_data(self) -> dict[str, Any]:
        """Return the counts, with names but no values."""
        records, fields = sorted({name for name, _ in self.records}), sorted({spot[:2] for spot in self.fields})
        return {
            "records": [
                {"record": name, **{fate.value: self.records[name, fate] for fate in Fate}} for name in records
            ],
            "fields": [
                {"record": name, "field": target}
                | {change.value: self.fields[name, target, change] for change in Change}
                for name, target in fields
            ],
            "changed_by_people": [
                {"record": name, "field": target, "records": count}
                for (name, target), count in sorted(self.over.items())
            ],
        }


def _asked(planned: Planned) -> _Asked:
    return {
        (write.key, name): written
        for _, plan in planned
        for write in plan.writes
        for name, written in write.fields.items()
        if isinstance(written.value, Lookup) or written.rule in READING
    }


def _change(name: str, write: FieldWrite, answer: Answer, *, asks: bool) -> Change:
    decision, mark = answer.decision, answer.entry.fields.get(name)
    if name in decision.left_out:
        return Change.LEFT_OUT
    if name in decision.fields:
        if asks and answer.entry.crm_id is not None:
            return Change.DEPENDS
        return Change.CLEARED if decision.fields[name] is None else Change.WRITTEN
    if name in decision.kept:
        return Change.KEPT
    return Change.SUPERSEDED if mark is not None and mark.stamp > write.stamp else Change.UNCHANGED


def _fate(answer: Answer, changes: Mapping[str, Change]) -> Fate:
    if answer.outcome is not None and answer.outcome.id == NEW:
        return Fate.CREATED
    seen = set(changes.values())
    if not seen.isdisjoint(_WRITES):
        return Fate.CHANGED
    return Fate.DEPENDS if Change.DEPENDS in seen else Fate.UNCHANGED


def _withheld(planned: Planned, answers: Answers) -> set[tuple[RecordKey | str, str, str]]:
    """What the events themselves withhold, of records that no other event of the step writes it to."""
    held: set[tuple[RecordKey | str, str, str]] = set()
    for delivery, plan in planned:
        keys = {write.name: write.key for write in plan.writes}
        for own in plan.withheld:
            key = keys.get(own.record)
            answer = answers.get(key) if key is not None else None
            if answer is None or own.field not in answer.folded.write.fields:
                held.add((key or str(delivery.id), own.record, own.field or WHOLE_RECORD))
    return held
