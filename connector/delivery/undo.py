"""Restore what CRM records had before a version of the mapping wrote to them: in the lane, as its only writer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from connector.crm import is_same_id
from connector.delivery.digests import Digest
from connector.delivery.match import refused_fields
from connector.delivery.route import Pace, Route
from connector.delivery.undo_guards import consents_of, guarded, guards_of
from connector.delivery.undo_writing import Batch
from connector.delivery.undoing import End, Restoration, compare, leave_unread, weigh
from connector.destinations.base import Found, Outcome, as_text
from connector.model import RecordKey, Value
from connector.settlement.previous import Former
from connector.store import Store
from connector.store.lanes import Lease


@dataclass(slots=True)
class Undo:
    """Undoes records of one destination, a portion at a time.

    current: what the CRM has, by object and id. unread: of the records that it refused to show, why.
    """

    store: Store
    route: Route
    pace: Pace
    current: dict[tuple[str, str], Mapping[str, Value]] = field(default_factory=dict)
    unread: dict[tuple[str, str], str] = field(default_factory=dict)

    def weighed(self, formers: Sequence[Former]) -> list[Restoration]:
        """Decide about these records, reading what the CRM has now. Raises DestinationUnusable, StoreUnavailable."""
        customers = {former.customer_id for former in formers if former.customer_id}
        states = consents_of(self.store, self.route.name, customers)
        guards = guards_of(self.route.mapping)
        records = [weigh(guarded(former, guards), states.get(former.customer_id or "", {})) for former in formers]
        self._read([record for record in records if record.chances])
        for record in records:
            place = (record.of.object, record.crm_id)
            if place in self.unread:
                leave_unread(record, self.unread[place])
            elif record.chances:
                now = self.current.get(place)
                now = None if now is not None and self._is_anothers(record.of, now) else now
                compare(record, now, states.get(record.of.customer_id or "", {}), self._digest)
        return records

    def _is_anothers(self, former: Former, now: Mapping[str, Value]) -> bool:
        """Whether people have given the record to another customer, by a key that is a customer's id."""
        shown = as_text(now.get(former.key_field))
        if not shown or not former.customer_id:
            return False
        own, theirs = (RecordKey(former.object, former.key_field, value) for value in (former.customer_id, shown))
        digest = self.store.ledger.key_digest
        return digest(self.route.name, own) == former.key != digest(self.route.name, theirs)

    @property
    def _digest(self) -> Digest:
        return lambda value: self.store.database.digest(self.route.destination.normal(value))

    def _read(self, records: Sequence[Restoration]) -> None:
        """Read the fields, without those that the CRM does not show."""
        self.unread.clear()
        for kind, group in groupby(sorted(records, key=_kind), key=_kind):
            own = list(group)
            names = {chance.field for record in own for chance in record.chances}
            names |= {record.of.key_field for record in own} - {""}
            answers = self._find(kind, own, names)
            while hidden := names & refused_fields(answers.values()):
                names -= hidden
                answers = self._find(kind, own, names)
            for record in own:
                holders = answers.get(record.crm_id, [])
                if isinstance(holders, Outcome):
                    self.unread[kind, record.crm_id] = f"{holders.refusal.cause} ({holders.code})"
                elif len(holders) == 1 and is_same_id(holders[0].id, record.crm_id):
                    self.current[kind, record.crm_id] = holders[0].values

    def _find(
        self, kind: str, records: Sequence[Restoration], names: Iterable[str]
    ) -> Mapping[str, list[Found] | Outcome]:
        self.route.budget.check(self.route.destination.usage, self.route.time(self.store.database))
        id_field = self.route.destination.crm.id_field
        return self.route.destination.find(kind, id_field, [record.crm_id for record in records], sorted(names))

    def run(self, formers: Sequence[Former], lease: Lease) -> Iterator[list[End]]:
        """Restore these records' fields; yield what became of each, a batch at a time.

        Raises LeaseLost, DestinationUnusable.
        """
        records = self.weighed(formers)
        able = [record for record in records if record.chances]
        batch = Batch(self.store, self.route, self.pace, lease, self._digest)
        batch.leave([record for record in records if record.edited])
        yield [end for record in records if not record.chances for end in record.ends]
        for start in range(0, len(able), self.route.destination.batch):
            part = able[start : start + self.route.destination.batch]
            batch.restore(part, self.current)
            yield [end for record in part for end in record.ends]


def _kind(record: Restoration) -> str:
    return record.of.object
