"""Opt-outs as obligations: one row per customer, flag and destination, from the moment an event is accepted."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Connection, FromClause, Integer, Row, bindparam, case, func, literal_column, null, select, update

from connector.settlement import Obligation, ObligationState, Payment, Raised
from connector.store.consent_tables import consents, obligations
from connector.store.cover import Cover
from connector.store.database import Database
from connector.store.dialect import insert, lock_rows
from connector.store.notes import fields_as_text
from connector.store.rows import Rows, as_rows, given
from connector.store.sql import Sql, built_once
from connector.store.tables import events

_KEY: Final = ("destination", "customer_id", "flag")
_NEW: Final = (*_KEY, "lane", "event_id", "since")
_WHY: Final = ("state", "code", "reason", "action", "fields")
_PAID: Final = (*_KEY, *_WHY, "event_id", "object", "crm_id", "due_at", "addresses")
_NO_REFUSAL: Final = {"code": "", "reason": "", "action": "", "fields": "[]"}


def _lowered(flags: FromClause) -> Any:
    """Select from `consents` where careCycle says false of these flags."""
    mine = (consents.c[name] == flags.c[name] for name in _KEY)
    return select(consents.c.flag).where(*mine, consents.c.value.is_(False), ~consents.c.spoken)


IN_FORCE: Final = ~_lowered(obligations).exists()
"""careCycle has not lowered the flag: what the CRM has confirmed is written again where it has got lost."""

_OPEN: Final = obligations.c.state != ObligationState.APPLIED


class Obligations:
    """What is owed, lane by lane. The inbox adds to it; payments and settled batches close it."""

    def __init__(self, database: Database) -> None:
        self._db = database
        # Built once: building a statement takes several times as long as running it.
        self._owe, self._renew = _owe(database.sql), _renew(database.sql)
        self._pay, self._due = _pay(database.sql), _due(database.sql)

    def rows(self, owed: Iterable[tuple[Obligation, str]]) -> Rows:
        """Obligations and their lanes as a parameter; of several events about the same flag, the last counts."""
        rows = {
            (obligation.destination, obligation.customer_id, obligation.flag): {
                "destination": obligation.destination,
                "customer_id": obligation.customer_id,
                "flag": obligation.flag,
                "lane": lane,
                "event_id": obligation.event_id,
                "since": obligation.since,
            }
            for obligation, lane in owed
        }
        return as_rows([rows[key] for key in sorted(rows)])  # sorted: two receivers never wait for each other

    def owe(self, connection: Connection, rows: Rows) -> None:
        """Note what newly accepted events raise."""
        if rows:
            connection.execute(self._owe, rows)
            connection.execute(self._renew, rows)

    def note_spoken(self, connection: Connection, owed: Iterable[Obligation]) -> None:
        """Add the flags an event itself raised to those the inbox noted from its customer: reports list both."""
        for obligation in owed:
            raised = case((events.c.raised == "", obligation.flag), else_=events.c.raised.concat(f",{obligation.flag}"))
            unnoted = (events.c.id == obligation.event_id, ~events.c.raised.contains(obligation.flag))
            connection.execute(update(events).where(*unnoted).values(raised=raised))

    def due(self, lane: str, limit: int) -> list[Obligation]:
        """What this lane owes now, the longest due first."""
        with self._db.reading() as connection:
            rows = connection.execute(self._due, {"the_lane": lane, "most": limit}).all()
        return [
            Obligation(
                row.destination,
                row.customer_id,
                row.flag,
                row.since,
                row.event_id,
                row.attempts,
                ObligationState(row.state),
                self._addresses(row),
            )
            for row in rows
        ]

    def _addresses(self, row: Row[Any]) -> str | None:
        if row.addresses is None:
            return None
        return self._db.cover.uncovered(row.addresses, row.destination, row.customer_id, row.flag)

    def open(self, destination: str, customers: Collection[str]) -> list[tuple[str, str]]:
        """The customers and flags of these that are owed, or refused, and not in the CRM."""
        theirs = (obligations.c.destination == destination, obligations.c.customer_id.in_(customers))
        with self._db.reading() as connection:
            rows = connection.execute(select(obligations.c.customer_id, obligations.c.flag).where(*theirs, _OPEN))
            return [(row.customer_id, row.flag) for row in rows]

    def hold(self, connection: Connection, destination: str, customers: Collection[str]) -> None:
        """Lock these customers' obligations in the order in which receivers change them."""
        if customers:
            theirs = (obligations.c.destination == destination, obligations.c.customer_id.in_(customers))
            lock_rows(connection, [obligations.c[name] for name in _KEY], *theirs)

    def payments(self, paid: Sequence[Payment]) -> Rows:
        """Payments as a parameter, made before the transaction begins: others wait for it."""
        return as_rows([_payment(payment, self._db.cover) for payment in paid])

    def settle(self, connection: Connection, payments: Rows) -> None:
        """Record payments; an obligation that a newer event has renewed meanwhile stays owed."""
        if payments:
            connection.execute(self._pay, payments)

    def applied(self, connection: Connection, destination: str, raised: Iterable[Raised]) -> None:
        """Close what an ordinary write fulfilled. What another record of the customer refused stays refused.

        One that also opts addresses out is due now instead: the record may show others than the event.
        """
        for opt_out in raised:
            mine = (
                obligations.c.destination == destination,
                obligations.c.customer_id == opt_out.customer_id,
                obligations.c.flag == opt_out.flag,
                obligations.c.state.not_in((ObligationState.APPLIED, ObligationState.REFUSED)),
            )
            done: dict[str, Any] = {
                "state": ObligationState.APPLIED,
                "attempts": 0,
                "due_at": null(),
                "applied_at": self._db.now(),
                "object": opt_out.object,
                "crm_id": opt_out.crm_id,
                **_NO_REFUSAL,
            }
            values = {"due_at": self._db.now()} if opt_out.addressed else done
            connection.execute(update(obligations).where(*mine).values(values))

    def owe_again(self, connection: Connection, destination: str, customers: Collection[str]) -> None:
        """Owe these customers' opt-outs again: a record that had them is no longer in the CRM."""
        if customers:
            theirs = (obligations.c.destination == destination, obligations.c.customer_id.in_(customers))
            applied = obligations.c.state == ObligationState.APPLIED
            again = update(obligations).where(*theirs, applied, IN_FORCE)
            connection.execute(again.values(state=ObligationState.OWED))

    def wake(self, connection: Connection, destination: str, customers: Collection[str]) -> None:
        """Make these customers' obligations due for a check: they have a new record, or another address."""
        if customers:
            theirs = (obligations.c.destination == destination, obligations.c.customer_id.in_(customers))
            connection.execute(update(obligations).where(*theirs, _OPEN | IN_FORCE).values(due_at=self._db.now()))

    def reopen(self, connection: Connection, destination: str, customers: Collection[str]) -> None:
        """Owe these customers' opt-outs again, but for those that careCycle has lowered since."""
        if customers:
            theirs = (obligations.c.destination == destination, obligations.c.customer_id.in_(customers))
            in_crm = obligations.c.state == ObligationState.APPLIED
            again = update(obligations).where(*theirs, in_crm, IN_FORCE)
            connection.execute(again.values(state=ObligationState.OWED, attempts=0, due_at=self._db.now()))

    def wake_all(self, connection: Connection, destination: str) -> None:
        """Make every obligation of a destination due for a check, including those the CRM has confirmed."""
        everything = update(obligations).where(obligations.c.destination == destination, _OPEN | IN_FORCE)
        connection.execute(everything.values(due_at=self._db.now()))

    def wake_open(self, connection: Connection, *where: Any) -> None:
        """Make those of these obligations that are not in the CRM due: a mapping changed, or a lane resumes."""
        connection.execute(update(obligations).where(_OPEN, *where).values(due_at=self._db.now()))

    def wake_owed(self, connection: Connection, names: Collection[str]) -> None:
        """Make due what waits in these lanes to be tried again: their account can be used."""
        owed = obligations.c.state == literal_column("'owed'")  # a literal, as is the next: partial indexes serve those
        theirs = (obligations.c.lane.in_(names), obligations.c.state != literal_column("'applied'"), owed)
        lock_rows(connection, [obligations.c[name] for name in _KEY], *theirs)
        connection.execute(update(obligations).where(*theirs).values(due_at=self._db.now()))


def _payment(payment: Payment, cover: Cover) -> dict[str, Any]:
    owed, addresses = payment.obligation, payment.addresses
    place = (owed.destination, owed.customer_id, owed.flag)
    return {
        "destination": owed.destination,
        "customer_id": owed.customer_id,
        "flag": owed.flag,
        "event_id": owed.event_id,
        "state": payment.state,
        "code": payment.why.code,
        "reason": payment.why.cause,
        "action": payment.why.action,
        "fields": fields_as_text(payment.why.fields),
        "object": payment.object,
        "crm_id": payment.crm_id,
        "due_at": payment.wait_ms,
        "addresses": None if addresses is None else cover.alone(addresses, *place),
    }


@built_once
def _due(sql: Sql) -> Any:
    return (
        select(obligations)
        .where(obligations.c.lane == bindparam("the_lane"), obligations.c.due_at <= sql.now())
        .order_by(obligations.c.due_at, obligations.c.event_id)
        .limit(bindparam("most", type_=Integer))
    )


@built_once
def _owe(sql: Sql) -> Any:
    """Add obligations, or make them due for a check: one that is in the CRM keeps its state.

    Owing an event's opt-out once more changes nothing, not even after an operator lowered it.
    """
    new = given(sql, *(obligations.c[name] for name in _NEW))
    lowered_since = select(consents.c.flag).where(
        *(consents.c[name] == new.c[name] for name in _KEY), consents.c.lowered_at >= new.c.since
    )
    rows = select(*new.c, sql.now()).where(~lowered_since.exists())
    statement = insert(sql, obligations).from_select([*_NEW, "due_at"], rows)
    newer = {name: statement.excluded[name] for name in ("lane", "event_id", "due_at")}
    return statement.on_conflict_do_update(
        index_elements=list(_KEY),
        set_={**newer, "attempts": 0},
        where=obligations.c.event_id < statement.excluded.event_id,
    )


@built_once
def _renew(sql: Sql) -> Any:
    """Owe an opt-out again if careCycle said false since it reached the CRM: a person may have lowered the flag."""
    new = given(sql, *(obligations.c[name] for name in _NEW))
    return (
        update(obligations)
        .where(*(obligations.c[name] == new.c[name] for name in _KEY))
        .where(obligations.c.state == ObligationState.APPLIED, _lowered(new).exists())
        .values(state=ObligationState.OWED, since=new.c.since)
    )


@built_once
def _pay(sql: Sql) -> Any:
    paid = given(sql, *(obligations.c[name] for name in _PAID))
    is_applied, was_applied = (table.c.state == ObligationState.APPLIED for table in (paid, obligations))
    return (
        update(obligations)
        .where(*(obligations.c[name] == paid.c[name] for name in (*_KEY, "event_id")))
        .values(
            **{name: paid.c[name] for name in _WHY},
            due_at=sql.now() + paid.c.due_at,  # NULL stays NULL: not due again by itself
            attempts=case((is_applied, 0), else_=obligations.c.attempts + 1),
            applied_at=case((is_applied & ~was_applied, sql.now()), else_=obligations.c.applied_at),
            object=func.coalesce(func.nullif(paid.c.object, ""), obligations.c.object),
            crm_id=func.coalesce(paid.c.crm_id, obligations.c.crm_id),
            addresses=func.coalesce(paid.c.addresses, obligations.c.addresses),
        )
    )
