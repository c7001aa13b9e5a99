"""Restore what CRM records had before a version of the mapping wrote to them: in the lane, as its only writer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from connector.crm import is_same_id
from connector.delivery.consent import States
from connector.delivery.digests import Digest
from connector.delivery.match import refused_fields
from connector.delivery.route import Pace, Route
from connector.delivery.undo_guards import guarded, guards_of
from connector.delivery.undoing import (
    ELSEWHERE,
    Chance,
    End,
    Restoration,
    What,
    after_writing,
    before_writing,
    compare,
    has_value,
    weigh,
)
from connector.destinations.base import Found, Outcome, Row, Verdict
from connector.errors import LeaseLost
from connector.model import OLDEST, FlagState, Mode, RecordKey, Value
from connector.settlement import Theirs
from connector.settlement.previous import Former
from connector.store import Store
from connector.store.lanes import Lease

MOST_TRIES = 24
"""How often a batch is sent again without the fields that the CRM refuses."""


@dataclass(slots=True)
class Undo:
    """Undoes records of one destination, a portion at a time. current: what the CRM has, by object and id."""

    store: Store
    route: Route
    pace: Pace
    current: dict[tuple[str, str], Mapping[str, Value]] = field(default_factory=dict)

    def weighed(self, formers: Sequence[Former]) -> list[Restoration]:
        """Decide about these records, reading what the CRM has now. Raises DestinationUnusable, StoreUnavailable."""
        customers = {former.customer_id for former in formers if former.customer_id}
        states = self._consents(customers)
        guards = guards_of(self.route.mapping)
        records = [weigh(guarded(former, guards), states.get(former.customer_id or "", {})) for former in formers]
        self._read([record for record in records if record.chances])
        for record in records:
            if record.chances:
                now = self.current.get((record.of.object, record.crm_id))
                compare(record, now, states.get(record.of.customer_id or "", {}), self._digest)
        return records

    def _consents(self, customers: Collection[str]) -> dict[str, States]:
        """What is known of consent, with the opt-outs that were accepted and not delivered yet."""
        known: dict[str, States] = dict(self.store.ledger.consents(self.route.name, customers))
        for customer, flag in self.store.obligations.open(self.route.name, customers):
            state = known.get(customer, {}).get(flag, FlagState(OLDEST, None))
            known[customer] = {**known.get(customer, {}), flag: replace(state, value=True, owed=True)}
        return known

    @property
    def _digest(self) -> Digest:
        return lambda value: self.store.database.digest(self.route.destination.normal(value))

    def _read(self, records: Sequence[Restoration]) -> None:
        """Read the fields, without those that the CRM does not show."""
        for kind, group in groupby(sorted(records, key=_kind), key=_kind):
            own = list(group)
            names = {chance.field for record in own for chance in record.chances}
            answers = self._find(kind, own, names)
            while hidden := names & refused_fields(answers.values()):
                names -= hidden
                answers = self._find(kind, own, names)
            for record in own:
                holders = answers.get(record.crm_id)
                if isinstance(holders, list) and len(holders) == 1 and is_same_id(holders[0].id, record.crm_id):
                    self.current[kind, record.crm_id] = holders[0].values

    def _find(
        self, kind: str, records: Sequence[Restoration], names: Iterable[str]
    ) -> Mapping[str, list[Found] | Outcome]:
        self.route.budget.check(self.route.destination.usage, self.route.time(self.store.database))
        id_field = self.route.destination.crm.id_field
        return self.route.destination.find(kind, id_field, [record.crm_id for record in records], sorted(names))

    def run(self, formers: Sequence[Former], lease: Lease) -> list[End]:
        """Restore these records' fields; return what became of each. Raises LeaseLost, DestinationUnusable."""
        records = self.weighed(formers)
        able = [record for record in records if record.chances]
        for start in range(0, len(able), self.route.destination.batch):
            self._restore(able[start : start + self.route.destination.batch], lease)
        return [end for record in records for end in record.ends]

    def _restore(self, records: Sequence[Restoration], lease: Lease) -> None:
        """Note what is to be done, do it, and note what became of it; only the holder of the lane can."""
        since = self.store.lanes.standing(lease).at
        ahead = [before_writing(record) for record in records]
        self.store.lanes.note_undo(lease, ahead, self.pace.hold_ms)
        ends = [dict[str, What]() for _ in records]
        try:
            self._write(records, ends, lambda: self.store.lanes.note_undo(lease, [], self.pace.hold_ms))
            after = [
                after_writing(former, record.chances, done, self._digest)
                for former, record, done in zip(ahead, records, ends, strict=True)
            ]
            self.store.lanes.note_undo(lease, after, self.pace.hold_ms)
        except LeaseLost:
            self._overtaken(records, lease, since)
            raise
        for record, done in zip(records, ends, strict=True):
            for chance in record.chances:
                if chance.field not in done:
                    record.end(chance.field, What.WAITS, "the CRM did not say what became of it: run the command again")

    def _write(self, records: Sequence[Restoration], ends: Sequence[dict[str, What]], hold: Callable[[], None]) -> None:
        """Write the previous values; those a record is refused for are left out, and the others sent again."""
        left = [self._left_to_write(record, done) for record, done in zip(records, ends, strict=True)]
        for _ in range(MOST_TRIES):
            sent = [number for number, fields in enumerate(left) if fields]
            if not sent:
                return
            hold()
            rows = [self._row(records[number], left[number]) for number in sent]
            for number, outcome in zip(sent, self.route.destination.write(rows), strict=True):
                left[number] = _left(records[number], ends[number], left[number], outcome)

    def _left_to_write(self, record: Restoration, ends: dict[str, What]) -> dict[str, Chance]:
        """Note what an undo that was interrupted has written already; return the rest."""
        now = self.current[record.of.object, record.crm_id]
        done = [chance.field for chance in record.chances if has_value(chance, now[chance.field], self._digest)]
        _end(record, ends, done, What.RESTORED)
        return {chance.field: chance for chance in record.chances if chance.field not in done}

    def _row(self, record: Restoration, chances: Mapping[str, Chance]) -> Row:
        key = RecordKey(record.of.object, self.route.destination.crm.id_field, record.crm_id)
        fields = {name: chance.value for name, chance in chances.items()}
        return Row(key, fields, id=record.crm_id, mode=Mode.UPDATE, known=record.crm_id, keyed=False)

    def _overtaken(self, records: Sequence[Restoration], lease: Lease, since: int) -> None:
        """Have written again what this may have replaced after the lane became another worker's."""
        customers = {record.of.customer_id for record in records if record.of.customer_id}
        fields = {(own.of.object, own.of.key): {chance.field for chance in own.chances} for own in records}
        doubt = self.store.lanes.previous.doubt
        self.store.lanes.overtaken(
            lease, {}, Theirs(customers, []), since, lambda connection: doubt(connection, lease.destination, fields)
        )


def _left(
    record: Restoration, ends: dict[str, What], chances: dict[str, Chance], outcome: Outcome
) -> dict[str, Chance]:
    """Note what an outcome decides; return what is to be sent again."""
    if outcome.verdict is Verdict.DELIVERED:
        _end(record, ends, chances, What.RESTORED)
    elif outcome.verdict is Verdict.SKIPPED:
        _end(record, ends, chances, What.KEPT, ELSEWHERE)
    elif outcome.verdict is Verdict.REJECTED:
        named = {name.lower() for name in outcome.fields}
        refused = [name for name in chances if name.lower() in named] if outcome.of_fields else []
        refused = refused or list(chances)
        _end(record, ends, refused, What.REFUSED, f"{outcome.refusal.cause} ({outcome.code})")
        return {name: chance for name, chance in chances.items() if name not in refused}
    return {}


def _end(record: Restoration, ends: dict[str, What], names: Iterable[str], what: What, why: str = "") -> None:
    for name in names:
        ends[name] = what
        record.end(name, what, why)


def _kind(record: Restoration) -> str:
    return record.of.object
