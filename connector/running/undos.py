"""Undo a version of a destination's mapping, page by page, each record in the lane of its customer."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Final

from connector.delivery.deliver import keep_count
from connector.delivery.route import Pace, Route
from connector.delivery.undo import Undo
from connector.delivery.undoing import End
from connector.delivery.whose import foreign_account
from connector.errors import FixConfiguration, StoreUnavailable
from connector.receive import lane_for
from connector.settlement.previous import Former
from connector.store import Store
from connector.store.lanes import Lease
from connector.store.previous import Whose

PAGE: Final = 1000
"""Records in memory together."""

PATIENCE: Final = 60.0
"""Seconds to wait for a lane that a worker holds."""


def undo(store: Store, route: Route, partitions: int, whose: Whose, *, plan: bool) -> Iterator[list[End]]:
    """Undo a version or a run; yield what became of each field. Whatever stops it, run it again.

    plan: only say what would. Raises DestinationUnusable, FixConfiguration, LeaseLost, StoreUnavailable.
    """
    pace, after = Pace(), ("", "")
    undoing = Undo(store, route, pace)
    nobody = Lease("", route.name, "")
    if error := foreign_account(store, route, nobody, pace):
        raise error
    while formers := store.lanes.previous.page(route.name, whose, after, PAGE):
        after = (formers[-1].object, formers[-1].key)
        undoing.current.clear()
        route.budget.hear(store.usage, route.time(store.database))
        try:
            if plan:
                yield [end for record in undoing.weighed(formers) for end in record.planned]
                continue
            for lane, records in by_lane(route.name, partitions, formers).items():
                with held(store, lane, pace) as lease:
                    again = store.lanes.previous.of(route.name, whose, records)
                    yield from undoing.run(again, lease)
        finally:
            keep_count(store, route, pace)


def by_lane(destination: str, partitions: int, formers: Sequence[Former]) -> Mapping[str, list[tuple[str, str]]]:
    """Group records, as object and key, by the lane of their customer."""
    agency, _, name = destination.partition("/")
    lanes: dict[str, list[tuple[str, str]]] = {}
    for former in formers:
        lane = lane_for(agency, name, partitions, former.customer_id or "")
        lanes.setdefault(lane, []).append((former.object, former.key))
    return lanes


@contextmanager
def held(store: Store, lane: str, pace: Pace, patience: float = PATIENCE) -> Iterator[Lease]:
    """Hold a lane as its only writer. Raises FixConfiguration if a worker does not let go of it."""
    owner, until = f"{socket.gethostname()}:{os.getpid()}", time.monotonic() + patience
    store.rewriting.require()
    while (lease := store.lanes.take(owner, lane, pace.hold_ms)) is None:
        if time.monotonic() > until:
            hint = f"pause it for a while (connector lanes pause {lane}), and run the command again"
            raise FixConfiguration(lane, "a worker is busy in this lane, or it does not exist yet", hint)
        time.sleep(0.02)
    ended = threading.Event()
    renewing = threading.Thread(target=_renew, args=(store, lease, pace, ended), daemon=True)
    renewing.start()
    try:
        yield lease
    finally:
        ended.set()
        renewing.join()
        store.lanes.release(lease)


def _renew(store: Store, lease: Lease, pace: Pace, ended: threading.Event) -> None:
    """Renew the lease: a slow CRM must not cost it; a process that was stopped must."""
    while not ended.wait(pace.hold_ms / 4000):
        with suppress(StoreUnavailable):
            store.lanes.renew([lease], pace.hold_ms)
