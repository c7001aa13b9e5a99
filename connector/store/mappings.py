"""Which mapping each destination runs, and why an edited one was refused: workers write it, operators read it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import Connection, null, select

from connector.settlement import LENGTH_UNKNOWN, DeliveryState
from connector.settlement.listings import MappingStatus
from connector.store.crm_tables import mappings
from connector.store.database import Database
from connector.store.desk import Desk, Filter
from connector.store.dialect import insert
from connector.store.obligations import Obligations
from connector.store.oddities import begin_again
from connector.store.open_items import OpenItems
from connector.store.versions import Versions

_NONE: Final[Mapping[str, str]] = MappingProxyType({})


class Mappings:
    """One row per destination."""

    def __init__(
        self, database: Database, obligations: Obligations, open_items: OpenItems, desk: Desk, versions: Versions
    ) -> None:
        self._db, self._obligations, self._open_items, self._desk = database, obligations, open_items, desk
        self._versions = versions

    def running(self, destination: str, version: str, files: Mapping[str, str] = _NONE) -> None:
        """Record that a mapping is in use, with its files, and clear an earlier refusal.

        If it is new, check every opt-out again, and deliver again what left out fields that the CRM refused.
        """
        same = (mappings.c.destination == destination, mappings.c.version == version)
        with self._db.reading() as connection:
            known = connection.execute(select(mappings.c.version).where(*same)).first() is not None
        if not known:
            with self._db.waking() as connection:
                self._obligations.wake_all(connection, destination)
                begin_again(connection, destination)
            for code in {item.code for item in self._open_items.fields() if item.destination == destination}:
                left_out = Filter(destination=destination, left_out=code, state=DeliveryState.DELIVERED)
                self._desk.replay(left_out, "an edited mapping")
        values = {"version": version, "running_since": self._db.now(), "refused_at": null(), "problem": ""}
        with self._db.transaction() as connection:
            self._put(connection, destination, values)
            self._versions.note_run(connection, destination, version, files)

    def measured(self, destination: str) -> None:
        """Deliver again what left out texts while the length of their fields was not known."""
        if any(item.destination == destination and item.code == LENGTH_UNKNOWN for item in self._open_items.fields()):
            left_out = Filter(destination=destination, left_out=LENGTH_UNKNOWN, state=DeliveryState.DELIVERED)
            self._desk.replay(left_out, "a described field")

    def refused(self, destination: str, problem: str) -> None:
        """Record that an edited mapping does not load, and why. The last valid one keeps running."""
        with self._db.transaction() as connection:
            self._put(connection, destination, {"refused_at": self._db.now(), "problem": problem})

    def _put(self, connection: Connection, destination: str, values: dict[str, Any]) -> None:
        blank = {"destination": destination, "version": "", "running_since": null(), "problem": ""}
        statement = insert(self._db.engine, mappings).values({**blank, **values})
        connection.execute(statement.on_conflict_do_update(index_elements=["destination"], set_=values))

    def all(self) -> list[MappingStatus]:
        """Every destination's mapping, by name."""
        with self._db.reading() as connection:
            rows = connection.execute(select(mappings).order_by(mappings.c.destination)).all()
        return [MappingStatus(**row._mapping) for row in rows]
