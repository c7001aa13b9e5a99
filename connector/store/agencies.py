"""The agency files' settings as of the last start, for commands and pages that do not read the files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

from sqlalchemy import func, select

from connector.settlement import DeliveryState
from connector.store.database import Database
from connector.store.dialect import insert
from connector.store.tables import agencies, deliveries, events

NOTICE_DAYS: Final = 7
"""Warnings of dead letters that will be given up begin this many days before."""
_DAY: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class Terms:
    """One agency's settings for its values and its dead letters."""

    name: str
    reveal_values: bool
    dead_letter_days: int


class Agencies:
    """Keeps the terms of every agency."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def announce(self, terms: Sequence[Terms]) -> None:
        """Store the settings of the agency files."""
        statement = insert(self._db.engine, agencies)
        newer = {name: statement.excluded[name] for name in ("reveal_values", "dead_letter_days")}
        with self._db.transaction() as connection:
            connection.execute(
                statement.on_conflict_do_update(index_elements=["name"], set_=newer),
                [asdict(agency) for agency in terms],
            )

    def expiring(self) -> dict[str, int]:
        """Count each agency's dead letters that will be given up within NOTICE_DAYS unless somebody replays them."""
        soon = self._db.now() - (agencies.c.dead_letter_days - NOTICE_DAYS) * _DAY
        statement = (
            select(events.c.agency, func.count())
            .join_from(deliveries, events)
            .join(agencies, agencies.c.name == events.c.agency)
            .where(deliveries.c.state == DeliveryState.DEAD, deliveries.c.accepted_at < soon)
            .group_by(events.c.agency)
            .order_by(events.c.agency)
        )
        with self._db.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(statement)}
