"""Lanes and their leases: who drains what, until when, and what a drained batch leaves behind."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Executable, Row, select, update

from connector.errors import ACCOUNT_WIDE, LeaseLost, PauseReason, WentBack
from connector.model import RecordKey
from connector.settlement import (
    UNOPENABLE,
    DeliveryState,
    Pause,
    Remembered,
    Settled,
    Settlement,
    Standing,
    Streak,
    Theirs,
)
from connector.settlement.claiming import each_to_one
from connector.settlement.previous import Step
from connector.settlement.siblings import OFTEN_THE_ACCOUNTS, Sibling, free, pauses_of_account, share
from connector.store.commits import Commits
from connector.store.crm_tables import accounts
from connector.store.database import Database
from connector.store.dialect import insert
from connector.store.lane_statements import LaneStatements
from connector.store.ledger import Amend, Ledger
from connector.store.notes import cause_as_text, fields_as_text, notes_as_text, read_cause
from connector.store.obligations import Obligations
from connector.store.oddities import Oddities
from connector.store.open_items import OpenItems
from connector.store.previous import Previous
from connector.store.questions import Questions
from connector.store.rows import as_rows
from connector.store.siblings import Siblings
from connector.store.tables import READY, STATE, deliveries, events, lanes

MOST_TRIES: Final = 10
"""How often a delivery is tried before it is no longer delivered again for what a merge or deletion lost."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A worker's claim on a lane. `failures` counts the pauses in a row that led here: a lane with any is probing.

    obligations_only: the lane is paused, for something that does not hold opt-outs now, and only they may go out.
    paused_for: the code of the lane's last pause, if nothing was delivered since.
    """

    lane: str
    destination: str
    token: str
    failures: int = 0
    obligations_only: bool = False
    paused_for: str = ""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A lane in which something waits. wait_ms: until it may be leased. opt_outs: it owes one now.

    since: when its last lease ended, epoch ms. trying: its account may be down, so that one lane at a time is leased.
    """

    name: str
    destination: str
    wait_ms: int
    opt_outs: bool
    since: int
    trying: bool


class Lanes:
    """Leases lanes and records what a lease's holder did. Every change is guarded by the lease's token."""

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        obligations: Obligations,
        oddities: Oddities,
        open_items: OpenItems,
        questions: Questions,
        commits: Commits,
    ) -> None:
        self._db, self._ledger, self._obligations, self._commits = database, ledger, obligations, commits
        self._oddities, self._open_items, self._questions = oddities, open_items, questions
        self._sql, self._siblings = LaneStatements(database.sql), Siblings(database)
        self.previous = Previous(database, ledger.key_digest)

    def open(self, names: Mapping[str, str]) -> None:
        """Make sure these lanes exist: lane -> destination. A process that starts may have been given another key."""
        rows = [{"name": name, "destination": destination} for name, destination in names.items()]
        locked = (deliveries.c.lane.in_(list(names)), deliveries.c.state == READY, deliveries.c.code == UNOPENABLE)
        with self._db.transaction() as connection:
            connection.execute(insert(self._db.engine, lanes).on_conflict_do_nothing(), rows)
            connection.execute(update(deliveries).where(*locked).values(due_at=self._db.now()))

    def lease(self, owner: str, names: Iterable[str], hold_ms: int) -> Lease | None:
        """Claim the lane among `names` that waited longest and owes something now; None when there is none.

        One that waits for the day's API calls is claimed for what raises an opt-out.
        """
        self._commits.check_new_connections()
        wanted = list(names) if self._ledger.rewriting.is_done() else []
        claimed = {"names": wanted, "me": owner, "new_token": secrets.token_hex(16), "hold": hold_ms}
        with self._db.transaction() as connection:
            row = connection.execute(self._sql.claim, claimed).first()
        return (
            Lease(row.name, row.destination, row.token, row.failures, bool(row.paused), row.pause_code) if row else None
        )

    def renew(self, leases: Sequence[Lease], hold_ms: int) -> None:
        """Hold these lanes for longer. A lease already lost stays lost: settling raises LeaseLost."""
        if held := as_rows([{"name": lease.lane, "token": lease.token} for lease in leases]):
            with self._db.transaction() as connection:
                connection.execute(self._sql.renew_all, {**held, "hold": hold_ms})

    def release(self, lease: Lease) -> None:
        """Give the lane back at once. A lease already lost is left alone."""
        with self._db.transaction() as connection:
            connection.execute(self._sql.release, _mine(lease))

    def standing(self, lease: Lease) -> Standing:
        """The lane's failures and streak before a batch. Raises LeaseLost when another worker holds the lane now."""
        with self._db.reading() as connection:
            row = connection.execute(self._sql.standing, _mine(lease)).first()
            siblings = self._siblings.read(connection, lease.destination) if lease.paused_for in ACCOUNT_WIDE else ()
        if row is None:
            raise _lost(lease)
        streak = Streak(read_cause(row.refused_cause), row.refused_count)
        return Standing(row.failures, streak, row.at, pauses_of_account(siblings))

    def intend(self, lease: Lease, meant: Sequence[Remembered], hold_ms: int) -> None:
        """Keep marks before a write, and hold the lane for longer. Raises LeaseLost, keeping nothing."""
        entries, before = self._ledger.rows(lease.destination, meant), self.previous.rows(lease.destination, meant)
        with self.holding(lease, hold_ms) as connection:
            self._ledger.remember(connection, entries)
            self.previous.keep(connection, before)

    def take(self, owner: str, lane: str, hold_ms: int) -> Lease | None:
        """Claim a lane that nobody holds, whether or not it is paused or owes anything; None if it is held."""
        claimed = {"the_lane": lane, "me": owner, "new_token": secrets.token_hex(16), "hold": hold_ms}
        with self._db.transaction() as connection:
            row = connection.execute(self._sql.take, claimed).first()
        return Lease(row.name, row.destination, row.token, row.failures) if row else None

    def note_undo(
        self, lease: Lease, steps: Sequence[Step], hold_ms: int, *, whole: bool = True
    ) -> frozenset[tuple[str, str]]:
        """Keep what an undo is about to do, or did, and hold the lane for longer; see `Previous.note`.

        Raises LeaseLost, keeping nothing.
        """
        with self.holding(lease, hold_ms) as connection:
            return self.previous.note(connection, lease.destination, steps, whole=whole)

    def overtaken(
        self,
        lease: Lease,
        amended: Mapping[RecordKey, Amend],
        theirs: Theirs,
        since: int,
        also: Callable[[Connection], None] = lambda connection: None,
    ) -> None:
        """Repair what a worker wrote to the CRM after losing its lease: older values may have replaced newer ones.

        The ledger is corrected, and deliveries to the same customers since (the store's clock, ms) are due again.
        The lane's present holder decided without knowing this, so it loses its lease too; the lane rests until that
        lease would have expired, so that two late workers cannot keep undoing each other's work.
        """
        events_of = select(events.c.id).where(events.c.customer_id.in_(theirs.customers))
        again = (
            update(deliveries)
            .where(
                deliveries.c.destination == lease.destination,
                deliveries.c.event_id.in_(events_of) | deliveries.c.id.in_(theirs.deliveries),
                STATE.in_((DeliveryState.DELIVERED, DeliveryState.SUPERSEDED)),
                deliveries.c.settled_at >= since,
            )
            .values(state=DeliveryState.READY, due_at=self._db.now())
        )
        moved = select(accounts.c.account).where(accounts.c.destination == lease.destination, accounts.c.since > since)
        with self._db.waking() as connection:
            connection.execute(update(lanes).where(lanes.c.name == lease.lane).values(token=""))
            if connection.execute(moved).first():  # the ledger is another account's now
                return
            self._ledger.amend(connection, lease.destination, amended)
            also(connection)
            connection.execute(again)

    def settle(self, lease: Lease, settlement: Settlement, hold_ms: int) -> bool:
        """Record a batch, or part of one; renew the lease or pause the lane. Returns whether the lane is paused now.

        Raises LeaseLost, recording nothing, when another worker holds the lane now.
        """
        ends = as_rows([_end(settled, settlement) for settled in settlement.settled])
        tries = as_rows([_attempt(settled, settlement) for settled in settlement.settled])
        consents = self._ledger.consent_rows(lease.destination, settlement.consents)
        remembered = each_to_one(settlement.remembered)
        entries = self._ledger.rows(lease.destination, remembered)
        items = self._ledger.items(lease.destination, settlement.remembered)
        confirmed = self._ledger.claims.confirmed(lease.destination, remembered)
        released = self._ledger.claims.rows(lease.destination, settlement.released)
        owed = self._obligations.rows((obligation, lease.lane) for obligation in settlement.owed)
        payments = self._obligations.payments(settlement.payments)
        oddities = self._oddities.rows(settlement.oddities)
        asked = self._ledger.asked(lease.destination, settlement.asked)
        answered = self._ledger.answered(lease.destination, settlement.answered)
        with self.holding(lease) as connection:  # on SQLite, accepting events waits for it: only writes in here
            paused, freed = self._fence_after(connection, lease, settlement, hold_ms)
            self._deliver_again(connection, lease.destination, settlement.again)
            if ends:
                connection.execute(self._sql.settle, ends)
                connection.execute(self._sql.attempt, tries)
            self._obligations.hold(connection, lease.destination, _concerned(settlement))
            self._ledger.lose(connection, lease.destination, settlement.gone)
            self._ledger.remember(connection, entries)
            self._ledger.claims.settle(connection, confirmed, released)
            self.previous.confirm(connection, lease.destination, remembered)
            self._open_items.settle(connection, *items)
            self._open_items.held.free(connection, lease.destination, settlement.freed)
            self._questions.ask(connection, lease.destination, asked)
            self._questions.answer(connection, lease.destination, answered)
            self._ledger.remember_consents(connection, consents)
            self._ledger.witness(connection, lease.destination, settlement.raised)
            self._obligations.owe(connection, owed)
            self._obligations.note_spoken(connection, settlement.owed)
            self._obligations.applied(connection, lease.destination, settlement.raised)
            self._obligations.owe_again(connection, lease.destination, _losing(settlement))
            self._obligations.wake(connection, lease.destination, _woken(settlement))
            self._obligations.reopen(connection, lease.destination, settlement.duplicated)
            self._obligations.settle(connection, payments)
            self._oddities.add(connection, oddities)
        if freed:
            with self._db.waking() as connection:
                self._obligations.wake_owed(connection, [lease.lane, *freed])
        return paused

    @contextmanager
    def holding(self, lease: Lease, hold_ms: int = 0) -> Iterator[Connection]:
        """A commit that holds the lane for longer. Raises LeaseLost, also where the database is an older one now."""
        try:
            with self._db.transaction() as connection:
                if hold_ms:
                    self._fence(connection, lease, self._sql.renew, {"hold": hold_ms})
                yield connection
                committed = self._commits.count(connection, lease.lane)
        except WentBack:
            self._commits.went_back()
            raise _lost(lease) from None
        committed()

    def _deliver_again(self, connection: Connection, destination: str, since: Mapping[str, int]) -> None:
        """Make delivered events due again; one that was tried MOST_TRIES times is left alone, so that this ends."""
        for customer, at in since.items():
            theirs = select(events.c.id).where(events.c.customer_id == customer, events.c.source_time >= at)
            again = (
                deliveries.c.destination == destination,
                deliveries.c.event_id.in_(theirs),
                STATE.in_((DeliveryState.DELIVERED, DeliveryState.SUPERSEDED)),
                deliveries.c.attempts < MOST_TRIES,
            )
            ready = {"state": DeliveryState.READY, "due_at": self._db.now()}
            connection.execute(update(deliveries).where(*again).values(ready))

    def _fence_after(
        self, connection: Connection, lease: Lease, settlement: Settlement, hold_ms: int
    ) -> tuple[bool, list[str]]:
        """Change the lane, and others of its account. Returns whether it is paused, and which lanes may go on now."""
        mine, others = Sibling(lease.lane), list[Sibling]()
        if _concerns_others(lease, settlement):
            mine, others = self._siblings.hold(connection, lease.lane, lease.destination)
        refused, pause = settlement.refused, settlement.pause
        streak = {"new_cause": cause_as_text(refused.cause), "new_count": refused.count}
        if pause is not None:
            shared = share(pause.reason, mine, others)
            so_far = {"of_account": pauses_of_account([mine, *others]), "new_own": shared.own}
            paused = self._fence(connection, lease, self._sql.pause, {**streak, **_resting(pause), **so_far})
            self._siblings.pause(connection, shared.names, pause)
            return paused, []
        aside = bool(settlement.payments or settlement.probing)
        if aside:
            kept = self._sql.lift if settlement.proven else self._sql.renew
            paused = self._fence(connection, lease, kept, {"hold": hold_ms})
        else:
            paused = self._fence(connection, lease, self._sql.go_on, {**streak, "hold": hold_ms})
        freed = free(mine, others, only_opt_outs=aside) if settlement.proven else []
        self._siblings.free(connection, freed)
        return paused, [lane.name for lane in freed]

    def waiting(self, names: Iterable[str]) -> list[Waiting]:
        """Those of these lanes in which something waits, and for how long it has to."""
        with self._db.reading() as connection:
            rows = connection.execute(self._sql.waiting, {"names": list(names)}).all()
        return [waiting for row in rows if (waiting := _waiting(row))]

    def next_due_ms(self, names: Iterable[str], longest: int) -> int:
        """Milliseconds until one of these lanes could have work again, at most `longest`."""
        return max(0, min([longest, *(waiting.wait_ms for waiting in self.waiting(names))]))

    def _fence(self, connection: Connection, lease: Lease, change: Executable, values: Mapping[str, Any]) -> bool:
        """Change the lane. Returns whether it is paused. Raises LeaseLost when another worker holds it now."""
        row = connection.execute(change, {**_mine(lease), **values}).first()
        if row is None:
            raise _lost(lease)
        return bool(row.paused)


def _waiting(row: Row[Any]) -> Waiting | None:
    owing = [] if row.obliged is None else [max(row.obliged, row.opt_outs_from, row.busy)]
    dues = (max(due, row.resumes, row.busy) for due in (row.raising, row.plain, row.fetched) if due is not None)
    if not (moments := [*owing, *dues]):
        return None
    owes = any(moment <= row.now for moment in owing)
    trying = row.pause_code in ACCOUNT_WIDE
    return Waiting(row.name, row.destination, min(moments) - row.now, owes, row.leased_until, trying)


def _concerns_others(lease: Lease, settlement: Settlement) -> bool:
    """Whether a settlement may change the other lanes of the account."""
    if settlement.pause is not None:
        return settlement.pause.reason in ACCOUNT_WIDE
    return settlement.proven and lease.paused_for in ACCOUNT_WIDE | OFTEN_THE_ACCOUNTS


def _concerned(settlement: Settlement) -> set[str]:
    """The customers whose opt-outs a settlement changes."""
    paid = {payment.obligation.customer_id for payment in settlement.payments}
    raised = {opt_out.customer_id for opt_out in settlement.raised}
    return paid | raised | {owed.customer_id for owed in settlement.owed} | _woken(settlement)


def _woken(settlement: Settlement) -> set[str]:
    """The customers whose opt-outs are to be looked at again: they have a new record."""
    has_new = {entry.customer_id for entry in settlement.remembered if entry.new and entry.customer_id is not None}
    return has_new | _losing(settlement)


def _losing(settlement: Settlement) -> set[str]:
    """The customers one of whose records the CRM lost, perhaps by merging it into another."""
    return {entry.customer_id for entry in settlement.remembered if entry.lost and entry.customer_id is not None}


def _mine(lease: Lease) -> dict[str, Any]:
    return {"the_lane": lease.lane, "the_token": lease.token}


def _lost(lease: Lease) -> LeaseLost:
    return LeaseLost(lease.lane, "another worker took over, nothing was recorded")


def _resting(pause: Pause) -> dict[str, Any]:
    sent = pause.in_flight
    return {
        "wait": pause.wait_ms,
        "opt_outs_wait": pause.opt_outs_wait,
        "new_pause_code": pause.code,
        "new_pause_reason": pause.problem,
        "new_pause_delivery": sent.delivery_id if sent else None,
        "new_pause_record": sent.record if sent else "",
        "new_pause_object": sent.object if sent else "",
        "new_pause_crm_id": sent.crm_id if sent else "",
        "new_pause_count": sent.count if sent else 0,
        "failed": 0 if pause.reason is PauseReason.BUDGET else 1,  # keeping to the budget is no failure
    }


def _end(settled: Settled, settlement: Settlement) -> dict[str, Any]:
    return {
        "id": settled.delivery_id,
        "state": settled.state,
        "code": settled.why.code,
        "reason": settled.why.cause,
        "action": settled.why.action,
        "fields": fields_as_text(settled.why.fields),
        "record": settled.why.record,
        "mapping_version": settlement.mapping_version,
        "due_at": settled.wait_ms,
    }


def _attempt(settled: Settled, settlement: Settlement) -> dict[str, Any]:
    return {
        "delivery_id": settled.delivery_id,
        "outcome": settled.outcome,
        "code": settled.why.code,
        "records": notes_as_text(settled.records),
        "request_id": settled.request_id,
        "duration_ms": settled.duration_ms,
        "mapping_version": settlement.mapping_version,
    }
