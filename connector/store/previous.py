"""Keep, sealed, what CRM records had before a version of the mapping wrote to them, for as long as it can be undone."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    and_,
    bindparam,
    cast,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)

from connector.errors import CannotDecrypt
from connector.model import BLANK, Entry, Mark, RecordKey, Stamp, Timing
from connector.settlement import DeliveryState, Remembered
from connector.settlement.previous import Before, Former, KeptBefore, KeptVersion, Step
from connector.store.claims import HELD_BY_ANOTHER
from connector.store.database import Database
from connector.store.dialect import lock_rows
from connector.store.entries import entry_as_text, read_entry
from connector.store.gaps import DOUBTFUL
from connector.store.previous_tables import previous
from connector.store.rows import as_rows, given
from connector.store.sql import Sql, built_once
from connector.store.tables import STATE, claims, deliveries, events, ledger

STEP: Final = 500
"""Rows of one step of retention."""

_LATER: Final = ("id", "undone", "made", "at", "restored", "undone_at")
_FILLED: Final = tuple(c for c in previous.c if c.name not in _LATER)
_RECORD: Final = ("destination", "object", "key")
_OF_LEDGER: Final = and_(*(previous.c[name] == ledger.c[name] for name in _RECORD))


def sealed_as(row: Any) -> str:
    """The name that what is sealed in a row is bound to. A destination's ledger may be kept under another name."""
    return f"previous/{row.object}/{row.key}/{row.version}"


@dataclass(frozen=True, slots=True)
class Whose:
    """Which first writes: a version's, or a run's."""

    version: str = ""
    run: str = ""

    @property
    def condition(self) -> ColumnElement[bool]:
        """What chooses its rows."""
        return previous.c.run == self.run if self.run else previous.c.version == self.version


@built_once
def _keep(sql: Sql) -> Any:
    filled = {column.name: bindparam(f"the_{column.name}", type_=column.type) for column in _FILLED}
    # PostgreSQL has no index for IS NOT DISTINCT FROM: it would read the whole table for each row.
    same = (
        previous.c[name].is_not_distinct_from(value) if previous.c[name].nullable else previous.c[name] == value
        for name, value in filled.items()
        if name != "sealed"
    )
    new = select(*filled.values(), sql.now()).where(~select(literal(1)).where(*same).exists())
    return insert(previous).from_select([*(column.name for column in _FILLED), "at"], new)


@built_once
def _confirm(sql: Sql) -> Any:
    created = given(sql, *(previous.c[name] for name in (*_RECORD, "made")))
    of_record = (previous.c[name] == created.c[name] for name in _RECORD)
    return update(previous).where(*of_record, previous.c.crm_id.is_(None)).values(made=created.c.made)


@built_once
def _not_created(sql: Sql) -> Any:
    refused = given(sql, *(previous.c[name] for name in _RECORD))
    of_record = (previous.c[name] == refused.c[name] for name in _RECORD)
    unmade = select(previous.c.id).where(*of_record, previous.c.crm_id.is_(None), previous.c.made.is_(None))
    return delete(previous).where(previous.c.id.in_(unmade.correlate(None)))


class Previous:
    """What is kept of every destination. digest: the ledger's name for a key."""

    def __init__(self, database: Database, digest: Callable[[str, RecordKey], str]) -> None:
        self._db, self._digest = database, digest
        self._keep, self._confirm = _keep(database.sql), _confirm(database.sql)
        self._not_created = _not_created(database.sql)

    def rows(self, destination: str, remembered: Iterable[Remembered]) -> list[dict[str, Any]]:
        """What these records had before a write, as parameters: sealed before the transaction begins."""
        return [self._row(destination, own, own.before) for own in remembered if own.before]

    def _row(self, destination: str, own: Remembered, before: Before) -> dict[str, Any]:
        row = {
            "destination": destination,
            "object": own.key.object,
            "key": self._digest(destination, own.key),
            "version": before.version,
            "crm_id": before.crm_id,
            "customer_id": own.customer_id,
            "fields": json.dumps({name: [*stamp] for name, stamp in before.fields.items()}),
            "count": len(before.fields),
            "run": before.run,
            "refused": before.refused,
        }
        content = {
            "values": dict(before.values),
            "ours": sorted(before.ours),
            "guards": {name: list(flags) for name, flags in before.guards.items()},
            "keyed": before.keyed,
            "authors": dict(before.authors),
        }
        name = f"previous/{row['object']}/{row['key']}/{row['version']}"
        return {**row, "sealed": self._db.seal.close(json.dumps(content).encode(), name)}

    def keep(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Keep what is not kept yet, and drop what was kept of creations that were refused."""
        if refused := [{name: row[name] for name in _RECORD} for row in rows if row["refused"]]:
            connection.execute(self._not_created, as_rows(refused))
        filled = [row for row in rows if not row["refused"]]
        if filled:
            names = [column.name for column in _FILLED]
            connection.execute(self._keep, [{f"the_{name}": row[name] for name in names} for row in filled])

    def confirm(self, connection: Connection, destination: str, remembered: Iterable[Remembered]) -> None:
        """Note the ids of records that were created."""
        created = [
            {
                "destination": destination,
                "object": own.key.object,
                "key": self._digest(destination, own.key),
                "made": own.entry.crm_id,
            }
            for own in remembered
            if own.created
        ]
        if created:
            connection.execute(self._confirm, as_rows(created))

    def versions(self, destinations: Collection[str]) -> list[KeptVersion]:
        """What is kept of each version, and of what each run wrote with it, the newest first."""
        record = previous.c.object + "/" + previous.c.key
        is_new = previous.c.crm_id.is_(None)
        last = func.max(previous.c.at)
        columns = (
            previous.c.destination,
            previous.c.version,
            previous.c.run,
            func.count(record.distinct()),
            func.count(record.distinct()).filter(is_new),
            cast(func.coalesce(func.sum(previous.c.count).filter(~is_new), 0), BigInteger),
            func.min(previous.c.at),
            last,
            cast(func.coalesce(func.sum(previous.c.restored).filter(~is_new), 0), BigInteger),
            func.max(previous.c.undone_at),
            func.count(record.distinct()).filter(is_new, previous.c.undone_at.is_not(None)),
        )
        which = select(*columns).where(previous.c.destination.in_(destinations))
        with self._db.reading() as connection:
            rows = connection.execute(which.group_by(*columns[:3]).order_by(last.desc())).all()
        return [KeptVersion(*row) for row in rows]

    def waiting(self, destination: str, run: str) -> int:
        """How many deliveries of what a run fetched are not settled yet."""
        theirs = select(events.c.id).where(events.c.run == run, events.c.run != "")
        mine = (deliveries.c.destination == destination, STATE == DeliveryState.READY)
        counted = select(func.count()).select_from(deliveries).where(*mine, deliveries.c.event_id.in_(theirs))
        with self._db.reading() as connection:
            return int(connection.execute(counted).scalar_one())

    def page(self, destination: str, whose: Whose, after: tuple[str, str], most: int) -> list[Former]:
        """The next records of a version or run, by object and key."""
        mine = (previous.c.destination == destination, whose.condition)
        beyond = or_(previous.c.object > after[0], and_(previous.c.object == after[0], previous.c.key > after[1]))
        record = (previous.c.object, previous.c.key)
        listed = select(*record).where(*mine, beyond).group_by(*record).order_by(*record).limit(most)
        with self._db.reading() as connection:
            heads = connection.execute(listed).all()
        return self.of(destination, whose, [(head.object, head.key) for head in heads])

    def of(self, destination: str, whose: Whose, records: Sequence[tuple[str, str]]) -> list[Former]:
        """What is kept of these records (object, key), with what the ledger knows of them now."""
        known = (ledger.c.crm_id.label("known_as"), ledger.c.marks, DOUBTFUL, HELD_BY_ANOTHER.label("held"))
        own = claims.alias()  # another than the one that HELD_BY_ANOTHER looks into
        claimed = and_(*(own.c[name] == ledger.c[name] for name in ("destination", "object", "crm_id", "key")))
        mine = (previous.c.destination == destination, whose.condition)
        named = previous.c.key.in_([key for _, key in records])
        statement = select(previous, *known, own.c.field.label("key_field")).where(*mine, named)
        statement = statement.outerjoin_from(previous, ledger, _OF_LEDGER).outerjoin(own, claimed)
        with self._db.reading() as connection:
            rows = connection.execute(statement.order_by(previous.c.object, previous.c.key, previous.c.id)).all()
        wanted = [row for row in rows if (row.object, row.key) in set(records)]
        return [self._former([*own], whose.run) for _, own in groupby(wanted, key=lambda row: (row.object, row.key))]

    def _former(self, rows: Sequence[Row[Any]], run: str) -> Former:
        row = rows[0]
        is_known = row.marks is not None and not (row.doubtful or row.held)
        entry = read_entry(row.known_as, row.marks, self._db.cover) if is_known else None
        return Former(
            row.object, row.key, row.customer_id, tuple(map(self._kept, rows)), entry, run, row.key_field or ""
        )

    def _kept(self, row: Row[Any]) -> KeptBefore:
        try:
            content, readable = json.loads(self._db.seal.open(row.sealed, sealed_as(row))), True
        except CannotDecrypt:
            content, readable = {}, False
        guards = {name: tuple(flags) for name, flags in content.get("guards", {}).items()}
        fields = {name: _stamp(data) for name, data in json.loads(row.fields).items()}
        values, ours = content.get("values", {}), frozenset(content.get("ours", ()))
        keyed, authors = content.get("keyed", False), content.get("authors", {})
        before = Before(row.version, fields, row.crm_id, keyed, values, ours, guards, row.run, authors)
        undone = self._read_undone(row)
        begun = {name: _mark(before.by, mark) for name, mark in undone.items() if mark}
        return KeptBefore(row.id, before, row.made, begun, frozenset(undone.keys() - begun.keys()), readable)

    def _read_undone(self, row: Row[Any]) -> dict[str, Any]:
        undone: dict[str, Any] = json.loads(row.undone)
        for name, mark in undone.items():
            if mark:
                mark[2] = self._db.cover.uncovered(mark[2], str(row.id), name)
        return undone

    def note(
        self, connection: Connection, destination: str, steps: Sequence[Step], *, whole: bool
    ) -> frozenset[tuple[str, str]]:
        """Note what an undo does with these records, where the ledger still has the marks that it read.

        A repair, and forgetting a customer, change the ledger without the lane. Returns the records (object, key) of
        which they have; whole: nothing is noted of those, else what is left as it was.
        """
        records = [(step.of.object, step.of.key) for step in steps]
        ledgers, changed = self._locked(connection, destination, records), set[tuple[str, str]]()
        for record, step in zip(records, steps, strict=True):
            now = ledgers.get(record, BLANK)
            same = _unchanged(step, now)
            if len(same) < len(step.was):
                changed.add(record)
            if whole and record in changed:
                continue
            if same:
                text = entry_as_text(replace(now, fields={**now.fields, **same}), self._db.cover)
                connection.execute(update(ledger).where(*_entry(destination, record)).values(marks=text))
            for kept in step.of.kept:
                connection.execute(update(previous).where(previous.c.id == kept.row).values(self._undone(kept)))
        return frozenset(changed)

    def _undone(self, kept: KeptBefore) -> dict[str, Any]:
        begun = {
            name: [*mark.stamp, self._db.cover.alone(mark.digest, str(kept.row), name), mark.turn, mark.timing]
            for name, mark in kept.begun.items()
        }
        text = json.dumps({**begun, **dict.fromkeys(sorted(kept.done))})
        when = {"undone_at": self._db.now()} if kept.done else {}
        return {"undone": text, "restored": len(kept.done), **when}

    def _locked(
        self, connection: Connection, destination: str, records: Sequence[tuple[str, str]]
    ) -> dict[tuple[str, str], Entry]:
        theirs = (ledger.c.destination == destination, ledger.c.key.in_([key for _, key in records]))
        lock_rows(connection, [ledger.c.object, ledger.c.key], *theirs)
        columns = (ledger.c.object, ledger.c.key, ledger.c.crm_id, ledger.c.marks)
        rows = connection.execute(select(*columns).where(*theirs)).all()
        return {(row.object, row.key): read_entry(row.crm_id, row.marks, self._db.cover) for row in rows}

    def doubt(
        self, connection: Connection, destination: str, fields: Mapping[tuple[str, str], Collection[str]]
    ) -> None:
        """Forget which values these fields of records (object, key) have now: a late write may have replaced them."""
        for (kind, key), names in fields.items():
            mine = _entry(destination, (kind, key))
            row = connection.execute(select(ledger.c.crm_id, ledger.c.marks).where(*mine)).first()
            if row is not None:
                entry = read_entry(row.crm_id, row.marks, self._db.cover)
                marks = {n: m._replace(digest="") if n in names else m for n, m in entry.fields.items()}
                text = entry_as_text(replace(entry, fields=marks), self._db.cover)
                connection.execute(update(ledger).where(*mine).values(marks=text))

    def purge(self, agency: str, before: int) -> int:
        """Delete a step of what an agency keeps from before `before` (epoch ms). Returns how many rows."""
        theirs = previous.c.destination.startswith(f"{agency}/", autoescape=True)
        old = select(previous.c.id).where(theirs, previous.c.at < before).limit(STEP)
        with self._db.transaction() as connection:
            return connection.execute(delete(previous).where(previous.c.id.in_(old))).rowcount


def _entry(destination: str, record: tuple[str, str]) -> tuple[ColumnElement[bool], ...]:
    kind, key = record
    return ledger.c.destination == destination, ledger.c.object == kind, ledger.c.key == key


def _unchanged(step: Step, now: Entry) -> dict[str, Mark]:
    """What the fields get that still have the mark, in the record, that was read."""
    becomes = step.of.entry or BLANK
    still = (name for name, mark in step.was.items() if now.fields.get(name) == mark)
    return {name: becomes.fields[name] for name in still} if now.crm_id == becomes.crm_id else {}


def _stamp(data: int | Sequence[Any]) -> Stamp:
    """A stamp as it is kept; an older version kept the time alone."""
    return Stamp(data, "") if isinstance(data, int) else Stamp(*data)


def _mark(by: str, data: Sequence[Any]) -> Mark:
    at, tie, digest, turn, *timing = data
    return Mark(Stamp(at, tie), digest, by, turn, Timing(*timing) if timing else Timing.UNKNOWN)
