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
from connector.store.consent_tables import obligations
from connector.store.gaps import OPEN
from connector.store.rows import given
from connector.store.sql import Sql, built_once
from connector.store.tables import FETCHED, PRIORITIES, READY, SENT, STATE, attempts, deliveries, lanes

PAUSE_COLUMNS: Final = tuple(column.name for column in lanes.c if column.name.startswith("pause_"))
"""What a lane keeps of the reason for its pause."""

_MINE: Final = (lanes.c.name == bindparam("the_lane"), lanes.c.token == bindparam("the_token"))
_SOME: Final = lanes.c.name.in_(bindparam("names", expanding=True))


@built_once
class LaneStatements:
    """What each takes is in `store.lanes`, beside what it is for."""

    def __init__(self, sql: Sql) -> None:
        now = sql.now()
        self.wanted = _wanted(now)
        self.claim = (
            update(lanes)
            .where(lanes.c.name == self.wanted.with_for_update(skip_locked=True).scalar_subquery())
            .values(owner=bindparam("me"), token=bindparam("new_token"), leased_until=now + _milliseconds("hold"))
            .returning(
                lanes.c.name, lanes.c.destination, lanes.c.token, lanes.c.failures, lanes.c.pause_code, _paused(now)
            )
        )
        free = (lanes.c.name == bindparam("the_lane"), lanes.c.leased_until <= now, ~OPEN)
        held = {"owner": bindparam("me"), "token": bindparam("new_token"), "leased_until": now + _milliseconds("hold")}
        shown = (lanes.c.name, lanes.c.destination, lanes.c.token, lanes.c.failures)
        self.take = update(lanes).where(*free).values(held).returning(*shown)
        mine = update(lanes).where(*_MINE)
        self.renew = mine.values(leased_until=now + _milliseconds("hold")).returning(_paused(now))
        lifted = {"paused_until": _lifted(lanes.c.paused_until), "stopped_since": _lifted(lanes.c.stopped_since)}
        self.lift = mine.values(leased_until=now + _milliseconds("hold"), **lifted).returning(_paused(now))
        self.release = mine.values(leased_until=now, owner="", token="")
        standing = (lanes.c.failures, lanes.c.refused_cause, lanes.c.refused_count, now.label("at"))
        self.standing = select(*standing).where(*_MINE)
        self.go_on = mine.values(_going_on(now)).returning(_paused(now))
        self.pause = mine.values(_pausing(now)).returning(_paused(now))
        self.renew_all = _renew_all(sql)
        self.waiting = _waiting(now)
        self.settle = _settle(sql)
        self.attempt = _attempt(sql)


def _milliseconds(name: str) -> Any:
    return bindparam(name, type_=BigInteger)


def _paused(now: ColumnElement[int]) -> ColumnElement[bool]:
    return or_(lanes.c.paused_until > now, OPEN).label("paused")


def _may_try_opt_outs_at(lane: Any, now: ColumnElement[int]) -> ColumnElement[int]:
    """Whether the pause holds opt-outs, and until when."""
    held = and_(lane.c.paused_until > now, lane.c.pause_code.in_(ACCOUNT_WIDE))
    return case((held, lane.c.opt_outs_from), else_=0)


def _probed_until(lane: Any) -> ColumnElement[int]:
    """While an account may be down, one of its lanes tries it at a time: until when another one does."""
    other = lanes.alias()
    another = (other.c.destination == lane.c.destination, other.c.name != lane.c.name)
    trying = select(func.max(other.c.leased_until)).where(*another, other.c.pause_code.in_(ACCOUNT_WIDE))
    probed = func.coalesce(trying.scalar_subquery(), 0)
    return case((lane.c.pause_code.in_(ACCOUNT_WIDE), probed), else_=0)


def _lifted(column: ColumnElement[int]) -> ColumnElement[int]:
    """An opt-out got through: what the whole account was paused for is over."""
    return case((lanes.c.pause_code.in_(ACCOUNT_WIDE), 0), else_=column)


def _wanted(now: ColumnElement[int]) -> Any:
    lane = lanes.alias()
    owes = exists().where(deliveries.c.lane == lane.c.name, deliveries.c.state == READY, deliveries.c.due_at <= now)
    # All: named, and few at a time, so that SQLite takes the index of this lane.
    some = or_(owes.where(deliveries.c.priority.in_(SENT)), owes.where(deliveries.c.priority == FETCHED))
    obliged = exists().where(obligations.c.lane == lane.c.name, obligations.c.due_at <= now)
    owing = and_(_may_try_opt_outs_at(lane, now) <= now, obliged)
    may = or_(and_(lane.c.paused_until <= now, some, ~OPEN), owing)
    free = (lane.c.leased_until <= now, _probed_until(lane) <= now)
    named = lane.c.name.in_(bindparam("names", expanding=True))
    return select(lane.c.name).where(named, *free, may).order_by(owing.desc(), lane.c.leased_until).limit(1)


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
    kept["stopped_since"] = case((resting, lanes.c.stopped_since), else_=0)
    return {"leased_until": now + _milliseconds("hold"), "failures": 0, "own": False, **_streak(), **kept}


def _pausing(now: ColumnElement[int]) -> dict[str, Any]:
    until, opt_outs_from = now + _milliseconds("wait"), now + _milliseconds("opt_outs_wait")
    so_far = bindparam("of_account", type_=Integer)
    longer = and_(lanes.c.paused_until > until, lanes.c.pause_code != PauseReason.BUDGET)  # that one opens for opt-outs
    return {
        "leased_until": now,
        "token": "",
        "paused_until": case((longer, lanes.c.paused_until), else_=until),
        "opt_outs_from": case((longer, lanes.c.opt_outs_from), else_=opt_outs_from),
        **{name: case((longer, lanes.c[name]), else_=_new(name)) for name in PAUSE_COLUMNS},
        "failures": case((lanes.c.failures < so_far, so_far), else_=lanes.c.failures)
        + bindparam("failed", type_=Integer),
        "own": _new("own"),
        "stopped_since": stopped_since(now),
        **_streak(),
    }


def stopped_since(now: ColumnElement[int]) -> ColumnElement[int]:
    """Since when a lane is stopped that stops now, unless it is already."""
    return case((lanes.c.stopped_since > 0, lanes.c.stopped_since), else_=now)


def _waiting(now: ColumnElement[int]) -> Any:
    soonest = [
        select(func.min(deliveries.c.due_at))
        .where(deliveries.c.lane == lanes.c.name, deliveries.c.state == READY, deliveries.c.priority == priority)
        .scalar_subquery()
        .label(name)
        for name, priority in zip(("raising", "plain", "fetched"), PRIORITIES, strict=True)
    ]
    due = (obligations.c.lane == lanes.c.name, obligations.c.due_at.is_not(None))  # the latter serves the index
    obliged = select(func.min(obligations.c.due_at)).where(*due).scalar_subquery()
    opt_outs = _may_try_opt_outs_at(lanes, now)
    resumes = case((OPEN, now + DAY), else_=lanes.c.paused_until)
    probed = _probed_until(lanes)
    busy = case((probed > lanes.c.leased_until, probed), else_=lanes.c.leased_until)
    shown = (lanes.c.name, lanes.c.destination, lanes.c.pause_code, now.label("now"), lanes.c.leased_until)
    from_when = (busy.label("busy"), opt_outs.label("opt_outs_from"), resumes.label("resumes"))
    return select(*shown, *from_when, obliged.label("obliged"), *soonest).where(_SOME)


@built_once
def _renew_all(sql: Sql) -> Any:
    """Pass over what is locked: settling its batch renews it as well, and nobody waits for a lane while holding one."""
    held = given(sql, lanes.c.name, lanes.c.token)
    mine = (lanes.c.name == held.c.name, lanes.c.token == held.c.token)
    names = select(lanes.c.name).where(*mine).with_for_update(skip_locked=True, of=lanes).correlate(None)
    until = sql.now() + _milliseconds("hold")
    return update(lanes).where(lanes.c.name.in_(names)).values(leased_until=until)


@built_once
def _settle(sql: Sql) -> Any:
    now, kept = sql.now(), ("state", "code", "reason", "action", "fields", "record", "mapping_version")
    ended = given(sql, *(deliveries.c[name] for name in ("id", *kept, "due_at")))
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


@built_once
def _attempt(sql: Sql) -> Any:
    names = [column.name for column in attempts.c if column.name not in ("id", "at")]
    tried = given(sql, *(attempts.c[name] for name in names))
    return attempts.insert().from_select([*names, "at"], select(*tried.c, sql.now()))
