"""A CRM account's lanes, changed together: see `settlement.siblings` for what is decided."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import BigInteger, Connection, Row, String, bindparam, or_, select, update

from connector.errors import PauseReason
from connector.settlement import Pause
from connector.settlement.siblings import Freed, Sibling
from connector.store.database import Database
from connector.store.lane_statements import stopped_since
from connector.store.sql import Sql, built_once
from connector.store.tables import lanes

_KEPT: Final = ("pause_record", "pause_object", "pause_crm_id")


@built_once
class _Statements:
    """What reads an account's lanes, and what pauses them."""

    def __init__(self, sql: Sql) -> None:
        now = sql.now()
        columns = (lanes.c.name, lanes.c.pause_code, lanes.c.failures, lanes.c.own)
        states = ((lanes.c.leased_until > now).label("leased"), (lanes.c.paused_until > now).label("resting"))
        theirs = lanes.c.destination == bindparam("theirs")
        self.read = select(*columns, *states).where(theirs).order_by(lanes.c.name)
        until = now + bindparam("wait", type_=BigInteger)
        shorter = or_(lanes.c.paused_until < until, lanes.c.pause_code == PauseReason.BUDGET)
        self.pause = (
            update(lanes)
            .where(lanes.c.name.in_(bindparam("names", expanding=True)), shorter)
            .values(
                paused_until=until,
                opt_outs_from=now + bindparam("opt_outs_wait", type_=BigInteger),
                pause_code=bindparam("new_code", type_=String),
                pause_reason=bindparam("new_reason", type_=String),
                pause_delivery=None,
                pause_count=0,
                stopped_since=stopped_since(now),
                **dict.fromkeys(_KEPT, ""),
            )
        )


class Siblings:
    """Reads and changes the lanes of one account, in one order, so that no two writers wait for each other."""

    def __init__(self, database: Database) -> None:
        self._sql = _Statements(database.sql)

    def read(self, connection: Connection, destination: str) -> list[Sibling]:
        """Return the account's lanes."""
        return [_sibling(row) for row in connection.execute(self._sql.read, {"theirs": destination})]

    def hold(self, connection: Connection, lane: str, destination: str) -> tuple[Sibling, list[Sibling]]:
        """Return a lane and its account's others, which nobody else changes until this transaction ends."""
        rows = connection.execute(self._sql.read.with_for_update(), {"theirs": destination})
        siblings = {row.name: _sibling(row) for row in rows}
        return siblings.pop(lane, Sibling(lane)), list(siblings.values())

    def pause(self, connection: Connection, names: Sequence[str], pause: Pause) -> None:
        """Pause these lanes as well, unless they pause for longer."""
        if names:
            how = {"wait": pause.wait_ms, "opt_outs_wait": pause.opt_outs_wait}
            why = {"new_code": pause.code, "new_reason": pause.problem}
            connection.execute(self._sql.pause, {"names": list(names), **how, **why})

    def free(self, connection: Connection, freed: Sequence[Freed]) -> None:
        """Let these lanes go on at once."""
        for lane in freed:
            free = {"paused_until": 0, "pause_code": "", "pause_reason": "", "pause_delivery": None, "stopped_since": 0}
            kept = {"failures": lane.failures, "own": lane.own}
            connection.execute(update(lanes).where(lanes.c.name == lane.name).values(**free, **kept))


def _sibling(row: Row[Any]) -> Sibling:
    return Sibling(row.name, row.pause_code, row.failures, bool(row.leased), bool(row.resting), row.own)
