"""What each running process says of its clock, and what is put right when the database's clock was set back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Connection, Update, case, delete, func, select, update

from connector.backoff import HOUR, SECOND
from connector.errors import PauseReason
from connector.settlement.clocks import CLOCK_TOLERANCE, ProcessClock
from connector.store.consent_tables import consents, obligations, raises
from connector.store.crm_tables import usage
from connector.store.database import Database
from connector.store.dialect import insert, lock_rows
from connector.store.problem_tables import oddities, open_items
from connector.store.running_tables import processes
from connector.store.tables import DEAD, READY, attempts, deliveries, events, lanes, watches

_FRESH: Final = 60 * SECOND
"""A process that was not seen for so long has ended."""


@dataclass(frozen=True, slots=True)
class Beat:
    """A sign of life. crm_offset_ms: how far this machine's clock is ahead of the CRMs', if known."""

    name: str
    role: str
    crm_offset_ms: int | None = None
    halted: bool = False


class Processes:
    """A row for each process. wall: this machine's clock, in epoch seconds; tick: monotonic seconds."""

    def __init__(
        self, database: Database, wall: Callable[[], float] = time.time, tick: Callable[[], float] = time.monotonic
    ) -> None:
        self._db, self._wall, self._tick = database, wall, tick
        self._embedded = database.folder() is not None

    def beat(self, beat: Beat) -> int:
        """Note a sign of life and how far this machine's clock is ahead. Returns by how much the database's went back.

        If it went back, what lies in the future by then is moved back by as much: nothing waits for the lost time.
        """
        with self._db.waking() as connection:
            before = self._wall()
            now = connection.execute(select(self._db.now())).scalar_one()
            offset = (before + self._wall()) / 2 - now / 1000
            back = self._went_back(connection, now)
            for change in _moving_back(now, back) if back else ():
                connection.execute(change)
            row = {
                "name": beat.name,
                "role": beat.role,
                "seen_at": now,
                "offset_ms": int(offset * 1000),
                "crm_offset_ms": beat.crm_offset_ms,
                "booted_at": self._booted_at(),
                "halted": beat.halted,
            }
            put = insert(self._db.engine, processes).values(row)
            connection.execute(put.on_conflict_do_update(index_elements=["name"], set_=row))
            by_our_clock = processes.c.seen_at - (self._ahead(processes.c) if self._embedded else 0)
            connection.execute(delete(processes).where(processes.c.seen_at < now - HOUR, by_our_clock < now - HOUR))
        self._db.hear(now)
        return back

    def all(self) -> list[ProcessClock]:
        """Return every process that runs, with how far its machine's clock is ahead of the database's.

        An embedded database has the clock of the machine that asks, so its processes are compared by when that machine
        started: by their clocks, but by the same monotonic time.
        """
        with self._db.reading() as connection:
            now = connection.execute(select(self._db.now())).scalar_one()
            rows = connection.execute(select(processes).order_by(processes.c.role, processes.c.name)).all()
        shown = []
        for row in rows:
            offset = self._ahead(row) if self._embedded else row.offset_ms
            # What a machine that is ahead noted was moved back, unless it has noted it again since.
            if min(abs(now - row.seen_at), abs(now - row.seen_at + offset)) < _FRESH:
                shown.append(ProcessClock(row.name, row.role, offset, row.crm_offset_ms, bool(row.halted)))
        return shown

    def _ahead(self, noted: Any) -> Any:
        return noted.booted_at - self._booted_at()

    def _booted_at(self) -> int:
        return int((self._wall() - self._tick()) * 1000)

    def _went_back(self, connection: Connection, now: int) -> int:
        """Return how far the database's clock is behind where it was; 0 if no more than clocks differ."""
        ahead = processes.c.seen_at > now + CLOCK_TOLERANCE
        lock_rows(connection, [processes.c.name], ahead)  # of several processes, the first puts it right
        newest = connection.execute(select(func.max(processes.c.seen_at)).where(ahead)).scalar()
        return newest - now if newest is not None else 0


_DUE: Final[tuple[tuple[Column[Any], ColumnElement[bool] | None], ...]] = (
    (deliveries.c.due_at, deliveries.c.state == READY),
    (obligations.c.due_at, None),
    (lanes.c.leased_until, None),
    (lanes.c.paused_until, lanes.c.pause_code != PauseReason.OPERATOR),
)
"""When something is due or ends."""

_NOTED: Final[tuple[tuple[Column[Any], ColumnElement[bool] | None], ...]] = (
    (processes.c.seen_at, None),
    (events.c.received_at, None),
    (deliveries.c.accepted_at, None),
    (deliveries.c.settled_at, deliveries.c.state == DEAD),
    (attempts.c.at, None),
    (obligations.c.since, None),
    (obligations.c.applied_at, None),
    (consents.c.lowered_at, None),
    (lanes.c.stopped_since, None),
    (raises.c.at, None),
    (open_items.c.tried_at, None),
    (oddities.c.until, None),
    (usage.c.at, None),
    (watches.c.looked_at, None),
)
"""When something happened that is compared with other times."""


def _moving_back(now: int, back: int) -> Iterator[Update]:
    """Move times in the future back: what was due earlier is due now, and nothing happened later than now."""
    for column, where in (*_DUE, *_NOTED):
        moved = column - back
        bound = moved < now if (column, where) in _DUE else moved > now
        change = update(column.table).where(column > now).values({column.name: case((bound, now), else_=moved)})
        yield change if where is None else change.where(where)
