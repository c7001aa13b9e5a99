"""Opt-outs as they are owed now: one customer, one flag, one destination. What every figure of them counts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Row, func, literal_column, or_, select

from connector.errors import ACCOUNT_WIDE
from connector.settlement import ObligationState
from connector.store.consent_tables import obligations
from connector.store.database import Database
from connector.store.evidence import OptOut, owed_as
from connector.store.opt_outs import OptOuts
from connector.store.tables import events, lanes

MOST: Final = 100
"""Open opt-outs listed on a page."""
_OPEN: Final = obligations.c.state != literal_column("'applied'")  # a literal, so that the partial index serves it
_SINCE: Final = obligations.c.since + literal_column("0")
"""An expression: for the bare column SQLite would walk every opt-out there ever was, to be spared the sorting."""


class Asked(NamedTuple):
    """Which message an opt-out came with, and when it was stored (epoch ms)."""

    customer_id: str
    message_id: str
    received_at: int


@dataclass(frozen=True, slots=True)
class Owed:
    """An opt-out, and what became of it. tried: how often it was sent. action: what to do about a refusal."""

    opt_out: OptOut
    tried: int = 0
    action: str = ""
    code: str = ""


class Owing:
    """Reads the obligations alone."""

    def __init__(self, database: Database, opt_outs: OptOuts) -> None:
        self._db, self._opt_outs = database, opt_outs

    def open(self, agencies: Collection[str] | None, limit: int = MOST) -> list[Owed]:
        """Those that are not in their CRM, the oldest first; None for every agency."""
        return self._listed(_OPEN, *_of(agencies), limit=limit)

    def count(self, agencies: Collection[str] | None) -> dict[ObligationState, int]:
        """How many are not in their CRM, by state."""
        statement = select(obligations.c.state, func.count()).where(_OPEN, *_of(agencies)).group_by(obligations.c.state)
        with self._db.reading() as connection:
            return {ObligationState(state): int(count) for state, count in connection.execute(statement)}

    def of_customer(self, agency: str, customer_id: str) -> list[Owed]:
        """Every one of a customer's, in force or in the CRM."""
        return self._listed(obligations.c.customer_id == customer_id, *_of([agency]), limit=MOST)

    def asked_between(
        self, since: int, until: int, agencies: Collection[str] | None
    ) -> list[tuple[int, int | None, ObligationState]]:
        """When each opt-out was asked for, when its CRM confirmed it (epoch ms), and its state."""
        columns = (obligations.c.since, obligations.c.applied_at, obligations.c.state)
        statement = select(*columns).where(obligations.c.since >= since, obligations.c.since < until, *_of(agencies))
        with self._db.reading() as connection:
            return [(row.since, row.applied_at, ObligationState(row.state)) for row in connection.execute(statement)]

    def _listed(self, *which: ColumnElement[bool], limit: int) -> list[Owed]:
        holds = (lanes.c.paused_until > self._db.now()) & or_(lanes.c.pause_code.in_(ACCOUNT_WIDE))
        statement = (
            select(obligations, holds.label("paused"), lanes.c.pause_code, lanes.c.pause_reason, events.c.message_id)
            .join_from(obligations, lanes, lanes.c.name == obligations.c.lane, isouter=True)
            .join(events, events.c.id == obligations.c.event_id, isouter=True)
            .where(*which)
            .order_by(_SINCE, obligations.c.destination, obligations.c.customer_id, obligations.c.flag)
            .limit(limit)
        )
        with self._db.reading() as connection:
            rows = connection.execute(statement).all()
        return [_owed(row, opt_out) for row, opt_out in zip(rows, self._checked(rows), strict=True)]

    def _checked(self, rows: Sequence[Row[Any]]) -> list[OptOut]:
        asked = [owed_as(Asked(row.customer_id, row.message_id or "", row.since), row.flag, row) for row in rows]
        return self._opt_outs.checked(list(zip(asked, rows, strict=True)))


def _of(agencies: Collection[str] | None) -> list[ColumnElement[bool]]:
    """Only these agencies' destinations."""
    if agencies is None:
        return []
    return [
        or_(
            literal_column("1=0"),
            *(obligations.c.destination.startswith(f"{name}/", autoescape=True) for name in agencies),
        )
    ]


def _owed(row: Row[Any], opt_out: OptOut) -> Owed:
    return Owed(opt_out, row.attempts, row.action, row.code)
