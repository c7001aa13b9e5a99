"""The statements of the inbox. Each is built once: building one takes several times as long as running it."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Column, Insert, Integer, LargeBinary, bindparam, func, select, true

from connector.store.dialect import insert
from connector.store.oddities import credible
from connector.store.payloads import SIZE
from connector.store.rows import given
from connector.store.runs import applied_before
from connector.store.sql import Sql, built_once
from connector.store.tables import FETCHED, READY, deliveries, events

HEADS: Final = select(
    *(deliveries.c.id, deliveries.c.attempts, deliveries.c.accepted_at),
    *(events.c.id, events.c.message_id, events.c.raised, SIZE, deliveries.c.again),
).join_from(deliveries, events)
"""The columns of Waiting."""


@built_once
def add_events(sql: Sql) -> Any:
    """Rows as JSON, which cannot hold bytes: the payloads are concatenated, and each row has its offset and size."""
    now = sql.now()
    names = tuple(column.name for column in events.c if column.name not in ("id", "payload"))
    rows = given(sql, *(events.c[name] for name in names), Column("at", Integer), Column("size", Integer))
    received_at = func.coalesce(rows.c.received_at, now)
    times = {"received_at": received_at, "source_time": credible(rows.c.source_time, received_at)}
    payload = func.substr(bindparam("payloads", type_=LargeBinary), rows.c.at, rows.c.size)
    columns = (times.get(name, rows.c[name]) for name in names)
    with_payloads = select(*columns, payload).where(true())  # else SQLite reads ON as a join's
    return (
        insert(sql, events)
        .from_select([*names, "payload"], with_payloads)
        .on_conflict_do_nothing(index_elements=["agency", "message_id"])
        .returning(events.c.id, events.c.agency, events.c.message_id, events.c.received_at, events.c.source_time)
    )


@built_once
def add_deliveries(sql: Sql) -> Insert:
    names = ("event_id", "destination", "lane", "state", "priority", "accepted_at", "code", "reason", "action")
    owed = given(sql, *(deliveries.c[name] for name in names))
    added = select(*owed.c, sql.now(), applied_before(owed.c.priority > FETCHED))
    return deliveries.insert().from_select([*names, "due_at", "again"], added)


@built_once
def listed(sql: Sql) -> Any:
    due = (deliveries.c.state == READY, deliveries.c.due_at <= sql.now())
    return (
        HEADS.where(deliveries.c.lane == bindparam("the_lane"), *due)
        .order_by(deliveries.c.priority.desc(), deliveries.c.due_at, deliveries.c.id)
        .limit(bindparam("most", type_=Integer))
        .offset(bindparam("after", type_=Integer))
    )


@built_once
def opened(sql: Sql) -> Any:
    wanted = given(sql, events.c.id)
    return select(events).join_from(wanted, events, events.c.id == wanted.c.id)
