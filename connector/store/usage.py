"""API calls of each destination: ours per quarter of an hour, and the CRM's last report of the whole account's."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from sqlalchemy import BigInteger, bindparam, delete, func, select

from connector.settlement.listings import CallsToday
from connector.store.crm_tables import usage, usage_calls
from connector.store.database import Database
from connector.store.dialect import insert
from connector.store.sql import Sql, built_once

STEP: Final = 15 * 60 * 1000
"""A quarter of an hour, in ms: its calls share a row."""

_KEPT: Final = 2 * 24 * 60 * 60 * 1000


_FORGET: Final = delete(usage_calls).where(
    usage_calls.c.destination == bindparam("whose"), usage_calls.c.at < bindparam("before", type_=BigInteger)
)
_DAY: Final = (usage_calls.c.destination == bindparam("whose"), usage_calls.c.at > bindparam("since", type_=BigInteger))
_OURS: Final = select(usage_calls.c.at, usage_calls.c.calls).where(*_DAY)
_SAID: Final = select(usage.c.used, usage.c.allowed, usage.c.at).where(usage.c.destination == bindparam("whose"))


class Report(NamedTuple):
    """The CRM's report of the account's calls of the day, and its time (epoch ms)."""

    used: int
    limit: int
    at: int


class Usage:
    """Counts that survive a restart."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._count, self._note = _count(database.sql), _notes(database.sql)

    def add(self, destination: str, calls: int, report: Report | None, now: int, since: int) -> None:
        """Add calls made at `now`, and store the CRM's report. since: when the day began. Both in epoch ms."""
        quarter = {"destination": destination, "at": now - now % STEP, "calls": calls}
        said = {"whose": destination, "since": since - STEP, "destination": destination}
        reported = {"used": report.used, "allowed": report.limit, "at": report.at} if report else {}
        with self._db.transaction() as connection:
            connection.execute(self._count, quarter)
            connection.execute(self._note[report is not None], {**said, **reported})
            connection.execute(_FORGET, {"whose": destination, "before": now - _KEPT})

    def spent(self, destination: str, since: int) -> tuple[dict[int, int], Report | None]:
        """Our calls since `since`, by the start of their quarter of an hour (epoch ms), and the CRM's last report."""
        asked = {"whose": destination, "since": since - STEP}
        with self._db.reading() as connection:
            kept = {row.at: row.calls for row in connection.execute(_OURS, asked)}
            row = connection.execute(_SAID, asked).first()
        return kept, Report(*row) if row and row.allowed else None

    def all(self) -> list[CallsToday]:
        """Each destination's API calls today."""
        with self._db.reading() as connection:
            rows = connection.execute(select(usage).order_by(usage.c.destination)).all()
        return [CallsToday(row.destination, row.used, row.allowed, row.at, row.ours) for row in rows]


@built_once
def _count(sql: Sql) -> Any:
    count = insert(sql, usage_calls)
    more = {"calls": usage_calls.c.calls + count.excluded.calls}
    return count.on_conflict_do_update(index_elements=["destination", "at"], set_=more)


@built_once
def _notes(sql: Sql) -> dict[bool, Any]:
    """By whether the CRM has reported anything."""
    return {True: _noting(sql, "used", "allowed", "at"), False: _noting(sql)}


def _noting(sql: Sql, *reported: str) -> Any:
    """Store the number of our calls, and the CRM's report."""
    ours = select(func.sum(usage_calls.c.calls)).where(*_DAY).scalar_subquery()
    given: dict[str, Any] = {name: bindparam(name) for name in ("destination", *reported)}
    known = insert(sql, usage).values(ours=ours, **given)
    newer = {name: known.excluded[name] for name in ("ours", *reported)}
    return known.on_conflict_do_update(index_elements=["destination"], set_=newer)
