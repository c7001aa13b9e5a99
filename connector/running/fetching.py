"""Accept what was fetched into the inbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from connector.errors import UnreadableEvent
from connector.receive import Agency, Fetch, fetched
from connector.settlement.newest import Origin
from connector.store import Store
from connector.store.inbox import Arrival


def keep_fetched(store: Store, agency: Agency, run_id: str, payloads: Sequence[Mapping[str, Any]]) -> int:
    """Accept customers and calls of careCycle's API; return how many were not known so. Raises StoreUnavailable."""
    how = Fetch(Origin.CARECYCLE, run_id, partial(store.database.digest, size=16), store.database.moment())
    arrivals: list[Arrival] = []
    for payload in payloads:
        try:
            arrivals.append(fetched(agency, payload, how))
        except UnreadableEvent:  # it has an id, but none that an event may have
            continue
    return sum(store.fetched.accept(not_forgotten(store, arrivals)))


def not_forgotten(store: Store, arrivals: Sequence[Arrival]) -> list[Arrival]:
    """Leave out what is of customers who were forgotten, and not newer than that."""
    forgotten = store.forget.times({arrival.customer_id for arrival in arrivals if arrival.customer_id})
    return [each for each in arrivals if (each.source_time or 0) > forgotten.get(each.customer_id or "", -1)]
