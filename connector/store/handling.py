"""What people did about causes of dead letters: replays, whose result stays, and who looks after which until when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row, delete, func, literal_column, select

from connector.errors import FixConfiguration
from connector.settlement import DeliveryState
from connector.store.audit import Audit, tidy
from connector.store.database import Database
from connector.store.desk import Desk, Filter
from connector.store.dialect import insert
from connector.store.problem_tables import mutes, replays
from connector.store.tables import deliveries

LISTED: Final = 10
"""How many replays a page shows, the newest."""


@dataclass(frozen=True, slots=True)
class Replay:
    """One replay of dead letters of a cause, and what has become of them. Times in epoch ms.

    since: when the cause began, which a replay does not change. count: of deliveries. waiting, failed: of these, those
    not tried yet and those that are dead letters again; all others were delivered or need no delivery.
    """

    id: int
    cause: str
    destination: str
    what: str
    who: str
    at: int
    since: int
    count: int
    waiting: int = 0
    failed: int = 0

    @property
    def delivered(self) -> int:
        """Those that are in the CRM, or need not be."""
        return max(0, self.count - self.waiting - self.failed)


@dataclass(frozen=True, slots=True)
class Mute:
    """Somebody looks after a cause. until: epoch ms. count: its dead letters at that time."""

    cause: str
    destination: str
    who: str
    at: int
    until: int
    reason: str
    count: int

    def holds(self, now: int, count: int) -> bool:
        """Whether nobody else needs to look: neither has the time ended, nor has the cause grown."""
        return now < self.until and count <= self.count


@dataclass(frozen=True, slots=True)
class Named:
    """A cause of dead letters, as it is kept: its id, its destination, what is wrong, and since when (epoch ms)."""

    id: str
    destination: str
    what: str
    since: int


class Handling:
    """Two small tables; the deliveries of a replay carry its number."""

    def __init__(self, database: Database, desk: Desk, log: Audit) -> None:
        self._db, self._desk, self._audit = database, desk, log

    def replay(self, cause: Named, chosen: Filter, who: str, reason: str = "") -> int:
        """Replay dead letters of a cause, and keep that and what comes of it. Returns how many."""
        row = {"cause": cause.id, "destination": cause.destination, "what": cause.what, "who": who}
        with self._db.transaction() as connection:
            kept = replays.insert().values(**row, at=self._db.now(), since=cause.since, count=0)
            number = int(connection.execute(kept.returning(replays.c.id)).scalar_one())
        count = self._desk.replay(chosen, who, reason=reason, number=number)
        with self._db.transaction() as connection:
            mine = replays.c.id == number
            connection.execute(
                replays.update().where(mine).values(count=count) if count else delete(replays).where(mine)
            )
        return count

    def replays(self, cause: str = "", limit: int = LISTED) -> list[Replay]:
        """The newest replays, of one cause or of all, with what has become of them."""
        chosen = select(replays).where(replays.c.cause == cause) if cause else select(replays)
        with self._db.reading() as connection:
            rows = connection.execute(chosen.order_by(replays.c.id.desc()).limit(limit)).all()
            states = self._states([row.id for row in rows])
        return [_replay(row, states) for row in rows]

    def began(self, numbers: Sequence[int]) -> dict[int, int]:
        """Since when (epoch ms) there had been the causes that these replays were of."""
        with self._db.reading() as connection:
            rows = connection.execute(select(replays.c.id, replays.c.since).where(replays.c.id.in_(numbers)))
            return {row.id: row.since for row in rows}

    def _states(self, numbers: Sequence[int]) -> Counter[tuple[int, str]]:
        state = deliveries.c.state + literal_column("''")
        mine = (deliveries.c.replay != literal_column("0"), deliveries.c.replay.in_(numbers))
        counted = select(deliveries.c.replay, state, func.count()).where(*mine).group_by(deliveries.c.replay, state)
        with self._db.reading() as connection:
            return Counter({(number, state): count for number, state, count in connection.execute(counted)})

    def mute(self, cause: Named, count: int, until: int, who: str, reason: str) -> None:
        """Keep that somebody looks after a cause. Raises FixConfiguration without a reason."""
        if not (why := tidy(reason)):
            raise FixConfiguration(cause.id, "is muted for a reason only", "it is shown with the problem")
        row = {"cause": cause.id, "destination": cause.destination, "who": who, "until": until}
        row |= {"reason": why, "count": count}
        put = insert(self._db.engine, mutes).values(**row, at=self._db.now())
        with self._db.transaction() as connection:
            connection.execute(put.on_conflict_do_update(index_elements=["cause"], set_={**row, "at": self._db.now()}))
            self._audit.write_down(
                connection, who, "mute", f"{cause.destination} {cause.id}", why, agency=_agency(cause)
            )

    def unmute(self, cause: Named, who: str) -> None:
        """Forget that somebody looks after a cause."""
        with self._db.transaction() as connection:
            if connection.execute(delete(mutes).where(mutes.c.cause == cause.id)).rowcount:
                thing = f"{cause.destination} {cause.id}"
                self._audit.write_down(connection, who, "unmute", thing, agency=_agency(cause))

    def mutes(self) -> dict[str, Mute]:
        """Who looks after which cause, also where that no longer holds."""
        with self._db.reading() as connection:
            return {row.cause: Mute(**row._mapping) for row in connection.execute(select(mutes))}


def _replay(row: Row[Any], states: Counter[tuple[int, str]]) -> Replay:
    waiting, failed = (states[row.id, state] for state in (DeliveryState.READY, DeliveryState.DEAD))
    return Replay(**row._mapping, waiting=waiting, failed=failed)


def _agency(cause: Named) -> str:
    return cause.destination.partition("/")[0]
