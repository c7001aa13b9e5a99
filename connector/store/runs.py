"""Runs over everybody, such as a backfill: what was asked, how far it came, and what it found. Resumable."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import ColumnElement, case, func, literal, select, update

from connector.backoff import HOUR
from connector.settlement.source import Compared, Comparison
from connector.store.audit_tables import audit
from connector.store.database import Database
from connector.store.dialect import insert
from connector.store.fetched_tables import runs


@dataclass(frozen=True, slots=True)
class Run:
    """One run. Times in epoch ms.

    asked: its settings, as text. cursor: where it goes on; empty at the beginning. problem: why it stopped last.
    """

    id: str
    agency: str
    kind: str
    asked: str
    started_at: int
    seen_at: int
    cursor: str = ""
    ended_at: int | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    problem: str = ""
    whole: bool = False


SOURCE: Final = "reconcile source"
"""The kind of a run that compares careCycle with what is held."""

REAPPLY: Final = "reapply"
"""The kind of a run that applies an edited mapping to everybody."""

SCHEDULED: Final = "scheduled"
"""How a run that nobody asked for was asked for."""

_LISTED: Final = 50
_GONE: Final = HOUR
"""A run of which nothing was seen for so long has lost its process, or is to be tried again."""


class Runs:
    """Starts, resumes and ends runs."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def begin(
        self, new_id: str, agency: str, kind: str, asked: str, *, whole: bool = False, unless: Collection[str] = ()
    ) -> Run:
        """Resume the agency's newest run of this kind if it was asked the same and has not ended; else begin `new_id`.

        An older one is not resumed: what came after it may have undone its part. whole: people ask for everybody to be
        fetched, for every destination. unless: actions of the audit log after which no run is resumed.
        """
        newest = select(runs).where(runs.c.agency == agency, runs.c.kind == kind).order_by(runs.c.started_at.desc())
        now = self._db.now()
        with self._db.transaction() as connection:
            row = connection.execute(newest.limit(1)).first()
            if row is not None and row.asked == asked and row.ended_at is None:
                taken_back = select(audit.c.id).where(audit.c.action.in_(unless), audit.c.at >= row.started_at)
                if not connection.execute(taken_back.limit(1)).first():
                    return _run(row)
            new = {
                "id": new_id,
                "agency": agency,
                "kind": kind,
                "asked": asked,
                "whole": whole,
                "started_at": now,
                "seen_at": now,
            }
            return _run(connection.execute(runs.insert().values(new).returning(*runs.c)).one())

    def due(self, new_id: str, agency: str, kind: str, asked: str, every: int) -> Run | None:
        """Begin a run if the newest began at least `every` ms ago, or resume it if its process has gone; else None.

        Of several processes that ask at once, one gets it.
        """
        now, mine = self._db.now(), (runs.c.agency == agency, runs.c.kind == kind, runs.c.asked == asked)
        newest = select(runs.c.id).where(*mine).order_by(runs.c.started_at.desc()).limit(1).scalar_subquery()
        left = (runs.c.ended_at.is_(None), runs.c.seen_at < now - _GONE)
        recent = select(runs.c.id).where(*mine, (runs.c.started_at > now - every) | runs.c.ended_at.is_(None))
        new = (literal(text) for text in (new_id, agency, kind, asked))
        names = ("id", "agency", "kind", "asked", "started_at", "seen_at")
        begun = insert(self._db.engine, runs).from_select(names, select(*new, now, now).where(~recent.exists()))
        with self._db.transaction() as connection:
            resumed = update(runs).where(runs.c.id == newest, *left).values(seen_at=now)
            row = connection.execute(resumed.returning(*runs.c)).first()
            row = row or connection.execute(begun.on_conflict_do_nothing().returning(*runs.c)).first()
            return None if row is None else _run(row)

    def note(self, run_id: str, cursor: str, counts: Mapping[str, int], *, ended: bool = False) -> None:
        """Keep how far a run came."""
        changes = {"cursor": cursor, "counts": json.dumps(dict(counts)), "problem": ""}
        self._change(run_id, changes | ({"ended_at": self._db.now()} if ended else {}))

    def stopped(self, run_id: str, problem: str) -> None:
        """Keep why a run stopped; it can go on where it was."""
        self._change(run_id, {"problem": problem})

    def _change(self, run_id: str, changes: Mapping[str, Any]) -> None:
        with self._db.transaction() as connection:
            mine = update(runs).where(runs.c.id == run_id)
            connection.execute(mine.values({**changes, "seen_at": self._db.now()}))

    def compared(self, agency: str) -> Compared | None:
        """What is known of an agency's comparisons; None if there was none."""
        newest = self.all(agency, SOURCE, limit=10)
        done = next((run for run in newest if run.ended_at is not None), None)
        open_run = next((run for run in newest if run.ended_at is None), None)
        if not newest:
            return None
        return Compared(
            Comparison(done.counts) if done else None,
            done.started_at if done else 0,
            (done.ended_at or 0) if done else 0,
            open_run.started_at if open_run else None,
            open_run.problem if open_run else "",
            self.was_asked_for(agency),
        )

    def was_asked_for(self, agency: str) -> bool:
        """Whether people have ever had everybody fetched from careCycle, to the end and for every destination."""
        done = (runs.c.agency == agency, runs.c.whole, runs.c.ended_at.is_not(None))
        with self._db.reading() as connection:
            return connection.execute(select(runs.c.id).where(*done).limit(1)).first() is not None

    def all(self, agency: str, kind: str = "", limit: int = _LISTED) -> list[Run]:
        """List an agency's runs, the newest first."""
        mine = [runs.c.agency == agency, *([runs.c.kind == kind] if kind else [])]
        with self._db.reading() as connection:
            rows = connection.execute(select(runs).where(*mine).order_by(runs.c.started_at.desc()).limit(limit))
            return [_run(row) for row in rows]


def _run(row: Any) -> Run:
    return Run(**{**row._mapping, "counts": json.loads(row.counts)})


def applied_before(sent: ColumnElement[bool]) -> ColumnElement[int]:
    """How often a mapping was applied to everybody before something is sent; 0 for what is not sent."""
    so_far = select(func.count()).select_from(runs).where(runs.c.kind == REAPPLY).scalar_subquery()
    return case((sent, so_far), else_=0)
