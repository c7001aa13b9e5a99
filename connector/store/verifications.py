"""The ledger's records one after another, to be compared with their CRM, and what was found of each."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any, Final

from sqlalchemy import Row, Select, and_, case, func, literal_column, or_, select, tuple_, update

from connector.backoff import DAY, HOUR
from connector.settlement import ObligationState
from connector.settlement.verification import Coverage, Difference, Held, Standing, Verified
from connector.store.accounts import is_served
from connector.store.claims import HELD_BY_ANOTHER
from connector.store.consent_tables import obligations
from connector.store.cover import NEW, Cover
from connector.store.database import Database
from connector.store.dialect import ALWAYS, insert
from connector.store.entries import doubt, read_entry
from connector.store.gaps import DOUBTFUL
from connector.store.obligations import IN_FORCE
from connector.store.rows import as_rows, given
from connector.store.sql import Sql, built_once
from connector.store.tables import claims, deliveries, ledger
from connector.store.verification_tables import verification_passes, verifications

Place = tuple[str, str]
"""The object and the key's digest of a record: where a walk has come to."""

_SETTLING: Final = HOUR


@built_once
def _keep(sql: Sql) -> Any:
    rows = given(sql, *(column for column in verifications.c if column.name != "verified_at"))
    names = [*rows.c.keys(), "verified_at"]
    statement = insert(sql, verifications).from_select(names, select(*rows.c, sql.now()).where(ALWAYS))
    newer = {name: statement.excluded[name] for name in names[3:]}
    return statement.on_conflict_do_update(index_elements=["destination", "object", "key"], set_=newer)


class Verifications:
    """Reads the ledger, and keeps what was found. Nothing here changes what the ledger knows."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._keep = _keep(database.sql)

    def walk(self, destination: str, after: Place, limit: int) -> list[Held]:
        """The next records of a destination, in a fixed order."""
        place = tuple_(ledger.c.object, ledger.c.key)
        statement = _held(destination).where(place > tuple_(*after)).order_by(ledger.c.object, ledger.c.key)
        return self._rows(statement.limit(limit))

    def sample(self, destination: str, start: str, limit: int) -> list[Held]:
        """Some records by chance: digests of keys are spread evenly, so those that follow any start are a sample."""
        statement = _held(destination).order_by(ledger.c.key < f"{NEW}{start}", ledger.c.key)
        return self._rows(statement.limit(limit))

    def due(self, destination: str, kinds: Collection[str], period: int, limit: int) -> list[Held]:
        """The records of these objects to be compared next: never compared, not since they were written, or long ago.

        period: after how many ms they are compared again; those that differed, after a day. Not those that were written
        within the last hour: the CRM's own automation may go on changing them.
        """
        now, seen = self._db.now(), verifications.c
        mine = and_(*(seen[name] == ledger.c[name] for name in ("destination", "object", "key")))
        just_written = (
            select(deliveries.c.id)
            .where(deliveries.c.id == ledger.c.delivery_id, deliveries.c.settled_at > now - _SETTLING)
            .exists()
        )
        is_new = or_(seen.verified_at.is_(None), seen.delivery_id != ledger.c.delivery_id)
        differed = and_(seen.differences != "{}", seen.verified_at < now - DAY)
        statement = (
            _held(destination, verifications, mine)
            .where(ledger.c.object.in_(kinds), or_(is_new, differed, seen.verified_at < now - period), ~just_written)
            .order_by(seen.verified_at.is_not(None), seen.verified_at)
        )
        return self._rows(statement.limit(limit))

    def unchanged(self, destination: str, held: Collection[Held]) -> set[Place]:
        """Those of these records whose entry is still as it was read."""
        places = [record.place for record in held]
        columns = (ledger.c.object, ledger.c.key, ledger.c.crm_id, ledger.c.marks, ledger.c.delivery_id)
        statement = select(*columns).where(
            ledger.c.destination == destination, ledger.c.key.in_([key for _, key in places])
        )
        with self._db.reading() as connection:
            now = {(row.object, row.key): (row.crm_id, row.marks) for row in connection.execute(statement)}
        return {record.place for record in held if now.get(record.place) == (record.crm_id, record.text)}

    def in_force(self, destination: str, customers: Collection[str]) -> dict[str, frozenset[str]]:
        """Customer id -> the opt-outs that the CRM has confirmed and that nobody has lowered since."""
        statement = select(obligations.c.customer_id, obligations.c.flag).where(
            obligations.c.destination == destination,
            obligations.c.customer_id.in_(customers),
            obligations.c.state == ObligationState.APPLIED,
            IN_FORCE,
        )
        flags: dict[str, set[str]] = {}
        with self._db.reading() as connection:
            for row in connection.execute(statement) if customers else ():
                flags.setdefault(row.customer_id, set()).add(row.flag)
        return {customer: frozenset(own) for customer, own in flags.items()}

    def changed(self, destination: str, keys: Collection[str]) -> dict[Place, frozenset[str]]:
        """The fields of these records that people had changed when they were compared last, if not written since."""
        there = and_(*(ledger.c[name] == verifications.c[name] for name in ("destination", "object", "key")))
        statement = (
            select(verifications.c.object, verifications.c.key, verifications.c.differences)
            .join_from(verifications, ledger, there)
            .where(verifications.c.destination == destination, verifications.c.key.in_(keys))
            .where(verifications.c.delivery_id == ledger.c.delivery_id, verifications.c.differences != "{}")
        )
        with self._db.reading() as connection:
            rows = connection.execute(statement).all()
        return {
            (row.object, row.key): frozenset(json.loads(row.differences).get(Difference.CHANGED, ())) for row in rows
        }

    def keep(self, destination: str, verified: Sequence[Verified]) -> None:
        """Keep what was found of these records."""
        if rows := as_rows([_row(destination, result) for result in verified]):
            with self._db.transaction() as connection:
                connection.execute(self._keep, rows)

    def begin_step(self, destination: str, wait: int) -> bool:
        """Whether this worker may compare some records now; no other may for `wait` ms."""
        now, passes = self._db.now(), verification_passes.c
        first = insert(self._db.engine, verification_passes).values(destination=destination, next_at=0)
        mine = update(verification_passes).where(passes.destination == destination, passes.next_at <= now)
        with self._db.transaction() as connection:
            connection.execute(first.on_conflict_do_nothing())
            return connection.execute(mine.values(next_at=now + wait)).rowcount == 1

    def complete(self, destination: str) -> None:
        """Note that every record has been compared."""
        done = insert(self._db.engine, verification_passes).values(
            destination=destination, complete_at=self._db.now(), next_at=0
        )
        newer = {"complete_at": done.excluded.complete_at}
        with self._db.transaction() as connection:
            connection.execute(done.on_conflict_do_update(index_elements=["destination"], set_=newer))

    def standing(self) -> list[Standing]:
        """How many records of each destination differed when they were last compared."""
        counted = select(
            verifications.c.destination,
            *(func.sum(_has(difference)).label(difference.name) for difference in Difference),
        )
        there = and_(*(ledger.c[name] == verifications.c[name] for name in ("destination", "object", "key")))
        counted = (
            counted.join_from(verifications, ledger, there)
            .where(
                verifications.c.differences != literal_column("'{}'")
            )  # a literal, so that the partial index serves it
            .where(ledger.c.crm_id.is_not(None), is_served(verifications.c.destination))
            .group_by(verifications.c.destination)
        )
        with self._db.reading() as connection:
            rows = {row.destination: row for row in connection.execute(counted)}
            passes = {row.destination: row.complete_at for row in connection.execute(select(verification_passes))}
        return [
            Standing(
                name,
                {own: int(rows[name]._mapping[own.name] or 0) if name in rows else 0 for own in Difference},
                passes.get(name),
            )
            for name in sorted(rows.keys() | passes.keys())
        ]

    def coverage(self) -> list[Coverage]:
        """How far the records of each destination have been compared. Walks the ledger: only where people ask."""
        seen = verifications.c.verified_at
        there = and_(*(ledger.c[name] == verifications.c[name] for name in ("destination", "object", "key")))
        statement = (
            select(ledger.c.destination, func.count(), func.count(seen), func.max(seen))
            .outerjoin_from(ledger, verifications, there)
            .where(ledger.c.crm_id.is_not(None), is_served(ledger.c.destination))
            .group_by(ledger.c.destination)
            .order_by(ledger.c.destination)
        )
        with self._db.reading() as connection:
            return [Coverage(*row) for row in connection.execute(statement)]

    def _rows(self, statement: Select[Any]) -> list[Held]:
        with self._db.reading() as connection:
            return [_as_held(row, self._db.cover) for row in connection.execute(statement)]


def _held(destination: str, other: Any = None, of_other: Any = None) -> Select[Any]:
    """Select the entries that have a record of their own, or one that opt-outs go to."""
    columns = (ledger.c.object, ledger.c.key, ledger.c.crm_id, ledger.c.customer_id, ledger.c.marks)
    own = claims.alias()  # another than the one that HELD_BY_ANOTHER looks into
    claimed = and_(*(own.c[name] == ledger.c[name] for name in ("destination", "object", "crm_id", "key")))
    statement = select(*columns, ledger.c.delivery_id, DOUBTFUL, own.c.field).outerjoin_from(ledger, own, claimed)
    if other is not None:
        statement = statement.outerjoin(other, of_other)
    return statement.where(ledger.c.destination == destination, ledger.c.crm_id.is_not(None), ~HELD_BY_ANOTHER)


def _as_held(row: Row[Any], cover: Cover) -> Held:
    entry = read_entry(row.crm_id, row.marks, cover)
    entry = doubt(entry) if row.doubtful else entry
    return Held(row.object, row.key, row.field or "", row.crm_id, row.customer_id, entry, row.delivery_id, row.marks)


def _row(destination: str, verified: Verified) -> dict[str, Any]:
    held = verified.held
    differences = {own.value: list(fields) for own, fields in verified.differences.items()}
    return {
        "destination": destination,
        "object": held.object,
        "key": held.key,
        "customer_id": held.customer_id,
        "delivery_id": held.delivery_id,
        "differences": json.dumps(differences, sort_keys=True),
        "raised": ",".join(sorted(verified.raised)),
        "lowered": ",".join(sorted(verified.lowered)),
    }


def _has(difference: Difference) -> Any:
    """1 where a record differs so. Each is a key in quotes, which no name of a field contains."""
    return case((verifications.c.differences.contains(f'"{difference}": ['), 1), else_=0)
