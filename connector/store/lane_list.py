"""The lanes as people see them: backlog, opt-outs owed, and why they are paused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from sqlalchemy import ColumnElement, ScalarSelect, Subquery, func, literal_column, select

from connector.errors import PauseReason
from connector.settlement import DeliveryState, ObligationState
from connector.settlement.listings import LaneStatus, PausedAt
from connector.store.consent_tables import obligations
from connector.store.database import Database
from connector.store.gaps import OPEN
from connector.store.tables import FETCHED, READY, deliveries, events, lanes

FOREVER: Final = 2**62
"""paused_until of a lane an operator paused: only an operator resumes it."""

_GAP: Final[dict[str, Any]] = {
    "paused": True,
    "paused_until": FOREVER,
    "pause_code": PauseReason.HISTORY,
    "pause_reason": "the database lacks what was acknowledged: replay it, then run connector restored",
    "paused_at": None,
}
"""How every lane looks while a gap in the history is open, whatever else may hold it."""


def list_lanes(database: Database) -> list[LaneStatus]:
    """List every lane with its backlog, the opt-outs it owes, and the age in ms of the oldest of each."""
    now = database.now()
    owed, ready = _owed(), select(func.count()).select_from(deliveries).where(*_waits(FETCHED)).correlate(lanes)
    statement = (
        select(
            *(lanes.c[name] for name in ("name", "destination", "owner", "failures", "pause_code", "pause_reason")),
            lanes.c.paused_until,
            lanes.c.stopped_since,
            (lanes.c.paused_until > now).label("paused"),
            (lanes.c.leased_until > now).label("leased"),
            ready.scalar_subquery().label("ready"),
            _oldest(now).label("oldest_ms"),
            func.coalesce(owed.c.opt_outs, 0).label("opt_outs"),
            (now - owed.c.since).label("opt_out_ms"),
        )
        .join_from(lanes, owed, lanes.c.name == owed.c.lane, isouter=True)
        .order_by(lanes.c.name)
    )
    named = ("pause_delivery", "pause_record", "pause_object", "pause_crm_id", "pause_count")
    in_flight = (
        select(lanes.c.name, *(lanes.c[name] for name in named), events.c.message_id, deliveries.c.state)
        .join_from(lanes, deliveries, lanes.c.pause_delivery == deliveries.c.id)
        .join(events, deliveries.c.event_id == events.c.id)
        .where(lanes.c.paused_until > now)
    )
    with database.reading() as connection:
        rows = connection.execute(statement).all()
        paused_at = {row.name: _paused_at(row) for row in connection.execute(in_flight)}
        gap = connection.execute(select(OPEN)).scalar()
    listed = [LaneStatus(**row._mapping, paused_at=paused_at.get(row.name)) for row in rows]
    return [replace(lane, **_GAP) for lane in listed] if gap else listed


def _paused_at(row: Any) -> PausedAt:
    record = (row.pause_record, row.pause_object, row.pause_crm_id)
    return PausedAt(row.pause_delivery, row.message_id, *record, row.pause_count, row.state == DeliveryState.READY)


def _waits(lowest: int) -> tuple[ColumnElement[bool], ...]:
    """What waits in a lane, from an index alone: millions may. Without a priority SQLite would read each row."""
    return deliveries.c.lane == lanes.c.name, deliveries.c.priority >= lowest, deliveries.c.state == READY


def _oldest(now: ColumnElement[int]) -> ScalarSelect[Any]:
    """The age of the first delivery of what was sent to a lane, in ms."""
    # An expression: for the bare column SQLite would walk the index of states until it meets this lane.
    first = select(func.min(deliveries.c.id + 0)).where(*_waits(FETCHED + 1)).correlate(lanes).scalar_subquery()
    of = deliveries.alias()
    return select(now - of.c.accepted_at).where(of.c.id == first).correlate(lanes).scalar_subquery()


def _owed() -> Subquery:
    since = func.min(obligations.c.since).label("since")
    return (
        select(obligations.c.lane, func.count().label("opt_outs"), since)
        .where(
            obligations.c.state != literal_column("'applied'"),  # a literal, so that the partial index serves it
            obligations.c.state.in_((ObligationState.OWED, ObligationState.REFUSED)),
        )
        .group_by(obligations.c.lane)
        .subquery()
    )
