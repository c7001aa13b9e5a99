"""Figures of the day: what came and was settled, hour by hour; the pace of each lane; how long it has been silent."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from sqlalchemy import Select, case, func, literal, select

from connector.store.database import Database
from connector.store.tables import attempts, deliveries, events

HOUR: Final = 3_600_000
PACE_MS: Final = 10 * 60_000
"""The pace of a lane is that of so many ms, or of its newest attempts where they were many."""
NEWEST: Final = 5000
GAPS: Final = 500
"""Arrivals whose gaps tell what is usual."""
_OVER: Final = ("deferred", "dead")


@dataclass(frozen=True, slots=True)
class Pace:
    """What a lane settled and was given lately. per_hour, given_per_hour: as rates."""

    per_hour: float = 0.0
    given_per_hour: float = 0.0

    def hours_left(self, ready: int) -> float | None:
        """When so much is written at this pace; None when it does not get less."""
        less = self.per_hour - self.given_per_hour
        return ready / less if less > 0 else None


@dataclass(frozen=True, slots=True)
class Silence:
    """When the newest event came (epoch ms), how long ago, and the gap that nineteen of twenty stay under (ms)."""

    at: int
    ms: int
    usual_ms: int | None

    @property
    def unusual(self) -> bool:
        """Whether it lasts more than four times the usual gap, which counts as a minute at least."""
        return self.usual_ms is not None and self.ms > 4 * max(self.usual_ms, 60_000)


class Figures:
    """Counts over index ranges alone: their cost is that of the day's traffic, not of the history."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def events_since(self, since: int) -> int:
        """Events accepted since (epoch ms)."""
        count = func.count(deliveries.c.event_id.distinct())
        return int(self._one(select(count).where(deliveries.c.accepted_at >= since)) or 0)

    def hours(self, since: int) -> list[tuple[int, int, int]]:
        """Each hour since (epoch ms, a whole hour) with something in it: its start, events that came, deliveries done.

        Done is whatever needs no more writing: delivered, unchanged, superseded, skipped.
        """
        came_in = (deliveries.c.accepted_at // HOUR).label("hour")
        came = select(came_in, func.count(deliveries.c.event_id.distinct())).where(deliveries.c.accepted_at >= since)
        done_in = (attempts.c.at // HOUR).label("hour")
        done = select(done_in, func.count()).where(attempts.c.at >= since, attempts.c.outcome.not_in(_OVER))
        arrived, settled = self._pairs(came.group_by(came_in)), self._pairs(done.group_by(done_in))
        return [(int(hour) * HOUR, arrived.get(hour, 0), settled.get(hour, 0)) for hour in sorted({*arrived, *settled})]

    def paces(self) -> dict[str, Pace]:
        """The pace of each lane that settled anything lately."""
        now = self._db.now()
        window = (
            select(attempts.c.delivery_id, attempts.c.at)
            .where(attempts.c.at > now - PACE_MS, attempts.c.outcome != "deferred")
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

    def silence(self) -> Silence | None:
        """How long ago the newest event came; None when none ever did."""
        newest = select(events.c.received_at).order_by(events.c.id.desc()).limit(GAPS)
        with self._db.reading() as connection:
            came = sorted((row[0] for row in connection.execute(newest)), reverse=True)
            now = int(connection.execute(select(self._db.now())).scalar_one())
        if not came:
            return None
        gaps = sorted(later - earlier for later, earlier in pairwise(came))
        usual = gaps[len(gaps) * 19 // 20] if len(gaps) >= 20 else None
        return Silence(came[0], max(0, now - came[0]), usual)

    def _one(self, statement: Select[Any]) -> Any:
        with self._db.reading() as connection:
            return connection.execute(statement).scalar()

    def _pairs(self, statement: Select[Any]) -> dict[Any, int]:
        with self._db.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(statement)}
