"""Accept what was fetched into the inbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from connector.backoff import DAY
from connector.errors import UnreadableEvent
from connector.receive import Agency, Fetch, fetched
from connector.settlement.newest import Origin
from connector.store import Store
from connector.store.inbox import Arrival


def keep_fetched(store: Store, agency: Agency, run_id: str, payloads: Sequence[Mapping[str, Any]]) -> int:
    """Accept customers and calls of careCycle's API; return how many were not known so. Raises StoreUnavailable.

    A time more than a day ahead counts as now: it would keep out what careCycle sends until then.
    """
    how = Fetch(Origin.CARECYCLE, run_id, lambda text: store.database.digest(text, size=16))
    now, arrivals = store.database.moment(), list[Arrival]()
    for payload in payloads:
        try:
            arrival = fetched(agency, payload, how)
        except UnreadableEvent:  # it has an id, but none that an event may have
            continue
        at = arrival.source_time or 0
        arrivals.append(replace(arrival, source_time=now if at > now + DAY else at))
    return sum(store.fetched.accept(arrivals))
