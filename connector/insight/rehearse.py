"""Rehearse stored deliveries: plan, merge, decide and settle them as usual, but write nothing.

Each delivery is rehearsed with the current mapping (or an edited one), the current ledger, and what the deliveries
before it would have written. Memory use does not grow with the number of deliveries: it holds one page of deliveries
and the newest records.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from functools import partial
from typing import Any, assert_never

from connector.delivery.counting import with_counts
from connector.delivery.plan_ahead import Planned, plan_all, without_payload
from connector.delivery.prepare import prepare
from connector.delivery.remember import remember
from connector.delivery.route import Route
from connector.delivery.settle import Answers, Circumstances, consents_after, settle_delivery
from connector.insight.stand_in import DryDestination, Overlay
from connector.mapping.rules import READING
from connector.model import Delivery, Lookup, Plan, Rule
from connector.settlement import AttemptOutcome, DeliveryState, RecordNote, Settled
from connector.store import Store
from connector.store.desk import Filter
from connector.store.history import Stored


class Expected(StrEnum):
    """What would happen to a delivery."""

    WRITE = "write"
    UNCHANGED = "unchanged"
    SUPERSEDED = "superseded"
    SKIPPED = "skipped"
    IGNORED = "ignored"
    REFUSED = "refused"
    PURGED = "purged"


def _expected(outcome: AttemptOutcome) -> Expected:
    match outcome:
        case AttemptOutcome.DELIVERED:
            return Expected.WRITE
        case AttemptOutcome.UNCHANGED:
            return Expected.UNCHANGED
        case AttemptOutcome.SUPERSEDED:
            return Expected.SUPERSEDED
        case AttemptOutcome.SKIPPED:
            return Expected.SKIPPED
        case AttemptOutcome.IGNORED:
            return Expected.IGNORED
        case AttemptOutcome.DEFERRED | AttemptOutcome.DEAD:
            return Expected.REFUSED
        case _:
            assert_never(outcome)


@dataclass(frozen=True, slots=True)
class Spot:
    """One field of one record, and the mapping line that sets it (0 if none does)."""

    record: str
    field: str
    line: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """What would happen to one delivery, without any value of its payload.

    state: its current state. records: as an attempt stores them, with the names of the fields that would be written.
    at: the fields a rejection names. asks: fields (`record.field`) whose result depends on the CRM, if it is not asked.
    before: the code it was rejected with under this same mapping: it passes only if the CRM has changed.
    """

    delivery_id: int
    message_id: str
    type: str
    state: DeliveryState
    expected: Expected
    code: str = ""
    reason: str = ""
    records: Sequence[RecordNote] = ()
    at: tuple[Spot, ...] = ()
    asks: tuple[str, ...] = ()
    before: str = ""


def rehearse(store: Store, route: Route, wanted: Filter, *, last: int = 0, ask: bool = False) -> Iterator[Forecast]:
    """Yield what would happen to this destination's deliveries, oldest first, if delivered now with `route.mapping`.

    last: only the newest `last` deliveries; 0 for all. ask: read from the CRM what a delivery would read. Never writes.
    Raises StoreUnavailable, and DestinationUnusable when asking.
    """
    rehearsal = Rehearsal(store, route, ask=ask)
    for step in store.history.walk(replace(wanted, destination=route.name), last):
        yield from rehearsal.step(step)


See = Callable[[Planned, Answers], None]
"""Looks at what a step was planned as, and at the answers of its records."""


def _look_away(planned: Planned, answers: Answers) -> None:
    pass


class Rehearsal:
    """Rehearses deliveries to one destination step by step, each after what the steps before would have written."""

    def __init__(self, store: Store, route: Route, *, ask: bool = False, see: See = _look_away) -> None:
        self._store, self._route, self._ask, self._see = store, route, ask, see
        self._overlay = Overlay(store.ledger)

    def step(self, step: Sequence[Stored]) -> Iterator[Forecast]:
        """Yield what would happen to these deliveries. Raises StoreUnavailable, DestinationUnusable."""
        endings = self._endings(stored.delivery for stored in step if not stored.purged)
        for stored in step:
            yield _forecast(stored, endings.get(stored.delivery.id), self._route.mapping.version)

    def outlook(self, present: Iterable[Delivery]) -> Iterator[Forecast]:
        """Yield the same of deliveries that are opened as they are planned; none of their payloads is kept."""
        heads: list[Delivery] = []
        endings = self._endings(_noted(present, heads))
        for head in heads:
            stored = Stored(head, self._route.name, DeliveryState.READY, "", "", purged=False)
            yield _forecast(stored, endings.get(head.id), self._route.mapping.version)

    def _endings(self, present: Iterable[Delivery]) -> dict[int, _Ending]:
        route = self._route
        there = replace(route, destination=DryDestination(route.destination, route.name, self._overlay, self._ask))
        planned, unplanned = plan_all(present, route.mapping, route.timezone)
        planned = with_counts(planned, partial(self._store.counting.outlook, route.name))
        endings = {settled.delivery_id: _Ending(settled) for settled in unplanned}
        return endings | _rehearsed(self._store, there, planned, self._overlay, self._ask, self._see)


def _noted(present: Iterable[Delivery], heads: list[Delivery]) -> Iterator[Delivery]:
    for delivery in present:
        heads.append(without_payload(delivery))
        yield delivery


@dataclass(frozen=True, slots=True)
class _Ending:
    settled: Settled
    at: tuple[Spot, ...] = ()
    asks: tuple[str, ...] = ()


def _rehearsed(
    store: Store, route: Route, planned: Planned, overlay: Overlay, ask: bool, see: See
) -> dict[int, _Ending]:
    asking = {} if ask else {delivery.id: tuple(_asks(plan)) for delivery, plan in planned}
    shown = planned if ask else [(delivery, _without_asking(plan)) for delivery, plan in planned]
    digest, now, version = store.database.digest, store.database.moment, route.mapping.version
    folded, states, writing = prepare(shown, route, overlay, digest, lambda _: None, now, version=version)
    writing.run(folded)
    if writing.unusable is not None:
        raise writing.unusable
    answers, asked = writing.answers, {fold.write.key for fold in folded}
    see(planned, answers)
    overlay.keep(
        {kept.key: kept.entry for answer in answers.values() if (kept := remember(answer, writing.digest))},
        consents_after(states, answers.values()),
    )
    around = Circumstances(0, lambda: 0.0)
    return {
        delivery.id: _Ending(settled, _spots(plan, answers), asking.get(delivery.id, ()))
        for delivery, plan in shown
        if (settled := settle_delivery(delivery, plan, asked, answers, around))
    }


def _asks(plan: Plan) -> Iterator[str]:
    """List the fields of a plan whose result depends on the CRM."""
    for write in plan.writes:
        for name, written in write.fields.items():
            if isinstance(written.value, Lookup) or written.rule in READING:
                yield f"{write.name}.{name}"


def _without_asking(plan: Plan) -> Plan:
    """Drop look-ups from a plan, and assume that nobody edited a field in the CRM."""
    writes = []
    for write in plan.writes:
        known = {
            name: written._replace(rule=Rule.ALWAYS) if written.rule is Rule.UNLESS_EDITED else written
            for name, written in write.fields.items()
            if not isinstance(written.value, Lookup)
        }
        writes.append(write._replace(fields=known))
    return plan._replace(writes=tuple(writes))


def _spots(plan: Plan, answers: Answers) -> tuple[Spot, ...]:
    return tuple(
        Spot(write.name, name, write.fields[name].line if name in write.fields else 0)
        for write in plan.writes
        if (answer := answers.get(write.key)) and answer.outcome
        for name in answer.outcome.fields
    )


def _forecast(stored: Stored, ending: _Ending | None, version: str) -> Forecast:
    event = stored.delivery.event
    purged = Forecast(stored.delivery.id, event.message_id, event.type, stored.state, Expected.PURGED)
    if ending is None:
        return purged
    settled = ending.settled
    expected = _expected(settled.outcome)
    same = stored.state is DeliveryState.DEAD and stored.mapping_version == version and expected is Expected.WRITE
    return replace(
        purged,
        expected=expected,
        code=settled.why.code,
        reason=settled.why.cause,
        records=settled.records,
        at=ending.at,
        asks=ending.asks,
        before=stored.code if same else "",
    )


@dataclass(slots=True)
class Tally:
    """Counts of rehearsed deliveries. Its size depends on the names, not on the number of deliveries."""

    expected: Counter[Expected] = field(default_factory=Counter)
    reasons: Counter[tuple[Expected, str, str]] = field(default_factory=Counter)
    spots: Counter[tuple[str, Spot]] = field(default_factory=Counter)
    before: Counter[str] = field(default_factory=Counter)
    fields: Counter[tuple[str, str]] = field(default_factory=Counter)
    asks: Counter[str] = field(default_factory=Counter)

    def add(self, forecast: Forecast) -> None:
        """Count one more delivery."""
        self.expected[forecast.expected] += 1
        self.asks.update(forecast.asks)
        self.before.update([forecast.before] if forecast.before else [])
        if forecast.expected is Expected.WRITE:
            self.fields.update((note.record, name) for note in forecast.records for name in note.fields)
        elif forecast.reason:
            self.reasons[forecast.expected, forecast.code, forecast.reason] += 1
        if forecast.expected is Expected.REFUSED:
            self.spots.update((forecast.code, spot) for spot in forecast.at)

    def as_data(self) -> dict[str, Any]:
        """Return the counts, with names but no values."""
        return {
            "deliveries": self.expected.total(),
            **{expected.value: self.expected[expected] for expected in Expected},
            "fields": [
                {"record": record, "field": name, "deliveries": count}
                for (record, name), count in self.fields.most_common()
            ],
            "reasons": [
                {"coming": expected, "code": code, "reason": reason, "deliveries": count}
                for (expected, code, reason), count in self.reasons.most_common()
            ],
            "refused_at": [
                {"code": code, **asdict(spot), "deliveries": count} for (code, spot), count in self.spots.most_common()
            ],
            "refused_before_by_this_mapping": dict(self.before.most_common()),
            "only_the_crm_can_tell": dict(self.asks.most_common()),
        }
