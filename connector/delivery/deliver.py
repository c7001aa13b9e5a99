"""Drain one batch of a leased lane: plan, fold, write, settle, record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial

from connector import backoff, telemetry
from connector.delivery.answer import Answer, duplicated, to_deliver_again
from connector.delivery.consent import States
from connector.delivery.counting import with_counts
from connector.delivery.fold import Folded
from connector.delivery.held import given_up
from connector.delivery.in_flight import in_flight
from connector.delivery.isolate import IN_A_ROW, Search, Sent, blamed, passes_by_itself, unanswered, worth_a_search
from connector.delivery.keep_apart import released
from connector.delivery.oddities import not_translated
from connector.delivery.pausing import cause, pause_for, stops_the_line, streak_after
from connector.delivery.plan_ahead import Planned, PlannedAhead, plan_all
from connector.delivery.prepare import prepare
from connector.delivery.questions import answered_by, asked_by
from connector.delivery.read_later import ReadLater
from connector.delivery.remember import amend, may_stand, remembered
from connector.delivery.route import Pace, Route
from connector.delivery.settle import (
    Answers,
    Circumstances,
    consents_after,
    contested,
    halved,
    nothing_opens,
    owed_by,
    raised_by,
    set_aside,
    settle_delivery,
)
from connector.delivery.share import Share
from connector.delivery.write import Writing
from connector.errors import OF_ONE_EVENT, DestinationUnusable, LeaseLost, PauseReason, StoreUnavailable
from connector.model import Delivery, Plan
from connector.settlement import Remembered, Settled, Settlement, Standing, Streak, Theirs
from connector.settlement.parts import in_parts
from connector.store import Store
from connector.store.lanes import Lease


def deliver_batch(
    store: Store,
    route: Route,
    lease: Lease,
    pace: Pace,
    ahead: PlannedAhead | None = None,
    later: ReadLater | None = None,
) -> bool:
    """Drain one batch; return whether to go on. Raises LeaseLost, StoreUnavailable.

    ahead: the lane's plans made ahead, kept between batches; None plans each batch in its own turn.
    later: its new records to read when the lane has nothing else to do; None reads those of each batch at once.
    """
    keep_count(store, route, pace)
    route.budget.hear(store.usage, route.time(store.database))
    try:
        with pace.shares.taken() as share:
            going = _deliver(store, route, lease, pace, ahead, later, share)
        if later and later.is_due(pace.tick()):
            read_waiting(store, route, lease, pace, later)
        return going
    finally:
        keep_count(store, route, pace)


def read_waiting(store: Store, route: Route, lease: Lease, pace: Pace, later: ReadLater) -> None:
    """Read the new records that wait for it, and count the calls. Raises LeaseLost, StoreUnavailable."""
    if later.waiting:
        later.read(store, route, lease, pace)
        keep_count(store, route, pace)


def keep_count(store: Store, route: Route, pace: Pace) -> None:
    """Store the API calls made since the last count. Raises StoreUnavailable."""
    route.budget.keep(store.usage, route.destination.usage, route.time(store.database))


def _deliver(
    store: Store,
    route: Route,
    lease: Lease,
    pace: Pace,
    ahead: PlannedAhead | None,
    later: ReadLater | None,
    share: Share,
) -> bool:
    limit, inbox = min(pace.batch, share.deliveries), store.inbox
    listed = inbox.listed(lease.lane, limit, most=share.bytes)
    if not listed:
        return False
    running = route.begin()
    if running.barred:
        rest(store, lease, running.barred, pace)
        return False
    mapping = running.mapping
    opened = inbox.opening(listed, ahead.known(mapping) if ahead else {})
    planned, unplanned = plan_all(opened, mapping, route.timezone, ahead)
    planned = with_counts(planned, lambda plans: store.counting.count(lease, plans, pace.hold_ms))
    messages = {waiting.id: waiting.message_id for waiting in listed}
    batch = _Batch(store, route, lease, pace, mapping.version, messages, later)
    if ahead and share.ahead and len(listed) == limit:
        next_due = partial(inbox.next, lease.lane, limit, share.bytes)
        batch.meanwhile = partial(ahead.making, next_due, mapping, route.timezone)
    if worth_a_search(lease.paused_for, lease.failures) and (failures := store.lanes.standing(lease).failures):
        return batch.isolate(planned, unplanned, failures)
    return _drain_all(batch, planned, unplanned)


def _drain_all(batch: _Batch, planned: Planned, unplanned: Sequence[Settled]) -> bool:
    """Drain a batch, and what was refused as a whole in ever smaller parts; return whether the lane goes on."""
    going = batch.drain(planned, unplanned)
    parts = halved(batch.contested)
    while going and parts and not batch.failed:
        going = batch.drain(parts[0], again=True)
        parts = halved(batch.contested) + parts[1:]
    return going


def rest(store: Store, lease: Lease, cause: DestinationUnusable, pace: Pace) -> None:
    """Pause the lane without touching a delivery. Raises LeaseLost."""
    pause = pause_for(cause, store.lanes.standing(lease), pace.roll())
    store.lanes.settle(lease, Settlement("", pause=pause), pace.hold_ms)
    telemetry.lane_paused(lease.lane, lease.destination, pause.code, pause.problem, pause.wait_ms / 1000)


def fault_in(lane: str, act: Callable[[], object]) -> DestinationUnusable | None:
    """Act; return the error that pauses the lane if a bug of ours stops it. Raises LeaseLost, StoreUnavailable."""
    try:
        act()
    except (LeaseLost, StoreUnavailable):
        raise
    except Exception as error:  # noqa: BLE001  # a bug of ours must stop this lane, loudly, not the worker
        problem = f"the connector itself failed ({telemetry.place(error)}): please report it as a bug"
        return DestinationUnusable(lane, PauseReason.FAULT, problem)
    return None


@dataclass(frozen=True, slots=True)
class _Written:
    """A batch as the CRM answered it. started: monotonic seconds before the first call."""

    standing: Standing
    folded: list[Folded]
    states: dict[str, States]
    writing: Writing
    started: float


@dataclass(slots=True)
class _Batch:
    """What is due, on its way through one lease.

    contested: deliveries merged into writes that were refused, not settled yet. meanwhile: runs beside the first write.
    searching: for the deliveries that make the CRM fail as a whole. failed: why it did last. answered: whether it
    answered. settled: the deliveries that need no more.
    """

    store: Store
    route: Route
    lease: Lease
    pace: Pace
    version: str
    messages: dict[int, str]
    later: ReadLater | None = None
    contested: Planned = field(default_factory=list)
    meanwhile: Callable[[], AbstractContextManager[None]] = nullcontext
    searching: bool = False
    failed: DestinationUnusable | None = None
    answered: bool = False
    settled: set[int] = field(default_factory=set)

    def isolate(self, planned: Planned, unplanned: Sequence[Settled], failures: int) -> bool:
        """Settle everything but what makes the CRM fail as a whole, and set that aside; return whether to go on."""
        self.searching, self.meanwhile = True, nullcontext
        if unplanned:
            self.drain([], unplanned)
        self._hear(planned)
        error = Search(self._send, self._set_aside).run(planned, failures)
        if error is None:
            standing = self.store.lanes.standing(self.lease)
            through = Settlement(self.version, refused=standing.refused, proven=bool(self.settled))
            self.store.lanes.settle(self.lease, through, self.pace.hold_ms)
            return True
        if error.reason in OF_ONE_EVENT:
            few = len(planned) <= IN_A_ROW  # nothing else came that could show whether they are the cause
            if few and backoff.exhausted(failures, planned[0][0].first_at, self._now()):
                self._set_aside(planned[0], error)
            rest(self.store, self.lease, error, self.pace)
        return False

    def _hear(self, planned: Planned) -> None:
        """Record what all of it says of consent: an older event that goes alone exposes nobody."""
        _, states, _ = self._prepare(planned)
        self._keep(Settlement(self.version, consents=states, probing=True), planned)

    def _send(self, part: Sequence[tuple[Delivery, Plan]]) -> Sent | DestinationUnusable:
        """Drain a part; return why the CRM failed as a whole, which pauses nothing if one event may be the cause."""
        self.failed, self.answered = None, False
        left = [pair for pair in part if pair[0].id not in self.settled]
        fault = fault_in(self.lease.lane, lambda: _drain_all(self, left, []))
        return fault or self.failed or (Sent.ANSWERED if self.answered else Sent.NOTHING_TO_SEND)

    def _set_aside(self, pair: tuple[Delivery, Plan], error: DestinationUnusable) -> None:
        around = Circumstances(self._now(), self.pace.roll)
        settled = set_aside(pair[0], blamed(error), around, later=passes_by_itself(error))
        settlement = Settlement(self.version, [settled], probing=True)
        self.store.lanes.settle(self.lease, settlement, self.pace.hold_ms)
        _report(self.lease, self.messages, settlement)

    def _now(self) -> int:
        return self.store.database.time()

    def _crm_time(self) -> int:
        return self.route.time(self.store.database)

    def drain(self, planned: Planned, unplanned: Sequence[Settled] = (), *, again: bool = False) -> bool:
        """Write, settle and record; return whether the lane goes on. again: this is part of a refused whole."""

        def settled(written: _Written) -> Settlement:
            duration = int((self.pace.tick() - written.started) * 1000)
            nothing = nothing_opens(planned, unplanned)
            around = Circumstances(self._now(), self.pace.roll, duration, nothing)
            settlement = self._settlement(written, planned, around, again)
            lost = not_translated(planned, settlement.settled, self.route.name, around.now)
            return replace(settlement, settled=[*unplanned, *settlement.settled], oddities=list(lost))

        return self._carry(planned, settled)

    def _carry(self, planned: Planned, settled: Callable[[_Written], Settlement]) -> bool:
        """Write, and record the settlement of what was written; return whether the lane goes on."""
        standing, started = self.store.lanes.standing(self.lease), self.pace.tick()
        folded, states, writing = self._prepare(planned)
        try:
            with self.meanwhile():
                self.meanwhile = nullcontext
                writing.run(folded)
            settlement = settled(_Written(standing, folded, states, writing, started))
            paused = self._keep(settlement, planned)
        except LeaseLost:
            self._reopen(writing, standing)
            raise
        return not paused

    def _keep(self, settlement: Settlement, planned: Planned) -> bool:
        """Record a settlement part by part, so that new events never wait long; return whether the lane is paused."""
        paused = False
        for part in in_parts(settlement, planned, self.pace.part):
            paused = self.store.lanes.settle(self.lease, part, self.pace.hold_ms)
            _report(self.lease, self.messages, part)
            self.store.database.give_way()
        if self.later and paused:
            self.later.forget()
        elif self.later:
            self.later.add(settlement.remembered, self.pace.tick())
        return paused

    def _allowed(self) -> None:
        """Raise DestinationUnusable where the day's API calls are used up."""
        self.route.budget.check(self.route.destination.usage, self._crm_time())

    def _prepare(self, planned: Planned) -> tuple[list[Folded], dict[str, States], Writing]:
        def intend(meant: Sequence[Remembered]) -> None:
            for at in range(0, max(len(meant), 1), self.pace.part):  # none still shows that the lease is held
                self.store.lanes.intend(self.lease, meant[at : at + self.pace.part], self.pace.hold_ms)
                self.store.database.give_way()

        digest = self.store.database.digest
        ledger, version = self.store.ledger, self.version
        how = (ledger, digest, intend, self._crm_time, self._allowed)
        return prepare(planned, self.route, *how, version=version, later=self.later is not None)

    def _reopen(self, writing: Writing, standing: Standing) -> None:
        """Undo certainty after a takeover: mark what the CRM may hold now, and what must be written again."""
        late = [answer for answer in writing.sent if may_stand(writing.answers.get(answer.folded.write.key))]
        if late:
            amended = {answer.folded.write.key: partial(amend, answer, writing.digest) for answer in late}
            customers = {answer.folded.customer_id for answer in late if answer.folded.customer_id is not None}
            theirs = Theirs(customers, [delivery for answer in late for delivery in answer.folded.deliveries])
            self.store.lanes.overtaken(self.lease, amended, theirs, standing.at)

    def _settlement(self, written: _Written, planned: Planned, around: Circumstances, again: bool) -> Settlement:
        answers, refused, unusable = self._judged(written, again)
        shared = contested(answers.values())
        self.contested = [pair for pair in planned if pair[0].id in shared]
        asked = {folded.write.key for folded in written.folded}
        ends = [
            done
            for delivery, plan in planned
            if delivery.id not in shared and (done := settle_delivery(delivery, plan, asked, answers, around))
        ]
        self.settled.update(done.delivery_id for done in ends)
        return Settlement(
            self.version,
            ends,
            remembered(answers.values(), written.writing.digest),
            consents_after(written.states, written.writing.answers.values()),
            list(raised_by(written.writing.answers.values())),
            pause_for(unusable, written.standing, around.roll()) if unusable and self._stops(unusable) else None,
            refused,
            proven=unusable is None and self.answered,
            probing=self.searching,
            owed=list(owed_by(planned, self.lease.destination)),
            again=to_deliver_again(answers.values()),
            duplicated=duplicated(answers.values(), self.route.destination.crm.duplicated),
            asked=list(asked_by(answers.values())),
            answered=list(answered_by(answers.values())),
            released=list(released(answers.values())),
            freed=given_up(answers.values(), written.writing.digest(None)),
        )

    def _judged(self, written: _Written, again: bool) -> tuple[Answers, Streak, DestinationUnusable | None]:
        """Return the answers to settle, the streak of rejections, and why the account cannot be used."""
        answers, unusable = written.writing.answers, written.writing.unusable
        if unusable is None and (unusable := self._unanswered(list(answers.values()))):
            answers = {key: answer for key, answer in answers.items() if answer.outcome is None}
        refused = streak_after(written.standing.refused, answers.values(), counting=not again)
        if stopped := stops_the_line(self.lease.lane, refused, answers.values()):
            unusable = stopped
            answers = {key: answer for key, answer in answers.items() if cause(answer) != refused.cause}
        self.failed, self.answered = unusable, self.answered or any(answer.outcome for answer in answers.values())
        return answers, refused, unusable

    def _unanswered(self, answers: Sequence[Answer]) -> DestinationUnusable | None:
        codes, sent = self.route.destination.crm.unaccounted, [answer for answer in answers if answer.outcome]
        error = unanswered(self.lease.lane, [answer.outcome for answer in sent], codes, alone=self.searching)
        if error:
            error.in_flight = in_flight(sent[0].folded, sent[0].crm_id, len(sent))
        return error

    def _stops(self, unusable: DestinationUnusable) -> bool:
        """Whether the lane pauses for this at once, instead of a search for the event that causes it."""
        return not (self.searching and unusable.reason in OF_ONE_EVENT)


def _report(lease: Lease, messages: dict[int, str], settlement: Settlement) -> None:
    for settled in settlement.settled:
        fields = tuple(sorted({name for note in settled.records for name in note.fields}))
        message = messages[settled.delivery_id]
        telemetry.delivery_settled(lease.destination, message, settled.outcome, settled.why.code, fields)
    for oddity in settlement.oddities:
        telemetry.value_not_translated(oddity.destination, oddity.field)
    if pause := settlement.pause:
        telemetry.lane_paused(lease.lane, lease.destination, pause.code, pause.problem, pause.wait_ms / 1000)
