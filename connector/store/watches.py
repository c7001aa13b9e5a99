"""When each agency was last checked, and which alarms its people were sent each way: of several workers one sends."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from sqlalchemy import Row, func, literal_column, select, update

from connector.backoff import HOUR
from connector.settlement import DeliveryState
from connector.settlement.listings import RecentDead, SentAlarm
from connector.store.database import Database
from connector.store.dialect import insert
from connector.store.tables import deliveries, events, watches

ARRIVALS: Final = 500
_BLANK: Final = {"looked_at": 0, "told": "{}"}


AllSent = Mapping[str, Mapping[str, SentAlarm]]
"""The alarms sent so far: way -> key -> when. Under the way "" are those of before ways were kept apart."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One check of an agency, in epoch ms. looked_at: the last check; received_at: when a receiver could last write.

    0: never.
    """

    now: int
    looked_at: int
    received_at: int
    sent: AllSent


_SENT: Final[Any] = literal_column("'webhook'")  # a literal: partial indexes serve no parameter


class Watches:
    """One row per agency."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def take(self, agency: str, rest_ms: int) -> Turn | None:
        """Claim this check of the agency, unless a worker claimed one within the last `rest_ms`."""
        with self._db.transaction() as connection:
            blank = {**_BLANK, "agency": agency, "received_at": 0}
            connection.execute(insert(self._db.engine, watches).values(blank).on_conflict_do_nothing())
            mine = watches.c.agency == agency
            row = connection.execute(select(watches, self._db.now().label("now")).where(mine)).one()
            still = update(watches).where(mine, watches.c.looked_at == row.looked_at).values(looked_at=row.now)
            recent = row.now - rest_ms < row.looked_at <= row.now  # a check in the future: the clock jumped back
            if recent or connection.execute(still).rowcount != 1:
                return None
        return Turn(row.now, row.looked_at, row.received_at, _sent(row))

    def raised(self, agency: str) -> list[str]:
        """The keys of the alarms that the agency's people were sent and that are not over, as of the last check."""
        with self._db.reading() as connection:
            row = connection.execute(select(watches).where(watches.c.agency == agency)).first()
        sent = _sent(row) if row else {}
        return sorted({key for alarms in sent.values() for key, alarm in alarms.items() if alarm.on})

    def try_to_write(self) -> None:
        """Commit a change that changes nothing. Raises StoreUnavailable."""
        with self._db.transaction() as connection:
            connection.execute(update(watches).values(looked_at=watches.c.looked_at))

    def receives(self, agencies: Sequence[str]) -> None:
        """Note that a receiver of these agencies could store events just now."""
        with self._db.transaction() as connection:
            for agency in sorted(agencies):
                blank = {**_BLANK, "agency": agency, "received_at": self._db.now()}
                put = insert(self._db.engine, watches).values(blank)
                seen = {"received_at": put.excluded.received_at}
                connection.execute(put.on_conflict_do_update(index_elements=["agency"], set_=seen))

    def remember(self, agency: str, sent: AllSent) -> None:
        """Store the alarms sent so far."""
        with self._db.transaction() as connection:
            connection.execute(update(watches).where(watches.c.agency == agency).values(told=json.dumps(as_data(sent))))

    def arrivals(self, agency: str) -> list[int]:
        """Return when the newest events arrived that were sent, not fetched, newest first (epoch ms)."""
        newest = (
            select(events.c.received_at)
            .where(events.c.agency == agency, events.c.payload.is_not(None), events.c.origin == _SENT)
            .order_by(events.c.received_at.desc())
            .limit(ARRIVALS)
        )
        with self._db.reading() as connection:
            return list(connection.execute(newest).scalars())

    def died_lately(self) -> list[RecentDead]:
        """Count the dead letters of the last hour by destination and code."""
        group = (deliveries.c.destination, deliveries.c.code)
        lately = (
            select(*group, func.count().label("count"))
            .where(deliveries.c.state == DeliveryState.DEAD, deliveries.c.settled_at >= self._db.now() - HOUR)
            .group_by(*group)
            .order_by(*group)
        )
        with self._db.reading() as connection:
            return [RecentDead(**row._mapping) for row in connection.execute(lately)]


def _sent(row: Row[Any]) -> AllSent:
    return read_sent(json.loads(row.told))


def as_data(sent: AllSent) -> dict[str, dict[str, Any]]:
    """The alarms sent so far, for JSON."""
    return {way: {key: asdict(alarm) for key, alarm in alarms.items()} for way, alarms in sent.items()}


def read_sent(data: Mapping[str, Any]) -> AllSent:
    """The alarms sent so far, from JSON."""
    ways = {"": data} if any("at" in entry for entry in data.values()) else data  # before ways were kept apart
    return {way: {key: SentAlarm(**alarm) for key, alarm in alarms.items()} for way, alarms in ways.items()}
