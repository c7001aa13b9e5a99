"""Change many settled deliveries for an operator, in small steps while traffic goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from sqlalchemy import ColumnElement, Connection, and_, func, select, update

from connector.store.audit import Audit
from connector.store.database import Database
from connector.store.tables import STATE, deliveries, events

STEP: Final = 500
"""Deliveries changed in one transaction: few enough that nobody waits long."""

Clauses = Sequence[ColumnElement[bool]]


class Asked(Protocol):
    """Which deliveries somebody chose, as the audit log words it."""

    @property
    def state(self) -> str:
        """In this state."""

    def words(self) -> str:
        """The whole choice."""

    def about(self) -> dict[str, str]:
        """The agency and the customer, if it chooses one."""


@dataclass(frozen=True, slots=True)
class Change:
    """Who does what to deliveries of one state, and why. too: what else its transactions do, given the ids of each."""

    who: str
    action: str
    asked: Asked
    reason: str
    values: Mapping[str, Any]
    too: Callable[[Connection, Sequence[int]], None] = lambda connection, ids: None


def change(database: Database, log: Audit, chosen: Clauses, what: Change, progress: Callable[[int], None]) -> int:
    """Change the chosen deliveries that are still in the state `what` names. Returns how many.

    progress: called after each step with the count so far. Workers wake after each step. Deliveries that arrive
    meanwhile are left alone. The audit log says it with the first step, and once more with the last of several.
    """
    with database.reading() as connection:
        newest = connection.execute(select(func.max(deliveries.c.id))).scalar() or 0
    count, after, is_first = 0, 0, True
    while after < newest:
        step = _step(database, chosen, after, newest)
        still = and_(deliveries.c.id.in_(step), what.asked.state == STATE)
        after = step[-1] if len(step) == STEP else newest
        with database.waking() as connection:
            what.too(connection, step)
            count += connection.execute(update(deliveries).where(still).values(what.values)).rowcount
            if is_first or after == newest:
                _write_down(connection, log, what, count, more=after < newest)
        is_first = False
        progress(count)
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


def _write_down(connection: Connection, log: Audit, what: Change, count: int, *, more: bool) -> None:
    """more: others follow, in transactions of their own."""
    asked = what.asked
    number = f"the first {count:,}" if more else f"{count:,}"
    thing = f"{number} {asked.state} {'delivery' if count == 1 else 'deliveries'}"
    thing += f": {words}" if (words := asked.words()) else ""
    log.write_down(connection, what.who, what.action, thing, what.reason, **asked.about())
