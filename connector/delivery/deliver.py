"""Drain one batch of a leased lane: plan, fold, write, settle, record."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Sequence
from collections.abc import Mapping as Read
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

from connector import telemetry
from connector.delivery.budget import Budget
from connector.delivery.consent import States
from connector.delivery.fold import Folded, fold
from connector.delivery.lookups import Lookups
from connector.delivery.plan_ahead import Beforehand, Planned, plan_all
from connector.delivery.settle import (
    Circumstances,
    amend,
    cause,
    consents_after,
    contested,
    halved,
    may_stand,
    pause_for,
    raised_by,
    remembered,
    settle_delivery,
    spoken_in,
    stops_the_line,
    streak_after,
)
from connector.delivery.write import SEARCH_LAG, Writing
from connector.destinations.base import Destination
from connector.errors import DestinationUnusable, LeaseLost
from connector.mapping import Mapping
from connector.model import Entry, RecordKey, Value
from connector.settlement import Remembered, Settled, Settlement, Standing, Theirs
from connector.store import Store
from connector.store.lanes import Lease


@dataclass(frozen=True, slots=True)
class Running:
    """What runs for a destination. barred: why nothing may be sent."""

    mapping: Mapping
    barred: DestinationUnusable | None = None


@dataclass(slots=True)
class Route:
    """One destination as a worker serves it: the CRM, what runs, and what is kept between batches.

    running: replaced as a whole, in one assignment, so that a batch never sees a mapping with another one's bar.
    search_lag: milliseconds after which the CRM's search shows what was written.
    """

    name: str
    destination: Destination
    running: Running
    timezone: str
    search_lag: int = SEARCH_LAG
    lookups: Lookups = field(default_factory=lambda: Lookups(time.monotonic))
    budget: Budget = field(default_factory=Budget)

    @property
    def mapping(self) -> Mapping:
        """The mapping that runs."""
        return self.running.mapping


@dataclass(frozen=True, slots=True)
class Pace:
    """How much a worker takes at once and how long it may hold a lane."""

    batch: int = 1000
    hold_ms: int = 15_000
    clock: Callable[[], float] = time.time
    roll: Callable[[], float] = random.random


def deliver_batch(store: Store, route: Route, lease: Lease, pace: Pace, beforehand: Beforehand | None = None) -> bool:
    """Drain one batch; whether to go on with the next. Raises LeaseLost, StoreUnavailable.

    beforehand: this lane's, kept between batches; without it nothing is planned before its turn.
    """
    _keep_count(store, route, pace)
    route.budget.hear(store.usage, int(pace.clock() * 1000))
    try:
        return _deliver(store, route, lease, pace, beforehand)
    finally:
        _keep_count(store, route, pace)


def _keep_count(store: Store, route: Route, pace: Pace) -> None:
    route.budget.keep(store.usage, route.destination.usage, int(pace.clock() * 1000))


def _deliver(store: Store, route: Route, lease: Lease, pace: Pace, beforehand: Beforehand | None) -> bool:
    known = beforehand.events if beforehand else {}
    due = store.inbox.due(lease.lane, pace.batch, opened=known)
    if not due:
        return False
    running = route.running  # an edited mapping may replace it at any time: a batch keeps what it began with
    if running.barred:
        rest(store, lease, running.barred, pace)
        return False
    mapping = running.mapping
    planned, unplanned = plan_all(due, mapping, route.timezone, beforehand)
    messages = {delivery.id: delivery.event.message_id for delivery in due}
    batch = _Batch(store, route, lease, pace, mapping.version, messages)
    if beforehand and len(due) == pace.batch:
        next_due = partial(store.inbox.due, lease.lane, pace.batch, after=pace.batch)
        batch.meanwhile = partial(beforehand.making, next_due, mapping, route.timezone)
    going = batch.drain(planned, unplanned)
    turns = halved(batch.contested)
    while going and turns:
        going = batch.drain(turns[0], again=True)
        turns = halved(batch.contested) + turns[1:]
    return going


def rest(store: Store, lease: Lease, cause: DestinationUnusable, pace: Pace) -> None:
    """Let the lane rest without touching a delivery. Raises LeaseLost."""
    pause = pause_for(cause, lease.failures, pace.roll())
    store.lanes.settle(lease, Settlement("", pause=pause), pace.hold_ms)
    telemetry.lane_paused(lease.lane, lease.destination, pause.code, pause.problem, pause.wait_ms / 1000)


class Known(Protocol):
    """What is known before a batch of what was written, and of consent. The store's ledger, for one."""

    def entries(self, destination: str, keys: Collection[RecordKey]) -> Read[RecordKey, Entry]:
        """The entries of these records; a record never written is not in the answer."""
        ...

    def consents(self, destination: str, customers: Collection[str]) -> Read[str, States]:
        """customer id -> flag -> what is known."""
        ...


def prepare(
    planned: Planned,
    route: Route,
    known: Known,
    digest_text: Callable[[str], str],
    intend: Callable[[Sequence[Remembered]], None],
    now: Callable[[], int],
    gate: Callable[[], None] = lambda: None,
) -> tuple[list[Folded], dict[str, States], Writing]:
    """What a batch asks of each record, what is known of consent after it, and the writing of it, not yet begun."""

    known_digests: dict[tuple[type, Value], str] = {}  # a value is asked about again and again within a batch

    def digest(value: Value) -> str:
        one = (type(value), value)
        if one not in known_digests:
            known_digests[one] = digest_text(route.destination.normal(value))
        return known_digests[one]

    customers = {one.customer_id for _, one in planned if one.customer_id is not None}
    folded, states = fold([(delivery.id, one) for delivery, one in planned], known.consents(route.name, customers))
    entries = known.entries(route.name, {write.key for _, one in planned for write in one.writes})
    lag = route.search_lag
    return folded, states, Writing(route.destination, route.lookups, digest, entries, states, intend, now, lag, gate)


@dataclass(frozen=True, slots=True)
class _Written:
    """A batch as the CRM answered it. started: the worker's clock before the first call, seconds."""

    standing: Standing
    folded: list[Folded]
    states: dict[str, States]
    writing: Writing
    started: float


@dataclass(slots=True)
class _Batch:
    """What is due, on its way through one lease.

    contested: merged into writes that were refused, settled by nobody. meanwhile: goes on while the CRM is written to
    for the first time.
    """

    store: Store
    route: Route
    lease: Lease
    pace: Pace
    version: str
    messages: dict[int, str]
    contested: Planned = field(default_factory=list)
    meanwhile: Callable[[], AbstractContextManager[None]] = nullcontext

    def drain(self, planned: Planned, unplanned: Sequence[Settled] = (), *, again: bool = False) -> bool:
        """Write, settle and record; whether the lane goes on. again: a part of what was refused as a whole."""

        def settled(written: _Written) -> Settlement:
            now = self.pace.clock()
            around = Circumstances(int(now * 1000), self.pace.roll, int((now - written.started) * 1000))
            settlement = self._settlement(written, planned, around, again)
            return replace(settlement, settled=[*unplanned, *settlement.settled])

        return self._carry(planned, settled)

    def _carry(self, planned: Planned, settled: Callable[[_Written], Settlement]) -> bool:
        """Write, and record the settlement of what was written; whether the lane goes on."""
        standing, started = self.store.lanes.standing(self.lease), self.pace.clock()
        folded, states, writing = self._prepare(planned)
        try:
            with self.meanwhile():
                self.meanwhile = nullcontext
                writing.run(folded)
            settlement = settled(_Written(standing, folded, states, writing, started))
            paused = self.store.lanes.settle(self.lease, settlement, self.pace.hold_ms)
        except LeaseLost:
            self._make_good(writing, standing)
            raise
        _tell(self.lease, self.messages, settlement)
        return not paused

    def _allowed(self) -> None:
        """Raises DestinationUnusable where the day's API calls are used up."""
        self.route.budget.check(self.route.destination.usage, int(self.pace.clock() * 1000))

    def _prepare(self, planned: Planned) -> tuple[list[Folded], dict[str, States], Writing]:
        def intend(meant: Sequence[Remembered]) -> None:
            self.store.lanes.intend(self.lease, meant, self.pace.hold_ms)

        def now() -> int:
            return int(self.pace.clock() * 1000)

        digest = self.store.database.digest
        return prepare(planned, self.route, self.store.ledger, digest, intend, now, self._allowed)

    def _make_good(self, writing: Writing, standing: Standing) -> None:
        """Another worker took over while this one wrote: see what is in the CRM, and who has to write again."""
        late = [answer for answer in writing.sent if may_stand(writing.answers.get(answer.folded.write.key))]
        if late:
            amended = {answer.folded.write.key: partial(amend, answer, writing.digest) for answer in late}
            customers = {one.folded.customer_id for one in late if one.folded.customer_id is not None}
            theirs = Theirs(customers, [delivery for one in late for delivery in one.folded.deliveries])
            self.store.lanes.overtaken(self.lease, amended, theirs, standing.at)

    def _settlement(self, written: _Written, planned: Planned, around: Circumstances, again: bool) -> Settlement:
        standing, answers, unusable = written.standing, written.writing.answers, written.writing.unusable
        refused = streak_after(standing.refused, answers.values(), counting=not again)
        if stopped := stops_the_line(self.lease.lane, refused, answers.values()):
            unusable, answers = stopped, {key: one for key, one in answers.items() if cause(one) != refused.cause}
        shared = contested(answers.values())
        self.contested = [pair for pair in planned if pair[0].id in shared]
        asked = {one.write.key for one in written.folded}
        settled = (settle_delivery(one, its, asked, answers, around) for one, its in planned if one.id not in shared)
        return Settlement(
            self.version,
            [one for one in settled if one is not None],
            remembered(answers.values(), written.writing.digest),
            consents_after(written.states, written.writing.answers.values()),
            list(raised_by(written.writing.answers.values())),
            pause_for(unusable, standing.failures, around.roll()) if unusable else None,
            refused,
            owed=list(spoken_in(planned, self.lease.destination)),
        )


def _tell(lease: Lease, messages: dict[int, str], settlement: Settlement) -> None:
    for one in settlement.settled:
        fields = tuple(sorted({name for note in one.records for name in note.fields}))
        telemetry.delivery_settled(lease.destination, messages[one.delivery_id], one.outcome, one.why.code, fields)
    if pause := settlement.pause:
        telemetry.lane_paused(lease.lane, lease.destination, pause.code, pause.problem, pause.wait_ms / 1000)
