"""Ask careCycle for the recordings of calls: they come some time after the call itself.

What is found goes into the inbox as the same call once more, with the link: it is mapped like any event, and what
careCycle sent itself keeps its place.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from connector import telemetry
from connector.delivery.route import Route
from connector.errors import PauseReason, SourceUnusable, StoreUnavailable
from connector.receive import Agency, Fetch, fetched
from connector.running import bootstrap
from connector.running.config import AgencyFile
from connector.running.outages import repeated
from connector.running.source import open_source
from connector.settlement.newest import Origin
from connector.source.client import CareCycle
from connector.source.recording import FIELD
from connector.store import Store
from connector.store.recordings import Awaited
from connector.telemetry import source as source_telemetry

REST: Final = 20.0
"""Seconds between two looks."""

LONG_REST: Final = 3600.0
"""Seconds to wait where only people can help: with the key, or its permissions."""

_FOR_PEOPLE: Final = (PauseReason.AUTH, PauseReason.PERMISSIONS)

MOST: Final = 20
"""Requests of one look, so that the process can be stopped."""


@dataclass(slots=True)
class RecordingWatch:
    """Looks for the recordings of one agency's calls, while a mapping uses them. tick: monotonic seconds.

    read: the event fields that the mappings running now read.
    """

    store: Store
    agency: Agency
    source: CareCycle
    read: Callable[[], frozenset[str]]
    tick: Callable[[], float]
    _next: float = field(default=float("-inf"))

    def __call__(self) -> None:
        """Look, if it is time."""
        if self.tick() < self._next or FIELD not in self.read():
            return
        rest = REST
        try:
            self._look()
        except StoreUnavailable as error:
            telemetry.store_unavailable("recordings", error.problem)
        except SourceUnusable as error:
            source_telemetry.unusable(self.agency.name, "recordings", error.problem)
            rest = LONG_REST if error.reason in _FOR_PEOPLE else error.retry_after or REST
        self._next = self.tick() + rest

    def _look(self) -> None:
        self.store.recordings.note(self.agency.name)
        for _ in range(MOST):
            call = self.store.recordings.take(self.agency.name)
            if call is None:
                return
            link = self.source.recording(call.customer_id, call.call_id)
            if link is not None:
                self._pass_on(call, link)

    def _pass_on(self, call: Awaited, link: str) -> None:
        payload = self.store.recordings.payload(call)
        if payload:
            database = self.store.database
            how = Fetch(Origin.CARECYCLE, "", partial(database.digest, size=16), database.moment())
            self.store.fetched.accept([fetched(self.agency, {**payload, "recordingUrl": link}, how)])
            source_telemetry.recording_found(self.agency.name, call.call_id)
        self.store.recordings.done(call)


@contextmanager
def recordings_watched(files: Sequence[AgencyFile], store: Store, routes: Collection[Route]) -> Iterator[None]:
    """Look for recordings while the block runs, for each agency that has an API key."""
    agencies = bootstrap.open_agencies(files)
    with ExitStack() as closing:
        for file in files:
            name, source = file.settings.agency, open_source(file, store)
            if source is not None:
                closing.callback(source.close)
                read = partial(_read_by, [route for route in routes if route.name.startswith(f"{name}/")])
                watch = RecordingWatch(store, agencies[name], source, read, time.monotonic)
                closing.enter_context(repeated("recordings", watch))
        yield


def _read_by(routes: Collection[Route]) -> frozenset[str]:
    return frozenset[str]().union(*(route.mapping.reads for route in routes))
