"""Check the whole audit log: each entry that was changed, removed, added or moved without the key is named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import BigInteger, Row, cast, or_, select

from connector.settlement.auditing import Checked, Fault, FaultKind, Head
from connector.store.audit import BEGIN, HEAD_LOST
from connector.store.audit_tables import audit, audit_head
from connector.store.chain import Chain
from connector.store.database import Database

_STEP: Final = 1_000


def check(database: Database, *noted: Head) -> Checked:
    """Check every entry, while others go on writing. noted: heads of earlier, kept outside. Raises StoreUnavailable."""
    walk = _Walk(Chain(database.digest), noted)
    faults = [Fault(FaultKind.UNCHAINED, 0, row.id, row.at) for row in _unchained(database)]
    head = None
    while True:
        for row in _entries(database, walk):
            faults += walk.look(row._asdict())
        if (newer := _head(database)) == head:  # read after the entries: whatever it counts is there, or is missing
            break
        head = newer
    faults += walk.end(head)
    return Checked(walk.entries, Head(head.number, head.digest) if head else None, tuple(faults), *walk.begun)


class _Walk:
    """Follows the chain from entry to entry, as far as it holds."""

    def __init__(self, chain: Chain, noted: tuple[Head, ...]) -> None:
        self._chain, self._noted = chain, noted
        self.number = self.entries = 0
        self.begun = (0, 0)
        self._at = 0
        self._digests = {""}
        """What the last entry's digest may rightly be: as stored, or as calculated. Empty if that entry is missing."""

    def look(self, entry: Mapping[str, Any]) -> Iterator[Fault]:
        """The faults of the next entry, and of what is missing before it."""
        number, at = entry["number"], entry["at"] if isinstance(entry["at"], int) else 0
        if number > self.number + 1:
            yield Fault(FaultKind.MISSING, self.number + 1, entry["id"], at, number - 1)
            self._digests = set()
        right = {self._chain.digest(before, entry) for before in self._digests}
        self.number, self._at, self.entries = number, at, self.entries + 1
        if right and entry["digest"] not in right:
            yield Fault(FaultKind.CHANGED, number, entry["id"], at)
        elif entry["action"] == HEAD_LOST:
            yield Fault(FaultKind.HEAD_LOST, number, entry["id"], at)
        elif entry["action"] == BEGIN:
            self.begun = (number - 1, at)
        self._digests = {entry["digest"], *right} if not right or entry["digest"] not in right else {entry["digest"]}
        yield from self._as_noted(number, entry)

    def _as_noted(self, number: int, entry: Mapping[str, Any]) -> Iterator[Fault]:
        for noted in self._noted:
            if noted.number == number and noted.digest not in self._digests:
                yield Fault(FaultKind.NOT_AS_NOTED, number, entry["id"], self._at, number)

    def end(self, head: Row[Any] | None) -> Iterator[Fault]:
        """The faults of the end of the log."""
        for noted in self._noted:
            if noted.number > self.number:
                yield Fault(FaultKind.CUT, self.number, 0, self._at, noted.number)
        if head is None:
            if self.entries:
                yield Fault(FaultKind.WRONG_HEAD, self.number, 0, self._at)
            return
        if head.number > self.number:
            yield Fault(FaultKind.MISSING, self.number + 1, 0, self._at, head.number)
        elif head.number < self.number or head.digest not in self._digests:
            yield Fault(FaultKind.WRONG_HEAD, self.number, 0, self._at)
            return
        if head.proof != self._chain.proof(head.number, head.digest):
            yield Fault(FaultKind.WRONG_HEAD, self.number, 0, self._at)


def _entries(database: Database, walk: _Walk) -> Iterator[Row[Any]]:
    while True:
        later = select(audit).where(audit.c.number > walk.number).order_by(audit.c.number).limit(_STEP)
        with database.reading() as connection:
            rows = [row for row in connection.execute(later) if isinstance(row.number, int)]
        if not rows:
            return
        yield from rows


def _unchained(database: Database) -> Sequence[Any]:
    with database.reading() as connection:
        number = audit.c.number
        outside = or_(number.is_(None), number < 1, cast(number, BigInteger) != number)  # SQLite keeps any type
        return connection.execute(select(audit.c.id, audit.c.at).where(outside).order_by(audit.c.id)).all()


def _head(database: Database) -> Row[Any] | None:
    with database.reading() as connection:
        return connection.execute(select(audit_head)).first()
