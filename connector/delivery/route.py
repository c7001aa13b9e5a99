"""One destination as a worker serves it, and how much of it at once."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from connector.backoff import SECOND
from connector.crm import CrmAccount
from connector.delivery.budget import Budget
from connector.delivery.fitting import Describing
from connector.delivery.lookups import Lookups
from connector.delivery.share import Shares
from connector.delivery.write import SEARCH_LAG
from connector.destinations.base import Destination
from connector.errors import DestinationUnusable
from connector.mapping import Mapping
from connector.store.clock import RemoteClock
from connector.store.database import Database


@dataclass(frozen=True, slots=True)
class Running:
    """What runs for a destination. barred: why this mapping may send nothing."""

    mapping: Mapping
    barred: DestinationUnusable | None = None


@dataclass(slots=True)
class Route:
    """One destination as a worker serves it: the CRM, what runs, and what is kept between batches.

    running: replaced as a whole, in one assignment, so that a batch never sees a mapping with another mapping's bar.
    search_lag: milliseconds after which the CRM's search shows what was written.
    describing: what knows the CRM's own schema; None where nobody asks for it.
    account: the one served last. ask_again_at: when to ask again whose account it is, in monotonic seconds.
    clock: the CRM's own, from the dates of its replies. undo: whether what the CRM had before is kept for a while.
    """

    name: str
    destination: Destination
    running: Running
    timezone: str
    search_lag: int = SEARCH_LAG
    lookups: Lookups = field(default_factory=lambda: Lookups(time.monotonic))
    budget: Budget = field(default_factory=Budget)
    describing: Describing | None = field(default=None, repr=False)
    account: CrmAccount | None = None
    ask_again_at: float = 0.0
    clock: RemoteClock = field(default_factory=RemoteClock)
    undo: bool = False

    def begin(self) -> Running:
        """Return what a batch runs to its end, whatever mapping replaces it meanwhile."""
        missing = self.describing.missing() if self.describing else None
        running = self.running
        return replace(running, barred=missing) if missing else running

    @property
    def mapping(self) -> Mapping:
        """The mapping that runs."""
        return self.running.mapping

    def time(self, database: Database) -> int:
        """Return the CRM's time, which judges its search and its daily limit (epoch ms), or else the database's."""
        crm_time = self.clock.now()
        return database.time() if crm_time is None else int(crm_time * SECOND)


@dataclass(frozen=True, slots=True)
class Pace:
    """How much a worker takes at once, and how long it may hold a lane.

    part: deliveries of a batch recorded in one commit; on SQLite new events wait for it. tick: monotonic seconds.
    shares: of all lanes of this worker.
    """

    batch: int = 2000
    hold_ms: int = 15_000
    part: int = 50
    tick: Callable[[], float] = time.monotonic
    roll: Callable[[], float] = random.random
    shares: Shares = field(default_factory=Shares)
