"""Record what people decide about a question, and have it carried out at once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, delete, or_, select, update

from connector.errors import StateChanged
from connector.settlement import NO_RECORD, DeliveryState
from connector.settlement.questions import Question, QuestionState
from connector.store.audit import Audit
from connector.store.database import Database
from connector.store.dialect import insert
from connector.store.problem_tables import open_items, questions
from connector.store.questions import named
from connector.store.tables import STATE, claims, deliveries, events, lanes

_DONE: Final = STATE.in_((DeliveryState.DELIVERED, DeliveryState.SUPERSEDED))
_MET_NO_RECORD: Final = and_(STATE == DeliveryState.SKIPPED, deliveries.c.code == NO_RECORD)


class Deciding:
    """Changes a question only where it is still as the operator saw it. Each change delivers the customer again."""

    def __init__(self, database: Database, audit: Audit) -> None:
        self._db, self._audit = database, audit

    def same_person(self, question: Question, crm_id: str, who: str, reason: str = "") -> int:
        """Decide that the customer's record is this candidate. Returns how many deliveries are queued again.

        Raises StateChanged where it is no candidate, belongs to another customer, or the question has changed.
        """
        if crm_id not in {candidate.id for candidate in question.candidates}:
            raise StateChanged(crm_id, "is not a candidate of this question", "connector identity list shows them")
        former = question.own if question.own != crm_id else question.former
        chosen = {"state": QuestionState.SAME_PERSON, "chosen": crm_id, "former": former, "taken_back": None}
        with self._db.waking() as connection:
            self._give_back(connection, question)
            self._claim(connection, question, crm_id)
            self._decide(connection, question, who, chosen)
            again = self._deliver_again(connection, question)
            self._write_down(connection, question, who, QuestionState.SAME_PERSON, crm_id, reason)
        return again

    def somebody_else(self, question: Question, who: str, reason: str = "") -> None:
        """Decide that none of the candidates is the customer's: they are not offered again. Raises StateChanged."""
        if question.by_key:
            raise StateChanged(
                question.id,
                "has only candidates that hold this customer's key",
                "remove the key in the CRM from those that are somebody else's, or choose one",
            )
        ids = {candidate.id for candidate in question.candidates}
        with self._db.waking() as connection:
            others = {"others": json.dumps(sorted(self._others(connection, question) | ids))}
            self._decide(connection, question, who, {"state": QuestionState.SOMEBODY_ELSE, **others})
            self._write_down(connection, question, who, QuestionState.SOMEBODY_ELSE, ", ".join(sorted(ids)), reason)

    def take_back(self, question: Question, who: str, reason: str = "") -> int:
        """Open a decided question again. Returns how many deliveries are queued again. Raises StateChanged."""
        if question.is_open:
            raise StateChanged(question.id, "is not decided", "connector identity list --all shows its state")
        ids = {candidate.id for candidate in question.candidates}
        with self._db.waking() as connection:
            others = {"others": json.dumps(sorted(self._others(connection, question) - ids))}
            # A record may have been merged since it was chosen: the customer leaves the one they are on.
            on = question.own if question.own not in (None, question.former) else question.chosen
            left = on if question.chosen else None
            self._give_back(connection, question)
            opened = {"state": QuestionState.OPEN, "chosen": None, "taken_back": left, **others}
            self._decide(connection, question, who, opened)
            again = self._deliver_again(connection, question) if question.chosen else 0
            self._write_down(connection, question, who, f"took back {question.state}", question.chosen or "", reason)
        return again

    def _decide(self, connection: Connection, question: Question, who: str, values: Mapping[str, Any]) -> None:
        as_seen = (questions.c.state == question.state, questions.c.since == question.since)
        by: dict[str, Any] = {"decided_at": None, "decided_by": ""}
        if values["state"] is not QuestionState.OPEN:
            by = {"decided_at": self._db.now(), "decided_by": who}
        changed = update(questions).where(_same(question), *as_seen).values(**values, **by)
        if connection.execute(changed).rowcount != 1:
            raise StateChanged(question.id, "has changed meanwhile", "connector identity list shows it")

    def _write_down(
        self, connection: Connection, question: Question, who: str, decision: str, crm_ids: str, reason: str
    ) -> None:
        about = {"customer_id": question.customer_id or "", "crm_ids": crm_ids}
        agency = question.destination.partition("/")[0]
        thing = f"{question.destination} {question.object}: {decision}"
        self._audit.write_down(connection, who, "decide identity", thing, reason, agency=agency, **about)

    def _others(self, connection: Connection, question: Question) -> set[str]:
        return set(json.loads(connection.execute(select(questions.c.others).where(_same(question))).scalar() or "[]"))

    def _claim(self, connection: Connection, question: Question, crm_id: str) -> None:
        """Claim the record, or raise StateChanged where it is another customer's or was chosen for one."""
        record = {"destination": question.destination, "object": question.object, "crm_id": crm_id}
        mine = {"key": question.key, "field": "", "customer_id": question.customer_id}
        connection.execute(insert(self._db.engine, claims).values(**record, **mine).on_conflict_do_nothing())
        same = (claims.c[name] == value for name, value in record.items())
        holder = connection.execute(select(claims.c.key, claims.c.field, claims.c.customer_id).where(*same)).first()
        if holder and holder.key != question.key and holder.customer_id != (question.customer_id or ""):
            whose = f"customer {holder.customer_id}" if holder.customer_id else "another record"
            raise StateChanged(
                crm_id, f"is already the CRM record of {whose}", "one record cannot be two customers': choose another"
            )

    def _give_back(self, connection: Connection, question: Question) -> None:
        """Release the record of a decision that was not carried out yet."""
        if question.chosen and question.chosen != question.own:
            record = {"destination": question.destination, "object": question.object, "crm_id": question.chosen}
            mine = (claims.c[name] == value for name, value in {**record, "key": question.key}.items())
            connection.execute(delete(claims).where(*mine))

    def _deliver_again(self, connection: Connection, question: Question) -> int:
        """Queue every stored event of the customer again, so that the record is written in full."""
        waiting = select(deliveries.c.lane).where(*_theirs(question), STATE == DeliveryState.READY)
        # A worker that has read the old decision must not settle what it writes by it.
        connection.execute(update(lanes).where(lanes.c.name.in_(waiting)).values(token=""))
        mine = (open_items.c[name] == getattr(question, name) for name in ("destination", "object", "key"))
        connection.execute(update(open_items).where(*mine).values(digest=""))
        died_here = and_(STATE == DeliveryState.DEAD, deliveries.c.record == question.record)
        again = (
            update(deliveries)
            .where(*_theirs(question), or_(_DONE, _MET_NO_RECORD, died_here))
            .values(state=DeliveryState.READY, attempts=0, due_at=self._db.now())
        )
        return connection.execute(again).rowcount


def _same(question: Question) -> ColumnElement[bool]:
    return named(question.destination, question.object, question.key)


def _theirs(question: Question) -> tuple[ColumnElement[bool], ...]:
    """The deliveries of the question's customer whose events are still stored."""
    stored = select(events.c.id).where(
        events.c.payload.is_not(None),
        events.c.customer_id == question.customer_id
        if question.customer_id
        else events.c.id.in_(select(deliveries.c.event_id).where(deliveries.c.id == question.delivery_id)),
    )
    return deliveries.c.event_id.in_(stored), deliveries.c.destination == question.destination
