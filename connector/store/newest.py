"""The newest known state of each customer and call: what time it is of, and which event holds it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import Connection, or_, select

from connector.backoff import DAY
from connector.settlement.newest import Kept, Kind
from connector.store.database import Database
from connector.store.dialect import ALWAYS, insert
from connector.store.fetched_tables import newest
from connector.store.rows import Rows, as_rows, given
from connector.store.sql import Sql, built_once

OF_CUSTOMERS: Final = frozenset({"customer.created", "customer.updated"})
_KEY: Final = ("agency", "kind", "id")
_ALL: Final = tuple(column.name for column in newest.c)
_values: Final = attrgetter(*_ALL)  # asdict() would copy each value, which took as long as the database did
_STEP: Final = 500


class Newest:
    """Kept up to date in the commit that accepts an event; it outlives the event."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._note = _note(database.sql)

    def rows(self, kept: Iterable[Kept]) -> Rows:
        """What newly accepted events tell, as a parameter: of each customer and call the newest state."""
        newest_of: dict[tuple[str, str, str], Kept] = {}
        for state in kept:
            key = (state.agency, state.kind, state.id)
            if (known := newest_of.get(key)) is None or _age(state) > _age(known):
                newest_of[key] = state
        # Sorted: two receivers never wait for each other.
        return as_rows([dict(zip(_ALL, _values(newest_of[key]), strict=True)) for key in sorted(newest_of)])

    def note(self, connection: Connection, rows: Rows) -> None:
        """Take over what is newer than what is known. At equal times what was sent wins over what was fetched."""
        if rows:
            connection.execute(self._note, rows)

    def held(self, agency: str, kind: Kind, ids: Collection[str]) -> Mapping[str, int]:
        """What time the newest known state of each of these is of, in epoch ms; what is not known is left out."""
        mine = (newest.c.agency == agency, newest.c.kind == kind, newest.c.id.in_(ids))
        with self._db.reading() as connection:
            return {row.id: row.at for row in connection.execute(select(newest.c.id, newest.c.at).where(*mine))}

    def walk(self, agency: str, kind: Kind, after: str = "") -> Iterator[list[Kept]]:
        """List all of a kind, some at a time, in the order of their ids."""
        while True:
            mine = (newest.c.agency == agency, newest.c.kind == kind, newest.c.id > after)
            with self._db.reading() as connection:
                rows = connection.execute(select(newest).where(*mine).order_by(newest.c.id).limit(_STEP)).all()
            if not rows:
                return
            yield [Kept(**{**row._mapping, "kind": kind}) for row in rows]
            after = rows[-1].id


def _age(kept: Kept) -> tuple[int, bool, int]:
    return kept.at, kept.sent, kept.event_id


@built_once
def _note(sql: Sql) -> Any:
    rows = given(sql, *(newest.c[name] for name in _ALL))
    statement = insert(sql, newest).from_select(list(_ALL), select(*rows.c).where(ALWAYS))
    new = statement.excluded
    is_ahead = newest.c.at > sql.now() + DAY  # an older version believed it
    wins = is_ahead | (newest.c.at < new.at) | ((newest.c.at == new.at) & or_(new.sent, ~newest.c.sent))
    changes = {name: new[name] for name in _ALL if name not in _KEY}
    return statement.on_conflict_do_update(index_elements=list(_KEY), set_=changes, where=wins)
