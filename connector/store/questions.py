"""Questions for people, one row for each record that several CRM records may be, and what was decided."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, func, select, update

from connector.model import Candidate, Decided
from connector.settlement import Asked
from connector.settlement.questions import Question, QuestionState
from connector.store.accounts import is_served
from connector.store.database import Database
from connector.store.dialect import insert
from connector.store.problem_tables import questions
from connector.store.tables import deliveries, events, ledger

BY_THE_CRM: Final = "a merge in the CRM"
_OPEN: Final = questions.c.state == QuestionState.OPEN
_DECIDED: Final = select(questions).where(
    questions.c.destination == bindparam("whose"), questions.c.key.in_(bindparam("wanted", expanding=True))
)


class Questions:
    """Loaded with the ledger's entries, asked in the commit that settles the batch."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def decided(self, connection: Connection, asked: dict[str, Any]) -> Iterator[tuple[str, str, Decided]]:
        """Yield what was decided about these records: object, key digest, decision. asked: as the ledger asks."""
        for row in connection.execute(_DECIDED, asked):
            yield row.object, row.key, _decided(row)

    def ask(self, connection: Connection, destination: str, asked: Sequence[tuple[Asked, str]]) -> None:
        """Keep questions, each with its key's digest, unless they were decided for these candidates."""
        for question, key in asked:
            self._ask(connection, destination, question, key)

    def _ask(self, connection: Connection, destination: str, asked: Asked, key: str) -> None:
        values = {
            "destination": destination,
            "object": asked.key.object,
            "key": key,
            "customer_id": asked.customer_id,
            "record": asked.record,
            "by_key": asked.by_key,
            "candidates": _as_text(asked.candidates),
            "delivery_id": asked.delivery_id,
            "since": self._db.now(),
            "state": QuestionState.OPEN,
        }
        new = insert(self._db.engine, questions).values(values).on_conflict_do_nothing()
        if connection.execute(new.returning(questions.c.key)).first():
            return
        same = named(destination, asked.key.object, key)
        known = connection.execute(select(questions).where(same).with_for_update()).one()
        left = [candidate for candidate in asked.candidates if candidate.id not in json.loads(known.others)]
        if known.state == QuestionState.OPEN:
            offered = {candidate.id: candidate for candidate in (*_candidates(known), *left)}
            values |= {"candidates": _as_text(list(offered.values())), "since": known.since}
        elif left and known.chosen not in {candidate.id for candidate in left}:
            values |= {"candidates": _as_text(left), "chosen": None, "decided_at": None, "decided_by": ""}
        else:
            return
        connection.execute(update(questions).where(same).values(values))

    def answer(self, connection: Connection, destination: str, answered: Sequence[tuple[str, str, str]]) -> None:
        """Decide open questions (object, key digest, CRM id) that the CRM answered: it has only this record now.

        Where people chose a record that was merged into this one, this is the chosen one.
        """
        values = {"state": QuestionState.SAME_PERSON, "decided_at": self._db.now(), "decided_by": BY_THE_CRM}
        for kind, key, crm_id in answered:
            same = named(destination, kind, key)
            connection.execute(update(questions).where(same, _OPEN).values(**values, chosen=crm_id))
            merged = (questions.c.state == QuestionState.SAME_PERSON, questions.c.chosen != crm_id)
            connection.execute(update(questions).where(same, *merged).values(chosen=crm_id))

    def all(self) -> list[Question]:
        """Every question, those not decided first, the oldest first."""
        return self._listed()

    def _listed(self, *which: ColumnElement[bool]) -> list[Question]:
        own = and_(*(ledger.c[name] == questions.c[name] for name in ("destination", "object", "key")))
        statement = (
            select(questions, ledger.c.crm_id.label("own"), events.c.message_id)
            .outerjoin(ledger, own)
            .outerjoin(deliveries, deliveries.c.id == questions.c.delivery_id)
            .outerjoin(events, events.c.id == deliveries.c.event_id)
            .where(is_served(questions.c.destination), *which)
            .order_by(_OPEN.desc(), questions.c.since, questions.c.key)
        )
        with self._db.reading() as connection:
            return [_question(row) for row in connection.execute(statement)]

    def of_customer(self, customer_id: str) -> list[Question]:
        """The questions about one customer's records."""
        return self._listed(questions.c.customer_id == customer_id)

    def count(self) -> int:
        """How many wait to be decided."""
        with self._db.reading() as connection:
            open_now = select(func.count()).select_from(questions).where(_OPEN, is_served(questions.c.destination))
            return int(connection.execute(open_now).scalar_one())


def named(destination: str, object: str, key: str) -> ColumnElement[bool]:
    """The question about one record."""
    return and_(questions.c.destination == destination, questions.c.object == object, questions.c.key == key)


def _decided(row: Row[Any]) -> Decided:
    ids = frozenset(candidate.id for candidate in _candidates(row))
    others = frozenset(json.loads(row.others)) | ({row.taken_back} if row.taken_back else set())
    return Decided(
        same=row.chosen,
        others=others - {row.chosen},
        twins=ids - {row.chosen} if row.by_key else frozenset(),
        former=row.former,
        left=row.taken_back,
        asked=ids if row.state == QuestionState.OPEN else frozenset(),
    )


def _as_text(candidates: Sequence[Candidate]) -> str:
    return json.dumps([asdict(candidate) for candidate in candidates], separators=(",", ":"))


def _candidates(row: Row[Any]) -> tuple[Candidate, ...]:
    return tuple(
        Candidate(data["id"], tuple(data["agrees"]), tuple(data["differs"]), tuple(data["blank"]))
        for data in json.loads(row.candidates)
    )


def _question(row: Row[Any]) -> Question:
    plain = ("destination", "object", "key", "customer_id", "record", "by_key", "since", "delivery_id", "message_id")
    decided = ("own", "chosen", "former", "taken_back", "decided_at", "decided_by")
    values = {name: row._mapping[name] for name in (*plain, *decided)}
    return Question(**values, candidates=_candidates(row), state=QuestionState(row.state))
