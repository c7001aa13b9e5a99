"""What a version of the mapping writes for the first time, and what the CRM had there: so that it can be undone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from connector.delivery.answer import Answer
from connector.delivery.authors import first_by, is_first, stays_deleted
from connector.delivery.decide import Existing, ours_in, refused_before, standing
from connector.delivery.digests import Digest, digests_of
from connector.delivery.fold import Folded
from connector.delivery.plan_ahead import Planned
from connector.destinations.base import as_text
from connector.model import BLANK, Delivery, Entry, Mode, RecordKey, Rule, Value, Write, fold_key
from connector.settlement.previous import Before, author


@dataclass(slots=True)
class Firsts:
    """The first writes of one batch by one version of the mapping.

    keeps: whether anything is kept. runs: of each delivery, that fetched its event.
    fields: of each record, those that may be written for the first time now.
    seen: the records as they were just before. deliveries: of the batch, by id.
    """

    version: str = ""
    digest: Digest = str
    keeps: bool = False
    runs: Mapping[int, str] = field(default_factory=dict)
    fields: dict[RecordKey, frozenset[str]] = field(default_factory=dict)
    seen: dict[RecordKey, Existing] = field(default_factory=dict)
    deliveries: Mapping[int, Delivery] = field(default_factory=dict)

    def run(self, folded: Folded) -> str:
        """Return the run that fetched all that is written to a record; empty if anything was sent."""
        runs = {self.runs.get(delivery, "") for delivery in folded.deliveries}
        return runs.pop() if len(runs) == 1 else ""

    def by(self, folded: Folded) -> str:
        """Return who writes a record."""
        return author(self.version, self.run(folded))

    def stay_deleted(self, folded: Folded, entry: Entry) -> bool:
        """Whether an undo deleted a record, and nothing new has come about it."""
        own = [self.deliveries[delivery] for delivery in folded.deliveries]
        return not folded.flags and stays_deleted(entry, own, self.version)

    def wanted(self, batch: Iterable[Folded], entries: Mapping[RecordKey, Entry]) -> Mapping[RecordKey, frozenset[str]]:
        """Return which values to read of which records; nothing of a record that would only be created."""
        if not self.keeps:
            return {}
        names = {folded.write.key: frozenset(self._of(folded, entries)) for folded in batch}
        self.fields |= names
        looked_up = {folded.write.key for folded in batch if folded.write.mode is Mode.CREATE}
        return {key: fields for key, fields in names.items() if fields and key not in looked_up}

    def _of(self, folded: Folded, entries: Mapping[RecordKey, Entry]) -> Iterator[str]:
        entry = entries.get(folded.write.key, BLANK)
        if entry.merged:
            return
        by = self.by(folded)
        refused = refused_before(folded, entry, self.digest)
        fields = {name: write for name, write in folded.write.fields.items() if name not in refused}
        for name, write in standing(fields, entry, self.digest).items():
            stays = write.rule is Rule.ON_CREATE and entry.crm_id is not None
            # What consent erases is gone for good.
            if is_first(entry.fields.get(name), by) and not (stays or write.erases):
                yield name

    def before(self, answer: Answer) -> Before | None:
        """Return what a record had in the fields that are about to be written for the first time."""
        write, entry = answer.folded.write, answer.entry
        names = sorted(self.fields.get(write.key, frozenset()) & answer.decision.fields.keys())
        fields = {name: write.fields[name].stamp for name in names}
        crm_id, existing = entry.crm_id or answer.found_id, self.seen.get(write.key)
        run = self.run(answer.folded)
        if not names or crm_id is None:
            return Before(self.version, fields, run=run) if names else None
        current = existing.values if existing else {}
        values = {name: current[name] for name in names if name in current}
        is_keyed = fold_key(as_text(current.get(write.key.field))) == write.key.folded
        keyed, ours = entry.crm_id is None and is_keyed, self._ours(entry, values)
        authors = dict(self._authors(entry, values))
        return Before(self.version, fields, crm_id, keyed, values, ours, _guards(write, names), run, authors)

    def _ours(self, entry: Entry, values: Mapping[str, Value]) -> frozenset[str]:
        """The fields whose value counts as ours."""
        digests = ((name, digests_of(value, self.digest)) for name, value in values.items())
        return frozenset(name for name, own in digests if own & ours_in(name, entry))

    def _authors(self, entry: Entry, values: Mapping[str, Value]) -> Iterator[tuple[str, str]]:
        """The fields whose value is the first of one of ours, with who wrote it."""
        for name, value in values.items():
            mark = entry.fields.get(name)
            if mark and mark.digest in digests_of(value, self.digest) and (by := first_by(mark)):
                yield name, by


def runs_of(planned: Planned) -> dict[int, str]:
    """Return the run that fetched the event of each delivery, where one did and it is not delivered again."""
    return {delivery.id: delivery.event.run for delivery, _ in planned if not delivery.event.again}


def _guards(write: Write, names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    guards = {name: (*write.guards, *write.fields[name].guards) for name in names}
    return {name: flags for name, flags in guards.items() if flags}
