"""Ask careCycle regularly whether everybody is here, and once more when no event comes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

from connector import telemetry
from connector.backoff import HOUR
from connector.errors import SourceUnusable, StoreUnavailable
from connector.insight.alarms import silence
from connector.insight.completeness import Completeness, Source, Wanted
from connector.receive import Agency
from connector.running.fetching import keep_fetched
from connector.store import Store
from connector.store.runs import SCHEDULED, SOURCE, Run
from connector.telemetry import comparison

ON_SILENCE: Final = 4 * HOUR
"""How often careCycle is asked while no event comes, at most."""


class Closable(Source, Protocol):
    """careCycle's API, opened."""

    def close(self) -> None:
        """Close every connection."""
        ...


@dataclass(frozen=True, slots=True)
class Asked:
    """An agency whose careCycle is asked. every: ms."""

    agency: Agency
    open: Callable[[], Closable]
    every: int


class SourceWatch:
    """Compares each agency that is due. Of several processes, one does it."""

    def __init__(self, store: Store, agencies: Sequence[Asked], new_id: Callable[[], str]) -> None:
        self._store, self._agencies, self._new_id = store, agencies, new_id

    def __call__(self) -> None:
        """Compare what is due now; it may take hours, at careCycle's pace."""
        for asked in self._agencies:
            try:
                if run := self._due(asked):
                    compare(self._store, asked, run)
            except StoreUnavailable as error:
                telemetry.store_unavailable("source", error.problem)

    def _due(self, asked: Asked) -> Run | None:
        name = asked.agency.name
        quiet = silence(self._store.watches.arrivals(name), self._store.database.moment())
        every = min(asked.every, ON_SILENCE) if quiet and quiet.unusual else asked.every
        return self._store.runs.due(self._new_id(), name, SOURCE, SCHEDULED, every)


def compare(store: Store, asked: Asked, run: Run) -> None:
    """Compare one agency, and note why where it cannot be done. Raises StoreUnavailable."""
    name = asked.agency.name
    # Until somebody has asked for it, nobody's whole book of business is written to a CRM.
    wanted = Wanted(fetch=store.runs.was_asked_for(name))
    with closing(asked.open()) as source:
        keep = partial(keep_fetched, store, asked.agency, run.id)
        check = Completeness(store, name, source, keep, run, wanted)
        try:
            done = check.run()
            comparison.compared(name, done.counts, done.left)
        except SourceUnusable as error:
            store.runs.stopped(run.id, error.problem)
            comparison.not_compared(name, error.problem)
