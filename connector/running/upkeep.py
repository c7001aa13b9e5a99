"""What a worker does besides delivering: reload edited mappings and purge data past its retention."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from connector import telemetry
from connector.backoff import DAY
from connector.delivery.reload import Watched
from connector.errors import StoreUnavailable
from connector.store import Store
from connector.store.agencies import NOTICE_DAYS

_REST, _VALUES_REST, _STEP_REST = 3600.0, 10.0, 1.0
_STEPS = 5
"""Of new events in one call: 500 a second."""


@dataclass(frozen=True, slots=True)
class Keep:
    """Days an agency keeps payloads after their event is settled, dead letters, and what a mapping's undo needs."""

    payloads: int
    dead_letters: int
    undo: int = 0


class Upkeep:
    """Checks the mappings at every call, held values and new events every ten seconds, and purges once an hour.

    It may be called at any rate. What is old is judged by the database's clock, and only while that goes on evenly.

    clock: monotonic seconds.
    """

    def __init__(
        self, store: Store, agencies: Mapping[str, Keep], watched: Sequence[Watched], clock: Callable[[], float]
    ) -> None:
        self._store, self._agencies, self._watched, self._clock = store, agencies, watched, clock
        self._next: float = 0.0
        self._next_values: float = 0.0
        self._next_people: float = 0.0

    def __call__(self) -> None:
        """Do what is due now."""
        try:
            self._rewrite()
            for mapping in self._watched:
                mapping.refresh()
            if self._clock() >= self._next_values:
                again = self._store.open_items.held.try_again()
                self._next_values = self._clock() + (_STEP_REST if again else _VALUES_REST)
            self._index()
            if self._clock() >= self._next:
                done = self._purge()
                done += self._store.retention.give_space_back()
                if not done:
                    for agency, count in self._store.agencies.expiring().items():
                        telemetry.dead_letters_expiring(agency, count, NOTICE_DAYS)
                self._next = self._clock() + (_STEP_REST if done else _REST)
        except StoreUnavailable as error:
            telemetry.store_unavailable("upkeep", error.problem)

    def _rewrite(self) -> None:
        """Rewrite what an earlier version stored: until then nothing is delivered."""
        rows = 0
        for done in self._store.rewriting.steps():
            rows += done
            telemetry.rewriting(rows)
        if rows:
            self._store.database.bell.ring()

    def _index(self) -> None:
        """Let people be found by what new events say of them."""
        if self._clock() >= self._next_people:
            steps = (self._store.people.index.step() for _ in range(_STEPS))
            self._next_people = self._clock() + (0.0 if all(steps) else _VALUES_REST)

    def _purge(self) -> int:
        """Purge a step of each agency, unless time did not go on evenly. Returns how many rows."""
        keeps = {name: (keep.payloads * DAY, keep.dead_letters * DAY) for name, keep in self._agencies.items()}
        hold = self._store.retention.check(keeps)
        if not hold.left_ms:
            return sum(self._step(agency, keep, hold.checked_at) for agency, keep in self._agencies.items())
        if hold.matters:
            telemetry.retention_held(hold.events, hold.dead_letters, hold.left_ms / DAY)
        return 0

    def _step(self, agency: str, keep: Keep, now: int) -> int:
        given_up = self._store.retention.give_up(agency, now - keep.dead_letters * DAY)
        purged = self._store.retention.purge(agency, now - keep.payloads * DAY)
        forgotten = self._store.retention.forget(agency, now - max(keep.payloads, keep.dead_letters) * DAY)
        self._store.oddities.purge(agency, now - keep.payloads * DAY)
        previous = self._store.lanes.previous.purge(agency, now - keep.undo * DAY)
        if given_up or purged or forgotten:
            telemetry.retention_applied(agency, purged, given_up, forgotten)
        return given_up + purged + forgotten + previous
