"""Write the former values of one batch of records, and note before and after what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from connector.delivery.consent import States
from connector.delivery.digests import Digest
from connector.delivery.route import Pace, Route
from connector.delivery.undo_guards import consents_of
from connector.delivery.undoing import (
    CONSENT,
    ELSEWHERE,
    MEANWHILE,
    UNANSWERED,
    Chance,
    Restoration,
    What,
    after_writing,
    before_writing,
    has_value,
    kept_back,
    leaving,
)
from connector.destinations.base import Outcome, Row, Verdict
from connector.errors import LeaseLost
from connector.model import BLANK, Mark, Mode, RecordKey, Value
from connector.settlement import Refusal, Theirs
from connector.settlement.previous import Step
from connector.store import Store
from connector.store.lanes import Lease

MOST_TRIES = 24
"""How often a batch is sent again without the fields that the CRM refuses."""


@dataclass(slots=True)
class Job:
    """One record. step: what was noted of it. now: what the CRM has. left: fields to write. ends: of the others.

    blank: fields that were cleared.
    """

    record: Restoration
    step: Step
    now: Mapping[str, Value]
    left: dict[str, Chance] = field(init=False)
    ends: dict[str, tuple[What, str]] = field(default_factory=dict)
    blank: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.left = {chance.field: chance for chance in self.record.chances}

    @property
    def place(self) -> tuple[str, str]:
        """The record's place in the ledger."""
        return self.record.of.object, self.record.of.key

    def end(self, names: Iterable[str], what: What, why: str = "") -> None:
        """Note what became of fields."""
        for name in list(names):
            self.ends[name] = (what, why)
            self.left.pop(name, None)

    def find_done(self, digest: Digest) -> None:
        """Note what an undo that was interrupted has written already."""
        done = [name for name, chance in self.left.items() if has_value(chance, self.now[name], digest)]
        self.end(done, What.RESTORED)

    def heed(self, outcome: Outcome) -> None:
        """Note what the CRM's answer decides."""
        if outcome.verdict is Verdict.DELIVERED:
            self.end(self._named(outcome.ignored), What.REFUSED, f"{outcome.ignored.cause} ({outcome.ignored.code})")
            self.end(self.left, What.RESTORED)
        elif outcome.verdict is Verdict.SKIPPED:
            self.end(self.left, What.KEPT, ELSEWHERE)
        elif outcome.verdict is Verdict.REJECTED:
            refused = (self._named(outcome.refusal) if outcome.of_fields else []) or list(self.left)
            self.end(refused, What.REFUSED, f"{outcome.refusal.cause} ({outcome.code})")
        else:
            self.end(self.left, What.WAITS, UNANSWERED)

    def _named(self, refusal: Refusal) -> list[str]:
        named = {name.lower() for name in refusal.fields}
        return [name for name in self.left if name.lower() in named]

    def obey(self, states: States) -> None:
        """Leave out what consent withholds."""
        for name, chance in list(self.left.items()):
            if why := kept_back(chance, self.now[name], states):
                self.end([name], What.KEPT, why)

    def to_take_back(self, states: States, digest: Digest) -> dict[str, Value]:
        """What the fields get that consent withholds although they were restored: what they had, or nothing."""
        restored = [own for own in self.record.chances if self.ends.get(own.field, ("",))[0] is What.RESTORED]
        wrong = [own for own in restored if kept_back(own, self.now[own.field], states)]
        self.blank = {own.field for own in wrong if has_value(own, self.now[own.field], digest)}
        return {own.field: None if own.field in self.blank else self.now[own.field] for own in wrong}

    def taken_back(self, names: Iterable[str], outcome: Outcome) -> None:
        """Note what the CRM's answer decides of fields that are taken back."""
        is_back = outcome.verdict is Verdict.DELIVERED and not outcome.ignored.fields
        self.end(names, What.KEPT if is_back else What.WAITS, CONSENT if is_back else UNANSWERED)

    def row(self, id_field: str, fields: Mapping[str, Value]) -> Row:
        """The record as it is written."""
        of = self.record
        key = RecordKey(of.of.object, id_field, of.crm_id)
        return Row(key, fields, id=of.crm_id, mode=Mode.UPDATE, known=of.crm_id, keyed=False)

    def after(self, digest: Digest) -> Step:
        """What is noted of it after it was written."""
        known = {name: what for name, (what, _) in self.ends.items() if what is not What.WAITS}
        return after_writing(self.step.of, self.record.chances, known, digest, self.blank)

    def report(self) -> None:
        """Tell what became of each field."""
        self.end(self.left, What.WAITS, UNANSWERED)
        for name, (what, why) in self.ends.items():
            self.record.end(name, what, why)


@dataclass(slots=True)
class Batch:
    """As many records as go into one call of the CRM."""

    store: Store
    route: Route
    pace: Pace
    lease: Lease
    digest: Digest

    def leave(self, records: Sequence[Restoration]) -> None:
        """Note which fields stay as people have changed them."""
        if not records:
            return
        steps = [leaving(record) for record in records]
        changed = self.store.lanes.note_undo(self.lease, steps, self.pace.hold_ms)
        for record, step in zip(records, steps, strict=True):
            if (step.of.object, step.of.key) not in changed:
                record.of = step.of

    def restore(self, records: Sequence[Restoration], current: Mapping[tuple[str, str], Mapping[str, Value]]) -> None:
        """Note what is to be done, do it, and note what became of it; only the holder of the lane can."""
        since = self.store.lanes.standing(self.lease).at
        jobs = [Job(own, before_writing(own), current[own.of.object, own.crm_id]) for own in records]
        able = self._hold(jobs, [job.step for job in jobs])
        try:
            self._write(able)
            self._take_back(able)
            after = [job.after(self.digest) for job in able]
            self.store.lanes.note_undo(self.lease, after, self.pace.hold_ms, whole=False)
        except LeaseLost:
            self._overtaken(records, since)
            raise
        for job in jobs:
            job.report()

    def _write(self, jobs: Sequence[Job]) -> None:
        """Write the previous values; those a record is refused for are left out, and the others sent again."""
        for job in jobs:
            job.find_done(self.digest)
        for _ in range(MOST_TRIES):
            sent = self._to_send(jobs)
            if not sent:
                return
            rows = [{name: chance.value for name, chance in job.left.items()} for job in sent]
            for job, outcome in zip(sent, self._send(sent, rows), strict=True):
                job.heed(outcome)
            again = [job for job in sent if job.left]
            self._hold(again, [Step(job.step.of, _noted(job.step)) for job in again])

    def _to_send(self, jobs: Sequence[Job]) -> list[Job]:
        """Return the records with something to write, without what consent withholds: asked as late as possible."""
        states = self._consents(jobs)
        for job in jobs:
            job.obey(states.get(job.record.of.customer_id or "", {}))
        return [job for job in jobs if job.left]

    def _take_back(self, jobs: Sequence[Job]) -> None:
        """Take back what was restored to customers whose opt-out was accepted while it was written."""
        states = self._consents(jobs)
        wrong = [(job, job.to_take_back(states.get(job.record.of.customer_id or "", {}), self.digest)) for job in jobs]
        back = [(job, fields) for job, fields in wrong if fields]
        if not back:
            return
        self._hold([], [])
        outcomes = self._send([job for job, _ in back], [fields for _, fields in back])
        for (job, fields), outcome in zip(back, outcomes, strict=True):
            job.taken_back(fields, outcome)

    def _consents(self, jobs: Sequence[Job]) -> dict[str, States]:
        customers = {job.record.of.customer_id for job in jobs if job.record.of.customer_id}
        return consents_of(self.store, self.route.name, customers)

    def _send(self, jobs: Sequence[Job], rows: Sequence[Mapping[str, Value]]) -> Sequence[Outcome]:
        id_field = self.route.destination.crm.id_field
        return self.route.destination.write([job.row(id_field, fields) for job, fields in zip(jobs, rows, strict=True)])

    def _hold(self, jobs: Sequence[Job], steps: Sequence[Step]) -> list[Job]:
        """Hold the lane for the next call; return the records that are still as they were read."""
        changed = self.store.lanes.note_undo(self.lease, steps, self.pace.hold_ms)
        for job in jobs:
            if job.place in changed:
                job.end(job.left, What.WAITS, MEANWHILE)
        return [job for job in jobs if job.place not in changed]

    def _overtaken(self, records: Sequence[Restoration], since: int) -> None:
        """Have written again what this may have replaced after the lane became another worker's."""
        customers = {record.of.customer_id for record in records if record.of.customer_id}
        fields = {(own.of.object, own.of.key): {chance.field for chance in own.chances} for own in records}
        doubt, name = self.store.lanes.previous.doubt, self.lease.destination
        self.store.lanes.overtaken(
            self.lease, {}, Theirs(customers, []), since, lambda connection: doubt(connection, name, fields)
        )


def _noted(step: Step) -> dict[str, Mark]:
    """The marks that a record has since a step was noted."""
    entry = step.of.entry or BLANK
    return {name: entry.fields[name] for name in step.was}
