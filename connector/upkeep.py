"""What a worker does once an hour: purge what each agency's retention no longer allows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from connector import telemetry
from connector.backoff import DAY
from connector.errors import StoreUnavailable
from connector.store import Store

_REST, _STEP_REST = 3600.0, 1.0


@dataclass(frozen=True, slots=True)
class Keep:
    """Days an agency keeps payloads after their event is settled, and dead letters nobody freed."""

    payloads: int
    dead_letters: int


class Upkeep:
    """Call it as often as you like: it works once an hour, in small steps. `clock` in epoch seconds."""

    def __init__(self, store: Store, agencies: Mapping[str, Keep], clock: Callable[[], float]) -> None:
        self._store, self._agencies, self._clock = store, agencies, clock
        self._next: float = 0.0

    def __call__(self) -> None:
        """Do a step if it is time."""
        now = self._clock()
        if now < self._next:
            return
        try:
            done = sum(self._step(agency, keep, int(now * 1000)) for agency, keep in self._agencies.items())
        except StoreUnavailable as error:
            telemetry.store_unavailable("upkeep", error.problem)
            done = 0
        self._next = now + (_STEP_REST if done else _REST)

    def _step(self, agency: str, keep: Keep, now: int) -> int:
        given_up = self._store.retention.give_up(agency, now - keep.dead_letters * DAY)
        purged = self._store.retention.purge(agency, now - keep.payloads * DAY)
        if given_up or purged:
            telemetry.retention_applied(agency, purged, given_up)
        return given_up + purged
