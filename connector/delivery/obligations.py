"""Pay opt-outs, flag by flag: before and apart from everything else an event asks of a CRM."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, zip_longest
from typing import Final, assert_never

from connector import backoff, telemetry
from connector.carecycle import recognise
from connector.delivery.consent import States
from connector.delivery.deliver import Pace, Route, prepare
from connector.delivery.fold import Folded
from connector.delivery.plan_ahead import Planned
from connector.delivery.settle import consents_after, pause_for, raised_by, remembered
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
"""Milliseconds until it is checked whether a customer has a record by now, or the mapping carries the flag."""

_NOT_CARRIED: Final = Refusal("NOT_MAPPED", "the mapping does not carry this flag", "carry it under consent: flags:")
_NO_RECORD: Final = Refusal("NO_RECORD", "the CRM has no record of this customer yet")
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
    """Pay the opt-outs this lane owes now; whether the CRM account can be used. Raises LeaseLost."""
    while owed := store.obligations.due(lease.lane, PORTION):
        if not _Portion(store, route, lease, pace, owed).pay():
            return False
        if len(owed) < PORTION:
            break
    return True


@dataclass(slots=True)
class _Portion:
    """Obligations on their way into one CRM. results: by (customer, flag), of each record it was tried on."""

    store: Store
    route: Route
    lease: Lease
    pace: Pace
    owed: Sequence[Obligation]
    results: dict[tuple[str, str], list[_Result]] = field(default_factory=dict)
    applied: list[_Target] = field(default_factory=list)
    unusable: DestinationUnusable | None = None

    def pay(self) -> bool:
        """Write, then record everything in one commit; whether the CRM account can be used."""
        mapping, standing = self.route.running.mapping, self.store.lanes.standing(self.lease)
        planned, reasons = self._planned(mapping)
        folded, states, writing = prepare(
            planned, self.route, self.store.ledger, self.store.database.digest, self._intend, self._now
        )
        writing.run(folded)
        self.unusable = writing.unusable
        failed = [merged for merged in folded if self._failed(merged, writing)]
        if self.unusable is None:
            self._write_alone([*self._one_by_one(failed, writing), *self._elsewhere(mapping, writing)])
        pause = pause_for(self.unusable, standing.failures, self.pace.roll()) if self.unusable else None
        payments = [self._payment(obligation, reasons, pause) for obligation in self.owed]
        answers = list(writing.answers.values())
        settlement = Settlement(
            mapping.version,
            remembered=remembered(answers, writing.digest),
            consents=_with_applied(consents_after(states, answers), self.applied),
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

    def _planned(self, mapping: CompiledMapping) -> tuple[Planned, dict[int, str]]:
        """The opt-outs of each event that raised some; and why one asks nothing of this CRM, by the event's id."""
        by_event: dict[int, list[Obligation]] = {}
        for obligation in self.owed:
            by_event.setdefault(obligation.event_id, []).append(obligation)
        deliveries = self.store.inbox.deliveries_of(self.lease.destination, list(by_event))
        planned: Planned = []
        for event_id, owed in by_event.items():
            delivery = deliveries.get(event_id) or _no_longer_kept(owed[0])
            planned.append((delivery, _flags_plan(delivery.event, owed, mapping, self.route.timezone)))
        return planned, dict(zip(by_event, (made.reason for _, made in planned), strict=True))

    def _failed(self, folded: Folded, writing: Writing) -> bool:
        """Note what became of a record's flags; True where they are to be tried one by one."""
        answer = writing.answers.get(folded.write.key)
        if answer is None:
            return False  # the account became unusable before its turn
        result = _result_of_answer(answer)
        if self.unusable is None and result.state in (ObligationState.REFUSED, ObligationState.OWED):
            return True
        for flag in folded.flags:
            self._note(folded.customer_id or "", flag, result)
        return False

    def _one_by_one(self, failed: Sequence[Folded], writing: Writing) -> Iterator[_Target]:
        """The flags of records that were refused, by the records' ids: of all that hold the key, twins included."""
        ids = {merged.write.key: _known_ids(writing.answers[merged.write.key]) for merged in failed}
        for key, found in self._look_for([key for key, known in ids.items() if not known]).items():
            ids[key] = found
        for merged in failed:
            key, customer = merged.write.key, merged.customer_id or ""
            for flag, (field_name, _) in merged.flags.items():
                if not ids[key] and not self.unusable:
                    self._note(customer, flag, _result_of_answer(writing.answers[key]))
                for crm_id in ids[key]:
                    yield _Target(customer, flag, key.object, field_name, crm_id)

    def _look_for(self, keys: Sequence[RecordKey]) -> dict[RecordKey, tuple[str, ...]]:
        """The ids of the records that hold these keys."""
        found: dict[RecordKey, tuple[str, ...]] = {}
        by_field = sorted(keys, key=lambda key: (key.object, key.field))
        for (kind, name), some in groupby(by_field, key=lambda key: (key.object, key.field)):
            group = list(some)
            try:
                matches = self.route.destination.find(kind, name, [key.value for key in group], ())
            except DestinationUnusable as error:
                self.unusable = error
                return found
            found |= {key: tuple(match.id for match in matches.get(key.value, ())) for key in group}
        return found

    def _note(self, customer_id: str, flag: str, result: _Result) -> None:
        self.results.setdefault((customer_id, flag), []).append(result)

    def _elsewhere(self, mapping: CompiledMapping, writing: Writing) -> Iterator[_Target]:
        """Other records known to be these customers', written under another key or by an earlier mapping."""
        seen = {answer.crm_id for answer in writing.answers.values()}
        unpaid: dict[str, list[str]] = {}
        for obligation in self.owed:
            if obligation.state is not ObligationState.APPLIED:
                unpaid.setdefault(obligation.customer_id, []).append(obligation.flag)
        for known in self.store.ledger.records_of(self.lease.destination, list(unpaid)) if unpaid else ():
            for flag in unpaid[known.customer_id]:
                for target in mapping.flag_fields(known.object, flag):
                    if known.crm_id not in seen:
                        yield _Target(known.customer_id, flag, known.object, target, known.crm_id)

    def _write_alone(self, targets: Iterable[_Target]) -> None:
        """Write flags to records by id: those of a record together, then, where they were refused, flag by flag."""
        groups = [tuple(some) for _, some in groupby(sorted(targets, key=_whose), key=_whose)]
        refused = self._write_groups(groups, final=False)
        for turn in zip_longest(*refused):  # one flag of each record a call: a call holds a record once
            self._write_groups([(target,) for target in turn if target], final=True)

    def _write_groups(self, groups: Sequence[tuple[_Target, ...]], *, final: bool) -> list[tuple[_Target, ...]]:
        """Write a row for each group; the groups to be taken apart because they were refused as a whole."""
        if not groups or self.unusable:
            return []
        self._intend([])
        crm = self.route.destination.crm
        try:
            outcomes = self.route.destination.write([_row(group, crm.id_field) for group in groups])
        except DestinationUnusable as error:
            self.unusable = error
            return []
        refused = []
        for group, outcome in zip(groups, outcomes, strict=True):
            if outcome.verdict is Verdict.REJECTED and len(group) > 1 and not final:
                refused.append(group)
            else:
                self._note_group(group, outcome)
        return refused

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
        is_carried = obligation.flag in self.route.mapping.flags
        cause = (is_carried and reasons[obligation.event_id]) or _NOT_CARRIED.cause
        not_mapped = _Result(ObligationState.NOT_MAPPED, replace(_NOT_CARRIED, cause=cause))
        worst = min(own, key=lambda result: _WORST_FIRST.index(result.state), default=not_mapped)
        wait = _wait(worst.state, obligation.attempts, self.pace.roll())
        return Payment(obligation, worst.state, worst.why, worst.object, worst.crm_id, wait)


def _no_longer_kept(owed: Obligation) -> Delivery:
    """In place of a delivery that retention removed: who opted out is still known."""
    event = Event(owed.destination.partition("/")[0], "", "", owed.customer_id, owed.since, owed.since, {})
    return Delivery(0, 0, owed.since, event)


def _flags_plan(event: Event, owed: Sequence[Obligation], mapping: CompiledMapping, timezone: str) -> Plan:
    """The opt-outs an event asks for. Where its type is not mapped, or it cannot be read, its customer's alone."""
    made = None
    for candidate in _candidates(event, owed):
        made = flags_alone(plan(candidate, mapping, timezone=timezone))
        if any(write.flags for write in made.writes):
            break
    assert made is not None  # there is always a candidate
    flags = {obligation.flag for obligation in owed}
    return replace(made, consent={flag: value for flag, value in made.consent.items() if flag in flags})


def _candidates(event: Event, owed: Sequence[Obligation]) -> Iterator[Event]:
    """The event itself, its customer as an update, and what is known for sure: who opted out of what."""
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
    known = {"event_type": "customer.updated", "id": customer_id, **{one.flag: True for one in owed}}
    yield replace(event, type="customer.updated", customer_id=customer_id, payload=known)


def _result_of_answer(answer: Answer) -> _Result:
    kind, crm_id = answer.folded.write.key.object, answer.crm_id
    if answer.outcome is None:
        is_there = crm_id is not None
        state = ObligationState.APPLIED if is_there else ObligationState.NO_RECORD
        return _Result(state, WRITTEN if is_there else _NO_RECORD, kind, crm_id)
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
    """Milliseconds until an obligation is looked at again; None for not before something happens to it."""
    match state:
        case ObligationState.APPLIED:
            return None
        case ObligationState.OWED | ObligationState.REFUSED:
            return backoff.delay(attempts, roll)
        case ObligationState.NO_RECORD | ObligationState.NOT_MAPPED:
            return LOOK_AGAIN
        case _:
            assert_never(state)


def _whose(target: _Target) -> tuple[str, str, str]:
    return target.customer_id, target.object, target.crm_id


def _row(group: Sequence[_Target], id_field: str) -> Row:
    """A row that raises flags on a record by its own id, and touches nothing else of it, not even its key."""
    first = group[0]
    fields = {target.field: True for target in group}
    return Row(RecordKey(first.object, id_field, first.crm_id), fields, id=first.crm_id, mode=Mode.UPDATE)


def _raised(target: _Target) -> Raised:
    return Raised(target.customer_id, target.flag, target.object, target.crm_id, 0)


def _with_applied(states: Mapping[str, States], applied: Iterable[_Target]) -> dict[str, States]:
    after = {customer: dict(flags) for customer, flags in states.items()}
    for target in applied:
        flags = after.get(target.customer_id, {})
        if target.flag in flags:
            flags[target.flag] = replace(flags[target.flag], applied=True, owed=False)
    return dict(after)
