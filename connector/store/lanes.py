"""Lanes and their leases: who drains what, until when, and what a drained batch leaves behind."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    bindparam,
    case,
    exists,
    func,
    or_,
    select,
    update,
)

from connector.errors import LeaseLost
from connector.model import RecordKey
from connector.store.database import Database
from connector.store.dialect import insert
from connector.store.ledger import Amend, Ledger, Remembered
from connector.store.settlement import NO_RECORD, Settled, Settlement, Standing, Streak, Theirs
from connector.store.tables import BUDGET, RAISING, READY, attempts, deliveries, events, lanes

PRIORITIES: Final = (RAISING, 0)

_READY: Final = (deliveries.c.state == READY,)


@dataclass(frozen=True, slots=True)
class Lease:
    """A worker's claim on a lane. `failures` counts the pauses in a row that led here: a lane with any is probing.

    raising: the lane waits for the day's API calls, and only opt-outs may go out.
    """

    lane: str
    destination: str
    token: str
    failures: int = 0
    raising: bool = False


class Lanes:
    """Leases lanes and records what a lease's holder did. Every change is guarded by the lease's token."""

    def __init__(self, database: Database, ledger: Ledger) -> None:
        self._db, self._ledger = database, ledger

    def open(self, names: Mapping[str, str]) -> None:
        """Make sure these lanes exist: lane -> destination."""
        rows = [{"name": name, "destination": destination} for name, destination in names.items()]
        with self._db.transaction() as connection:
            connection.execute(insert(self._db.engine, lanes).on_conflict_do_nothing(), rows)

    def lease(self, owner: str, names: Iterable[str], hold_ms: int) -> Lease | None:
        """Claim the lane among `names` that waited longest and owes something now; None when there is none.

        One that waits for the day's API calls is claimed for what raises an opt-out.
        """
        now, lane = self._db.now(), lanes.alias()
        owes = exists().where(deliveries.c.lane == lane.c.name, *_READY, deliveries.c.due_at <= now)
        may = or_(
            and_(lane.c.paused_until <= now, owes),
            and_(lane.c.pause_code == BUDGET, owes.where(deliveries.c.priority == RAISING)),
        )
        wanted = (
            select(lane.c.name)
            .where(lane.c.name.in_(list(names)), lane.c.leased_until <= now, may)
            .order_by(lane.c.leased_until)
            .limit(1)
        )
        claim = (
            update(lanes)
            .where(lanes.c.name == wanted.with_for_update(skip_locked=True).scalar_subquery())
            .values(owner=owner, token=secrets.token_hex(16), leased_until=now + hold_ms)
            .returning(lanes.c.name, lanes.c.destination, lanes.c.token, lanes.c.failures, _paused(now))
        )
        with self._db.reading() as connection:  # an idle worker asks often: it must not take SQLite's write lock
            if connection.execute(wanted).first() is None:
                return None
        with self._db.transaction() as connection:
            row = connection.execute(claim).first()
        return Lease(row.name, row.destination, row.token, row.failures, bool(row.paused)) if row else None

    def renew(self, lease: Lease, hold_ms: int) -> None:
        """Hold the lane for longer. A lease already lost stays lost: settling tells."""
        with self._db.transaction() as connection:
            connection.execute(update(lanes).where(*_mine(lease)).values(leased_until=self._db.now() + hold_ms))

    def release(self, lease: Lease) -> None:
        """Give the lane back at once. A lease already lost is left alone."""
        with self._db.transaction() as connection:
            connection.execute(
                update(lanes).where(*_mine(lease)).values(leased_until=self._db.now(), owner="", token="")
            )

    def standing(self, lease: Lease) -> Standing:
        """How the lane stands before a batch. Raises LeaseLost when somebody else holds it now."""
        columns = (lanes.c.failures, lanes.c.refused_cause, lanes.c.refused_count, self._db.now().label("at"))
        with self._db.reading() as connection:
            row = connection.execute(select(*columns).where(*_mine(lease))).first()
        if row is None:
            raise _lost(lease)
        return Standing(row.failures, Streak(row.refused_cause, row.refused_count), row.at)

    def intend(self, lease: Lease, meant: Sequence[Remembered], hold_ms: int) -> None:
        """Keep marks before a write, and hold the lane for longer. Raises LeaseLost, keeping nothing."""
        entries = self._ledger.rows(lease.destination, meant)
        with self._db.transaction() as connection:
            self._fence(connection, lease, {"leased_until": self._db.now() + hold_ms})
            self._ledger.remember(connection, entries)

    def overtaken(self, lease: Lease, amended: Mapping[RecordKey, Amend], theirs: Theirs, since: int) -> None:
        """Make good what a worker wrote to the CRM after it had lost its lease: older values may stand over newer ones.

        The ledger is told so, and what was delivered to the same customers since (the store's clock, ms) is due again.
        Whoever holds the lane decided without knowing it, and loses its lease too; the lane rests until that lease
        would have run out, so that two late workers cannot chase each other.
        """
        events_of = select(events.c.id).where(events.c.customer_id.in_(theirs.customers))
        again = (
            update(deliveries)
            .where(
                deliveries.c.destination == lease.destination,
                deliveries.c.event_id.in_(events_of) | deliveries.c.id.in_(theirs.deliveries),
                deliveries.c.state.in_(("delivered", "superseded")),
                deliveries.c.settled_at >= since,
            )
            .values(state="ready", due_at=self._db.now())
        )
        with self._db.waking() as connection:
            connection.execute(update(lanes).where(lanes.c.name == lease.lane).values(token=""))
            self._ledger.amend(connection, lease.destination, amended)
            connection.execute(again)

    def settle(self, lease: Lease, settlement: Settlement, hold_ms: int) -> bool:
        """Record a batch in one commit, and renew the lease or pause the lane; whether the lane is paused now.

        Raises LeaseLost, recording nothing, when somebody else holds the lane now.
        """
        tries = [_attempt(one, settlement) for one in settlement.settled]
        entries = self._ledger.rows(lease.destination, settlement.remembered)
        with (
            self._db.transaction() as connection
        ):  # on SQLite whoever accepts an event waits for it: nothing but writes
            paused = self._fence(connection, lease, self._lane_after(settlement, hold_ms))
            if settlement.settled:
                self._settle_deliveries(connection, settlement, tries)
            if settlement.put_off:
                self._put_off(connection, settlement.put_off)
            if settlement.ahead:
                ordinary = (
                    update(deliveries).where(deliveries.c.id.in_(settlement.ahead)).values(priority=min(PRIORITIES))
                )
                connection.execute(ordinary)
            self._ledger.remember(connection, entries)
            self._ledger.remember_consents(connection, lease.destination, settlement.consents)
            self._ledger.witness(connection, lease.destination, settlement.raised)
            self._wake_raises(connection, lease, settlement)
        return paused

    def _wake_raises(self, connection: Connection, lease: Lease, settlement: Settlement) -> None:
        """Opt-outs that found no record to be raised on are due again once the customer has a new one."""
        customers = {one.customer_id for one in settlement.remembered if one.new and one.customer_id is not None}
        if not customers:
            return
        theirs = select(events.c.id).where(events.c.customer_id.in_(customers), events.c.payload.is_not(None))
        waiting = (
            deliveries.c.event_id.in_(theirs),
            deliveries.c.destination == lease.destination,
            deliveries.c.priority == max(PRIORITIES),
            deliveries.c.state == "skipped",
            deliveries.c.code == NO_RECORD,
        )
        connection.execute(update(deliveries).where(*waiting).values(state="ready", due_at=self._db.now()))

    def _lane_after(self, settlement: Settlement, hold_ms: int) -> dict[str, Any]:
        """What a settlement changes of its lane. A longer pause, such as an operator's, stands with its reason."""
        now, pause, refused = self._db.now(), settlement.pause, settlement.refused
        streak = {"refused_cause": refused.cause, "refused_count": refused.count}
        if pause is None:
            resting = lanes.c.paused_until > now
            told = {name: case((resting, lanes.c[name]), else_="") for name in ("pause_code", "pause_reason")}
            return {"leased_until": now + hold_ms, "failures": 0, **streak, **told}
        until = now + pause.wait_ms
        longer = and_(lanes.c.paused_until > until, lanes.c.pause_code != BUDGET)  # that one opens for opt-outs
        return {
            "leased_until": now,
            "token": "",
            "paused_until": case((longer, lanes.c.paused_until), else_=until),
            "pause_code": case((longer, lanes.c.pause_code), else_=pause.code),
            "pause_reason": case((longer, lanes.c.pause_reason), else_=pause.reason),
            "failures": lanes.c.failures + (0 if pause.code == BUDGET else 1),  # a plan kept is no failure
            **streak,
        }

    def next_due_ms(self, names: Iterable[str], longest: int) -> int:
        """Milliseconds until one of these lanes could have work again, at most `longest`."""
        soonest = [
            select(func.min(deliveries.c.due_at))
            .where(deliveries.c.lane == lanes.c.name, *_READY, deliveries.c.priority == priority)
            .scalar_subquery()
            for priority in PRIORITIES
        ]
        passes = case((lanes.c.pause_code == BUDGET, 0), else_=lanes.c.paused_until)
        statement = select(self._db.now().label("now"), lanes.c.leased_until, passes, lanes.c.paused_until, *soonest)
        with self._db.reading() as connection:
            rows = connection.execute(statement.where(lanes.c.name.in_(list(names)))).all()
        waits = [
            max(due, paused, leased) - now
            for now, leased, raising, plain, *dues in rows
            for due, paused in zip(dues, (raising, plain), strict=True)
            if due is not None
        ]
        return max(0, int(min([longest, *waits])))

    def _fence(self, connection: Connection, lease: Lease, changes: dict[str, Any]) -> bool:
        paused = _paused(self._db.now())
        row = connection.execute(update(lanes).where(*_mine(lease)).values(changes).returning(paused)).first()
        if row is None:
            raise _lost(lease)
        return bool(row.paused)

    def _put_off(self, connection: Connection, waits: Mapping[int, int]) -> None:
        statement = (
            update(deliveries)
            .where(deliveries.c.id == bindparam("the_id"), deliveries.c.state == "ready")
            .values(due_at=self._db.now() + bindparam("wait"))
        )
        connection.execute(statement, [{"the_id": one, "wait": wait} for one, wait in waits.items()])

    def _settle_deliveries(
        self, connection: Connection, settlement: Settlement, tries: Sequence[Mapping[str, Any]]
    ) -> None:
        now = self._db.now()
        statement = (
            update(deliveries)
            .where(deliveries.c.id == bindparam("the_id"), deliveries.c.state == "ready")
            .values(
                state=bindparam("state"),
                code=bindparam("code"),
                reason=bindparam("reason"),
                attempts=deliveries.c.attempts + 1,
                mapping_version=settlement.mapping_version,
                due_at=now + bindparam("wait"),
                settled_at=now,
            )
        )
        connection.execute(
            statement,
            [
                {"the_id": s.delivery_id, "state": s.state, "code": s.code, "reason": s.reason, "wait": s.wait_ms}
                for s in settlement.settled
            ],
        )
        connection.execute(attempts.insert().values(at=now), tries)


def _paused(now: ColumnElement[int]) -> ColumnElement[bool]:
    return (lanes.c.paused_until > now).label("paused")


def _mine(lease: Lease) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return lanes.c.name == lease.lane, lanes.c.token == lease.token


def _lost(lease: Lease) -> LeaseLost:
    return LeaseLost(lease.lane, "another worker took over, nothing was recorded")


def _attempt(settled: Settled, settlement: Settlement) -> dict[str, Any]:
    return {
        "delivery_id": settled.delivery_id,
        "outcome": settled.outcome,
        "code": settled.code,
        "records": json.dumps(list(settled.records), separators=(",", ":")),
        "request_id": settled.request_id,
        "duration_ms": settled.duration_ms,
        "mapping_version": settlement.mapping_version,
    }
