"""Compare what a destination's ledger has with its CRM, all of it or a sample, and queue what is to be repaired."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from connector.delivery.deliver import keep_count
from connector.delivery.repair import repair_of
from connector.delivery.route import Pace, Route
from connector.delivery.verification import Verifier, reach
from connector.errors import DestinationUnusable
from connector.insight.gaps import what_is_missing
from connector.running import trials
from connector.running.config import AgencyFile
from connector.settlement.verification import HARMLESS, Difference, Held, Repaired, Verified
from connector.store import Store

PORTION: Final = 2_000
"""Records compared at a time: what Salesforce reads in one call."""


@dataclass(frozen=True, slots=True)
class How:
    """sample: how many records; None for all. repair: whether to queue repairs. owned: also what the mapping owns.

    plan: only count what would be queued.
    """

    sample: int | None
    repair: bool = False
    owned: bool = False
    plan: bool = False


@dataclass(slots=True)
class Reconciled:
    """What was found in one destination. problem: why it could not be looked at to the end.

    compared: records. unreadable: fields the CRM did not show. hidden: records of which it does not say whether it
    has them. repaired: what was queued, or would be.
    """

    destination: str
    compared: int = 0
    same: int = 0
    differing: dict[Difference, int] = field(default_factory=lambda: dict.fromkeys(Difference, 0))
    unreadable: int = 0
    hidden: int = 0
    calls: int = 0
    repaired: Repaired = field(default_factory=Repaired)
    problem: str = ""

    @property
    def is_fine(self) -> bool:
        """Whether it was looked at to the end, and nobody has to do anything."""
        return not self.problem and not any(self.differing[own] for own in Difference if own not in HARMLESS)

    def count(self, result: Verified) -> None:
        """Count a record."""
        self.compared += not result.hidden
        self.same += result.is_same and not result.hidden
        self.hidden += result.hidden
        self.unreadable += len(result.unreadable)
        for difference in result.differences:
            self.differing[difference] += 1


def reconcile(store: Store, file: AgencyFile, name: str, how: How, report: Callable[[Verified], None]) -> Reconciled:
    """Compare a destination. report: called with each record that differs. Raises FixConfiguration, FixMapping."""
    with trials.opened(file, name) as route:
        done = Reconciled(route.name)
        if lost := store.gaps.open():
            done.problem = f"{what_is_missing(lost)} What the ledger has may be older than what was written."
            return done
        try:
            reach(store, route)
            schema = route.destination.describe(route.mapping.objects)
            verifier = Verifier(store, route.name, route.destination, route.mapping, schema, route.timezone)
            for held in _portions(store, route.name, how.sample):
                _portion(store, route, verifier, held, how, done, report)
            if how.sample is None:
                store.verifications.complete(route.name)
        except DestinationUnusable as error:
            done.problem = str(error)
        finally:
            keep_count(store, route, Pace())
        done.calls = route.budget.made
        return done


def _portions(store: Store, destination: str, sample: int | None) -> Iterator[list[Held]]:
    if sample is not None:
        chosen = store.verifications.sample(destination, secrets.token_hex(16), sample)
        yield from (chosen[start : start + PORTION] for start in range(0, len(chosen), PORTION))
        return
    after = ("", "")
    while held := store.verifications.walk(destination, after, PORTION):
        yield held
        after = held[-1].object, held[-1].key


def _portion(
    store: Store,
    route: Route,
    verifier: Verifier,
    held: list[Held],
    how: How,
    done: Reconciled,
    report: Callable[[Verified], None],
) -> None:
    now = route.time(store.database)
    route.budget.hear(store.usage, now)
    route.budget.check(route.destination.usage, now)
    repairs = []
    for result in verifier.verify(held):
        done.count(result)
        if not result.is_same:
            report(result)
            own = verifier.written(result.held.object)
            repair = repair_of(result, own, owned=how.owned, forward_only=route.mapping.crm.forward_only)
            repairs += [repair] if repair else []
    keep_count(store, route, Pace())
    if how.plan:
        done.repaired.add(store.repairing.plan(route.name, repairs))
    elif how.repair:
        done.repaired.add(store.repairing.run(route.name, repairs))
