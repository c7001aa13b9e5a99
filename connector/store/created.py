"""Records that a version of the mapping, or a run, created: what else is known of them, and forgetting their links."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Connection, Select, and_, delete, null, or_, select, update

from connector.model import Entry
from connector.settlement import DeliveryState
from connector.settlement.previous import Former
from connector.store.crm_tables import accounts
from connector.store.database import Database
from connector.store.dialect import lock_rows
from connector.store.entries import entry_as_text, read_entry
from connector.store.previous import Whose
from connector.store.previous_tables import previous
from connector.store.problem_tables import open_items, questions
from connector.store.tables import STATE, claims, deliveries, events, ledger
from connector.store.verification_tables import verifications

_LATER: Final = (open_items, verifications)
"""What is known of a record only as long as it is there."""


class Created:
    """Records of every destination. key: everywhere the ledger's digest."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def objects(self, destination: str, whose: Whose) -> list[str]:
        """The objects of which a version or a run created records."""
        mine = (previous.c.destination == destination, previous.c.crm_id.is_(None), whose.condition)
        with self._db.reading() as connection:
            return list(connection.execute(select(previous.c.object).where(*mine).distinct()).scalars())

    def expected(self, destination: str, customers: Collection[str]) -> set[str]:
        """The customers of these for whom an event waits to be delivered, or is a dead letter."""
        mine = (deliveries.c.destination == destination, STATE.in_((DeliveryState.READY, DeliveryState.DEAD)))
        waiting = select(events.c.customer_id).join_from(deliveries, events)
        return self._first(waiting.where(*mine, events.c.customer_id.in_(customers)))

    def known_otherwise(self, destination: str, customers: Collection[str], whose: Whose) -> set[str]:
        """The customers of these of whom not only this run has brought events.

        For a version: of whom another one has written, or had nothing to write of, an event since it created a record.
        """
        if whose.run:
            others = (events.c.customer_id.in_(customers), events.c.run != whose.run)
            return self._first(select(events.c.customer_id).where(*others))
        made = (previous.c.destination == destination, previous.c.crm_id.is_(None), whose.condition)
        since = (deliveries.c.destination == destination, deliveries.c.accepted_at >= previous.c.at)
        later = (*made, *since, deliveries.c.mapping_version != whose.version, events.c.customer_id.in_(customers))
        theirs = events.c.customer_id == previous.c.customer_id
        joined = select(events.c.customer_id).join_from(previous, events, theirs).join(deliveries)
        return self._first(joined.where(*later).distinct())

    def _first(self, statement: Select[Any]) -> set[str]:
        with self._db.reading() as connection:
            return set(connection.execute(statement).scalars())

    def shared(self, destination: str, records: Sequence[Former]) -> set[str]:
        """The keys of these, all of one object, whose record is, or may be, another customer's or destination's too."""
        ids = {former.key: former.entry.crm_id for former in records if former.entry and former.entry.crm_id}
        kind, own = records[0].object, select(accounts.c.account).where(accounts.c.destination == destination)
        elsewhere = select(accounts.c.destination).where(accounts.c.account != own.scalar_subquery())
        quoted = {json.dumps(crm_id): key for key, crm_id in ids.items()}
        naming = (questions.c.candidates.contains(crm_id, autoescape=True) for crm_id in quoted)
        is_own = and_(questions.c.destination == destination, questions.c.key.in_(ids))
        asked = (questions.c.object == kind, questions.c.destination.not_in(elsewhere), or_(is_own, *naming))
        known = (ledger.c.object == kind, ledger.c.destination.not_in(elsewhere), ledger.c.crm_id.in_(ids.values()))
        with self._db.reading() as connection:
            questioned = connection.execute(select(questions.c.key, questions.c.candidates).where(*asked)).all()
            entries = Counter(connection.execute(select(ledger.c.crm_id).where(*known)).scalars())
        named = {key for row in questioned for crm_id, key in quoted.items() if crm_id in row.candidates}
        return named | {row.key for row in questioned} | {key for key, crm_id in ids.items() if entries[crm_id] > 1}

    def begin(self, destination: str, records: Sequence[Former], by: str, at: int) -> set[str]:
        """Note that records, all of one object, are about to be deleted. Returns the keys of those still as read.

        What is noted of one that was not deleted after all keeps it: people may have restored it.
        """
        with self._db.transaction() as connection:
            return {own.key for own in records if self._set_undone(connection, destination, own, (by, at))}

    def leave(self, destination: str, records: Sequence[Former]) -> None:
        """Take that back for records that the CRM refused to delete."""
        with self._db.transaction() as connection:
            for own in records:
                self._set_undone(connection, destination, own, own.entry.undone if own.entry else None)

    def _set_undone(
        self, connection: Connection, destination: str, own: Former, undone: tuple[str, int] | None
    ) -> bool:
        crm_id = own.entry.crm_id if own.entry else None
        mine = (ledger.c.destination == destination, ledger.c.object == own.object, ledger.c.key == own.key)
        lock_rows(connection, [ledger.c.key], *mine)
        marks = connection.execute(select(ledger.c.marks).where(*mine, ledger.c.crm_id == crm_id)).scalar()
        if marks is None:
            return False
        cover = self._db.cover
        text = entry_as_text(replace(read_entry(crm_id, marks, cover), undone=undone), cover)
        return connection.execute(update(ledger).where(*mine).values(marks=text)).rowcount == 1

    def forget(self, destination: str, records: Sequence[Former], by: str, at: int) -> None:
        """Forget the links of records that were deleted, where the ledger still has them.

        by: who wrote them. at: when it was last certain that nothing else had come (epoch ms).
        """
        with self._db.transaction() as connection:
            self._forget(connection, destination, records, entry_as_text(Entry(undone=(by, at))))

    def _forget(self, connection: Connection, destination: str, records: Sequence[Former], text: str) -> None:
        for own in records:
            crm_id = own.entry.crm_id if own.entry else None
            same = (ledger.c.destination == destination, ledger.c.object == own.object, ledger.c.key == own.key)
            left = update(ledger).where(*same, ledger.c.crm_id == crm_id).values(crm_id=null(), marks=text)
            if connection.execute(left).rowcount != 1:  # a repair has it created again
                continue
            held = (claims.c.destination == destination, claims.c.object == own.object, claims.c.key == own.key)
            connection.execute(delete(claims).where(*held))
            for table in _LATER:
                mine = (table.c.destination == destination, table.c.object == own.object, table.c.key == own.key)
                connection.execute(delete(table).where(*mine))
            self._note(connection, own)

    def _note(self, connection: Connection, own: Former) -> None:
        for kept in own.kept:
            done = json.dumps(dict.fromkeys(sorted(kept.before.fields)))
            changes = {"undone": done, "restored": len(kept.before.fields), "undone_at": self._db.now()}
            connection.execute(update(previous).where(previous.c.id == kept.row).values(changes))
