"""The evidence of consent: which opt-outs came in, which are in the CRM and since when, and why the others are not."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row, Select, case, func, literal, literal_column, or_, select

from connector.errors import ACCOUNT_WIDE
from connector.settlement import ObligationState
from connector.settlement.listings import LaneOptOuts
from connector.settlement.verification import LoweredOptOut
from connector.store.consent_tables import obligations, raises
from connector.store.database import Database
from connector.store.evidence import OptOut, checked, first_since, judged
from connector.store.found_lowered import FoundLowered
from connector.store.tables import events, lanes
from connector.store.verification_tables import verifications

STEP: Final = 500
"""Events looked at in one step of a report: what it holds in memory does not grow with the period."""

_Rows = Sequence[Row[Any]]
_Where = tuple[str, str, str]
_COUNTED: Final = (
    ("waiting", ObligationState.OWED),
    ("refused", ObligationState.REFUSED),
    ("no_record", ObligationState.NO_RECORD),
    ("not_mapped", ObligationState.NOT_MAPPED),
)


@dataclass(frozen=True, slots=True)
class Period:
    """Opt-outs received from `since` until before `until` (epoch ms), of these agencies, or of all when empty."""

    since: int
    until: int
    agencies: Collection[str] = ()


class OptOuts:
    """Reads alone. Every figure of opt-outs comes from the obligations, so that all of them agree."""

    def __init__(self, database: Database, lowered: FoundLowered) -> None:
        self._db, self._lowered = database, lowered

    def standing(self) -> list[LaneOptOuts]:
        """Every lane with its opt-outs that are not in its CRM."""
        now, late = self._db.now(), (ObligationState.OWED, ObligationState.REFUSED)
        counted = (
            select(
                obligations.c.lane,
                *(func.sum(case((obligations.c.state == state, 1), else_=0)).label(name) for name, state in _COUNTED),
                func.min(case((obligations.c.state.in_(late), obligations.c.since))).label("since"),
            )
            .where(obligations.c.state != literal_column("'applied'"))  # a literal, so that the partial index serves it
            .group_by(obligations.c.lane)
            .subquery()
        )
        statement = (
            select(
                lanes.c.name,
                lanes.c.destination,
                *(func.coalesce(counted.c[name], 0).label(name) for name, _ in _COUNTED),
                (now - func.coalesce(counted.c.since, now)).label("oldest_ms"),
                (lanes.c.paused_until > now).label("paused"),
                lanes.c.pause_code,
                lanes.c.pause_reason,
            )
            .join_from(lanes, counted, lanes.c.name == counted.c.lane, isouter=True)
            .order_by(lanes.c.name)
        )
        lowered = self._lowered.by_lane()
        return [_standing(row, *lowered.get(row.name, (0, 0))) for row in self._rows(statement)]

    def report(self, period: Period) -> Iterator[OptOut]:
        """Every opt-out of a period in the order received, once for each destination it was owed to.

        An opt-out is the first event received that says true of a flag of which the customer's event before did not.
        """
        at, last = period.since, 0
        while page := self._page(period, at, last):
            yield from self._judged([event for event in page if _new(event)])
            at, last = page[-1].received_at, page[-1].id

    def of_message(self, message_id: str) -> list[OptOut]:
        """What became of each flag that a message says true of, in each destination."""
        raising = (events.c.message_id == message_id, events.c.raised != literal_column("''"))
        columns = ("id", "agency", "message_id", "customer_id", "received_at", "raised")
        statement = select(*(events.c[name] for name in columns), literal("").label("before")).where(*raising)
        return list(self._judged(self._rows(statement)))

    def checked(self, judged_ones: Sequence[tuple[OptOut, Row[Any]]]) -> list[OptOut]:
        """Add to each opt-out, given with its obligation, what the last comparisons of the records showed."""
        customers = {opt_out.customer_id for opt_out, _ in judged_ones}
        looks, lowered = self._looks(customers), self._lowered_of(customers)
        return [
            checked(opt_out, obligation, looks.get(where, []), lowered.get(where, []))
            for opt_out, obligation in judged_ones
            for where in ((opt_out.destination, opt_out.customer_id),)
        ]

    def _page(self, period: Period, at: int, last: int) -> _Rows:
        before = events.alias()
        said = (
            select(before.c.raised)
            .where(before.c.customer_id == events.c.customer_id, func.coalesce(before.c.agency, "") == events.c.agency)
            .where(before.c.id < events.c.id)
            .order_by(before.c.id.desc())
            .limit(1)
            .scalar_subquery()
            .label("before")
        )
        columns = ("id", "agency", "message_id", "customer_id", "received_at", "raised")
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

    def _judged(self, opted_out: _Rows) -> Iterator[OptOut]:
        customers = {event.customer_id for event in opted_out}
        owed = self._obligations(customers)
        applied = self._raises(customers)
        looks, lowered = self._looks(customers), self._lowered_of(customers)
        for event in opted_out:
            for flag in _new(event):
                for obligation in owed.get((event.agency, event.customer_id, flag), ()):
                    times = applied.get((obligation.destination, event.customer_id, flag), [])
                    where = (obligation.destination, event.customer_id)
                    known = judged(event, flag, obligation, times)
                    yield checked(known, obligation, looks.get(where, []), lowered.get(where, []))
                yield from _elsewhere(event, flag, applied)

    def _obligations(self, customers: Collection[str]) -> dict[_Where, list[Row[Any]]]:
        """By agency, customer and flag."""
        holds = (lanes.c.paused_until > self._db.now()) & lanes.c.pause_code.in_(ACCOUNT_WIDE)
        statement = (
            select(obligations, holds.label("paused"), lanes.c.pause_code, lanes.c.pause_reason)
            .join_from(obligations, lanes, lanes.c.name == obligations.c.lane, isouter=True)
            .where(obligations.c.customer_id.in_(customers))
            .order_by(obligations.c.destination)
        )
        grouped: dict[_Where, list[Row[Any]]] = {}
        for row in self._rows(statement) if customers else ():
            agency = row.destination.partition("/")[0]
            grouped.setdefault((agency, row.customer_id, row.flag), []).append(row)
        return grouped

    def _raises(self, customers: Collection[str]) -> dict[_Where, list[Row[Any]]]:
        """Every time a flag reached the CRM, by destination, customer and flag."""
        statement = select(raises).where(raises.c.customer_id.in_(customers)).order_by(raises.c.id)
        grouped: dict[_Where, list[Row[Any]]] = {}
        for row in self._rows(statement) if customers else ():
            grouped.setdefault((row.destination, row.customer_id, row.flag), []).append(row)
        return grouped

    def _lowered_of(self, customers: Collection[str]) -> dict[tuple[str, str], list[LoweredOptOut]]:
        grouped: dict[tuple[str, str], list[LoweredOptOut]] = {}
        for own in self._lowered.of(customers):
            grouped.setdefault((own.destination, own.customer_id), []).append(own)
        return grouped

    def _looks(self, customers: Collection[str]) -> dict[tuple[str, str], list[Row[Any]]]:
        """The last comparison of each of these customers' records that shows opt-outs, by destination and customer."""
        shows_some = verifications.c.raised != ""
        statement = select(verifications).where(verifications.c.customer_id.in_(customers), shows_some)
        grouped: dict[tuple[str, str], list[Row[Any]]] = {}
        for row in self._rows(statement) if customers else ():
            grouped.setdefault((row.destination, row.customer_id), []).append(row)
        return grouped


def _standing(row: Row[Any], lowered: int, lowered_at: int) -> LaneOptOuts:
    columns = {**row._mapping, "oldest_ms": max(0, row.oldest_ms)}
    return LaneOptOuts(**columns, lowered=lowered, lowered_at=lowered_at)


def _elsewhere(event: Row[Any], flag: str, applied: Mapping[_Where, _Rows]) -> Iterator[OptOut]:
    """What a flag reached in accounts that its destination does not serve now: see store.rebinding."""
    for (destination, customer, raised), rows in applied.items():
        is_kept = destination.startswith(f"{event.agency}/") and "@" in destination
        if (
            is_kept
            and (customer, raised) == (event.customer_id, flag)
            and (row := first_since(rows, event.received_at))
        ):
            whose = (customer, flag, event.message_id, event.received_at, destination)
            yield OptOut(*whose, "applied", row.at, row.object, row.crm_id or "")


def _new(event: Row[Any]) -> list[str]:
    before = (event.before or "").split(",")
    return [flag for flag in event.raised.split(",") if flag not in before]
