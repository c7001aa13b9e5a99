"""Keep the digests by which people are found.

They are made beside deliveries, some events at a time, so that accepting an event costs nothing more.
What is not in the index yet is looked through when somebody is looked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator
from itertools import takewhile
from typing import Any, Final, NamedTuple

from sqlalchemy import BigInteger, Column, Connection, func, select, update

from connector.store.database import Database
from connector.store.dialect import insert
from connector.store.handles import ALIKE, Value, values
from connector.store.inbox import Inbox
from connector.store.payloads import SIZE, parts
from connector.store.people_tables import handles, handles_read
from connector.store.rows import Rows, as_rows, given
from connector.store.seal import Digests
from connector.store.sql import Sql, built_once
from connector.store.tables import events

STEP: Final = 100
"""Events read in one step: a few hundredths of a second."""
SETTLING: Final = 60_000
"""Events of the last minute (ms) are not taken yet: one with a lower id may be committed after them."""
TAIL: Final = 1_000
"""Most events looked through that are not in the index yet, the newest."""
_COUNTED: Final = 100_000


class Person(NamedTuple):
    """A customer of one agency: the same id in two agencies is two people."""

    agency: str
    customer_id: str


Said = dict[Person, dict[tuple[str, str], int]]
"""What people can be found by: handle and digest -> when it was last said, as epoch ms of source time."""


class HandleIndex:
    """Reads events in the order of their ids, once, whichever worker does."""

    def __init__(self, database: Database, inbox: Inbox) -> None:
        self._db, self._inbox = database, inbox
        self._keep = _keep(database.sql)

    def step(self) -> int:
        """Read some of the events that are not in the index yet. Returns how many."""
        after = self._after()
        following = select(events.c.id, events.c.received_at, SIZE).where(events.c.id > after)
        with self._db.reading() as connection:
            now = connection.execute(select(self._db.now())).scalar_one()
            heads = connection.execute(following.order_by(events.c.id).limit(STEP)).all()
        ready = list(takewhile(lambda head: head.received_at <= now - SETTLING, heads))
        if not ready:
            return 0
        rows, ids = self._rows(ready)
        with self._db.transaction() as connection:
            if self._advance(connection, after, ready[-1].id) and rows:
                # Locked: one that is forgotten meanwhile has no customer any more, or is forgotten after this.
                connection.execute(select(events.c.id).where(events.c.id.in_(ids)).with_for_update(read=True)).all()
                connection.execute(self._keep, rows)
        return len(ready)

    def _rows(self, heads: Iterable[Any]) -> tuple[Rows, set[int]]:
        """What these events say, as a parameter, and which of them say something."""
        said = [
            {"event_id": event_id, **person._asdict(), "handle": handle, "digest": digest, "seen_at": at}
            for event_id, person, handle, digest, at in self._read(heads)
        ]
        # Of several that say the same, the newest counts; sorted: two workers never wait for each other.
        newest = {tuple(row[name] for name in _KEY): row for row in sorted(said, key=lambda row: row["seen_at"])}
        return as_rows([newest[key] for key in sorted(newest)]), {row["event_id"] for row in said}

    def _after(self) -> int:
        """The last event read; 0 where the events are not those of then."""
        last = select(func.max(events.c.id)).scalar_subquery()
        with self._db.reading() as connection:
            row = connection.execute(select(handles_read.c.event_id, last.label("last"))).first()
        return row.event_id if row and row.event_id <= (row.last or 0) else 0

    def _advance(self, connection: Connection, after: int, last: int) -> bool:
        """Note how far events were read; False if another worker has read them meanwhile."""
        first = insert(self._db.engine, handles_read).values(id=1, event_id=0)
        connection.execute(first.on_conflict_do_nothing())
        newest = select(func.max(events.c.id)).scalar_subquery()
        unmoved = (handles_read.c.event_id == after) | ((handles_read.c.event_id > newest) if after == 0 else False)
        return bool(connection.execute(update(handles_read).where(unmoved).values(event_id=last)).rowcount)

    def _read(self, heads: Iterable[Any]) -> Iterator[tuple[int, Person, str, str, int]]:
        """What these events say of their customers, a few payloads at a time."""
        for part in parts(head for head in heads if head.size is not None):
            ids = [head.id for head in part]
            with self._db.reading() as connection:
                wanted = select(events).where(events.c.id.in_(ids), events.c.customer_id.is_not(None))
                rows = connection.execute(wanted).all()
            for row in rows:
                for value in values(row.type, self._inbox.event(row).payload):
                    digest = self.digest(row.agency, value)
                    yield row.id, Person(row.agency, row.customer_id), value.handle.value, digest, row.source_time

    def digest(self, agency: str, value: Value) -> str:
        """Of the agency, the kind and the value, with a key for this alone; empty for no value."""
        key = hashlib.sha256(bytes.fromhex(self._db.digest("people", size=32))).digest()
        kind = ALIKE.get(value.handle, value.handle)
        return Digests(key)(f"{agency}\0{kind}\0{value.text}", size=16) if value.text else ""

    def tail(self, wanted: Collection[str]) -> Said:
        """What the events say that are not in the index yet, of the people who have one of these digests."""
        listed = select(events.c.id, SIZE).where(events.c.id > self._after()).order_by(events.c.id.desc()).limit(TAIL)
        with self._db.reading() as connection:
            heads = connection.execute(listed).all()
        said: Said = {}
        for _, person, handle, digest, at in self._read(heads):
            rows = said.setdefault(person, {})
            rows[handle, digest] = max(at, rows.get((handle, digest), at))
        return {person: rows for person, rows in said.items() if any(digest in wanted for _, digest in rows)}

    def unseen(self) -> int:
        """How many events are neither in the index nor looked through."""
        following = select(events.c.id).where(events.c.id > self._after()).limit(_COUNTED).subquery()
        with self._db.reading() as connection:
            count = connection.execute(select(func.count()).select_from(following)).scalar_one()
        return max(0, int(count) - TAIL)


_KEY: Final = ("agency", "customer_id", "handle", "digest")


@built_once
def _keep(sql: Sql) -> Any:
    """Add what events say, but for those that were forgotten meanwhile."""
    names = (*_KEY, "seen_at")
    rows = given(sql, *(handles.c[name] for name in names), Column("event_id", BigInteger))
    same = (events.c.id == rows.c.event_id, events.c.agency == rows.c.agency)
    kept = select(*(rows.c[name] for name in names)).join_from(
        rows, events, same[0] & same[1] & (events.c.customer_id == rows.c.customer_id)
    )
    statement = insert(sql, handles).from_select(list(names), kept.where(events.c.payload.is_not(None)))
    newer = statement.excluded.seen_at
    return statement.on_conflict_do_update(
        index_elements=list(_KEY), set_={"seen_at": newer}, where=handles.c.seen_at < newer
    )
