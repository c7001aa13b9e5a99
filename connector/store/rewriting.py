"""Rewrite, once, the rows in which earlier versions stored digests as they are: see `store.cover`.

Events are accepted all the while, and delivered once it is done: only then is each record found by its key. A step is a
short transaction, its rows are recognised by what they hold, and a row that was rewritten is not chosen again, so that
any number of workers may take part, and each may end at any time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Row, Table, and_, bindparam, func, select, tuple_, update

from connector.errors import CannotDecrypt, StoreUnavailable
from connector.store.consent_tables import obligations
from connector.store.counting_tables import counted_calls
from connector.store.cover import NEW
from connector.store.database import Database
from connector.store.dialect import insert, scrub
from connector.store.entries import entry_as_text, read_entry
from connector.store.previous import sealed_as
from connector.store.previous_tables import previous
from connector.store.problem_tables import open_items, questions
from connector.store.running_tables import rewritings
from connector.store.tables import claims, lanes, ledger
from connector.store.verification_tables import verifications

STEP: Final = 1000
"""Rows of one transaction."""

_DIGESTS: Final = "digests"
_EARLIER_SIZE: Final = 16
"""Characters of an earlier version's digest of a value."""


class _Kind(NamedTuple):
    """The rows of one table. earlier: which of them an earlier version wrote. change: a row -> what it becomes."""

    table: Table
    earlier: ColumnElement[bool]
    change: Callable[[Rewriting, Row[Any]], Mapping[str, Any]]


@dataclass
class Rewriting:
    """Of one database."""

    database: Database
    _last: dict[str, Sequence[Any]] = field(default_factory=dict)
    _known_at: int | None = None
    _full_names: dict[str, str] = field(default_factory=dict)

    def is_done(self) -> bool:
        """Whether no row of an earlier version is left. Raises StoreUnavailable."""
        doubts = self.database.doubts()  # after each, another database may be in this one's place
        if self._known_at != doubts:
            done = select(rewritings.c.name).where(rewritings.c.name == _DIGESTS)
            with self.database.reading() as connection:
                self._known_at = doubts if connection.execute(done).first() else None
        return self._known_at is not None

    def require(self) -> None:
        """Raises StoreUnavailable unless it is done."""
        if not self.is_done():
            problem = "its ledger is being rewritten after an upgrade, which takes some minutes"
            raise StoreUnavailable("database", problem, "let a worker run: connector run, or connector work")

    def left(self) -> int:
        """Count the rows that are left. Looks at every row of the ledger unless it is done. Raises StoreUnavailable."""
        if self.is_done():
            return 0
        with self.database.reading() as connection:
            return sum(connection.execute(_count(kind)).scalar_one() for kind in _KINDS)

    def steps(self) -> Iterator[int]:
        """Rewrite; yield how many rows were rewritten after each step. Raises StoreUnavailable.

        Nothing is done while an earlier version's worker may still be writing: its lease ends soon.
        """
        if self.is_done() or self._is_leased():
            return
        for kind in _KINDS:
            while rows := self._next(kind):
                yield self._rewrite(kind, rows)
        self._end()

    def begin(self) -> None:
        """Rewrite a few rows: of a small database that is all. Raises StoreUnavailable."""
        if not self.database.reads_alone():
            steps = self.steps()
            next(steps, 0)
            if not self.is_done() and self._is_small():
                for _ in steps:
                    pass

    def _is_small(self) -> bool:
        some = select(ledger.c.key).limit(STEP).subquery()
        with self.database.reading() as connection:
            return int(connection.execute(select(func.count()).select_from(some)).scalar_one()) < STEP

    def _is_leased(self) -> bool:
        held = select(lanes.c.name).where(lanes.c.leased_until > self.database.now())
        with self.database.reading() as connection:
            return connection.execute(held.limit(1)).first() is not None

    def _next(self, kind: _Kind) -> Sequence[Row[Any]]:
        names = [column.name for column in kind.table.primary_key]
        own = [kind.table.c[name] for name in names]
        statement = select(kind.table).where(kind.earlier).order_by(*own).limit(STEP)
        if last := self._last.get(kind.table.name):
            statement = statement.where(tuple_(*own) > tuple_(*last) if own[1:] else own[0] > last[0])
        with self.database.reading() as connection:
            rows = connection.execute(statement).all()
        if rows:
            self._last[kind.table.name] = [rows[-1]._mapping[name] for name in names]
        return rows

    def _rewrite(self, kind: _Kind, rows: Sequence[Row[Any]]) -> int:
        """Rewrite these rows where they are still as they were read: workers take part, and people decide meanwhile."""
        changes = [(row, kind.change(self, row)) for row in rows]
        same = [column for column in kind.table.c if column.name in kind.table.primary_key or column.name in _SEEN]
        where = [column == bindparam(f"is_{column.name}", type_=column.type) for column in same]  # none is ever NULL
        names = changes[0][1].keys()
        statement = update(kind.table).where(*where).values({name: bindparam(f"new_{name}") for name in names})
        parameters = [
            {f"is_{column.name}": row._mapping[column.name] for column in same}
            | {f"new_{name}": value for name, value in new.items()}
            for row, new in changes
        ]
        with self.database.transaction() as connection:
            connection.execute(statement, parameters)
        return len(rows)

    def _end(self) -> None:
        """Note that it is done, unless a row was changed while it was rewritten: it is rewritten next time."""
        self._last.clear()
        with self.database.reading() as connection:
            if any(connection.execute(_some(kind)).first() for kind in _KINDS):
                return
        done = insert(self.database.engine, rewritings).values(name=_DIGESTS, at=self.database.now())
        with self.database.waking() as connection:
            connection.execute(done.on_conflict_do_nothing())
        scrub(self.database.engine)

    def key(self, row: Row[Any]) -> str:
        """The name that a row's record gets."""
        return self.database.cover.key(self._served(row.destination), row.object, row.key)

    def _served(self, destination: str) -> str:
        """The destination that a ledger is of. The name of a ledger kept for another account may be abbreviated."""
        if "@" not in destination or "/" in destination:
            return destination
        if not self._full_names:
            with self.database.reading() as connection:
                names = connection.execute(select(lanes.c.destination).distinct()).scalars().all()
            self._full_names = {hashlib.sha256(name.encode()).hexdigest()[:32]: name for name in names}
        return self._full_names.get(destination.partition("@")[0], destination)


def begun(database: Database) -> Rewriting:
    """Rewrite a few rows, if that is possible now; a worker does the rest."""
    rewriting = Rewriting(database)
    with suppress(StoreUnavailable):
        rewriting.begin()
    return rewriting


def _name(rewriting: Rewriting, row: Row[Any]) -> Mapping[str, Any]:
    return {"key": rewriting.key(row)}


def _entry(rewriting: Rewriting, row: Row[Any]) -> Mapping[str, Any]:
    cover = rewriting.database.cover
    return {"key": rewriting.key(row), "marks": entry_as_text(read_entry(row.crm_id, row.marks, cover), cover)}


def _item(rewriting: Rewriting, row: Row[Any]) -> Mapping[str, Any]:
    key = rewriting.key(row)
    return {"key": key, "digest": rewriting.database.cover.alone(row.digest, key, row.field)}


def _call(rewriting: Rewriting, row: Row[Any]) -> Mapping[str, Any]:
    key = rewriting.key(row)
    return {"key": key, "call": rewriting.database.cover.call(key, row.field, row.call)}


def _before(rewriting: Rewriting, row: Row[Any]) -> Mapping[str, Any]:
    key, database = rewriting.key(row), rewriting.database
    undone = json.loads(row.undone)
    for name, mark in undone.items():
        if mark:
            mark[2] = database.cover.alone(mark[2], str(row.id), name)
    new = {"object": row.object, "key": key, "version": row.version}
    sealed = row.sealed
    try:
        content = database.seal.open(sealed, sealed_as(row))
        sealed = database.seal.close(content, sealed_as(_Named(**new)))
    except CannotDecrypt:  # it stays what it is: nobody can read it
        pass
    return {"key": key, "undone": json.dumps(undone), "sealed": sealed}


def _obligation(rewriting: Rewriting, row: Row[Any]) -> Mapping[str, Any]:
    place = (row.destination, row.customer_id, row.flag)
    return {"addresses": rewriting.database.cover.alone(row.addresses, *place)}


class _Named(NamedTuple):
    object: str
    key: str
    version: str


_SEEN: Final = ("key", "marks", "digest", "call", "undone", "addresses")
"""What is rewritten, and has to be as it was read."""


def _earlier(table: Table) -> ColumnElement[bool]:
    return table.c.key < NEW


_KINDS: Final = (
    _Kind(ledger, _earlier(ledger), _entry),
    _Kind(claims, _earlier(claims), _name),
    _Kind(questions, _earlier(questions), _name),
    _Kind(verifications, _earlier(verifications), _name),
    _Kind(open_items, _earlier(open_items), _item),
    _Kind(counted_calls, _earlier(counted_calls), _call),
    _Kind(previous, _earlier(previous), _before),
    _Kind(
        obligations,
        and_(obligations.c.addresses != "", func.length(obligations.c.addresses) <= _EARLIER_SIZE),
        _obligation,
    ),
)


def _some(kind: _Kind) -> Any:
    return select(*kind.table.primary_key).where(kind.earlier).limit(1)


def _count(kind: _Kind) -> Any:
    return select(func.count()).select_from(kind.table).where(kind.earlier)
