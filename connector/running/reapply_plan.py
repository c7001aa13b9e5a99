"""What applying a mapping to everybody would change: rehearsed part by part, and nothing written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import chain
from typing import Any

from connector.delivery.route import Route
from connector.insight.edited import Edit, Fate
from connector.insight.rehearse import Rehearsal, Tally
from connector.insight.second_records import second_records
from connector.store import Store
from connector.store.reapplying import Part


class Plan:
    """Rehearses one destination. second: the customers who would get a second record, by object."""

    def __init__(self, store: Store, route: Route, number: int) -> None:
        self._store, self._route = store, route
        self._edit, self._tally, self.second = Edit(route.mapping), Tally(), Counter[str]()
        self._rehearsal = Rehearsal(store, route, see=self._see)
        self._number, self.destination = number, route.name

    def _see(self, planned: Any, answers: Any) -> None:
        digest = self._store.ledger.key_digest
        places = {(key.object, digest(self.destination, key)): key for key in answers}
        changed = self._store.verifications.changed(self.destination, [key for _, key in places])
        self._edit.count(planned, answers, {places[place]: own for place, own in changed.items() if place in places})
        self.second.update(second_records(self._store, self._route.name, planned))

    def take(self, part: Part) -> Counter[Fate]:
        """Rehearse some customers with their calls, together: each record is counted once. Returns their fates."""
        before = self._edit.fates()
        for forecast in self._rehearsal.outlook(self._opened(part)):
            self._tally.add(forecast)
        return self._edit.fates() - before

    def _opened(self, part: Part) -> Iterator[Any]:
        return chain.from_iterable(self._store.reapplying.opened(part, self._route.name, self._number))

    def as_data(self) -> dict[str, Any]:
        """Return the counts, with names but no values."""
        tally = self._tally.as_data()
        kept = {name: tally[name] for name in ("deliveries", "refused", "reasons", "refused_at")}
        second = [{"object": kind, "customers": count} for kind, count in sorted(self.second.items())]
        named = {"destination": self._route.name, "mapping_version": self._route.mapping.version}
        return {**named, **self._edit.as_data(), "second_records": second, **kept}
