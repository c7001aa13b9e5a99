"""Compare every record with its CRM within some days, the newest first, without delaying anything that is due."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from connector import telemetry
from connector.backoff import HOUR, SECOND
from connector.delivery.deliver import keep_count
from connector.delivery.route import Pace, Route
from connector.delivery.verification import Verifier, reach
from connector.errors import DestinationUnusable, StoreUnavailable
from connector.store import Store

REST: Final = 300 * SECOND
"""Milliseconds between two steps of a destination, of all workers together."""

STEP: Final = 500
"""Records compared in a step: at most a call or five, and some to look for associations."""


@dataclass(slots=True)
class Rolling:
    """Does a step for each destination from time to time; it may be called at any rate.

    compared: each with the ms within which all of its records are compared. clock: monotonic seconds.
    """

    store: Store
    compared: Sequence[tuple[Route, int]]
    clock: Callable[[], float]
    _next: float = 0.0
    _verifiers: dict[str, tuple[float, Verifier]] = field(default_factory=dict)

    def __call__(self) -> None:
        """Do what is due now."""
        if self.clock() < self._next:
            return
        self._next = self.clock() + REST / SECOND / 5
        try:
            for route, period in self.compared:
                if self._is_idle(route) and self.store.verifications.begin_step(route.name, REST):
                    self._step(route, period)
        except StoreUnavailable as error:
            telemetry.store_unavailable("comparison", error.problem)

    def _is_idle(self, route: Route) -> bool:
        """Whether nothing waits, no lane is paused, the mapping may be used, and there are calls to spare."""
        lanes = [lane for lane in self.store.desk.lanes() if lane.destination == route.name]
        if any(lane.paused or lane.ready for lane in lanes) or route.running.barred or self.store.gaps.open():
            return False
        now = route.time(self.store.database)
        route.budget.hear(self.store.usage, now)
        return route.budget.has_room(route.destination.usage, now)

    def _step(self, route: Route, period: int) -> None:
        mapping = route.mapping
        held = self.store.verifications.due(route.name, sorted(mapping.writes), period, STEP)
        if not held:
            self.store.verifications.complete(route.name)
            return
        try:
            reach(self.store, route)
            self._verifier(route).verify(held)
        except DestinationUnusable as error:
            telemetry.not_compared(route.name, str(error))
        finally:
            keep_count(self.store, route, Pace())

    def _verifier(self, route: Route) -> Verifier:
        """What compares the records of a destination, which describes its objects once an hour."""
        until, known = self._verifiers.get(route.name, (0.0, None))
        if known is None or known.mapping is not route.mapping or self.clock() >= until:
            schema = route.destination.describe(route.mapping.objects)
            known = Verifier(self.store, route.name, route.destination, route.mapping, schema, route.timezone)
            self._verifiers[route.name] = self.clock() + HOUR / SECOND, known
        return known
