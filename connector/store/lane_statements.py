"""The SQL of lanes and leases, built once: building a statement takes several times as long as running it."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    String,
    and_,
    bindparam,
    case,
    exists,
    func,
    or_,
    select,
    update,
)

from connector.backoff import DAY
from connector.errors import ACCOUNT_WIDE, PauseReason
from connector.settlement import DeliveryState
from connector.store.database import Database
from connector.store.gaps import OPEN
from connector.store.rows import given
from connector.store.tables import PRIORITIES, READY, STATE, attempts, deliveries, lanes, obligations

PAUSE_COLUMNS: Final = tuple(column.name for column in lanes.c if column.name.startswith("pause_"))
"""What a lane keeps of the reason for its pause."""

_MINE: Final = (lanes.c.name == bindparam("the_lane"), lanes.c.token == bindparam("the_token"))
_SOME: Final = lanes.c.name.in_(bindparam("names", expanding=True))


class LaneStatements:
    """What each takes is in `store.lanes`, beside what it is for."""

    def __init__(self, database: Database) -> None:
        now = database.now()
        self.wanted = _wanted(now)
        self.claim = (
            update(lanes)
            .where(lanes.c.name == self.wanted.with_for_update(skip_locked=True).scalar_subquery())
            .values(owner=bindparam("me"), token=bindparam("new_token"), leased_until=now + _milliseconds("hold"))
            .returning(
                lanes.c.name, lanes.c.destination, lanes.c.token, lanes.c.failures, lanes.c.pause_code, _paused(now)
            )
        )
        mine = update(lanes).where(*_MINE)
        self.renew = mine.values(leased_until=now + _milliseconds("hold")).returning(_paused(now))
        self.release = mine.values(leased_until=now, owner="", token="")
        standing = (lanes.c.failures, lanes.c.refused_cause, lanes.c.refused_count, now.label("at"))
        self.standing = select(*standing).where(*_MINE)
        self.go_on = mine.values(_going_on(now)).returning(_paused(now))
        self.pause = mine.values(_pausing(now)).returning(_paused(now))
        self.next_due = _next_due(now)
        self.settle = _settle(database)
        self.attempt = _attempt(database)


def _milliseconds(name: str) -> Any:
    return bindparam(name, type_=BigInteger)


def _paused(now: ColumnElement[int]) -> ColumnElement[bool]:
    return or_(lanes.c.paused_until > now, OPEN).label("paused")


def _lets_opt_outs_through(lane: Any) -> ColumnElement[bool]:
    return lane.c.pause_code.not_in(ACCOUNT_WIDE)  # type: ignore[no-any-return]  # an alias has no column types


def _wanted(now: ColumnElement[int]) -> Any:
    lane = lanes.alias()
    owes = exists().where(deliveries.c.lane == lane.c.name, deliveries.c.state == READY, deliveries.c.due_at <= now)
    some = owes.where(deliveries.c.priority.in_(PRIORITIES))  # all: named, so that SQLite takes the index of this lane
    obliged = exists().where(obligations.c.lane == lane.c.name, obligations.c.due_at <= now)
    may = or_(
        and_(lane.c.paused_until <= now, some, ~OPEN),
        and_(or_(lane.c.paused_until <= now, _lets_opt_outs_through(lane)), obliged),
    )
    named = lane.c.name.in_(bindparam("names", expanding=True))
    return select(lane.c.name).where(named, lane.c.leased_until <= now, may).order_by(lane.c.leased_until).limit(1)


def _new(name: str) -> Any:
    return bindparam(f"new_{name}", type_=lanes.c[name].type)


def _streak() -> dict[str, Any]:
    return {
        "refused_cause": bindparam("new_cause", type_=String),
        "refused_count": bindparam("new_count", type_=Integer),
    }


def _going_on(now: ColumnElement[int]) -> dict[str, Any]:
    """Clear the pause's reason, unless a longer pause, such as an operator's, still holds."""
    resting = lanes.c.paused_until > now
    kept = {name: case((resting, lanes.c[name]), else_="") for name in ("pause_code", "pause_reason")}
    return {"leased_until": now + _milliseconds("hold"), "failures": 0, **_streak(), **kept}


def _pausing(now: ColumnElement[int]) -> dict[str, Any]:
    until = now + _milliseconds("wait")
    longer = and_(lanes.c.paused_until > until, lanes.c.pause_code != PauseReason.BUDGET)  # that one opens for opt-outs
    return {
        "leased_until": now,
        "token": "",
        "paused_until": case((longer, lanes.c.paused_until), else_=until),
        **{name: case((longer, lanes.c[name]), else_=_new(name)) for name in PAUSE_COLUMNS},
        "failures": lanes.c.failures + bindparam("failed", type_=Integer),
        **_streak(),
    }


def _next_due(now: ColumnElement[int]) -> Any:
    soonest = [
        select(func.min(deliveries.c.due_at))
        .where(deliveries.c.lane == lanes.c.name, deliveries.c.state == READY, deliveries.c.priority == priority)
        .scalar_subquery()
        for priority in PRIORITIES
    ]
    passes = case((_lets_opt_outs_through(lanes), 0), else_=lanes.c.paused_until)
    obliged = select(func.min(obligations.c.due_at)).where(obligations.c.lane == lanes.c.name).scalar_subquery()
    resumes = case((OPEN, now + DAY), else_=lanes.c.paused_until)
    return select(now.label("now"), lanes.c.leased_until, passes, resumes, obliged, *soonest).where(_SOME)


def _settle(database: Database) -> Any:
    now, kept = database.now(), ("state", "code", "reason", "action", "fields", "record", "mapping_version")
    ended = given(database.engine, *(deliveries.c[name] for name in ("id", *kept, "due_at")))
    return (
        update(deliveries)
        .where(deliveries.c.id == ended.c.id, STATE == DeliveryState.READY)
        .values(
            **{name: ended.c[name] for name in kept},
            attempts=deliveries.c.attempts + 1,
            due_at=now + ended.c.due_at,
            settled_at=now,
        )
    )


def _attempt(database: Database) -> Any:
    names = [column.name for column in attempts.c if column.name not in ("id", "at")]
    tried = given(database.engine, *(attempts.c[name] for name in names))
    return attempts.insert().from_select([*names, "at"], select(*tried.c, database.now()))
