"""What we last wrote to each record, field by field, and what is known of each customer's consent."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Final, NamedTuple

from sqlalchemy import BigInteger, Connection, bindparam, case, cast, delete, func, null, select

from connector.model import BLANK, Entry, FlagState, RecordKey, Stamp
from connector.settlement import Asked, Claim, Raised, Remembered
from connector.settlement.claiming import LEFT
from connector.settlement.gaps import Doubt
from connector.store.claims import HELD_BY_ANOTHER, OF_ENTRY, Claims, Holder, is_another
from connector.store.consent_tables import consents, raises
from connector.store.cover import Cover
from connector.store.database import Database
from connector.store.dialect import ALWAYS, insert
from connector.store.entries import believed, doubt, entry_as_text, read_entry
from connector.store.gaps import DOUBTFUL, GENERATION, Gaps
from connector.store.open_items import OpenItems
from connector.store.questions import Questions
from connector.store.rewriting import Rewriting
from connector.store.rows import Rows, as_rows, given
from connector.store.sql import Sql, built_once
from connector.store.tables import claims, deliveries, ledger

_OF_ENTRIES: Final = (ledger.c.object, ledger.c.key, ledger.c.crm_id, ledger.c.customer_id, ledger.c.marks, DOUBTFUL)
_OF_HOLDER: Final = (claims.c.key.label("holder"), claims.c.field, claims.c.customer_id.label("held_for"))
_ENTRIES: Final = (
    select(*_OF_ENTRIES, *_OF_HOLDER)
    .outerjoin_from(ledger, claims, OF_ENTRY)
    .where(ledger.c.destination == bindparam("whose"), ledger.c.key.in_(bindparam("wanted", expanding=True)))
)
_CONSENTS: Final = (
    select(consents)
    .where(
        consents.c.destination == bindparam("whose"), consents.c.customer_id.in_(bindparam("wanted", expanding=True))
    )
    .order_by(consents.c.at, consents.c.tie)
)


class KnownRecord(NamedTuple):
    """A CRM record, and the customer it was written for."""

    customer_id: str
    object: str
    crm_id: str


Amend = Callable[[Entry], Remembered]
"""An entry as it is now -> as it must be."""


class Ledger:
    """Entries by record, consent by customer; both per destination."""

    def __init__(self, database: Database, open_items: OpenItems, questions: Questions, rewriting: Rewriting) -> None:
        self.rewriting = rewriting
        self._db, self._open_items, self._questions = database, open_items, questions
        self._gaps = Gaps(database)
        self.claims = Claims(database, self.key_digest)
        self._remember, self._keep_consents = _replace_entries(database.sql), _upserts_of_consents(database.sql)

    def key_digest(self, destination: str, key: RecordKey) -> str:
        """The ledger's name for a record: a key may be an e-mail address, so it is never kept in the clear.

        Raises StoreUnavailable while rows have the names of an earlier version: a record that is known would seem new.
        """
        self.rewriting.require()
        return self._db.cover.key(destination, key.object, self._db.digest(f"{key.field}={key.folded}", size=16))

    def entries(self, destination: str, keys: Collection[RecordKey]) -> dict[RecordKey, Entry]:
        """What the ledger holds of these records; a record never written is not in the answer."""
        wanted = {(key.object, self.key_digest(destination, key)): key for key in keys}
        asked = {"whose": destination, "wanted": [digest for _, digest in wanted]}
        with self._db.reading() as connection:
            rows = connection.execute(_ENTRIES, asked).all()
            items = list(self._open_items.of(connection, asked))
            decisions = list(self._questions.decided(connection, asked))
        cover, now = self._db.cover, self._db.time()
        known = ((row, (row.object, row.key)) for row in rows)
        entries = {
            named: believed(_own(row, wanted[named].field, cover), now) for row, named in known if named in wanted
        }
        for kind, digest, name, item in items:
            entry = entries.get((kind, digest), BLANK)
            entries[kind, digest] = replace(entry, open={**entry.open, name: item})
        for kind, digest, decided in decisions:
            entries[kind, digest] = replace(entries.get((kind, digest), BLANK), decided=decided)
        return {wanted[named]: entry for named, entry in entries.items() if named in wanted}

    def doubt(self) -> Doubt | None:
        """The last declared restore; None if there was none."""
        return self._gaps.doubt()

    def claim(self, destination: str, wanted: Collection[Claim]) -> frozenset[Claim]:
        """Claim records before anything is written to them. Returns those that belong to another key."""
        return self.claims.take(destination, wanted)

    def taken(self, destination: str, wanted: Collection[Claim]) -> frozenset[Claim]:
        """Return those of these claims whose record belongs to another key."""
        return self.claims.others(destination, wanted)

    def owners(self, destination: str, wanted: Collection[Claim]) -> dict[Claim, RecordKey | None]:
        """Return those of these records that belong to another customer, each with its own key if that is known."""
        return self.claims.owners(destination, wanted)

    def records_of(self, destination: str, customers: Collection[str]) -> list[KnownRecord]:
        """The CRM records known to be these customers', those they left included."""
        columns = (ledger.c.customer_id, ledger.c.object, ledger.c.crm_id, ledger.c.marks)
        statement = select(*columns, HELD_BY_ANOTHER.label("held")).where(
            ledger.c.destination == destination, ledger.c.customer_id.in_(customers), ledger.c.crm_id.is_not(None)
        )
        with self._db.reading() as connection:
            rows = connection.execute(statement).all()
        cover = self._db.cover
        entries = ((row, read_entry(row.crm_id, row.marks, cover)) for row in rows)
        return [KnownRecord(*row[:3]) for row, entry in entries if not row.held or _may_share(entry)]

    def rows(self, destination: str, remembered: Sequence[Remembered]) -> Rows:
        """Entries as a parameter, made before the transaction begins: others wait for it."""
        return as_rows([self._row(destination, entry) for entry in remembered])

    def items(self, destination: str, remembered: Sequence[Remembered]) -> tuple[Rows, Rows]:
        """The open items of these records that are opened and closed, as parameters."""
        changed = [
            (record, self.key_digest(destination, record.key))
            for record in remembered
            if record.opened or record.closed
        ]
        return self._open_items.rows(destination, changed)

    def asked(self, destination: str, asked: Sequence[Asked]) -> list[tuple[Asked, str]]:
        """Questions, each with its key's digest."""
        return [(question, self.key_digest(destination, question.key)) for question in asked]

    def answered(self, destination: str, answered: Iterable[tuple[RecordKey, str]]) -> list[tuple[str, str, str]]:
        """Questions that the CRM answered: object, key's digest, CRM id."""
        return [(key.object, self.key_digest(destination, key), crm_id) for key, crm_id in answered]

    def remember(self, connection: Connection, entries: Rows) -> None:
        """Replace these records' entries."""
        if entries:
            connection.execute(self._remember, entries)

    def lose(self, connection: Connection, destination: str, gone: Collection[tuple[str, str]]) -> None:
        """Drop the entries of records (object, id) that the CRM no longer has: they would be written in full again."""
        for kind, crm_id in gone:
            for table in (ledger, claims):
                theirs = (table.c.destination == destination, table.c.object == kind, table.c.crm_id == crm_id)
                connection.execute(delete(table).where(*theirs))

    def amend(self, connection: Connection, destination: str, amended: Mapping[RecordKey, Amend]) -> None:
        """Change these records' present entries, except those of customers forgotten meanwhile."""
        now = self.entries(destination, list(amended))
        changed = [amend(now.get(key, BLANK)) for key, amend in amended.items()]
        still = select(deliveries.c.id).where(deliveries.c.id.in_([entry.delivery_id for entry in changed]))
        stored = set(connection.execute(still).scalars())
        kept = [entry for entry in changed if entry.delivery_id in stored]
        self.remember(connection, self.rows(destination, kept))
        in_crm = [Claim(record.key, record.entry.crm_id, record.customer_id) for record in kept if record.entry.crm_id]
        self.claims.keep(connection, self.claims.rows(destination, in_crm))

    def _row(self, destination: str, remembered: Remembered) -> dict[str, Any]:
        return {
            "destination": destination,
            "object": remembered.key.object,
            "key": self.key_digest(destination, remembered.key),
            "crm_id": remembered.entry.crm_id,
            "customer_id": remembered.customer_id,
            "marks": entry_as_text(remembered.entry, self._db.cover),
            "delivery_id": remembered.delivery_id,
            "generation": 0,
        }

    def alias(self, customer_id: str) -> str:
        """The name under which a forgotten customer's opt-outs are kept."""
        return f"forgotten:{self._db.digest(f'customer {customer_id}', size=16)}"

    def consents(self, destination: str, customers: Collection[str]) -> dict[str, dict[str, FlagState]]:
        """customer id -> flag -> what is known; for a forgotten customer, the opt-outs kept."""
        named = {name: customer for customer in customers for name in (customer, self.alias(customer))}
        asked = {"whose": destination, "wanted": list(named)}
        known: dict[str, dict[str, FlagState]] = {}
        with self._db.reading() as connection:
            for row in connection.execute(_CONSENTS, asked):
                applied = row.applied_at is not None
                state = FlagState(Stamp(row.at, row.tie), row.value, applied, row.owed, row.spoken, row.lowered_at)
                known.setdefault(named[row.customer_id], {})[row.flag] = state
        return known

    def consent_rows(self, destination: str, states: Mapping[str, Mapping[str, FlagState]]) -> dict[bool, Rows]:
        """What is known of these customers' flags as parameters, by whether the CRM has the flag."""
        by_applied: dict[bool, list[dict[str, Any]]] = {True: [], False: []}
        for customer, flags in states.items():
            for flag, state in flags.items():
                row = {
                    "destination": destination,
                    "customer_id": customer,
                    "flag": flag,
                    "at": state.stamp.at,
                    "tie": state.stamp.tie,
                    "value": state.value,
                    "owed": state.owed,
                    "spoken": state.spoken,
                    "lowered_at": state.lowered,
                }
                by_applied[state.applied].append(row)
        return {applied: as_rows(rows) for applied, rows in by_applied.items()}

    def remember_consents(self, connection: Connection, known: Mapping[bool, Rows]) -> None:
        """Replace what is known of flags; the time a raise was applied stays until the next one."""
        for applied, rows in known.items():
            if rows:
                connection.execute(self._keep_consents[applied], rows)

    def witness(self, connection: Connection, destination: str, raised: Sequence[Raised]) -> None:
        """Keep for good that these opt-outs reached the CRM."""
        if raised:
            statement = raises.insert().values(destination=destination, at=self._db.now())
            connection.execute(statement, [asdict(opt_out) for opt_out in raised])


def _may_share(entry: Entry) -> bool:
    """Whether a customer's opt-outs go to a record although it is another's: it was merged, or only its id is kept."""
    return entry.merged or not entry.fields


def _own(row: Any, field: str, cover: Cover) -> Entry:
    """An entry as it is read. field: of its key."""
    entry, holder = read_entry(row.crm_id, row.marks, cover), Holder(row.holder, row.field, row.held_for)
    entry = doubt(entry) if row.doubtful else entry
    if entry.merged:  # both customers are known to be there
        return entry
    return LEFT if is_another(holder, row.key, field, row.customer_id) else entry


@built_once
def _replace_entries(sql: Sql) -> Any:
    rows = given(sql, *ledger.c)
    known = [GENERATION if column.name == "generation" else column for column in rows.c]
    statement = insert(sql, ledger).from_select(list(rows.c.keys()), select(*known).where(ALWAYS))
    names = ("crm_id", "customer_id", "marks", "delivery_id", "generation")
    newer = {name: statement.excluded[name] for name in names}
    return statement.on_conflict_do_update(index_elements=["destination", "object", "key"], set_=newer)


@built_once
def _upserts_of_consents(sql: Sql) -> dict[bool, Any]:
    return {applied: _upsert_consents(sql, applied) for applied in (True, False)}


def _upsert_consents(sql: Sql, applied: bool) -> Any:
    rows = given(sql, *(column for column in consents.c if column.name != "applied_at"))
    known = select(*rows.c, sql.now() if applied else cast(null(), BigInteger)).where(ALWAYS)
    statement = insert(sql, consents).from_select([*rows.c.keys(), "applied_at"], known)
    newer = {name: statement.excluded[name] for name in ("at", "tie", "value", "owed")}
    # A batch that began before an operator lowered the flag does not know of it: what the operator did stays.
    lowered_since = consents.c.lowered_at > statement.excluded.lowered_at
    for name in ("spoken", "lowered_at"):
        newer[name] = case((lowered_since, consents.c[name]), else_=statement.excluded[name])
    kept = func.coalesce(consents.c.applied_at, statement.excluded.applied_at) if applied else null()
    return statement.on_conflict_do_update(
        index_elements=["destination", "customer_id", "flag"], set_={**newer, "applied_at": kept}
    )
