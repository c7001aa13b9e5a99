"""What careCycle sends that is not as it documents: each event's odd fields, and counts of them for people."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, case, delete, select, update

from connector.backoff import DAY
from connector.carecycle.recognise import OddField
from connector.settlement.oddities import Oddity
from connector.store.database import Database
from connector.store.dialect import ALWAYS, insert
from connector.store.problem_tables import oddities
from connector.store.rows import Rows, as_rows, given
from connector.store.sql import Sql, built_once
from connector.store.tables import events

_KEY: Final = ("agency", "destination", "field", "target", "got", "used")
_ALL: Final = (*_KEY, "expected", "count", "since", "until", "message_id")


class Oddities:
    """A few rows, bounded by careCycle's fields and the mappings: no list of them reads an event."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._count = _count(database.sql)

    def rows(self, seen: Iterable[Oddity]) -> Rows:
        """What was seen as a parameter, made before the transaction begins: others wait for it."""
        return as_rows([_row(oddity) for oddity in _summed(seen)])

    def add(self, connection: Connection, rows: Rows) -> None:
        """Count what was seen, in the transaction that stores where it was seen."""
        if rows:
            connection.execute(self._count, rows)

    def of(self, message_id: str) -> tuple[OddField, ...]:
        """The odd fields of one event, as they were when it came."""
        statement = select(events.c.odd).where(events.c.message_id == message_id).limit(1)
        with self._db.reading() as connection:
            return read_odd(connection.execute(statement).scalar() or "")

    def all(self) -> list[Oddity]:
        """Everything that is counted, by place."""
        with self._db.reading() as connection:
            return [Oddity(**row._mapping) for row in connection.execute(select(oddities).order_by(*oddities.c))]

    def purge(self, agency: str, before: int) -> int:
        """Drop what has not come since `before` (epoch ms). Returns how many rows."""
        old = (oddities.c.agency == agency, oddities.c.until < before)
        with self._db.reading() as connection:
            if connection.execute(select(oddities.c.agency).where(*old).limit(1)).first() is None:
                return 0
        with self._db.transaction() as connection:
            return connection.execute(delete(oddities).where(*old)).rowcount


def begin_again(connection: Connection, destination: str) -> None:
    """Forget what a destination's mapping did not translate: it runs another one now."""
    connection.execute(delete(oddities).where(oddities.c.destination == destination))


def unname(connection: Connection, event_ids: Collection[int]) -> None:
    """Name no event that is forgotten."""
    gone = select(events.c.message_id).where(events.c.id.in_(event_ids))
    connection.execute(update(oddities).where(oddities.c.message_id.in_(gone)).values(message_id=""))


def credible(said: ColumnElement[int], received_at: ColumnElement[int]) -> ColumnElement[int]:
    """When it was that an event speaks of, as SQL: see recognise.credible. Null counts as when it was received."""
    return case((said <= received_at + DAY, said), else_=received_at)


def odd_as_text(odd: Sequence[OddField]) -> str:
    """Odd fields as `events.odd` holds them; empty for none."""
    rows = [[field.path, field.expected, field.got, field.used] for field in odd]
    return json.dumps(rows, separators=(",", ":")) if rows else ""


def read_odd(text: str) -> tuple[OddField, ...]:
    """Odd fields from `events.odd`."""
    return tuple(OddField(*row) for row in json.loads(text)) if text else ()


def _summed(seen: Iterable[Oddity]) -> list[Oddity]:
    """One for each place, sorted: two writers never wait for each other's rows."""
    summed: dict[tuple[Any, ...], Oddity] = {}
    for oddity in seen:
        key = tuple(getattr(oddity, name) for name in _KEY)
        summed[key] = oddity.after(summed[key]) if key in summed else oddity
    return [summed[key] for key in sorted(summed)]


def _row(oddity: Oddity) -> dict[str, Any]:
    return {name: getattr(oddity, name) for name in _ALL}


@built_once
def _count(sql: Sql) -> Any:
    seen = given(sql, *(oddities.c[name] for name in _ALL))
    statement = insert(sql, oddities).from_select(list(_ALL), select(*seen.c).where(ALWAYS))
    newer = {name: statement.excluded[name] for name in ("expected", "until", "message_id")}
    total = oddities.c.count + statement.excluded.count
    return statement.on_conflict_do_update(index_elements=list(_KEY), set_={**newer, "count": total})
