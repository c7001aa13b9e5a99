"""What operators look at and do: lists, counts, one event's story, replay, discard, pause, resume."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
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
    DeadCause,
    DeliveryStatus,
    DeliveryStory,
    LaneStatus,
    StateCount,
)
from connector.store.audit import Audit
from connector.store.changing import Change, change
from connector.store.consent_tables import obligations
from connector.store.database import Database
from connector.store.inbox import Inbox
from connector.store.lane_list import FOREVER as FOREVER
from connector.store.lane_list import list_lanes
from connector.store.notes import fields_as_text, read_notes
from connector.store.obligations import Obligations
from connector.store.open_items import OpenItems
from connector.store.problem_tables import open_items
from connector.store.tables import DEAD, READY, STATE, attempts, deliveries, events, lanes

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
    "paused_until": 0, "pause_code": "", "pause_reason": "", "pause_delivery": None, "own": False, "stopped_since": 0
}  # fmt: skip
_BESIDE: Final = ("customer_id", "state")
"""What the entry of a change names by itself, and not among the words of the filter."""
_NAMED: Final = 20
"""How many chosen events the entry of a change names."""
_AFTER_SET_ASIDE: Final = "replay once its cause is fixed, or discard"


@dataclass(frozen=True, slots=True)
class Filter:
    """Which deliveries; empty means any. `before` is a delivery ID: pages go backwards from the newest.

    cause: refused for exactly this. left_out: the code of a field left out that is open still. opt_out: not empty
    for events that raise one. events: message IDs by their rows' IDs; None for all.
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
    agency: str = ""
    opt_out: str = ""
    events: Mapping[int, str] | None = None
    before: int = 0
    since: int = 0
    until: int = 0

    def clauses(self) -> list[ColumnElement[bool]]:
        """The same as SQL."""
        clauses = self._equal()
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
        clauses += self._of_events()
        if self.since:
            clauses.append(deliveries.c.accepted_at >= self.since)
        if self.until:
            clauses.append(deliveries.c.accepted_at < self.until)
        return clauses

    def _equal(self) -> list[ColumnElement[bool]]:
        """What is compared as it is. Of columns that many events share, beside a customer or a message, an expression:

        for the bare column SQLite would walk all events of an agency, a type or a state.
        """
        named = {events.c.customer_id: self.customer_id, events.c.message_id: self.message_id}
        shared = {
            events.c.type: self.type,
            events.c.agency: self.agency,
            deliveries.c.destination: self.destination,
            deliveries.c.state: self.state,
            deliveries.c.code: self.code,
        }
        clauses = [column == wanted for column, wanted in named.items() if wanted]
        is_narrow = bool(clauses)
        for column, wanted in shared.items():
            if wanted:
                clauses.append((func.coalesce(column, "") if is_narrow else column) == wanted)
        return clauses

    def _of_events(self) -> list[ColumnElement[bool]]:
        raising = [events.c.raised != literal_column("''")] if self.opt_out else []  # as the partial index has it
        return raising if self.events is None else [*raising, deliveries.c.event_id.in_(list(self.events))]

    def words(self) -> str:
        """The whole filter in words, but for the customer, whom the audit log names beside it; empty if it has none."""
        texts = {field.name: _word(field.name, getattr(self, field.name)) for field in fields(self)}
        return ", ".join(f"{name.replace('_', ' ')} {text}" for name, text in texts.items() if text)

    def about(self) -> dict[str, str]:
        """Whom it chooses, for the audit log."""
        return {"agency": self.agency or self.destination.partition("/")[0], "customer_id": self.customer_id}

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
        timed = bool(self.since or self.until)
        leading = {
            deliveries.c.id: any((self.customer_id, self.message_id, self.state, self.code)),
            events.c.received_at: bool(self.opt_out),
            events.c.id: bool(self.type or (self.agency and not timed)),
            deliveries.c.accepted_at: timed,
        }
        return next((column for column, serves in leading.items() if serves), deliveries.c.id)


def _word(name: str, value: Any) -> str:
    match value:
        case CauseKey(code, names, record):
            return " ".join(part for part in (code, f"({', '.join(names)})" if names else "", record) if part)
        case int() if value and name != "before":
            return f"{datetime.fromtimestamp(value / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
        case str() if name not in _BESIDE:
            return value
        case dict():
            more = f", and {len(value) - _NAMED} more" if len(value) > _NAMED else ""
            return ", ".join(islice(value.values(), _NAMED)) + more
        case _:
            return ""


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

    def __init__(
        self, database: Database, inbox: Inbox, obligations: Obligations, open_items: OpenItems, audit: Audit
    ) -> None:
        self._db, self._inbox, self._obligations, self._open_items = database, inbox, obligations, open_items
        self._audit = audit

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

    def by_state(self, wanted: Filter) -> dict[str, int]:
        """Deliveries that are searched for, counted by state."""
        state = deliveries.c.state + literal_column("''")  # see `states`
        counted = select(state, func.count()).select_from(deliveries).join(events).where(*wanted.clauses())
        with self._db.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(counted.group_by(state))}

    def count(self, wanted: Filter) -> int:
        """Deliveries that are searched for."""
        statement = select(func.count()).select_from(deliveries).join(events).where(*wanted.clauses())
        with self._db.reading() as connection:
            return int(connection.execute(statement).scalar_one())

    def replay(
        self,
        wanted: Filter,
        who: str,
        progress: Callable[[int], None] = lambda count: None,
        reason: str = "",
        number: int = 0,
    ) -> int:
        """Make settled deliveries ready again: dead ones, unless `wanted` names another state. Returns how many.

        Works in small steps while traffic goes on. progress: called after each step with the count so far.
        Deliveries whose payloads were purged are left alone. reason: for the audit log. number: of a replay whose
        result is kept.
        """
        wanted = wanted if wanted.state else replace(wanted, state=DeliveryState.DEAD)
        if wanted.state not in REPLAYABLE:
            return 0
        changes = {"state": DeliveryState.READY, "attempts": 0, "due_at": self._db.now(), "replay": number}
        chosen = [*wanted.clauses(), events.c.payload.is_not(None)]
        replayed = Change(who, "replay", wanted, reason, changes, self._open_items.try_again)
        return change(self._db, self._audit, chosen, replayed, progress)

    def discard(self, wanted: Filter, who: str, reason: str = "") -> int:
        """Give up dead deliveries for good; they stay on record as skipped. Returns how many."""
        changes = {"state": DeliveryState.SKIPPED, "reason": f"discarded by {who}"}
        wanted = replace(wanted, state=DeliveryState.DEAD)
        discarded = Change(who, "discard", wanted, reason, changes)
        return change(self._db, self._audit, wanted.clauses(), discarded, lambda count: None)

    def set_aside(self, delivery_id: int, who: str, reason: str) -> None:
        """Make a waiting delivery a dead letter, and end the pause of its lane that was met while sending it.

        Its opt-outs stay owed. Raises FixConfiguration without a reason, StateChanged when it does not wait.
        """
        if not reason.strip("\0 \t\r\n"):
            raise FixConfiguration(str(delivery_id), "is set aside for a reason only", "it is stored in the audit log")
        mine = (deliveries.c.id == delivery_id, STATE == DeliveryState.READY)
        why_dead = {"code": SET_ASIDE, "reason": f"set aside by {who}", "action": _AFTER_SET_ASIDE}
        changes = {**why_dead, "fields": "[]", "record": "", "state": DeliveryState.DEAD, "settled_at": self._db.now()}
        held = (lanes.c.pause_delivery == delivery_id, lanes.c.paused_until != FOREVER)
        with self._db.waking() as connection:
            if connection.execute(update(deliveries).where(*mine).values(changes)).rowcount != 1:
                raise StateChanged(str(delivery_id), "does not wait any more", "connector events list shows its state")
            connection.execute(update(lanes).where(*held).values(**NOT_PAUSED, failures=0))
            named = select(events.c.message_id, events.c.agency, deliveries.c.destination).where(mine[0])
            row = connection.execute(named.join_from(deliveries, events)).one()
            thing = f"{row.message_id} to {row.destination}"
            self._audit.write_down(connection, who, "set aside", thing, reason, agency=row.agency)

    def pause(self, lane: str, who: str, reason: str = "") -> None:
        """Rest a lane until an operator resumes it. Raises StateChanged when it is paused by hand already."""
        changes = {"paused_until": FOREVER, "pause_code": PauseReason.OPERATOR, "pause_reason": f"paused by {who}"}
        changes |= {"pause_delivery": None, "stopped_since": self._db.now()}
        self._turn(lane, lanes.c.paused_until != FOREVER, changes, who, "pause", reason)

    def resume(self, lane: str, who: str, reason: str = "") -> None:
        """Let a paused lane go on at once, its failures forgotten. Raises StateChanged when it is not paused."""
        forgotten = {"failures": 0, "refused_cause": "", "refused_count": 0}
        # A lane that gets through frees the others of its account: what it was paused for says whether they wait.
        of_account = case((lanes.c.pause_code.in_(ACCOUNT_WIDE), lanes.c.pause_code), else_="")
        changes = {**NOT_PAUSED, **forgotten, "pause_code": of_account}
        self._turn(lane, lanes.c.paused_until > self._db.now(), changes, who, "resume", reason)

        with self._db.waking() as connection:
            self._obligations.wake_open(connection, obligations.c.lane == lane)

    def _turn(
        self, lane: str, still: ColumnElement[bool], changes: Mapping[str, Any], who: str, action: str, reason: str
    ) -> None:
        with self._db.waking() as connection:
            if connection.execute(update(lanes).where(lanes.c.name == lane, still).values(changes)).rowcount != 1:
                raise StateChanged(lane, f"there is nothing to {action}", "connector lanes list shows its state")
            self._audit.write_down(connection, who, action, lane, reason, agency=lane.partition("/")[0])

    def _rows(self, statement: Select[Any]) -> Sequence[Row[Any]]:
        with self._db.reading() as connection:
            return connection.execute(statement).all()


def _listed() -> Select[Any]:
    own = [column for column in deliveries.c if column.name not in ("event_id", "again", "replay")]
    of_event = (events.c.agency, events.c.message_id, events.c.type, events.c.customer_id, events.c.source_time)
    return select(*own, *of_event).join_from(deliveries, events)


def _delivery(row: Row[Any]) -> dict[str, Any]:
    return {**row._mapping, "state": DeliveryState(row.state)}


def _attempt(row: Row[Any]) -> Attempt:
    typed = {"outcome": AttemptOutcome(row.outcome), "records": read_notes(row.records)}
    return Attempt(**{**row._mapping, **typed})
