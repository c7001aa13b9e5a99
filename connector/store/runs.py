"""Runs over everybody, such as a backfill: what was asked, how far it came, and what it found. Resumable."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import select, update

from connector.store.database import Database
from connector.store.fetched_tables import runs


@dataclass(frozen=True, slots=True)
class Run:
    """One run. asked: its settings, as text. cursor: where it goes on; empty at the beginning. Times in epoch ms."""

    id: str
    agency: str
    kind: str
    asked: str
    started_at: int
    seen_at: int
    cursor: str = ""
    ended_at: int | None = None
    counts: Mapping[str, int] = field(default_factory=dict)


_LISTED: Final = 50


class Runs:
    """Starts, resumes and ends runs."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def begin(self, new_id: str, agency: str, kind: str, asked: str) -> Run:
        """Resume the run of this kind that was asked the same and has not ended, or begin it as `new_id`."""
        same = (runs.c.agency == agency, runs.c.kind == kind, runs.c.asked == asked, runs.c.ended_at.is_(None))
        now = self._db.now()
        with self._db.transaction() as connection:
            row = connection.execute(select(runs).where(*same).order_by(runs.c.started_at.desc()).limit(1)).first()
            if row is not None:
                return _run(row)
            new = {"id": new_id, "agency": agency, "kind": kind, "asked": asked, "started_at": now, "seen_at": now}
            return _run(connection.execute(runs.insert().values(new).returning(*runs.c)).one())

    def note(self, run_id: str, cursor: str, counts: Mapping[str, int], *, ended: bool = False) -> None:
        """Keep how far a run came."""
        now = self._db.now()
        changes = {"cursor": cursor, "counts": json.dumps(dict(counts)), "seen_at": now}
        with self._db.transaction() as connection:
            connection.execute(
                update(runs).where(runs.c.id == run_id).values({**changes, **({"ended_at": now} if ended else {})})
            )

    def all(self, agency: str, kind: str = "", limit: int = _LISTED) -> list[Run]:
        """List an agency's runs, the newest first."""
        mine = [runs.c.agency == agency, *([runs.c.kind == kind] if kind else [])]
        with self._db.reading() as connection:
            rows = connection.execute(select(runs).where(*mine).order_by(runs.c.started_at.desc()).limit(limit))
            return [_run(row) for row in rows]


def _run(row: Any) -> Run:
    return Run(**{**row._mapping, "counts": json.loads(row.counts)})
