"""Foretell what would come of stored deliveries: planned, folded, decided and settled as ever, written nowhere.

Each delivery meets the present mapping (or an edited one), the ledger as it is, and what the deliveries before it would
have written. Memory holds a step of deliveries and the newest records, whatever the number of deliveries.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any, assert_never

from connector.delivery.deliver import Route, prepare
from connector.delivery.plan_ahead import Planned, plan_all
from connector.delivery.settle import Answers, Circumstances, consents_after, remember, settle_delivery
from connector.insight.stand_in import DryDestination, Overlay
from connector.model import Lookup, Plan, Rule
from connector.settlement import AttemptOutcome, DeliveryState, RecordNote, Settled
from connector.store import Store
from connector.store.desk import Filter
from connector.store.history import Stored


class Coming(StrEnum):
    """What would come of a delivery."""

    WRITE = "write"
    UNCHANGED = "unchanged"
    SUPERSEDED = "superseded"
    SKIPPED = "skipped"
    IGNORED = "ignored"
    REFUSED = "refused"
    PURGED = "purged"


def _coming(outcome: AttemptOutcome) -> Coming:
    match outcome:
        case AttemptOutcome.DELIVERED:
            return Coming.WRITE
        case AttemptOutcome.UNCHANGED:
            return Coming.UNCHANGED
        case AttemptOutcome.SUPERSEDED:
            return Coming.SUPERSEDED
        case AttemptOutcome.SKIPPED:
            return Coming.SKIPPED
        case AttemptOutcome.IGNORED:
            return Coming.IGNORED
        case AttemptOutcome.DEFERRED | AttemptOutcome.DEAD:
            return Coming.REFUSED
        case _:
            assert_never(outcome)


@dataclass(frozen=True, slots=True)
class Spot:
    """One field of one record, and the mapping's line that makes it (0: none does)."""

    record: str
    field: str
    line: int


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What would come of one delivery. No value of its payload is in it.

    state: its present one. records: as an attempt keeps them, with the names of the fields that would be written.
    at: the fields a refusal names. asks: fields (`record.field`) only the CRM can tell of, unasked.
    before: the code it was refused with under this very mapping: it passes only if the CRM has changed.
    """

    delivery_id: int
    message_id: str
    type: str
    state: DeliveryState
    coming: Coming
    code: str = ""
    reason: str = ""
    records: Sequence[RecordNote] = ()
    at: tuple[Spot, ...] = ()
    asks: tuple[str, ...] = ()
    before: str = ""


def rehearse(store: Store, route: Route, wanted: Filter, *, last: int = 0, ask: bool = False) -> Iterator[Foreseen]:
    """What would come of this destination's deliveries, oldest first, were they delivered now by `route.mapping`.

    last: only the newest so many; 0 for all. ask: read from the CRM what delivering would read; it is never written.
    Raises StoreUnavailable, and DestinationUnusable when asking.
    """
    overlay = Overlay(store.ledger)
    there = replace(route, destination=DryDestination(route.destination, route.name, overlay, ask))
    for step in store.history.walk(replace(wanted, destination=route.name), last):
        present = [one for one in step if not one.purged]
        planned, unplanned = plan_all((one.delivery for one in present), route.mapping, route.timezone)
        foreseen = {one.delivery_id: _Ending(one) for one in unplanned}
        foreseen |= _rehearsed(store, there, planned, overlay, ask)
        for one in step:
            yield _told(one, foreseen.get(one.delivery.id), route.mapping.version)


@dataclass(frozen=True, slots=True)
class _Ending:
    settled: Settled
    at: tuple[Spot, ...] = ()
    asks: tuple[str, ...] = ()


def _rehearsed(store: Store, route: Route, planned: Planned, overlay: Overlay, ask: bool) -> dict[int, _Ending]:
    asking = {} if ask else {delivery.id: tuple(_asks(plan)) for delivery, plan in planned}
    shown = planned if ask else [(delivery, _without_asking(plan)) for delivery, plan in planned]
    digest, now = store.database.digest, store.database.moment
    folded, states, writing = prepare(shown, route, overlay, digest, lambda _: None, now)
    writing.run(folded)
    if writing.unusable is not None:
        raise writing.unusable
    answers, asked = writing.answers, {one.write.key for one in folded}
    overlay.keep(
        {one.key: one.entry for answer in answers.values() if (one := remember(answer, writing.digest))},
        consents_after(states, answers.values()),
    )
    around = Circumstances(0, lambda: 0.0)
    return {
        delivery.id: _Ending(settled, _spots(plan, answers), asking.get(delivery.id, ()))
        for delivery, plan in shown
        if (settled := settle_delivery(delivery, plan, asked, answers, around))
    }


def _asks(plan: Plan) -> Iterator[str]:
    """The fields of a plan whose fate only the CRM can tell."""
    for write in plan.writes:
        for name, one in write.fields.items():
            if isinstance(one.value, Lookup) or one.rule in (Rule.IF_BLANK, Rule.UNLESS_EDITED):
                yield f"{write.name}.{name}"


def _without_asking(plan: Plan) -> Plan:
    """The plan without what is looked up in the CRM, as if nobody had edited anything there."""
    writes = []
    for write in plan.writes:
        known = {
            name: replace(one, rule=Rule.ALWAYS) if one.rule is Rule.UNLESS_EDITED else one
            for name, one in write.fields.items()
            if not isinstance(one.value, Lookup)
        }
        writes.append(replace(write, fields=known))
    return replace(plan, writes=tuple(writes))


def _spots(plan: Plan, answers: Answers) -> tuple[Spot, ...]:
    return tuple(
        Spot(write.name, name, write.fields[name].line if name in write.fields else 0)
        for write in plan.writes
        if (answer := answers.get(write.key)) and answer.outcome
        for name in answer.outcome.fields
    )


def _told(stored: Stored, ending: _Ending | None, version: str) -> Foreseen:
    event = stored.delivery.event
    told = Foreseen(stored.delivery.id, event.message_id, event.type, stored.state, Coming.PURGED)
    if ending is None:
        return told
    settled = ending.settled
    coming = _coming(settled.outcome)
    same = stored.state is DeliveryState.DEAD and stored.mapping_version == version and coming is Coming.WRITE
    return replace(
        told,
        coming=coming,
        code=settled.why.code,
        reason=settled.why.cause,
        records=settled.records,
        at=ending.at,
        asks=ending.asks,
        before=stored.code if same else "",
    )


@dataclass(slots=True)
class Tally:
    """Deliveries rehearsed, counted: a table of names, however many they were."""

    coming: Counter[Coming] = field(default_factory=Counter)
    reasons: Counter[tuple[Coming, str, str]] = field(default_factory=Counter)
    spots: Counter[tuple[str, Spot]] = field(default_factory=Counter)
    before: Counter[str] = field(default_factory=Counter)
    fields: Counter[tuple[str, str]] = field(default_factory=Counter)
    asks: Counter[str] = field(default_factory=Counter)

    def add(self, one: Foreseen) -> None:
        """Count one more."""
        self.coming[one.coming] += 1
        self.asks.update(one.asks)
        self.before.update([one.before] if one.before else [])
        if one.coming is Coming.WRITE:
            self.fields.update((note.record, name) for note in one.records for name in note.fields)
        elif one.reason:
            self.reasons[one.coming, one.code, one.reason] += 1
        if one.coming is Coming.REFUSED:
            self.spots.update((one.code, spot) for spot in one.at)

    def as_data(self) -> dict[str, Any]:
        """The counts, with names alone."""
        return {
            "deliveries": self.coming.total(),
            **{coming.value: self.coming[coming] for coming in Coming},
            "fields": [
                {"record": record, "field": name, "deliveries": count}
                for (record, name), count in self.fields.most_common()
            ],
            "reasons": [
                {"coming": coming, "code": code, "reason": reason, "deliveries": count}
                for (coming, code, reason), count in self.reasons.most_common()
            ],
            "refused_at": [
                {"code": code, **asdict(spot), "deliveries": count} for (code, spot), count in self.spots.most_common()
            ],
            "refused_before_by_this_mapping": dict(self.before.most_common()),
            "only_the_crm_can_tell": dict(self.asks.most_common()),
        }
