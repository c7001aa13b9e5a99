"""Each process counts its commits, in the database and in memory: a database that has fewer is an older one."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import BigInteger, Connection, bindparam, delete, select, update

from connector import telemetry
from connector.errors import WentBack
from connector.settlement.gaps import Gap, GapKind
from connector.store.database import Database
from connector.store.dialect import insert
from connector.store.gaps import Gaps
from connector.store.history_tables import commits
from connector.store.sql import Sql, built_once

INBOX: Final = "inbox"
"""The part of a process that accepts events. Every other part is a lane."""

_NEWEST: Final = 10_000
"""How many counts are kept, however old they are."""

_KEPT: Final = 8
"""How many of a process's newest parts its mark has. What was committed before them is there if they are."""


@dataclass(frozen=True, slots=True)
class Point:
    """How far one part of a process has come: its commits, the events it accepted, and the time of the last (epoch ms).

    began: the time of its first commit.
    """

    count: int = 0
    events: int = 0
    at: int = 0
    began: int = 0


_LARGEST: Final = 1 << 60
"""Larger numbers are not ours: no database would take them."""

Points = Mapping[str, Point]
"""By part."""


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a process had come, as it is kept outside the database. database: which database it speaks of."""

    database: str
    process: str
    points: Points


class Commits:
    """This process's commits."""

    def __init__(self, database: Database, gaps: Gaps) -> None:
        self._db, self._gaps = database, gaps
        self._lock = threading.Lock()
        self._process, self._points = secrets.token_hex(8), dict[str, Point]()
        self._connections = database.connections
        self._first, self._next = _first(database.sql), _next(database.sql)

    @property
    def mark(self) -> Mark:
        """How far this process has come."""
        with self._lock:
            newest = sorted(self._points.items(), key=lambda pair: pair[1].at, reverse=True)[:_KEPT]
            return Mark(self._db.identity, self._process, dict(newest))

    def count(self, connection: Connection, part: str, events: int = 0) -> Callable[[], None]:
        """Count the commit that this transaction will be. Call the result once it is on disk.

        It is the last statement of its transaction. Raises WentBack where the database is an older one.
        """
        with self._lock:
            process, known = self._process, self._points.get(part, Point())
        values = {"me": process, "mine": part, "more": events, "least": known.count}
        row = connection.execute(self._next if known.count else self._first, values).first()
        if row is None:
            raise WentBack("database", "it lacks what this process has committed")

        def committed() -> None:
            with self._lock:
                newest = self._points.get(part, known)
                if process == self._process and newest.count < row.made:  # other threads may have gone on meanwhile
                    self._points[part] = Point(row.made, row.events, row.at, newest.began or row.at)

        return committed

    def check_new_connections(self) -> None:
        """Compare if a connection was made since the last time: it may lead to another database."""
        if self._connections != self._db.connections:
            self.check()

    def check(self) -> None:
        """Compare the database with what this process has committed, and note a gap. Raises StoreUnavailable."""
        connections = self._db.connections
        with self._lock:
            process, points = self._process, dict(self._points)  # before the rows are read: they only grow
        lost = self._lost(process, points)
        if lost:
            self._note(process, points, lost)
        self._connections = connections

    def went_back(self) -> None:
        """Note a gap after a commit of this process met an older database. Raises StoreUnavailable."""
        with self._lock:
            process, points = self._process, dict(self._points)
        if points:  # otherwise another thread has noted it
            self._note(process, points, self._lost(process, points) or points)

    def check_mark(self, mark: Mark, slack: int) -> None:
        """Compare with what an earlier process had committed, by its mark. slack: ms it may have gone on after that."""
        if lost := self._lost(mark.process, mark.points):
            gap = _gap(mark.process, mark.points, lost)
            self._keep(replace(gap, lost_until=gap.lost_until + slack))

    def began_again(self, mark: Mark) -> None:
        """Note that another database is in the place of the one that a mark speaks of."""
        newest = max((point.at for point in mark.points.values()), default=0)
        self._keep(Gap(mark.process, GapKind.ANOTHER, 0, newest, 0))

    def forget(self, older_ms: int) -> None:
        """Delete counts so old that are not among the newest: this clock may be wrong, and others may rest."""
        among = select(commits.c.at).order_by(commits.c.at.desc()).offset(_NEWEST).limit(1).scalar_subquery()
        with self._db.transaction() as connection:
            connection.execute(delete(commits).where(commits.c.at < self._db.now() - older_ms, commits.c.at <= among))

    def _lost(self, process: str, points: Points) -> dict[str, Point]:
        """The parts of which the database has fewer commits, each as the database has it."""
        if not points:
            return {}
        mine = (commits.c.process == process, commits.c.part.in_(list(points)))
        with self._db.reading() as connection:
            rows = connection.execute(select(commits).where(*mine)).all()
        stored = {row.part: Point(row.made, row.events, row.at) for row in rows}
        return {
            part: stored.get(part, Point(at=point.began))
            for part, point in points.items()
            if stored.get(part, Point()).count < point.count
        }

    def _note(self, process: str, points: Points, lost: Points) -> None:
        with self._lock:
            if process != self._process:  # another thread has noted it
                return
        gap = _gap(process, points, lost)
        self._keep(replace(gap, kind=GapKind.ANOTHER, lost_from=0) if self._db.is_another() else gap)
        with self._lock:
            if process == self._process:
                self._process, self._points = secrets.token_hex(8), {}

    def _keep(self, gap: Gap) -> None:
        if self._gaps.note(gap):
            telemetry.history_went_back(gap.kind, gap.lost_from, gap.lost_until, gap.events)


def _gap(process: str, points: Points, lost: Points) -> Gap:
    """What a process lost. The parts that lost nothing say nothing: they may have rested."""
    return Gap(
        process,
        GapKind.OLDER,
        min(point.at for point in lost.values()),
        max(points[part].at for part in lost),
        sum(points[part].events - point.events for part, point in lost.items()),
    )


def _row(sql: Sql) -> dict[str, Any]:
    return {"at": sql.now(), "events": commits.c.events + bindparam("more", type_=BigInteger)}


@built_once
def _next(sql: Sql) -> Any:
    mine = (commits.c.process == bindparam("me"), commits.c.part == bindparam("mine"))
    known = commits.c.made >= bindparam("least", type_=BigInteger)
    advanced = update(commits).where(*mine, known).values(made=commits.c.made + 1, **_row(sql))
    return advanced.returning(commits.c.made, commits.c.events, commits.c.at)


@built_once
def _first(sql: Sql) -> Any:
    """The first commit of a part, or the next if the end of the first is unknown."""
    values = {"process": bindparam("me"), "part": bindparam("mine"), "made": 1, "at": sql.now()}
    made = insert(sql, commits).values(**values, events=bindparam("more", type_=BigInteger))
    again = {"made": commits.c.made + 1, "at": made.excluded.at, "events": commits.c.events + made.excluded.events}
    known = commits.c.made >= bindparam("least", type_=BigInteger)
    upserted = made.on_conflict_do_update(index_elements=["process", "part"], set_=again, where=known)
    return upserted.returning(commits.c.made, commits.c.events, commits.c.at)


def as_data(mark: Mark) -> dict[str, Any]:
    """A mark as JSON data."""
    points = {part: [point.count, point.events, point.at, point.began] for part, point in mark.points.items()}
    return {"database": mark.database, "process": mark.process, "points": points}


def read_mark(data: Mapping[str, Any]) -> Mark | None:
    """A mark from its JSON data; None if it is damaged."""
    try:
        points = {str(part): _point(values) for part, values in data["points"].items()}
        return Mark(str(data["database"]), str(data["process"]), points)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return None


def _point(values: Sequence[int]) -> Point:
    count, events, at, began = map(int, values)
    if not all(0 <= number < _LARGEST for number in (count, events, at, began)):
        raise ValueError
    return Point(count, events, at, began)
