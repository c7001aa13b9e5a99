"""What operators look at and do: lists, counts, one event's story, replay, discard, pause, resume."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    case,
    func,
    literal,
    literal_column,
    or_,
    select,
    tuple_,
    update,
)

from connector.errors import ACCOUNT_WIDE, FixConfiguration, PauseReason, StateChanged
from connector.model import Event
from connector.settlement import SET_ASIDE, AttemptOutcome, CauseKey, DeliveryState
from connector.settlement.listings import (
    Attempt,
    AuditEntry,
    DeadCause,
    DeliveryStatus,
    DeliveryStory,
    LaneStatus,
    StateCount,
)
from connector.store.changing import Change, change
from connector.store.database import Database
from connector.store.inbox import Inbox
from connector.store.lane_list import FOREVER as FOREVER
from connector.store.lane_list import list_lanes
from connector.store.notes import fields_as_text, read_notes
from connector.store.obligations import Obligations
from connector.store.open_items import OpenItems
from connector.store.tables import (
    DEAD,
    READY,
    STATE,
    attempts,
    audit,
    deliveries,
    events,
    lanes,
    obligations,
    open_items,
)

PAGE: Final = 50
CAUSES: Final = 500
"""Dead letters have few causes; of more than this, only the most common are listed."""
REPLAYABLE: Final = (
    DeliveryState.DEAD,
    DeliveryState.DELIVERED,
    DeliveryState.SUPERSEDED,
    DeliveryState.SKIPPED,
    DeliveryState.IGNORED,
)
"""The states a delivery can be replayed from: all but waiting."""
NOT_PAUSED: Final = {
    "paused_until": 0, "pause_code": "", "pause_reason": "", "pause_delivery": None, "own": False
}  # fmt: skip
_AFTER_SET_ASIDE: Final = "replay once its cause is fixed, or discard"


@dataclass(frozen=True, slots=True)
class Filter:
    """Which deliveries; empty means any. `before` is a delivery ID: pages go backwards from the newest.

    cause: refused for exactly this. left_out: the code of a field left out that is open still.
    since, until: accepted at or after, and before (epoch ms).
    """

    customer_id: str = ""
    message_id: str = ""
    destination: str = ""
    state: str = ""
    code: str = ""
    cause: CauseKey | None = None
    left_out: str = ""
    type: str = ""
    before: int = 0
    since: int = 0
    until: int = 0

    def clauses(self) -> list[ColumnElement[bool]]:
        """The same as SQL."""
        columns = {
            events.c.customer_id: self.customer_id,
            events.c.message_id: self.message_id,
            events.c.type: self.type,
            deliveries.c.destination: self.destination,
            deliveries.c.state: self.state,
            deliveries.c.code: self.code,
        }
        clauses: list[ColumnElement[bool]] = [column == wanted for column, wanted in columns.items() if wanted]
        if self.cause:
            clauses += [
                deliveries.c.code == self.cause.code,
                deliveries.c.fields == fields_as_text(self.cause.fields),
                deliveries.c.record == self.cause.record,
            ]
        if self.code or (self.cause and self.cause.code):
            clauses.append(deliveries.c.code != literal_column("''"))  # the partial index serves nothing else
        if self.left_out:
            clauses.append(_leaves_out(self.left_out))
        if self.since:
            clauses.append(deliveries.c.accepted_at >= self.since)
        if self.until:
            clauses.append(deliveries.c.accepted_at < self.until)
        return clauses

    def order(self) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
        """Newest first, along the index that serves the search."""
        return self._leading().desc(), deliveries.c.id.desc()

    def older(self) -> list[ColumnElement[bool]]:
        """Only what comes after `before` in that order."""
        if not self.before:
            return []
        leading = self._leading()
        last = select(leading).join_from(deliveries, events).where(deliveries.c.id == self.before).scalar_subquery()
        return [leading <= last, tuple_(leading, deliveries.c.id) < tuple_(last, literal(self.before))]

    def _leading(self) -> ColumnElement[int]:
        narrow = self.customer_id or self.message_id or self.state or self.code
        if self.type and not narrow:
            return events.c.id
        return deliveries.c.accepted_at if (self.since or self.until) and not narrow else deliveries.c.id


def _leaves_out(code: str) -> ColumnElement[bool]:
    """Whether a delivery is the newest to a record whose field was left out, or left out something of its customer.

    The newest need not carry the field: it may have been merged with an older delivery that does.
    """
    newest, customers = (
        select(open_items.c[name]).where(open_items.c.code == code) for name in ("delivery_id", "customer_id")
    )
    left_out = deliveries.c.code != literal_column("''")
    return or_(deliveries.c.id.in_(newest), and_(left_out, events.c.customer_id.in_(customers)))


class Desk:
    """Read for pages and commands; change state only where it is still what the operator saw."""

    def __init__(self, database: Database, inbox: Inbox, obligations: Obligations, open_items: OpenItems) -> None:
        self._db, self._inbox, self._obligations, self._open_items = database, inbox, obligations, open_items

    def deliveries(self, wanted: Filter, limit: int = PAGE) -> list[DeliveryStatus]:
        """Deliveries with their events, newest first; never a payload."""
        statement = _listed().where(*wanted.clauses(), *wanted.older()).order_by(*wanted.order()).limit(limit)
        return [DeliveryStatus(**_delivery(row)) for row in self._rows(statement)]

    def story(self, message_id: str) -> list[DeliveryStory]:
        """One message in every agency that received it: its deliveries, each with its attempts in order."""
        statement = _listed().where(events.c.message_id == message_id).order_by(deliveries.c.id)
        return [DeliveryStory(**_delivery(row), tries=self._attempts(row.id)) for row in self._rows(statement)]

    def _attempts(self, delivery_id: int) -> tuple[Attempt, ...]:
        statement = select(attempts).where(attempts.c.delivery_id == delivery_id).order_by(attempts.c.id)
        return tuple(_attempt(row) for row in self._rows(statement))

    def event(self, message_id: str) -> Event | None:
        """One message, decrypted: for masking, never to be shown as it is. Its payload is empty once purged."""
        with self._db.reading() as connection:
            row = connection.execute(select(events).where(events.c.message_id == message_id).limit(1)).first()
        return self._inbox.event(row) if row else None

    def payload(self, message_id: str) -> Mapping[str, Any]:
        """The payload of one message; empty where it is unknown, purged or cannot be decrypted."""
        event = self.event(message_id)
        return event.payload if event else {}

    def lanes(self) -> list[LaneStatus]:
        """Every lane with its backlog, the opt-outs it owes, and the age in ms of the oldest of each."""
        return list_lanes(self._db)

    def dead(self) -> list[DeadCause]:
        """Dead letters grouped by destination and cause, the most first. reason: of one of them."""
        cause = (deliveries.c.destination, deliveries.c.code, deliveries.c.fields, deliveries.c.record)
        statement = (
            select(
                deliveries.c.destination,
                deliveries.c.code,
                func.max(deliveries.c.reason).label("reason"),
                func.count().label("count"),
                func.min(func.coalesce(deliveries.c.settled_at, deliveries.c.accepted_at)).label("since"),
            )
            .where(deliveries.c.state == DEAD)
            .group_by(*cause)
            .order_by(func.count().desc())
            .limit(CAUSES)
        )
        return [DeadCause(**row._mapping) for row in self._rows(statement)]

    def outcomes(self) -> list[StateCount]:
        """All deliveries counted by destination, state and why."""
        why = (deliveries.c.destination, deliveries.c.state, deliveries.c.code, deliveries.c.reason)
        rows = self._rows(select(*why, func.count().label("count")).group_by(*why).order_by(*why))
        return [StateCount(**{**row._mapping, "state": DeliveryState(row.state)}) for row in rows]

    def states(self, since: int) -> dict[str, int]:
        """Deliveries accepted since (epoch ms), counted by state."""
        # An expression: for the bare column SQLite would walk the whole index of states, to be spared the grouping.
        state = deliveries.c.state + literal_column("''")
        statement = select(state, func.count()).where(deliveries.c.accepted_at >= since).group_by(state)
        with self._db.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(statement)}

    def waiting(self) -> int:
        """Deliveries ready, due or not."""
        with self._db.reading() as connection:
            return int(connection.execute(select(func.count()).where(deliveries.c.state == READY)).scalar_one())

    def count(self, wanted: Filter) -> int:
        """Deliveries that are searched for."""
        statement = select(func.count()).select_from(deliveries).join(events).where(*wanted.clauses())
        with self._db.reading() as connection:
            return int(connection.execute(statement).scalar_one())

    def replay(self, wanted: Filter, who: str, progress: Callable[[int], None] = lambda count: None) -> int:
        """Make settled deliveries ready again: dead ones, unless `wanted` names another state. Returns how many.

        Works in small steps while traffic goes on. progress: called after each step with the count so far.
        Deliveries whose payloads were purged are left alone.
        """
        wanted = wanted if wanted.state else replace(wanted, state=DeliveryState.DEAD)
        if wanted.state not in REPLAYABLE:
            return 0
        changes = {"state": DeliveryState.READY, "attempts": 0, "due_at": self._db.now()}
        chosen = [*wanted.clauses(), events.c.payload.is_not(None)]
        replayed = Change(who, "replay", DeliveryState(wanted.state), changes, self._open_items.try_again)
        return change(self._db, chosen, replayed, progress)

    def discard(self, wanted: Filter, who: str) -> int:
        """Give up dead deliveries for good; they stay on record as skipped. Returns how many."""
        changes = {"state": DeliveryState.SKIPPED, "reason": f"discarded by {who}"}
        chosen = replace(wanted, state=DeliveryState.DEAD).clauses()
        return change(self._db, chosen, Change(who, "discard", DeliveryState.DEAD, changes), lambda count: None)

    def set_aside(self, delivery_id: int, who: str, reason: str) -> None:
        """Make a waiting delivery a dead letter, and end the pause of its lane that was met while sending it.

        Its opt-outs stay owed. Raises FixConfiguration without a reason, StateChanged when it does not wait.
        """
        if not (why := " ".join(reason.split())[:500].replace("\0", "")):
            raise FixConfiguration(str(delivery_id), "is set aside for a reason only", "it is stored in the audit log")
        mine = (deliveries.c.id == delivery_id, STATE == DeliveryState.READY)
        why_dead = {"code": SET_ASIDE, "reason": f"set aside by {who}", "action": _AFTER_SET_ASIDE}
        changes = {**why_dead, "fields": "[]", "record": "", "state": DeliveryState.DEAD, "settled_at": self._db.now()}
        held = (lanes.c.pause_delivery == delivery_id, lanes.c.paused_until != FOREVER)
        with self._db.waking() as connection:
            if connection.execute(update(deliveries).where(*mine).values(changes)).rowcount != 1:
                raise StateChanged(str(delivery_id), "does not wait any more", "connector events list shows its state")
            connection.execute(update(lanes).where(*held).values(**NOT_PAUSED, failures=0))
            named = select(events.c.message_id, deliveries.c.destination).join_from(deliveries, events).where(mine[0])
            message_id, destination = connection.execute(named).one()
            self.write_down(connection, who, "set aside", f"{message_id} to {destination}: {why}")

    def pause(self, lane: str, who: str) -> None:
        """Rest a lane until an operator resumes it. Raises StateChanged when it is paused by hand already."""
        changes = {"paused_until": FOREVER, "pause_code": PauseReason.OPERATOR, "pause_reason": f"paused by {who}"}
        changes |= {"pause_delivery": None}
        self._turn(lane, lanes.c.paused_until != FOREVER, changes, who, "pause")

    def resume(self, lane: str, who: str) -> None:
        """Let a paused lane go on at once, its failures forgotten. Raises StateChanged when it is not paused."""
        forgotten = {"failures": 0, "refused_cause": "", "refused_count": 0}
        # A lane that gets through frees the others of its account: what it was paused for says whether they wait.
        of_account = case((lanes.c.pause_code.in_(ACCOUNT_WIDE), lanes.c.pause_code), else_="")
        changes = {**NOT_PAUSED, **forgotten, "pause_code": of_account}
        self._turn(lane, lanes.c.paused_until > self._db.now(), changes, who, "resume")

        with self._db.waking() as connection:
            self._obligations.wake_open(connection, obligations.c.lane == lane)

    def _turn(self, lane: str, still: ColumnElement[bool], changes: Mapping[str, Any], who: str, action: str) -> None:
        with self._db.waking() as connection:
            if connection.execute(update(lanes).where(lanes.c.name == lane, still).values(changes)).rowcount != 1:
                raise StateChanged(lane, f"there is nothing to {action}", "connector lanes list shows its state")
            self.write_down(connection, who, action, lane)

    def write_down(self, connection: Connection, who: str, action: str, thing: str) -> None:
        """Keep for good what an operator does, in the transaction that does it."""
        connection.execute(audit.insert().values(at=self._db.now(), who=who, action=action, thing=thing))

    def note(self, who: str, action: str, thing: str) -> None:
        """Keep for good what an operator did."""
        with self._db.transaction() as connection:
            self.write_down(connection, who, action, thing)

    def audit(self, limit: int = PAGE) -> list[AuditEntry]:
        """The newest things operators did."""
        rows = self._rows(select(audit).order_by(audit.c.id.desc()).limit(limit))
        return [AuditEntry(**row._mapping) for row in rows]

    def _rows(self, statement: Select[Any]) -> Sequence[Row[Any]]:
        with self._db.reading() as connection:
            return connection.execute(statement).all()


def _listed() -> Select[Any]:
    own = [column for column in deliveries.c if column.name not in ("event_id", "again")]
    of_event = (events.c.agency, events.c.message_id, events.c.type, events.c.customer_id, events.c.source_time)
    return select(*own, *of_event).join_from(deliveries, events)


def _delivery(row: Row[Any]) -> dict[str, Any]:
    return {**row._mapping, "state": DeliveryState(row.state)}


def _attempt(row: Row[Any]) -> Attempt:
    typed = {"outcome": AttemptOutcome(row.outcome), "records": read_notes(row.records)}
    return Attempt(**{**row._mapping, **typed})
