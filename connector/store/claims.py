"""Which key of the ledger each CRM record belongs to: one, however many workers ask at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Update,
    and_,
    delete,
    null,
    or_,
    select,
    tuple_,
    update,
)

from connector.model import RecordKey
from connector.settlement import Claim, Remembered
from connector.settlement.claiming import LEFT, is_to_be_claimed
from connector.store.database import Database
from connector.store.dialect import ALWAYS, insert
from connector.store.entries import entry_as_text
from connector.store.rows import Rows, as_rows, given
from connector.store.sql import Sql, built_once
from connector.store.tables import claims, ledger

_RECORD: Final = ("destination", "object", "crm_id")

OF_ENTRY: Final = and_(*(claims.c[name] == ledger.c[name] for name in _RECORD))
"""Joins an entry of the ledger to the claim on its record."""

HELD_BY_ANOTHER: Final[ColumnElement[bool]] = (
    select(claims.c.key)
    .where(
        OF_ENTRY,
        claims.c.key != ledger.c.key,
        or_(claims.c.customer_id.is_(None), claims.c.customer_id.is_distinct_from(ledger.c.customer_id)),
    )
    .exists()
)
"""Whether an entry's record belongs to another customer."""


@built_once
class _Statements:
    """Over the rows of claims that are given."""

    def __init__(self, sql: Sql) -> None:
        rows = given(sql, *claims.c)
        taking = insert(sql, claims).from_select(list(rows.c.keys()), select(*rows.c).where(ALWAYS))
        same = [claims.c[name] == rows.c[name] for name in _RECORD]
        newer = {name: taking.excluded[name] for name in ("key", "field", "customer_id")}
        self.take = taking.on_conflict_do_nothing()
        self.leave = _leave(rows, same)
        self.confirm = taking.on_conflict_do_update(index_elements=list(_RECORD), set_=newer)
        self.holders = select(claims).join_from(rows, claims, and_(*same))
        self.release = delete(claims).where(select(rows.c.key).where(*same, claims.c.key == rows.c.key).exists())


class Claims:
    """Claims of every destination, by record. digest: the ledger's name for a key."""

    def __init__(self, database: Database, digest: Callable[[str, RecordKey], str]) -> None:
        self._db, self._digest = database, digest
        self._sql = _Statements(database.sql)

    def take(self, destination: str, wanted: Collection[Claim]) -> frozenset[Claim]:
        """Claim records; of several keys that want one, the first gets it. Returns those that another key has."""
        rows = self.rows(destination, wanted)
        with self._db.transaction() as connection:
            connection.execute(self._sql.take, rows)
            return self._others(connection, destination, rows, wanted)

    def others(self, destination: str, wanted: Collection[Claim]) -> frozenset[Claim]:
        """Return those of these claims whose record another key has."""
        if not wanted:
            return frozenset()
        with self._db.reading() as connection:
            return self._others(connection, destination, self.rows(destination, wanted), wanted)

    def owners(self, destination: str, wanted: Collection[Claim]) -> dict[Claim, RecordKey | None]:
        """Return those of these claims whose record another customer has, each with the key it was claimed for.

        Only digests of keys are stored: a key is known where it is the customer's id.
        """
        with self._db.reading() as connection:
            holders = self._held(connection, self.rows(destination, wanted))
        return {
            claim: self._own_key(destination, claim, held)
            for claim in wanted
            if (held := holders.get((claim.key.object, claim.crm_id)))
            and None not in (claim.customer_id, held.customer_id)
            and held.customer_id != claim.customer_id
            and is_another(held, self._digest(destination, claim.key), claim.key.field, claim.customer_id)
        }

    def _own_key(self, destination: str, claim: Claim, held: Holder) -> RecordKey | None:
        own = RecordKey(claim.key.object, held.field or claim.key.field, held.customer_id or "")
        return own if self._digest(destination, own) == held.key else None

    def rows(self, destination: str, wanted: Iterable[Claim]) -> Rows:
        """Claims as a parameter: one for each record, in an order in which two workers never wait for each other."""
        by_record: dict[tuple[str, str], dict[str, str | None]] = {}
        for claim in wanted:
            row = {
                "destination": destination,
                "object": claim.key.object,
                "crm_id": claim.crm_id,
                "key": self._digest(destination, claim.key),
                "field": claim.key.field,
                "customer_id": claim.customer_id,
            }
            by_record.setdefault((claim.key.object, claim.crm_id), row)
        return as_rows([row for _, row in sorted(by_record.items())])

    def confirmed(self, destination: str, remembered: Iterable[Remembered]) -> Rows:
        """The records that became these entries' with this batch, as a parameter."""
        return self.rows(
            destination,
            [
                Claim(entry.key, entry.entry.crm_id or "", entry.customer_id)
                for entry in remembered
                if is_to_be_claimed(entry)
            ],
        )

    def settle(self, connection: Connection, confirmed: Rows, released: Rows) -> None:
        """Release records, and give those that the CRM has under a key to that key: the CRM's own key field decides.

        The key that had such a record before has none any more.
        """
        if released:
            connection.execute(self._sql.release, released)
        if confirmed:
            connection.execute(self._sql.leave, confirmed)
            connection.execute(self._sql.confirm, confirmed)

    def keep(self, connection: Connection, rows: Rows) -> None:
        """Claim records that nobody has."""
        if rows:
            connection.execute(self._sql.take, rows)

    def _others(
        self, connection: Connection, destination: str, rows: Rows, wanted: Iterable[Claim]
    ) -> frozenset[Claim]:
        holders = self._held(connection, rows)
        return frozenset(
            claim
            for claim in wanted
            if (held := holders.get((claim.key.object, claim.crm_id))) is not None
            and is_another(held, self._digest(destination, claim.key), claim.key.field, claim.customer_id)
        )

    def _held(self, connection: Connection, rows: Rows) -> dict[tuple[str, str], Holder]:
        """Who has each of these records (object, id)."""
        held = connection.execute(self._sql.holders, rows)
        return {(row.object, row.crm_id): Holder(row.key, row.field, row.customer_id) for row in held}


def _leave(rows: FromClause, same: Sequence[ColumnElement[bool]]) -> Update:
    """Void the entries whose records become another key's."""
    shared = and_(claims.c.customer_id.is_not_distinct_from(rows.c.customer_id), claims.c.field != rows.c.field)
    names = ("destination", "object", "key")
    losing = select(*(claims.c[name] for name in names)).join_from(
        rows, claims, and_(*same, claims.c.key != rows.c.key, ~shared)
    )
    entry = tuple_(*(ledger.c[name] for name in names))
    return update(ledger).where(entry.in_(losing)).values(crm_id=null(), marks=entry_as_text(LEFT))


class Holder(NamedTuple):
    """Who has a record: the digest and the field of its key, and the customer; a key of None is nobody."""

    key: str | None
    field: str | None
    customer_id: str | None


def is_another(held: Holder, key: str, field: str, customer_id: str | None) -> bool:
    """Whether a claim is another's. A customer may have a record under two key fields: a mapping may change its key."""
    is_same_customer = customer_id is not None and held.customer_id == customer_id
    return held.key not in (None, key) and not (is_same_customer and held.field != field)
