"""The audit log: who did what, when and why. Each entry is chained to the one before it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, or_, select, update

from connector.settlement.auditing import AuditEntry, AuditFilter, Head
from connector.store.audit_tables import audit, audit_head
from connector.store.chain import Chain
from connector.store.database import Database
from connector.store.dialect import insert
from connector.store.occurring import distinct

PAGE: Final = 50
SEARCHED: Final = 10_000
"""How many of the newest entries a text is looked for in."""
BEGIN: Final = "begin log"
HEAD_LOST: Final = "log head lost"
LONGEST_REASON: Final = 500
"""Characters."""

_CONNECTOR: Final = "connector"
_STEP: Final = 1_000
_NAMED: Final = ("who", "action", "agency")


class Audit:
    """Adds entries, which nothing changes later but forgetting a customer, and lists them."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def note(self, who: str, action: str, thing: str, reason: str = "", **about: str) -> None:
        """Keep for good what somebody did. about: as for `write_down`."""
        with self._db.transaction() as connection:
            self.write_down(connection, who, action, thing, reason, **about)

    def write_down(
        self,
        connection: Connection,
        who: str,
        action: str,
        thing: str,
        reason: str = "",
        *,
        agency: str = "",
        customer_id: str = "",
        crm_ids: str = "",
    ) -> None:
        """Keep for good what somebody does, in the transaction that does it, and as its last statement.

        The entries of all processes are one chain, so others that write one wait until this transaction has ended: it
        must not wait for anything more. customer_id, crm_ids: whom it is about. These go when the customer is
        forgotten, so `thing` and `reason` name nobody.
        """
        head = self._next(connection) or self._begun(connection)
        texts = {
            "who": who[:128],
            "action": action,
            "thing": thing,
            "reason": tidy(reason),
            "agency": agency,
            "customer_id": customer_id,
            "crm_ids": crm_ids,
        }
        self._append(connection, head, {name: text.replace("\0", "") for name, text in texts.items()})

    def _append(self, connection: Connection, head: Row[Any], texts: dict[str, str]) -> None:
        """Add an entry. head: the row of the head, locked, with the new number and the digest before it."""
        entry: dict[str, Any] = {**texts, "number": head.number, "at": head.at}
        entry["id"] = connection.execute(audit.insert().values(entry).returning(audit.c.id)).scalar_one()
        self._close(connection, head.number, self._seal(connection, head.digest, entry))

    def _seal(self, connection: Connection, before: str, entry: dict[str, Any]) -> str:
        digest = self._chain.digest(before, entry)
        sealed = {"number": entry["number"], "digest": digest}
        connection.execute(update(audit).where(audit.c.id == entry["id"]).values(sealed))
        return digest

    def _close(self, connection: Connection, number: int, digest: str) -> None:
        head = {"number": number, "digest": digest, "proof": self._chain.proof(number, digest)}
        connection.execute(update(audit_head).values(head))

    def _next(self, connection: Connection) -> Row[Any] | None:
        """Take the next number. Other writers wait for this row until the transaction has ended."""
        taken = update(audit_head).values(number=audit_head.c.number + 1)
        return connection.execute(
            taken.returning(audit_head.c.number, audit_head.c.digest, self._db.now().label("at"))
        ).first()

    def begin(self) -> None:
        """Chain the entries that an earlier version wrote, once. Raises StoreUnavailable."""
        if self.head() is None and not self._db.reads_alone():
            with self._db.transaction() as connection:
                self._begin(connection)

    def _begun(self, connection: Connection) -> Row[Any]:
        self._begin(connection)
        head = self._next(connection)
        assert head is not None
        return head

    def _begin(self, connection: Connection) -> None:
        made = insert(self._db.engine, audit_head).values(id=1, number=0, digest="", proof=self._chain.proof(0, ""))
        if not connection.execute(made.on_conflict_do_nothing()).rowcount:
            return  # another process has done it meanwhile
        newest = connection.execute(
            select(audit.c.number, audit.c.digest).where(audit.c.number.is_not(None)).order_by(audit.c.number.desc())
        ).first()
        if newest is not None:  # it is not known whether this was the newest entry: this must never be forgotten
            self._close(connection, newest.number, newest.digest)
            self._say(connection, HEAD_LOST, f"after entry {newest.number}: later ones may have been removed")
        elif count := self._number(connection):
            self._say(connection, BEGIN, f"{count} earlier entries: changes made to them before now cannot be detected")

    def _say(self, connection: Connection, action: str, thing: str) -> None:
        self.write_down(connection, _CONNECTOR, action, thing)

    def _number(self, connection: Connection) -> int:
        """Number and chain every entry there is, oldest first. Returns how many."""
        number, digest, last = 0, "", 0
        step = select(audit).order_by(audit.c.id).limit(_STEP)
        while rows := connection.execute(step.where(audit.c.id > last)).all():
            for row in rows:
                number, last = number + 1, row.id
                digest = self._seal(connection, digest, {**row._mapping, "number": number})
        if number:
            self._close(connection, number, digest)
        return number

    def forget(self, connection: Connection, customer_id: str) -> None:
        """Put the alias in the place of a customer's id and of their CRM records'. No digest changes by that."""
        theirs = audit.c.customer_id == customer_id
        for row in connection.execute(select(audit.c.id, audit.c.crm_ids).where(theirs)).all():
            unnamed = {"customer_id": self.alias(customer_id), "crm_ids": self.alias(row.crm_ids)}
            connection.execute(update(audit).where(audit.c.id == row.id).values(unnamed))

    def alias(self, name: str) -> str:
        """The name under which a forgotten customer is kept."""
        return self._chain.alias(name)

    def head(self) -> Head | None:
        """The newest entry, as the log has counted them; None if nothing is chained yet."""
        with self._db.reading() as connection:
            row = connection.execute(select(audit_head)).first()
        return Head(row.number, row.digest) if row else None

    def entries(self, limit: int = PAGE, actions: Collection[str] = ()) -> list[AuditEntry]:
        """The newest entries: all of them, or those of these actions."""
        return self.page(AuditFilter(actions=tuple(actions)), limit)

    def page(self, wanted: AuditFilter, limit: int = PAGE) -> list[AuditEntry]:
        """The newest entries that a filter chooses."""
        chosen = select(audit).where(*_clauses(wanted)).order_by(audit.c.id.desc())
        if wanted.text:
            some = chosen.limit(SEARCHED).subquery()
            texts = (some.c[name] for name in ("thing", "reason", "customer_id", "crm_ids"))
            has = (text.icontains(wanted.text, autoescape=True) for text in texts)
            chosen = select(some).where(or_(*has)).order_by(some.c.id.desc())
        with self._db.reading() as connection:
            rows = connection.execute(chosen.limit(limit)).all()
        return [AuditEntry(**{name: row._mapping[name] for name in AuditEntry.__slots__}) for row in rows]

    def walk(self, wanted: AuditFilter) -> Iterator[AuditEntry]:
        """Every entry that a filter chooses, newest first, a step at a time."""
        while entries := self.page(wanted, _STEP):
            yield from entries
            wanted = replace(wanted, before=entries[-1].id)

    def known(self, agencies: Collection[str] | None = None) -> dict[str, list[str]]:
        """The names that occur as who, action and agency. agencies: only in the newest entries about these."""
        if agencies is None:
            with self._db.reading() as connection:
                return {name: distinct(connection, audit.c[name]) for name in _NAMED}
        entries = self.page(AuditFilter(agencies=tuple(agencies)), _STEP)
        return {name: sorted({getattr(entry, name) for entry in entries}) for name in _NAMED}

    @property
    def _chain(self) -> Chain:
        return Chain(self._db.digest)  # that of a database that took this one's place is another


def tidy(reason: str) -> str:
    """A reason as it is kept: in one line, without NUL, cut to its longest."""
    return " ".join(reason.replace("\0", "").split())[:LONGEST_REASON]


def _clauses(wanted: AuditFilter) -> list[ColumnElement[bool]]:
    clauses: list[ColumnElement[bool]] = []
    if wanted.who:
        clauses.append(audit.c.who == wanted.who)
    if wanted.actions:
        clauses.append(audit.c.action.in_(wanted.actions))
    if wanted.agency:
        clauses.append(audit.c.agency == wanted.agency)
    if wanted.agencies is not None:
        clauses.append(audit.c.agency.in_(wanted.agencies))
    if wanted.since:
        clauses.append(audit.c.at >= wanted.since)
    if wanted.until:
        clauses.append(audit.c.at < wanted.until)
    if wanted.before:
        clauses.append(audit.c.id < wanted.before)
    return clauses
