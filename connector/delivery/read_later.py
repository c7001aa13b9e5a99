"""Read what the CRM filled into new records once for many batches, not after each.

Until then the ledger has those fields as unread, and decides as if their values were not ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from connector.delivery.decide import Existing
from connector.delivery.ours import caught_up
from connector.delivery.route import Pace, Route
from connector.errors import DestinationUnusable
from connector.model import BLANK, Entry, RecordKey, Stamp, Value
from connector.settlement import Remembered
from connector.store import Store
from connector.store.lanes import Lease

MOST: Final = 10_000
"""Records that wait at most: what Salesforce shows in one call."""
LONGEST: Final = 50.0
"""Seconds that one of them waits: once we change it again a minute after its creation, nobody knows who else has."""


class _Waiting(NamedTuple):
    """A record to read, and the newest event that it was written for. unread: its fields."""

    crm_id: str
    unread: tuple[str, ...]
    stamp: Stamp
    customer_id: str | None
    delivery_id: int


@dataclass(slots=True)
class ReadLater:
    """A lane's new records to read, kept between its turns. since: monotonic seconds, of the oldest."""

    waiting: dict[RecordKey, _Waiting] = field(default_factory=dict)
    since: float = 0.0

    def add(self, remembered: Iterable[Remembered], now: float) -> None:
        """Note the records that the CRM has created, as far as the ledger does not know all of their values."""
        for own in remembered:
            entry = own.entry
            if own.created and entry.crm_id is not None and entry.unread:
                self.since = self.since if self.waiting else now
                stamp = max(mark.stamp for mark in entry.fields.values()) if entry.fields else Stamp(0, "")
                self.waiting[own.key] = _Waiting(entry.crm_id, entry.unread, stamp, own.customer_id, own.delivery_id)

    def is_due(self, now: float) -> bool:
        """Whether as many wait as one call shows, or for long enough."""
        return len(self.waiting) >= MOST or (bool(self.waiting) and now - self.since > LONGEST)

    def forget(self) -> None:
        """Leave them to the next event about each: the CRM cannot be asked now."""
        self.waiting = {}

    def read(self, store: Store, route: Route, lease: Lease, pace: Pace) -> None:
        """Read them and remember their values as ours, where nobody has changed them since. Raises LeaseLost.

        Where that fails, the ledger keeps the fields as unread.
        """
        waiting, self.waiting = self.waiting, {}
        shown: dict[RecordKey, Existing] = {}
        with suppress(DestinationUnusable):  # the records are written: only what is known of them is less
            route.budget.check(route.destination.usage, route.time(store.database))
            for kind in {key.object for key in waiting}:
                shown |= _shown(route, kind, {key: own for key, own in waiting.items() if key.object == kind})
        keys = list(shown)
        for start in range(0, len(keys), pace.part):
            portion = {key: waiting[key] for key in keys[start : start + pace.part]}
            entries = store.ledger.entries(lease.destination, portion)
            store.lanes.intend(lease, list(_caught_up(portion, shown, entries, route, store)), pace.hold_ms)
            store.database.give_way()


def _shown(route: Route, kind: str, waiting: Mapping[RecordKey, _Waiting]) -> dict[RecordKey, Existing]:
    crm, names = route.destination.crm, {name for own in waiting.values() for name in own.unread}
    ids = [own.crm_id for own in waiting.values()]
    records = route.destination.find(kind, crm.id_field, ids, sorted(names.union(crm.stamp_fields, crm.author_fields)))
    answered = {key: records.get(own.crm_id) for key, own in waiting.items()}
    return {
        key: Existing(holders[0].id, holders[0].values)
        for key, holders in answered.items()
        if isinstance(holders, list) and len(holders) == 1
    }


def _caught_up(
    waiting: Mapping[RecordKey, _Waiting],
    shown: Mapping[RecordKey, Existing],
    entries: Mapping[RecordKey, Entry],
    route: Route,
    store: Store,
) -> Iterator[Remembered]:
    def digest(value: Value) -> str:
        return store.database.digest(route.destination.normal(value))

    for key, own in waiting.items():
        entry = entries.get(key, BLANK)
        if entry.unread and entry.crm_id == own.crm_id and not entry.merged:
            caught = caught_up(entry, shown[key], route.destination.crm, own.stamp, digest)
            yield Remembered(key, caught, own.customer_id, own.delivery_id)
