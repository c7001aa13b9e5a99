"""Many settled deliveries changed at an operator's word, in small steps beside the traffic."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, func, select, update

from connector.settlement import DeliveryState
from connector.store.database import Database
from connector.store.tables import STATE, audit, deliveries, events

STEP: Final = 500
"""Deliveries changed in one transaction: short enough to keep nobody waiting."""

Clauses = Sequence[ColumnElement[bool]]


@dataclass(frozen=True, slots=True)
class Change:
    """Who does what to deliveries of one state."""

    who: str
    action: str
    state: DeliveryState
    values: Mapping[str, Any]


def change(database: Database, chosen: Clauses, what: Change, told: Callable[[int], None]) -> int:
    """Change what is chosen and still in the state it was chosen in; how many. Each step tells the count so far.

    Workers wake after each step. What comes meanwhile is left alone.
    """
    with database.reading() as connection:
        newest = connection.execute(select(func.max(deliveries.c.id))).scalar() or 0
    count, after, note = 0, 0, None
    while after < newest:
        step = _step(database, chosen, after, newest)
        still = and_(deliveries.c.id.in_(step), what.state == STATE)
        with database.waking() as connection:
            count += connection.execute(update(deliveries).where(still).values(what.values)).rowcount
            note = _write_down(database, connection, note, what, count)
        told(count)
        after = step[-1] if len(step) == STEP else newest
    return count


def _step(database: Database, chosen: Clauses, after: int, newest: int) -> list[int]:
    """The next ids: read beside the traffic, which a search within the writing transaction would stop."""
    statement = (
        select(deliveries.c.id)
        .join_from(deliveries, events)
        .where(*chosen, deliveries.c.id > after, deliveries.c.id <= newest)
        .order_by(deliveries.c.id)
        .limit(STEP)
    )
    with database.reading() as connection:
        return list(connection.execute(statement).scalars())


def _write_down(database: Database, connection: Connection, note: int | None, what: Change, count: int) -> int:
    """Keep one note of an action of many steps, with its count so far."""
    thing = f"{count} {what.state} deliveries"
    if note is None:
        made = audit.insert().values(at=database.now(), who=what.who, action=what.action, thing=thing)
        return int(connection.execute(made.returning(audit.c.id)).scalar_one())
    connection.execute(update(audit).where(audit.c.id == note).values(thing=thing))
    return note
