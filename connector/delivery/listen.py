"""Hear opt-outs spoken in calls that wait for their turn: a paused lane or a long queue must not hold them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from connector import telemetry
from connector.backoff import SECOND
from connector.delivery.plan_ahead import heard
from connector.delivery.route import Route
from connector.delivery.settle import owed_by
from connector.errors import StoreUnavailable
from connector.mapping import Mapping
from connector.settlement import Obligation, Settled
from connector.store import Store
from connector.store.spoken import Waiting

PATIENCE: Final = 5 * SECOND
"""Milliseconds a delivery waits before it is listened to: most are planned sooner."""

STEPS: Final = 3
"""Steps of one call, which is made every second: a long queue is listened to faster than it can be delivered, and lanes
keep most of the processor.
"""


@dataclass(slots=True)
class Listener:
    """Listens to what waits for these routes, each delivery once for each version of their mappings.

    Events of every type are opened: one may raise a flag that the version which accepted it could not read.
    """

    store: Store
    routes: Sequence[Route]
    _heard: int = 0
    _versions: list[str] = field(default_factory=list)

    def __call__(self) -> None:
        """Listen to what has begun to wait since the last call."""
        versions = [route.mapping.version for route in self.routes]
        if versions != self._versions:
            self._heard, self._versions = 0, versions
        try:
            for _ in range(STEPS):
                if not self._step():
                    break
        except StoreUnavailable as error:
            telemetry.store_unavailable("listener", error.problem)

    def _step(self) -> bool:
        """Listen to some of it; return whether there may be more."""
        speaking = {route.name: route for route in self.routes if _speaks(route.mapping)}
        if not speaking:
            return False
        types = {name for route in speaking.values() for name in _speaks(route.mapping)}
        until = self.store.database.time() - PATIENCE
        step = self.store.spoken.step(speaking.keys(), types, self._heard, until)
        owed = [owing for waiting in step.waiting for owing in _owed(waiting, speaking[waiting.destination])]
        if owed:
            self.store.spoken.owe(owed)
        self._heard = step.last or self._heard
        return bool(step.last)


def _speaks(mapping: Mapping) -> list[str]:
    """List the types of events in which a mapping hears opt-outs."""
    return [name for name, program in mapping.programs.items() if program.raises]


def _owed(waiting: Waiting, route: Route) -> list[tuple[Obligation, str]]:
    """List what a delivery says beyond what the inbox noted, each with its lane."""
    said = heard(waiting.delivery, route.mapping, route.timezone)
    planned = [] if isinstance(said, Settled) else [(waiting.delivery, said)]
    return [(obligation, waiting.lane) for obligation in owed_by(planned, waiting.destination)]
