"""Pay opt-outs, flag by flag: before and apart from everything else an event asks of a CRM."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, groupby, product, zip_longest
from typing import Final, assert_never

from connector import backoff, telemetry
from connector.carecycle import recognise
from connector.delivery.deliver import Pace, Route, prepare
from connector.delivery.fold import Folded
from connector.delivery.plan_ahead import Planned
from connector.delivery.settle import consents_after, pause_for, raised_by, remembered, with_applied
from connector.delivery.write import Answer, Writing
from connector.destinations.base import Outcome, Row, Verdict
from connector.errors import DestinationUnusable, UnreadableEvent
from connector.mapping import Mapping as CompiledMapping
from connector.mapping.planning import flags_alone, plan
from connector.model import Delivery, Event, Mode, Plan, RecordKey
from connector.settlement import (
    WRITTEN,
    Obligation,
    ObligationState,
    Pause,
    Payment,
    Raised,
    Refusal,
    Remembered,
    Settlement,
)
from connector.store import Store
from connector.store.lanes import Lease

PORTION: Final = 500
"""Obligations paid in one commit."""

LOOK_AGAIN: Final = 24 * backoff.HOUR
"""Milliseconds until we check again whether a customer has a record, or the mapping carries the flag."""

_NOT_CARRIED: Final = Refusal("NOT_MAPPED", "the mapping does not carry this flag", "carry it under consent: flags:")
_NO_RECORD: Final = Refusal("NO_RECORD", "the CRM has no record of this customer yet")
_NOT_TRIED: Final = Refusal("", "the CRM account could not be used")
_WORST_FIRST: Final = tuple(map(ObligationState, ("refused", "owed", "applied", "no record", "not mapped")))


@dataclass(frozen=True, slots=True)
class _Target:
    """One flag on one record that exists in the CRM."""

    customer_id: str
    flag: str
    object: str
    field: str
    crm_id: str


@dataclass(frozen=True, slots=True)
class _Result:
    """What became of one flag on one record of its customer."""

    state: ObligationState
    why: Refusal = WRITTEN
    object: str = ""
    crm_id: str | None = None


def pay(store: Store, route: Route, lease: Lease, pace: Pace) -> bool:
    """Pay the opt-outs this lane owes now; return whether the CRM account can be used. Raises LeaseLost."""
    while owed := store.obligations.due(lease.lane, PORTION):
        # An edited mapping may replace the one that runs at any time: a portion keeps the one it began with.
        if not _Portion(store, route, lease, pace, route.running.mapping, owed).pay():
            return False
        if len(owed) < PORTION:
            break
    return True


@dataclass(slots=True)
class _Portion:
    """Obligations on their way into one CRM.

    customers: those who opted out on each record, by its key; several customers may share a key, such as an address.
    results: of each record of the customer, by (customer, flag). applied: flags written to a record by its id.
    """

    store: Store
    route: Route
    lease: Lease
    pace: Pace
    mapping: CompiledMapping
    owed: Sequence[Obligation]
    customers: dict[RecordKey, set[str]] = field(default_factory=dict)
    results: dict[tuple[str, str], list[_Result]] = field(default_factory=dict)
    applied: list[_Target] = field(default_factory=list)
    unusable: DestinationUnusable | None = None

    def pay(self) -> bool:
        """Write, then record everything in one commit; return whether the CRM account can be used."""
        standing = self.store.lanes.standing(self.lease)
        planned, reasons = self._planned()
        folded, states, writing = prepare(
            planned, self.route, self.store.ledger, self.store.database.digest, self._intend, self._now
        )
        writing.run(folded)
        self.unusable = writing.unusable
        failed = [merged for merged in folded if self._failed(merged, writing)]
        self._write_alone([*self._one_by_one(failed, writing), *self._elsewhere(writing)])
        pause = pause_for(self.unusable, standing.failures, self.pace.roll()) if self.unusable else None
        payments = [self._payment(obligation, reasons, pause) for obligation in self.owed]
        answers = list(writing.answers.values())
        settlement = Settlement(
            self.mapping.version,
            remembered=remembered(answers, writing.digest),
            consents=with_applied(
                consents_after(states, answers), ((target.customer_id, target.flag) for target in self.applied)
            ),
            raised=[*raised_by(answers), *map(_raised, self.applied)],
            pause=pause,
            refused=standing.refused,
            payments=payments,
        )
        self.store.lanes.settle(self.lease, settlement, self.pace.hold_ms)
        self._report(payments, pause)
        return pause is None

    def _report(self, payments: Iterable[Payment], pause: Pause | None) -> None:
        destination = self.lease.destination
        for payment in payments:
            telemetry.opt_out_paid(destination, payment.obligation.flag, payment.state, payment.why.code)
        if pause:
            telemetry.lane_paused(self.lease.lane, destination, pause.code, pause.problem, pause.wait_ms / 1000)

    def _intend(self, meant: Sequence[Remembered]) -> None:
        self.store.lanes.intend(self.lease, meant, self.pace.hold_ms)

    def _now(self) -> int:
        return int(self.pace.clock() * 1000)

    def _planned(self) -> tuple[Planned, dict[int, str]]:
        """Plan each event's opt-outs; also return, by event id, why an event writes nothing to this CRM."""
        by_event: dict[int, list[Obligation]] = {}
        for obligation in self.owed:
            by_event.setdefault(obligation.event_id, []).append(obligation)
        deliveries = self.store.inbox.deliveries_of(self.lease.destination, list(by_event))
        planned: Planned = []
        for event_id, owed in by_event.items():
            delivery = deliveries.get(event_id) or _no_longer_kept(owed[0])
            flags_plan = _flags_plan(delivery.event, owed, self.mapping, self.route.timezone)
            for write in flags_plan.writes:
                self.customers.setdefault(write.key, set()).add(owed[0].customer_id)
            planned.append((delivery, flags_plan))
        return planned, dict(zip(by_event, (flags_plan.reason for _, flags_plan in planned), strict=True))

    def _failed(self, folded: Folded, writing: Writing) -> bool:
        """Note what became of a record's flags, unless they failed and are to be tried one by one: then return True."""
        key = folded.write.key
        answer = writing.answers.get(key)
        if answer is None:  # the account became unusable before its turn
            self._note_all(folded, _Result(ObligationState.OWED, _NOT_TRIED, key.object))
            return False
        result = _result_of_answer(answer)
        if self.unusable is None and result.state in (ObligationState.REFUSED, ObligationState.OWED):
            return True
        self._note_all(folded, result)
        return False

    def _one_by_one(self, failed: Sequence[Folded], writing: Writing) -> Iterator[_Target]:
        """The flags of records that failed, aimed at the id of each record with the key, duplicates included."""
        ids = {merged.write.key: _known_ids(writing.answers[merged.write.key]) for merged in failed}
        ids |= self._look_for([key for key, known in ids.items() if not known])
        for merged in failed:
            key = merged.write.key
            if not ids[key]:
                self._note_all(merged, _result_of_answer(writing.answers[key]))
            for crm_id, customer in product(ids[key], sorted(self.customers[key])):
                for flag, (field_name, _) in merged.flags.items():
                    yield _Target(customer, flag, key.object, field_name, crm_id)

    def _look_for(self, keys: Sequence[RecordKey]) -> dict[RecordKey, tuple[str, ...]]:
        """Search for the ids of the records with these keys; stop where the account cannot be used."""
        ids: dict[RecordKey, tuple[str, ...]] = {}
        by_field = sorted(keys, key=lambda key: (key.object, key.field))
        for (kind, name), keys_of_field in groupby(by_field, key=lambda key: (key.object, key.field)):
            group = list(keys_of_field)
            try:
                matches = self.route.destination.find(kind, name, [key.value for key in group], ())
            except DestinationUnusable as error:
                self.unusable = error
                return ids
            ids |= {key: tuple(match.id for match in matches.get(key.value, ())) for key in group}
        return ids

    def _note_all(self, folded: Folded, result: _Result) -> None:
        """Note a result for every customer and flag of a record."""
        for customer, flag in product(self.customers[folded.write.key], folded.flags):
            self._note(customer, flag, result)

    def _note(self, customer_id: str, flag: str, result: _Result) -> None:
        self.results.setdefault((customer_id, flag), []).append(result)

    def _elsewhere(self, writing: Writing) -> Iterator[_Target]:
        """The flags on the customers' other records, written under another key or by an earlier mapping."""
        seen = {(answer.folded.write.key.object, answer.crm_id) for answer in writing.answers.values()}
        unpaid: dict[str, list[str]] = {}
        for obligation in self.owed:
            if obligation.state is not ObligationState.APPLIED:
                unpaid.setdefault(obligation.customer_id, []).append(obligation.flag)
        for known in self.store.ledger.records_of(self.lease.destination, list(unpaid)) if unpaid else ():
            for flag in unpaid[known.customer_id]:
                for target in self.mapping.flag_fields(known.object, flag):
                    if (known.object, known.crm_id) not in seen:
                        yield _Target(known.customer_id, flag, known.object, target, known.crm_id)

    def _write_alone(self, targets: Iterable[_Target]) -> None:
        """Write flags to records by id: a record's flags together, then, where they were refused, one by one."""
        by_id = sorted(dict.fromkeys(targets), key=_object_and_id)
        groups = [tuple(group) for _, group in groupby(by_id, key=_object_and_id)]
        refused = self._write_groups(groups, final=False)
        for turn in zip_longest(*refused):  # a call may hold a record only once
            self._write_groups([(target,) for target in turn if target], final=True)

    def _write_groups(self, groups: Sequence[tuple[_Target, ...]], *, final: bool) -> list[tuple[_Target, ...]]:
        """Write a row for each group; return the groups to split because they were refused as a whole."""
        outcomes = self._write_rows(groups)
        if outcomes is None:
            for target in chain.from_iterable(groups):
                self._note(target.customer_id, target.flag, _Result(ObligationState.OWED, _NOT_TRIED, target.object))
            return []
        refused = []
        for group, outcome in zip(groups, outcomes, strict=True):
            if outcome.verdict is Verdict.REJECTED and len(group) > 1 and not final:
                refused.append(group)
            else:
                self._note_group(group, outcome)
        return refused

    def _write_rows(self, groups: Sequence[tuple[_Target, ...]]) -> Sequence[Outcome] | None:
        """Write a row for each group; None where the account cannot be used."""
        if not groups:
            return []
        if self.unusable:
            return None
        self._intend([])  # a worker that has lost the lane must not write
        id_field = self.route.destination.crm.id_field
        try:
            return self.route.destination.write([_row(group, id_field) for group in groups])
        except DestinationUnusable as error:
            self.unusable = error
            return None

    def _note_group(self, group: tuple[_Target, ...], outcome: Outcome) -> None:
        if outcome.verdict is Verdict.DELIVERED:
            self.applied += group
        for target in group:
            self._note(target.customer_id, target.flag, _result_of(outcome, target.object))

    def _payment(self, obligation: Obligation, reasons: Mapping[int, str], pause: Pause | None) -> Payment:
        own = self.results.get((obligation.customer_id, obligation.flag), [])
        if pause and (not own or any(result.state is ObligationState.OWED for result in own)):
            why = Refusal(pause.code, pause.problem)
            return Payment(obligation, obligation.state, why, wait_ms=pause.wait_ms)
        is_carried = obligation.flag in self.mapping.flags
        cause = (is_carried and reasons[obligation.event_id]) or _NOT_CARRIED.cause
        not_mapped = _Result(ObligationState.NOT_MAPPED, replace(_NOT_CARRIED, cause=cause))
        worst = min(own, key=lambda result: _WORST_FIRST.index(result.state), default=not_mapped)
        wait = _wait(worst.state, obligation.attempts, self.pace.roll())
        return Payment(obligation, worst.state, worst.why, worst.object, worst.crm_id, wait)


def _no_longer_kept(owed: Obligation) -> Delivery:
    """Stand in for a delivery that retention removed: we still know who opted out."""
    event = Event(owed.destination.partition("/")[0], "", "", owed.customer_id, owed.since, owed.since, {})
    return Delivery(0, 0, owed.since, event)


def _flags_plan(event: Event, owed: Sequence[Obligation], mapping: CompiledMapping, timezone: str) -> Plan:
    """Plan the opt-outs of an event, or of its customer alone where the event's type is not mapped or not readable."""
    flags_plan = None
    for candidate in _candidates(event, owed):
        flags_plan = flags_alone(plan(candidate, mapping, timezone=timezone))
        if any(write.flags for write in flags_plan.writes):
            break
    assert flags_plan is not None  # there is always a candidate
    flags = {obligation.flag for obligation in owed}
    return replace(flags_plan, consent={flag: value for flag, value in flags_plan.consent.items() if flag in flags})


def _candidates(event: Event, owed: Sequence[Obligation]) -> Iterator[Event]:
    """Yield the event and its customer as an update; where it cannot be read, who opted out of what."""
    try:
        readable = recognise.as_read(event)
    except UnreadableEvent:
        readable = None
    if readable is not None:
        yield readable
        customer = readable.payload.get("customer", readable.payload)
        if isinstance(customer, Mapping):
            yield replace(readable, type="customer.updated", payload={**customer, "event_type": "customer.updated"})
        return
    customer_id = owed[0].customer_id
    known = {"event_type": "customer.updated", "id": customer_id, **{obligation.flag: True for obligation in owed}}
    yield replace(event, type="customer.updated", customer_id=customer_id, payload=known)


def _result_of_answer(answer: Answer) -> _Result:
    kind, crm_id = answer.folded.write.key.object, answer.crm_id
    if answer.outcome is None:
        if crm_id is None:
            return _Result(ObligationState.NO_RECORD, _NO_RECORD, kind)
        return _Result(ObligationState.APPLIED, WRITTEN, kind, crm_id)
    if answer.outcome.consent_written:
        return _Result(ObligationState.APPLIED, WRITTEN, kind, crm_id)
    return replace(_result_of(answer.outcome, kind), crm_id=crm_id)


def _result_of(outcome: Outcome, kind: str) -> _Result:
    match outcome.verdict:
        case Verdict.DELIVERED:
            return _Result(ObligationState.APPLIED, WRITTEN, kind, outcome.id)
        case Verdict.SKIPPED:
            return _Result(ObligationState.NO_RECORD, _NO_RECORD, kind)
        case Verdict.DEFERRED:
            return _Result(ObligationState.OWED, outcome.refusal, kind, outcome.id)
        case Verdict.REJECTED:
            return _Result(ObligationState.REFUSED, outcome.refusal, kind, outcome.id)
        case _:
            assert_never(outcome.verdict)


def _known_ids(answer: Answer) -> tuple[str, ...]:
    return answer.candidates or ((answer.crm_id,) if answer.crm_id else ())


def _wait(state: ObligationState, attempts: int, roll: float) -> int | None:
    """Return the milliseconds until an obligation is checked again; None waits for something new about it."""
    match state:
        case ObligationState.APPLIED:
            return None
        case ObligationState.OWED | ObligationState.REFUSED:
            return backoff.delay(attempts, roll)
        case ObligationState.NO_RECORD | ObligationState.NOT_MAPPED:
            return LOOK_AGAIN
        case _:
            assert_never(state)


def _object_and_id(target: _Target) -> tuple[str, str]:
    return target.object, target.crm_id


def _row(group: Sequence[_Target], id_field: str) -> Row:
    """Build a row that raises flags on a record by its id and touches nothing else, not even its key."""
    first = group[0]
    fields = {target.field: True for target in group}
    return Row(RecordKey(first.object, id_field, first.crm_id), fields, id=first.crm_id, mode=Mode.UPDATE)


def _raised(target: _Target) -> Raised:
    return Raised(target.customer_id, target.flag, target.object, target.crm_id, 0)
