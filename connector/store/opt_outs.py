"""The evidence of consent: which opt-outs came in, which are in the CRM and since when, and why the others are not."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    Subquery,
    and_,
    exists,
    false,
    func,
    literal_column,
    or_,
    select,
    true,
)

from connector.carecycle.catalogue import FLAGS
from connector.settlement import DeliveryState
from connector.store.database import Database
from connector.store.evidence import Evidence, OptOut, judged
from connector.store.tables import consents, deliveries, events, lanes, raises, written_out

STEP: Final = 500
"""Events looked at in one step of a report: what it holds in memory does not grow with the period."""

_Rows = Sequence[Row[Any]]
_Where = tuple[str, str, str]
"""destination, customer, flag."""


@dataclass(frozen=True, slots=True)
class Period:
    """Opt-outs received from `since` until before `until` (epoch ms), of these agencies, or of all when empty."""

    since: int
    until: int
    agencies: Collection[str] = ()


class OptOuts:
    """Reads alone. A row of `raises` is written in the very commit that settles the delivery."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def standing(self) -> list[dict[str, Any]]:
        """Every lane with the opt-outs not yet in its CRM: how many wait or are dead letters, the oldest's age in ms.

        A dead letter counts until it is replayed or discarded, or another event brings its opt-out into the CRM.
        """
        now, ready, dead = self._db.now(), _counted(DeliveryState.READY), _counted(DeliveryState.DEAD)
        statement = (
            select(
                lanes.c.name,
                lanes.c.destination,
                func.coalesce(ready.c.count, 0).label("waiting"),
                func.coalesce(dead.c.count, 0).label("dead"),
                (now - func.coalesce(ready.c.since, now)).label("waits_ms"),
                (now - func.coalesce(dead.c.since, now)).label("dead_ms"),
                (lanes.c.paused_until > now).label("paused"),
                lanes.c.pause_code,
                lanes.c.pause_reason,
            )
            .join_from(lanes, ready, lanes.c.name == ready.c.lane, isouter=True)
            .join(dead, lanes.c.name == dead.c.lane, isouter=True)
            .order_by(lanes.c.name)
        )
        found = [dict(row._mapping) for row in self._rows(statement)]
        return [{**one, "oldest_ms": max(0, one.pop("waits_ms"), one.pop("dead_ms"))} for one in found]

    def report(self, period: Period) -> Iterator[OptOut]:
        """Every opt-out of a period in the order received, once for each destination it was owed to.

        An opt-out is the first event received that says true of a flag of which the customer's event before did not.
        """
        at, last = period.since, 0
        while found := self._page(period, at, last):
            yield from self._told([event for event in found if _new(event)])
            at, last = found[-1].received_at, found[-1].id

    def _page(self, period: Period, at: int, last: int) -> _Rows:
        before = events.alias()
        said = (
            select(before.c.raised)
            .where(before.c.customer_id == events.c.customer_id, before.c.agency == events.c.agency)
            .where(before.c.id < events.c.id)
            .order_by(before.c.id.desc())
            .limit(1)
            .scalar_subquery()
            .label("before")
        )
        columns = ("id", "message_id", "customer_id", "received_at", "raised")
        statement = (
            select(*(events.c[name] for name in columns), said)
            .where(events.c.raised != literal_column("''"))  # a literal, so that the partial index serves it
            .where(events.c.received_at >= at, events.c.received_at < period.until)
            .where(or_(events.c.received_at > at, events.c.id > last))
            .order_by(events.c.received_at, events.c.id)
            .limit(STEP)
        )
        if period.agencies:
            statement = statement.where(events.c.agency.in_(period.agencies))
        return self._rows(statement)

    def _rows(self, statement: Select[Any]) -> _Rows:
        with self._db.reading() as connection:
            return connection.execute(statement).all()

    def _told(self, opted_out: _Rows) -> Iterator[OptOut]:
        if not opted_out:
            return
        owed = self._deliveries(opted_out)
        evidence = self._evidence(opted_out, {one.destination for found in owed.values() for one in found})
        for event in opted_out:
            for flag in _new(event):
                for delivery in owed.get(event.id, ()):
                    yield judged(event, flag, delivery, evidence.get((delivery.destination, event.customer_id, flag)))

    def _deliveries(self, opted_out: _Rows) -> dict[int, list[Row[Any]]]:
        columns = ("id", "event_id", "destination", "state", "attempts", "code", "reason")
        statement = (
            select(
                *(deliveries.c[name] for name in columns),
                (lanes.c.paused_until > self._db.now()).label("paused"),
                lanes.c.pause_code,
                lanes.c.pause_reason,
            )
            .join_from(deliveries, lanes, lanes.c.name == deliveries.c.lane, isouter=True)
            .where(deliveries.c.event_id.in_([event.id for event in opted_out]))
            .order_by(deliveries.c.destination)
        )
        found: dict[int, list[Row[Any]]] = {}
        for row in self._rows(statement):
            found.setdefault(row.event_id, []).append(row)
        return found

    def _evidence(self, opted_out: _Rows, destinations: Collection[str]) -> dict[_Where, Evidence]:
        customers = {event.customer_id for event in opted_out}
        theirs = (consents.c.destination.in_(destinations), consents.c.customer_id.in_(customers))
        known = self._rows(select(consents).where(*theirs))
        found = {(row.destination, row.customer_id, row.flag): Evidence(row, []) for row in known}
        theirs = (raises.c.destination.in_(destinations), raises.c.customer_id.in_(customers))
        for row in self._rows(select(raises).where(*theirs).order_by(raises.c.id)):
            found[row.destination, row.customer_id, row.flag].raised.append(row)
        return found


def _counted(state: DeliveryState) -> Subquery:
    """The opt-outs in a state of their deliveries that are in no CRM, by lane; its partial index serves it."""
    return (
        select(deliveries.c.lane, func.count().label("count"), func.min(deliveries.c.accepted_at).label("since"))
        .join_from(deliveries, events)
        .where(deliveries.c.state == written_out(state), deliveries.c.priority == 1, _owed(state))
        .group_by(deliveries.c.lane)
        .subquery()
    )


def _owed(state: DeliveryState) -> ColumnElement[bool]:
    """Whether an event raises an opt-out that is not in the CRM; an event kept by an older version may always."""
    raised = (and_(events.c.raised.contains(flag), ~_applied(flag, state)) for flag in FLAGS)
    return or_(events.c.raised == "", *raised)


def _applied(flag: str, state: DeliveryState) -> ColumnElement[bool]:
    known = exists().where(
        consents.c.destination == deliveries.c.destination,
        consents.c.customer_id == events.c.customer_id,
        consents.c.flag == flag,
        consents.c.owed.is_(false()),
        consents.c.applied_at.is_not(None),
    )
    if state is DeliveryState.DEAD:
        return known
    # What waits may raise anew a flag of which careCycle has said false since: that is not in the CRM.
    return known.where(or_(consents.c.value.is_(None), consents.c.value.is_(true()), consents.c.spoken))


def _new(event: Row[Any]) -> list[str]:
    before = (event.before or "").split(",")
    return [flag for flag in event.raised.split(",") if flag not in before]
