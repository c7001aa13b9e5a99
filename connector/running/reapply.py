"""Apply an edited mapping to everybody: what is known of each customer and call becomes due once more."""

from __future__ import annotations

import json
import secrets
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from connector.delivery.route import Route
from connector.errors import FixConfiguration, FixMapping, StateChanged
from connector.insight.unserved import works
from connector.receive import Fetch, fetched, lane_for
from connector.running import bootstrap
from connector.running.config import AgencyFile
from connector.running.partitions import lanes_of, partitions_of
from connector.running.reapply_plan import Plan
from connector.settlement.newest import Origin
from connector.source.client import CareCycle
from connector.store import Store
from connector.store.reapplying import Part
from connector.store.runs import REAPPLY, Run

MOST_WAITING: Final = 5000
"""How many deliveries may wait for it before it rests: the workers need no more, and the queue stays short."""

_TAKES_BACK: Final = ("undo", "rebind")
"""After these, what a run that was stopped had applied is not in the CRM any more."""

_PATIENCE: Final = 20
"""Seconds a worker is given to put an edited mapping in place."""

Show = Callable[[int], None]
"""Shows how many customers and calls were gone through."""


@dataclass(slots=True)
class Reapply:
    """One agency's destinations to which their mappings are applied. say: tells people why it waits.

    source: asked for customers of whom nothing is stored any more.
    """

    store: Store
    file: AgencyFile
    routes: Sequence[Route]
    say: Callable[[str], None]
    source: CareCycle | None = None
    sleep: Callable[[float], None] = time.sleep
    counts: Counter[str] = field(default_factory=Counter)
    run_id: str = ""

    @property
    def agency(self) -> str:
        """The agency's name."""
        return self.file.settings.agency

    def known(self) -> int:
        """How many customers and calls are known."""
        return self.store.reapplying.count(self.agency)

    def run(self, show: Show, *, create: bool) -> None:
        """Make everybody due. create: also where a customer has a record under another key.

        Goes on where the same was stopped. Raises StateChanged, FixConfiguration, FixMapping, StoreUnavailable.
        """
        for route in self.routes:
            self._wait_for_workers(route)
        self.store.lanes.open(lanes_of(partitions_of([self.file])))  # else nobody sees what waits in a new one
        reapplying = self.store.reapplying
        reapplying.know_calls()
        asked = json.dumps({route.name: route.mapping.version for route in self.routes})
        run = self._begin(asked)
        self.run_id, self.counts, number = run.id, Counter(run.counts), reapplying.number(run.started_at)
        plans = [Plan(self.store, route, number) for route in self.routes]
        for part in map(self._fetched, reapplying.parts(self.agency, run.cursor)):
            self._rehearse(part, plans, create=create)
            self._wait_for_room()
            self.counts["due"] += reapplying.make_due(part, [route.name for route in self.routes], self._lane, number)
            self._count(part)
            self.store.runs.note(run.id, part.cursor, self.counts)
            show(sum(self.counts[name] for name in ("customer", "call")))
        self.store.runs.note(run.id, "", self.counts, ended=True)

    def _begin(self, asked: str) -> Run:
        stopped = next((run for run in self.store.runs.all(self.agency, REAPPLY) if run.asked == asked), None)
        run = self.store.runs.begin(secrets.token_hex(8), self.agency, REAPPLY, asked, unless=_TAKES_BACK)
        if run.cursor:
            self.say(f"goes on where run {run.id} was stopped")
        elif stopped and stopped.cursor and stopped.ended_at is None:
            self.say(f"begins again: since run {stopped.id} was stopped, another run, an undo or a rebind came")
        return run

    def plan(self, show: Show) -> list[dict[str, Any]]:
        """Count what it would change. Writes nothing but which calls are stored, and asks no CRM."""
        self.store.reapplying.know_calls()
        number = self.store.reapplying.next_number()
        plans = [Plan(self.store, route, number) for route in self.routes]
        for part in self.store.reapplying.parts(self.agency):
            for plan in plans:
                plan.take(part)
            self._count(part)
            show(sum(self.counts[name] for name in ("customer", "call")))
        return [{**plan.as_data(), "refused_mapping": self._refusal(plan.destination)} for plan in plans]

    def _fetched(self, part: Part) -> Part:
        """Ask careCycle for customers of whom nothing is stored any more. Raises SourceUnusable."""
        if self.source is None or not part.lost:
            return part
        agency, database = bootstrap.open_agencies([self.file])[self.agency], self.store.database
        # Each run keeps its own: what an earlier run fetched may have been purged.
        how = Fetch(
            Origin.CARECYCLE,
            self.run_id,
            lambda text: database.digest(f"{self.run_id} {text}", size=16),
            database.moment(),
        )
        payloads = filter(None, map(self.source.customer, part.lost))
        self.store.fetched.accept([replace(fetched(agency, payload, how), owed=()) for payload in payloads])
        return self.store.reapplying.again(part, self.agency)

    def _count(self, part: Part) -> None:
        self.counts.update(state.kind for state in part.known)
        self.counts.update(f"{state.kind} not stored" for state in part.known if state.size is None)
        self.counts["from calls alone"] += len(part.from_calls_alone)

    def _lane(self, destination: str, spread_by: str) -> str:
        name = destination.partition("/")[2]
        return lane_for(self.agency, name, self.file.settings.destinations[name].partitions, spread_by)

    def _rehearse(self, part: Part, plans: Sequence[Plan], *, create: bool) -> None:
        """Count what a part changes. Raises StateChanged before anything of it is due, if it made second records."""
        for plan in plans:
            self.counts.update({fate.value: count for fate, count in plan.take(part).items()})
            if plan.second and not create:
                kinds = ", ".join(sorted(plan.second))
                raise StateChanged(
                    plan.destination,
                    f"the mapping would create a second {kinds} for customers who have one: was a `key` edited?",
                    "count them with --plan; --create goes on all the same",
                )

    def _wait_for_workers(self, route: Route) -> None:
        """Wait until the workers run the mapping of this file, if any run."""
        for _ in range(_PATIENCE):
            row = next((row for row in self.store.mappings.all() if row.destination == route.name), None)
            if row is None or not self._works():
                return
            if row.version == route.mapping.version and row.refused_at is None:
                return
            self.sleep(1)
        if row is not None and row.refused_at is not None:
            raise FixMapping(route.name, f"the workers refuse its mapping: {row.problem}")
        problem = "the workers run another version of its mapping"
        raise FixConfiguration(route.name, problem, "give them the same file")

    def _refusal(self, destination: str) -> str:
        """Why the workers refuse the destination's mapping; empty if they do not, or none runs."""
        rows = [row for row in self.store.mappings.all() if row.destination == destination and row.refused_at]
        return rows[0].problem if rows and self._works() else ""

    def _works(self) -> bool:
        return works(self.store.processes.all())

    def _wait_for_room(self) -> None:
        names, said = [route.name for route in self.routes], False
        while not self.store.reapplying.room(names, MOST_WAITING):
            if not self._works():
                problem = f"{MOST_WAITING} deliveries wait, and no worker runs"
                raise StateChanged(self.agency, problem, "start connector run: the same command goes on from here")
            if not said:
                self.say(f"{MOST_WAITING} deliveries wait: goes on as they are written")
            said = True
            self.sleep(1)
