"""Delete what a version of a destination's mapping, or a run, created: object by object, page by page."""

from __future__ import annotations

from collections.abc import Iterator

from connector.delivery.deliver import keep_count
from connector.delivery.route import Pace, Route
from connector.delivery.undo_created import Deleting
from connector.delivery.undoing import End
from connector.running.undos import PAGE, by_lane, held
from connector.settlement.previous import Former
from connector.store import Store
from connector.store.previous import Whose


def delete_created(store: Store, route: Route, partitions: int, whose: Whose, *, plan: bool) -> Iterator[list[End]]:
    """Delete records that were created; yield what became of each. Whatever stops it, run it again.

    plan: only say what would. Raises DestinationUnusable, FixConfiguration, LeaseLost, StoreUnavailable.
    """
    pace, ranks = Pace(), _ranks(route)
    deleting = Deleting(store, route, pace, whose)
    # What refers to others goes first. An object that the mapping no longer writes may refer to any.
    for kind in sorted(store.created.objects(route.name, whose), key=lambda own: -ranks.get(own, len(ranks))):
        for formers in _pages(store, route.name, whose, kind):
            route.budget.hear(store.usage, route.time(store.database))
            try:
                if plan:
                    yield from deleting.planned(formers)
                    continue
                for lane, records in by_lane(route.name, partitions, formers).items():
                    with held(store, lane, pace) as lease:
                        yield from deleting.run(records, lease)
            finally:
                keep_count(store, route, pace)


def _ranks(route: Route) -> dict[str, int]:
    """The lowest rank of each object in the mapping: 0 if its records refer to no others."""
    ranks: dict[str, int] = {}
    for program in route.mapping.programs.values():
        for record in program.records:
            ranks[record.object] = min(record.rank, ranks.get(record.object, record.rank))
    return ranks


def _pages(store: Store, destination: str, whose: Whose, kind: str) -> Iterator[list[Former]]:
    after = (kind, "")
    while formers := store.lanes.previous.page(destination, whose, after, PAGE):
        mine = [former for former in formers if former.object == kind]
        if mine:
            yield mine
        if len(mine) < len(formers):
            return
        after = (kind, mine[-1].key)
