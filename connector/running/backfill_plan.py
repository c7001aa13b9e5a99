"""What a backfill would write, by record and field: rehearsed, and nothing stored."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

from connector.carecycle import decode
from connector.delivery.route import Route
from connector.insight.rehearse import Rehearsal, Tally
from connector.model import Delivery, Event
from connector.settlement import DeliveryState
from connector.store import Store
from connector.store.history import Stored
from connector.store.inbox import Arrival


class Plan:
    """Takes arrivals in place of the inbox, and tallies what would happen to them at each destination."""

    def __init__(self, store: Store, routes: Sequence[Route]) -> None:
        self._now = store.database.moment()
        self._rehearsals = [(route, Rehearsal(store, route), Tally()) for route in routes]
        self._ids = count(1)

    def keep(self, arrivals: Sequence[Arrival]) -> list[bool]:
        """Rehearse them. Nothing is stored."""
        for route, rehearsal, tally in self._rehearsals:
            step = [self._stored(route.name, arrival) for arrival in arrivals]
            for forecast in rehearsal.step(step):
                tally.add(forecast)
        return []

    def _stored(self, destination: str, arrival: Arrival) -> Stored:
        at = arrival.source_time or 0
        known = (arrival.agency, arrival.message_id, arrival.type, arrival.customer_id, at, self._now)
        happened = Event(*known, decode.decoded(arrival.body), fetched=True)
        delivery = Delivery(next(self._ids), 0, self._now, happened, owing=arrival.raised)
        return Stored(delivery, destination, DeliveryState.READY, "", "", purged=False)

    def as_data(self) -> list[dict[str, Any]]:
        """Return the tally of each destination."""
        return [{"destination": route.name, **tally.as_data()} for route, _, tally in self._rehearsals]
