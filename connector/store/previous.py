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
from connector.model import Mark, RecordKey, Stamp
from connector.settlement import DeliveryState, Remembered
from connector.settlement.previous import Before, Former, KeptBefore, KeptVersion
from connector.store.claims import HELD_BY_ANOTHER
from connector.store.database import Database
from connector.store.entries import entry_as_text, read_entry
from connector.store.gaps import DOUBTFUL
from connector.store.previous_tables import previous
from connector.store.tables import STATE, deliveries, events, ledger

STEP: Final = 500
"""Rows of one step of retention."""

_FILLED: Final = tuple(c for c in previous.c if c.name not in ("id", "undone", "made", "at"))
_OF_LEDGER: Final = and_(*(previous.c[name] == ledger.c[name] for name in ("destination", "object", "key")))


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


class Previous:
    """What is kept of every destination. digest: the ledger's name for a key."""

    def __init__(self, database: Database, digest: Callable[[RecordKey], str]) -> None:
        self._db, self._digest = database, digest
        filled = {column.name: bindparam(f"the_{column.name}", type_=column.type) for column in _FILLED}
        same = (previous.c[name].is_not_distinct_from(value) for name, value in filled.items() if name != "sealed")
        new = select(*filled.values(), database.now()).where(~select(literal(1)).where(*same).exists())
        self._keep = insert(previous).from_select([*(column.name for column in _FILLED), "at"], new)

    def rows(self, destination: str, remembered: Iterable[Remembered]) -> list[dict[str, Any]]:
        """What these records had before a write, as parameters: sealed before the transaction begins."""
        return [self._row(destination, own, own.before) for own in remembered if own.before]

    def _row(self, destination: str, own: Remembered, before: Before) -> dict[str, Any]:
        row = {
            "destination": destination,
            "object": own.key.object,
            "key": self._digest(own.key),
            "version": before.version,
            "crm_id": before.crm_id,
            "customer_id": own.customer_id,
            "fields": json.dumps(dict(before.fields)),
            "count": len(before.fields),
            "run": before.run,
        }
        content = {
            "values": dict(before.values),
            "ours": sorted(before.ours),
            "guards": {name: list(flags) for name, flags in before.guards.items()},
            "keyed": before.keyed,
        }
        name = f"previous/{row['object']}/{row['key']}/{row['version']}"
        return {**row, "sealed": self._db.seal.close(json.dumps(content).encode(), name)}

    def keep(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Keep what is not kept yet."""
        if rows:
            connection.execute(self._keep, [{f"the_{name}": value for name, value in row.items()} for row in rows])

    def confirm(self, connection: Connection, destination: str, remembered: Iterable[Remembered]) -> None:
        """Note the ids of records that were created."""
        for own in remembered:
            if own.created:
                mine = (previous.c.destination == destination, previous.c.object == own.key.object)
                same = (*mine, previous.c.key == self._digest(own.key), previous.c.crm_id.is_(None))
                connection.execute(update(previous).where(*same).values(made=own.entry.crm_id))

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
        mine = (previous.c.destination == destination, whose.condition)
        named = previous.c.key.in_([key for _, key in records])
        statement = select(previous, *known).outerjoin_from(previous, ledger, _OF_LEDGER).where(*mine, named)
        with self._db.reading() as connection:
            rows = connection.execute(statement.order_by(previous.c.object, previous.c.key, previous.c.id)).all()
        wanted = [row for row in rows if (row.object, row.key) in set(records)]
        return [self._former([*own]) for _, own in groupby(wanted, key=lambda row: (row.object, row.key))]

    def _former(self, rows: Sequence[Row[Any]]) -> Former:
        row = rows[0]
        is_known = row.marks is not None and not (row.doubtful or row.held)
        entry = read_entry(row.known_as, row.marks) if is_known else None
        return Former(row.object, row.key, row.customer_id, tuple(map(self._kept, rows)), entry)

    def _kept(self, row: Row[Any]) -> KeptBefore:
        try:
            content, readable = json.loads(self._db.seal.open(row.sealed, sealed_as(row))), True
        except CannotDecrypt:
            content, readable = {}, False
        guards = {name: tuple(flags) for name, flags in content.get("guards", {}).items()}
        fields = json.loads(row.fields)
        values, ours = content.get("values", {}), frozenset(content.get("ours", ()))
        before = Before(row.version, fields, row.crm_id, content.get("keyed", False), values, ours, guards, row.run)
        undone: dict[str, Any] = json.loads(row.undone)
        begun = {name: _mark(before.by, mark) for name, mark in undone.items() if mark}
        return KeptBefore(row.id, before, row.made, begun, frozenset(undone.keys() - begun.keys()), readable)

    def note(self, connection: Connection, destination: str, records: Iterable[Former]) -> None:
        """Put back the ledger's entries of these records, where they still are, and what an undo did with them."""
        for own in records:
            if own.entry is not None:
                mine = (ledger.c.destination == destination, ledger.c.object == own.object, ledger.c.key == own.key)
                connection.execute(update(ledger).where(*mine).values(marks=entry_as_text(own.entry)))
            for kept in own.kept:
                text = json.dumps(
                    {
                        **{name: [*m.stamp, m.digest, m.turn] for name, m in kept.begun.items()},
                        **dict.fromkeys(sorted(kept.done)),
                    }
                )
                connection.execute(update(previous).where(previous.c.id == kept.row).values(undone=text))

    def doubt(
        self, connection: Connection, destination: str, fields: Mapping[tuple[str, str], Collection[str]]
    ) -> None:
        """Forget which values these fields of records (object, key) have now: a late write may have replaced them."""
        for (kind, key), names in fields.items():
            mine = (ledger.c.destination == destination, ledger.c.object == kind, ledger.c.key == key)
            row = connection.execute(select(ledger.c.crm_id, ledger.c.marks).where(*mine)).first()
            if row is not None:
                entry = read_entry(row.crm_id, row.marks)
                marks = {n: replace(m, digest="") if n in names else m for n, m in entry.fields.items()}
                text = entry_as_text(replace(entry, fields=marks))
                connection.execute(update(ledger).where(*mine).values(marks=text))

    def purge(self, agency: str, before: int) -> int:
        """Delete a step of what an agency keeps from before `before` (epoch ms). Returns how many rows."""
        theirs = previous.c.destination.startswith(f"{agency}/", autoescape=True)
        old = select(previous.c.id).where(theirs, previous.c.at < before).limit(STEP)
        with self._db.transaction() as connection:
            return connection.execute(delete(previous).where(previous.c.id.in_(old))).rowcount


def _mark(by: str, data: Sequence[Any]) -> Mark:
    at, tie, digest, turn = data
    return Mark(Stamp(at, tie), digest, by, turn)
