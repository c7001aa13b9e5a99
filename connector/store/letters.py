"""Dead letters by cause: the destination, and the code, the fields and the mapping's record of the refusal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, literal, select

from connector.settlement import CauseKey, ObligationState, RecordNote, Refusal
from connector.store.consent_tables import obligations
from connector.store.database import Database
from connector.store.notes import fields_as_text, read_fields, read_notes
from connector.store.tables import DEAD, attempts, deliveries, events

CAUSES = 500
"""Dead letters have few causes; of more, the most common are shown."""
_OPEN = (ObligationState.OWED, ObligationState.REFUSED, ObligationState.NO_RECORD)


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """The dead letters of one cause. why: as of the newest. since, until: when the first and the newest died, epoch ms.

    newest: the ID of the newest delivery. opt_outs: of their customers, those that this CRM does not have.
    replay: the number of the newest replay after which some of them died again; 0 for none.
    """

    destination: str
    why: Refusal
    count: int
    customers: int
    since: int
    until: int
    newest: int
    opt_outs: int = 0
    replay: int = 0


@dataclass(frozen=True, slots=True)
class Affected:
    """A customer with dead letters of one cause. since, until: epoch ms. message_id: of the newest. opt_outs: flags."""

    customer_id: str
    count: int
    since: int
    until: int
    message_id: str
    opt_outs: tuple[str, ...] = ()


class Letters:
    """Reads what a CRM refused for good. Never a payload."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def causes(self) -> list[DeadLetters]:
        """The dead letters of each cause, the most first."""
        died = func.coalesce(deliveries.c.settled_at, deliveries.c.accepted_at)
        cause = (deliveries.c.destination, deliveries.c.code, deliveries.c.fields, deliveries.c.record)
        grouped = (
            select(
                *cause,
                func.count().label("dead"),
                func.count(events.c.customer_id.distinct()).label("customers"),
                func.min(died).label("since"),
                func.max(died).label("until"),
                func.max(deliveries.c.id).label("newest"),
                func.max(deliveries.c.replay).label("replay"),
            )
            .join_from(deliveries, events)
            .where(deliveries.c.state == DEAD)
            .group_by(*cause)
            .order_by(func.count().desc(), *cause)
            .limit(CAUSES)
        )
        with self._db.reading() as connection:
            rows = connection.execute(grouped).all()
            newest = deliveries.c.id.in_([row.newest for row in rows])
            held = {row[:4]: row.held for row in connection.execute(_held_opt_outs())} if rows else {}
            words = {
                row.id: row
                for row in connection.execute(
                    select(deliveries.c.id, deliveries.c.reason, deliveries.c.action).where(newest)
                )
            }
        return [_dead_letters(row, words[row.newest], held.get(row[:4], 0)) for row in rows if row.newest in words]

    def people(self, destination: str, cause: CauseKey, limit: int) -> list[Affected]:
        """The customers of one cause's dead letters: those with opt-outs first, then the newest."""
        died = func.coalesce(deliveries.c.settled_at, deliveries.c.accepted_at)
        grouped = (
            select(
                events.c.customer_id,
                func.count().label("dead"),
                func.min(died).label("since"),
                func.max(died).label("until"),
                func.max(deliveries.c.id).label("newest"),
            )
            .join_from(deliveries, events)
            .where(*_dead_of(destination, cause), events.c.customer_id.is_not(None))
            .group_by(events.c.customer_id)
            .subquery()
        )
        held = (
            select(func.count())
            .where(obligations.c.destination == destination, obligations.c.customer_id == grouped.c.customer_id)
            .where(obligations.c.state.in_(_OPEN))
            .scalar_subquery()
        )
        listed = (
            select(grouped, events.c.message_id)
            .join_from(grouped, deliveries, deliveries.c.id == grouped.c.newest)
            .join(events)
            .order_by(held.desc(), grouped.c.until.desc(), grouped.c.customer_id)
            .limit(limit)
        )
        with self._db.reading() as connection:
            rows = connection.execute(listed).all()
            flags = self._flags(connection, destination, [row.customer_id for row in rows])
        return [
            Affected(row.customer_id, row.dead, row.since, row.until, row.message_id, flags.get(row.customer_id, ()))
            for row in rows
        ]

    def _flags(self, connection: Connection, destination: str, customers: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """The opt-outs of customers that a destination's CRM does not have."""
        flags: dict[str, tuple[str, ...]] = {}
        for start in range(0, len(customers), 500):
            theirs = (obligations.c.destination == destination, obligations.c.state.in_(_OPEN))
            some = obligations.c.customer_id.in_(customers[start : start + 500])
            chosen = select(obligations.c.customer_id, obligations.c.flag).where(*theirs, some)
            for customer, flag in connection.execute(chosen.order_by(obligations.c.flag)):
                flags[customer] = (*flags.get(customer, ()), flag)
        return flags

    def last_notes(self, delivery_id: int) -> tuple[RecordNote, ...]:
        """What the last attempt of a delivery noted of each record; nothing when it was never tried."""
        statement = (
            select(attempts.c.records)
            .where(attempts.c.delivery_id == delivery_id)
            .order_by(attempts.c.id.desc())
            .limit(1)
        )
        with self._db.reading() as connection:
            kept = connection.execute(statement).scalar()
        return read_notes(kept) if kept else ()


def _dead_of(destination: str, cause: CauseKey) -> tuple[ColumnElement[bool], ...]:
    whose = (deliveries.c.state == DEAD, deliveries.c.destination == destination, deliveries.c.code == cause.code)
    return (*whose, deliveries.c.fields == fields_as_text(cause.fields), deliveries.c.record == cause.record)


def _held_opt_outs() -> Select[Any]:
    """Count, for each cause of dead letters, their customers' opt-outs that their CRM does not have yet."""
    cause = (deliveries.c.destination, deliveries.c.code, deliveries.c.fields, deliveries.c.record)
    owed = (obligations.c.destination == deliveries.c.destination, obligations.c.customer_id == events.c.customer_id)
    each = (obligations.c.customer_id + literal(" ") + obligations.c.flag).distinct()
    return (
        select(*cause, func.count(each).label("held"))
        .join_from(deliveries, events)
        .join(obligations, and_(*owed))
        .where(deliveries.c.state == DEAD, obligations.c.state.in_(_OPEN))
        .group_by(*cause)
    )


def _dead_letters(row: Row[Any], words: Any, opt_outs: int) -> DeadLetters:
    why = Refusal(row.code, words.reason, words.action, read_fields(row.fields), row.record)
    return DeadLetters(
        row.destination, why, row.dead, row.customers, row.since, row.until, row.newest, opt_outs, row.replay
    )
