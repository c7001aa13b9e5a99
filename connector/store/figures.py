"""Figures of the day: what came and was settled, hour by hour, and the pace of each lane."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, case, func, literal, literal_column, select

from connector.settlement import AttemptOutcome
from connector.store.database import Database
from connector.store.tables import attempts, deliveries

HOUR: Final = 3_600_000
PACE_MS: Final = 10 * 60_000
"""A lane's pace is measured over this many ms, or over its NEWEST attempts if there were more."""
NEWEST: Final = 5000
_OVER: Final = (AttemptOutcome.DEFERRED, AttemptOutcome.DEAD)


@dataclass(frozen=True, slots=True)
class Pace:
    """What a lane settled and was given lately. per_hour, given_per_hour: as rates."""

    per_hour: float = 0.0
    given_per_hour: float = 0.0

    def hours_left(self, ready: int) -> float | None:
        """When so much is written at this pace; None when it does not get less."""
        less = self.per_hour - self.given_per_hour
        return ready / less if less > 0 else None


class Figures:
    """Counts over index ranges alone: their cost is that of the day's traffic, not of the history."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def events_since(self, since: int) -> int:
        """Events accepted since (epoch ms)."""
        count = func.count(deliveries.c.event_id.distinct())
        return int(self._one(select(count).where(deliveries.c.accepted_at >= since)) or 0)

    def hours(self, since: int, destinations: Collection[str]) -> list[tuple[int, int, int]]:
        """Each hour since (epoch ms, a whole hour) with something in it: its start, events that came, deliveries done.

        Done is whatever needs no more writing: delivered, unchanged, superseded, skipped. One that was written several
        times in an hour, as a replay does, counts once.
        """
        came_in = (deliveries.c.accepted_at // HOUR).label("hour")
        came = select(came_in, func.count(deliveries.c.event_id.distinct())).where(*_of(since, destinations))
        done_in = (attempts.c.at // HOUR).label("hour")
        done = _done(since, destinations, done_in)
        arrived, settled = self._pairs(came.group_by(came_in)), self._pairs(done.group_by(done_in))
        return [(int(hour) * HOUR, arrived.get(hour, 0), settled.get(hour, 0)) for hour in sorted({*arrived, *settled})]

    def between(self, since: int, until: int, destinations: Collection[str]) -> tuple[int, int]:
        """Events that came and deliveries done from one time until before another (epoch ms); see `hours`."""
        came = select(func.count(deliveries.c.event_id.distinct())).where(*_of(since, destinations))
        done = _done(since, destinations)
        within = (came.where(deliveries.c.accepted_at < until), done.where(attempts.c.at < until))
        return int(self._one(within[0]) or 0), int(self._one(within[1]) or 0)

    def received(self, since: int, destinations: Collection[str]) -> int:
        """Events for these destinations accepted since (epoch ms)."""
        return int(
            self._one(select(func.count(deliveries.c.event_id.distinct())).where(*_of(since, destinations))) or 0
        )

    def states(self, since: int, destinations: Collection[str]) -> list[tuple[str, str, int]]:
        """Deliveries to these destinations accepted since (epoch ms): how many of each lane are in each state."""
        # An expression: for the bare column SQLite would walk the whole index of states, to be spared the grouping.
        state = deliveries.c.state + literal_column("''")
        counted = select(deliveries.c.lane, state, func.count()).where(*_of(since, destinations))
        with self._db.reading() as connection:
            rows = connection.execute(counted.group_by(deliveries.c.lane, state)).all()
        return [(lane, state, count) for lane, state, count in rows]

    def paces(self) -> dict[str, Pace]:
        """The pace of each lane that settled anything lately."""
        now = self._db.now()
        window = (
            select(attempts.c.delivery_id, attempts.c.at)
            .where(attempts.c.at > now - PACE_MS, attempts.c.outcome != AttemptOutcome.DEFERRED)
            .order_by(attempts.c.at.desc())
            .limit(NEWEST)
            .subquery()
        )
        full = select(func.count()).select_from(window).scalar_subquery() >= NEWEST
        oldest = select(func.min(window.c.at)).scalar_subquery()
        length = case((full, now - oldest), else_=literal(PACE_MS))
        settled = (
            select(deliveries.c.lane, func.count(), length)
            .join_from(window, deliveries, window.c.delivery_id == deliveries.c.id)
            .group_by(deliveries.c.lane)
        )
        given = select(deliveries.c.lane, func.count()).where(deliveries.c.accepted_at > now - PACE_MS)
        coming = self._pairs(given.group_by(deliveries.c.lane))
        with self._db.reading() as connection:
            rows = connection.execute(settled).all()
        return {
            lane: Pace(count * HOUR / max(int(ms), 1000), coming.get(lane, 0) * HOUR / PACE_MS)
            for lane, count, ms in rows
        }

    def _one(self, statement: Select[Any]) -> Any:
        with self._db.reading() as connection:
            return connection.execute(statement).scalar()

    def _pairs(self, statement: Select[Any]) -> dict[Any, int]:
        with self._db.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(statement)}


def _of(since: int, destinations: Collection[str]) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    # The destination as an expression, so that SQLite takes the index of times.
    return deliveries.c.accepted_at >= since, (deliveries.c.destination + literal_column("''")).in_(destinations)


def _done(since: int, destinations: Collection[str], *grouped: ColumnElement[Any]) -> Select[Any]:
    done = (attempts.c.at >= since, attempts.c.outcome.not_in(_OVER), deliveries.c.destination.in_(destinations))
    count = func.count(attempts.c.delivery_id.distinct())
    return select(*grouped, count).join_from(attempts, deliveries).where(*done)
