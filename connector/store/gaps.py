"""Gaps in the history: what was lost when an older database took the place of ours, until a restore is declared."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, Row, func, literal, select, update

from connector.settlement.gaps import Doubt, Gap, GapKind, Lost, together
from connector.store.database import Database
from connector.store.dialect import lock_rows
from connector.store.history_tables import gaps, generations
from connector.store.tables import lanes, ledger

OPEN: Final = select(gaps.c.id).where(gaps.c.resolved.is_(None)).exists()
"""Whether a gap is unresolved: only opt-outs are written to the CRMs then."""

GENERATION: Final = select(func.coalesce(func.max(generations.c.id), 0)).scalar_subquery()
"""How many restores were declared. What the ledger knows from before the last one is in doubt."""

DOUBTFUL: Final = (ledger.c.generation < GENERATION).label("doubtful")
"""Whether an entry of the ledger is from before the last declared restore."""


class Gaps:
    """Notes gaps, and says which are unresolved."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def note(self, gap: Gap) -> bool:
        """Note a gap and take every lane from its worker: what it knows is of another history.

        Returns False for a process whose gap is known already. What was lost before the last declared restore is noted
        as resolved.
        """
        with self._db.waking() as connection:
            lock_rows(connection, [lanes.c.name], lanes.c.name != literal(""))
            if connection.execute(select(gaps.c.id).where(gaps.c.process == gap.process)).first():
                return False
            resolved = select(func.max(generations.c.at)).where(generations.c.at >= gap.lost_until).scalar_subquery()
            columns = {"process": gap.process, "kind": gap.kind, "events": gap.events}
            lost = {"lost_from": gap.lost_from, "lost_until": gap.lost_until}
            row = {**columns, **lost, "noticed_at": self._db.now(), "resolved": resolved}
            connection.execute(gaps.insert().values(row))
            take_lanes(connection, self._db)
        return True

    def open(self) -> Lost | None:
        """What is missing until a restore is declared; None if nothing is."""
        with self._db.reading() as connection:
            rows = connection.execute(select(gaps).where(gaps.c.resolved.is_(None))).all()
        return together([_gap(row) for row in rows])

    def all(self) -> list[Gap]:
        """Every gap, the newest first."""
        with self._db.reading() as connection:
            return [_gap(row) for row in connection.execute(select(gaps).order_by(gaps.c.id.desc()))]

    def doubt(self) -> Doubt | None:
        """The last declared restore; None if there was none."""
        newest = select(generations.c.at, generations.c.lost_until).order_by(generations.c.id.desc()).limit(1)
        with self._db.reading() as connection:
            row = connection.execute(newest).first()
        return Doubt(row.at, row.lost_until) if row else None


def take_lanes(connection: Connection, database: Database) -> None:
    """Take every lane from the worker that holds it: it records nothing, and what it wrote is written again."""
    connection.execute(update(lanes).values(token="", leased_until=database.now()))


def _gap(row: Row[Any]) -> Gap:
    times = (row.lost_from, row.lost_until, row.events, row.noticed_at, row.resolved)
    return Gap(row.process, GapKind(row.kind), *times)
