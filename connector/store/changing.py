"""Change many settled deliveries for an operator, in small steps while traffic goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, func, select, update

from connector.settlement import DeliveryState
from connector.store.database import Database
from connector.store.tables import STATE, audit, deliveries, events

STEP: Final = 500
"""Deliveries changed in one transaction: few enough that nobody waits long."""

Clauses = Sequence[ColumnElement[bool]]


@dataclass(frozen=True, slots=True)
class Change:
    """Who does what to deliveries of one state. too: what else is done in the same transaction, given their ids."""

    who: str
    action: str
    state: DeliveryState
    values: Mapping[str, Any]
    too: Callable[[Connection, Sequence[int]], None] = lambda connection, ids: None


def change(database: Database, chosen: Clauses, what: Change, progress: Callable[[int], None]) -> int:
    """Change the chosen deliveries that are still in the state `what` names. Returns how many.

    progress: called after each step with the count so far. Workers wake after each step. Deliveries that arrive
    meanwhile are left alone.
    """
    with database.reading() as connection:
        newest = connection.execute(select(func.max(deliveries.c.id))).scalar() or 0
    count, after, note = 0, 0, None
    while after < newest:
        step = _step(database, chosen, after, newest)
        still = and_(deliveries.c.id.in_(step), what.state == STATE)
        with database.waking() as connection:
            what.too(connection, step)
            count += connection.execute(update(deliveries).where(still).values(what.values)).rowcount
            note = _write_down(database, connection, note, what, count)
        progress(count)
        after = step[-1] if len(step) == STEP else newest
    return count


def _step(database: Database, chosen: Clauses, after: int, newest: int) -> list[int]:
    """Read the next ids outside the writing transaction: a search inside it would stop the traffic."""
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
    thing = f"{count} {what.state} {'delivery' if count == 1 else 'deliveries'}"
    if note is None:
        made = audit.insert().values(at=database.now(), who=what.who, action=what.action, thing=thing)
        return int(connection.execute(made.returning(audit.c.id)).scalar_one())
    connection.execute(update(audit).where(audit.c.id == note).values(thing=thing))
    return note
