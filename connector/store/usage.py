"""API calls of each destination: ours by the quarter of an hour, and what the CRM last said of everybody's."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, delete, func, select

from connector.store.database import Database
from connector.store.dialect import insert
from connector.store.tables import usage, usage_calls

STEP: Final = 15 * 60 * 1000
"""A quarter of an hour, in ms: the calls of one are one row."""

_KEPT: Final = 2 * 24 * 60 * 60 * 1000


class Told(NamedTuple):
    """What the CRM said of the account's calls of the day, and when (epoch ms)."""

    used: int
    limit: int
    at: int


class Usage:
    """Counts that a restart does not forget."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, destination: str, calls: int, told: Told | None, now: int, since: int) -> None:
        """Count calls made by now, and keep what the CRM said. since: when the day began. Both in epoch ms."""
        new = insert(self._db.engine, usage_calls).values(destination=destination, at=now - now % STEP, calls=calls)
        more = {"calls": usage_calls.c.calls + calls}
        said: dict[str, Any] = {"used": told.used, "allowed": told.limit, "at": told.at} if told else {}
        said["ours"] = select(func.sum(usage_calls.c.calls)).where(*_day(destination, since)).scalar_subquery()
        known = insert(self._db.engine, usage).values(destination=destination, **said)
        old = (usage_calls.c.destination == destination, usage_calls.c.at < now - _KEPT)
        with self._db.transaction() as connection:
            connection.execute(new.on_conflict_do_update(index_elements=["destination", "at"], set_=more))
            connection.execute(known.on_conflict_do_update(index_elements=["destination"], set_=said))
            connection.execute(delete(usage_calls).where(*old))

    def spent(self, destination: str, since: int) -> tuple[dict[int, int], Told | None]:
        """Our calls since (epoch ms) by the moment their quarter of an hour began; and what the CRM last said."""
        ours = select(usage_calls.c.at, usage_calls.c.calls).where(*_day(destination, since))
        said = select(usage.c.used, usage.c.allowed, usage.c.at).where(usage.c.destination == destination)
        with self._db.reading() as connection:
            kept = {row.at: row.calls for row in connection.execute(ours)}
            row = connection.execute(said).first()
        return kept, Told(*row) if row and row.allowed else None

    def all(self) -> list[dict[str, Any]]:
        """Each destination's calls of the day: destination, used and limit as the CRM last said at `at` (epoch ms; all
        three None where it never did), and ours: how many of them we made, as of our last batch."""
        with self._db.reading() as connection:
            rows = connection.execute(select(usage).order_by(usage.c.destination)).all()
        return [
            {"destination": row.destination, "used": row.used, "limit": row.allowed, "at": row.at, "ours": row.ours}
            for row in rows
        ]


def _day(destination: str, since: int) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return usage_calls.c.destination == destination, usage_calls.c.at > since - STEP
