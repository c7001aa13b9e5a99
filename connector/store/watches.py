"""When each agency was last checked and which alarms its people were sent: of several workers, only one sends."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final

from sqlalchemy import func, select, update

from connector.backoff import HOUR
from connector.settlement import DeliveryState
from connector.settlement.listings import RecentDead, SentAlarm
from connector.store.database import Database
from connector.store.dialect import insert
from connector.store.tables import deliveries, events, watches

ARRIVALS: Final = 500


@dataclass(frozen=True, slots=True)
class Turn:
    """One check of an agency: now, when the last check was (epoch ms; 0: never), and the alarms sent so far."""

    now: int
    looked_at: int
    sent: Mapping[str, SentAlarm]


class Watches:
    """One row per agency."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def take(self, agency: str, rest_ms: int) -> Turn | None:
        """Claim this check of the agency, unless a worker claimed one within the last `rest_ms`."""
        with self._db.transaction() as connection:
            blank = {"agency": agency, "looked_at": 0, "told": "{}"}
            connection.execute(insert(self._db.engine, watches).values(blank).on_conflict_do_nothing())
            mine = watches.c.agency == agency
            row = connection.execute(select(watches, self._db.now().label("now")).where(mine)).one()
            still = update(watches).where(mine, watches.c.looked_at == row.looked_at).values(looked_at=row.now)
            if row.looked_at > row.now - rest_ms or connection.execute(still).rowcount != 1:
                return None
        return Turn(row.now, row.looked_at, _read(row.told))

    def remember(self, agency: str, sent: Mapping[str, SentAlarm]) -> None:
        """Store the alarms sent so far."""
        with self._db.transaction() as connection:
            connection.execute(update(watches).where(watches.c.agency == agency).values(told=_text(sent)))

    def arrivals(self, agency: str) -> list[int]:
        """Return when the newest events arrived, newest first (epoch ms)."""
        newest = (
            select(events.c.received_at)
            .where(events.c.agency == agency, events.c.payload.is_not(None))
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


def _text(sent: Mapping[str, SentAlarm]) -> str:
    return json.dumps({key: asdict(alarm) for key, alarm in sent.items()})


def _read(text: str) -> dict[str, SentAlarm]:
    return {key: SentAlarm(state["at"], state["on"]) for key, state in json.loads(text).items()}
