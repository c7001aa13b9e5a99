"""Pay opt-outs, flag by flag: before and apart from everything else an event asks of a CRM."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, groupby, product

from connector import telemetry
from connector.delivery.answer import Answer
from connector.delivery.by_id import FlagsById
from connector.delivery.consent import States
from connector.delivery.deliver import fault_in
from connector.delivery.flags_plan import flags_plan_of, no_longer_kept, read_again
from connector.delivery.fold import Folded
from connector.delivery.isolate import unanswered
from connector.delivery.keep_apart import released
from connector.delivery.pausing import pause_for
from connector.delivery.payments import (
    LOOK_AGAIN,
    NOT_CARRIED,
    NOT_TRIED,
    WORST_FIRST,
    Result,
    Target,
    ids_of,
    known_ids,
    object_and_id,
    opted_out_by,
    raised_on,
    result_of,
    result_of_answer,
    wait_for,
)
from connector.delivery.plan_ahead import Planned, without_payload
from connector.delivery.prepare import prepare
from connector.delivery.remember import FORMER_ID, remembered
from connector.delivery.route import Pace, Route
from connector.delivery.settle import raised_by
from connector.delivery.shown import Shown
from connector.delivery.write import Writing
from connector.destinations.base import Found, Outcome
from connector.errors import DestinationUnusable
from connector.mapping import Mapping as CompiledMapping
from connector.model import Delivery, Entry, FlagState, Plan, RecordKey, Stamp
from connector.settlement import (
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


@dataclass(slots=True)
class Portion:
    """Obligations on their way into one CRM.

    customers: those who opted out on each record, by its key; several customers may share a key, such as an address.
    reasons: why an event writes nothing to this CRM, by event id. heard: the consent known after these events.
    By (customer, flag): deliveries, the ids of those that ask for it; readable, where their events can be read;
    results, of each record of the customer. applied: flags written to a record by its id. shown: the addresses on
    their records, once they were looked for.
    """

    store: Store
    route: Route
    lease: Lease
    pace: Pace
    mapping: CompiledMapping
    owed: Sequence[Obligation]
    customers: dict[RecordKey, set[str]] = field(default_factory=dict)
    deliveries: dict[tuple[str, str], int] = field(default_factory=dict)
    readable: set[tuple[str, str]] = field(default_factory=set)
    results: dict[tuple[str, str], list[Result]] = field(default_factory=dict)
    applied: list[Target] = field(default_factory=list)
    reasons: dict[int, str] = field(default_factory=dict)
    heard: Mapping[str, States] = field(default_factory=dict)
    writing: Writing | None = None
    alone: bool = False
    by_id: FlagsById = field(init=False)
    shown: Shown | None = None

    def __post_init__(self) -> None:
        self.by_id = FlagsById(self.route.destination, lambda: self._intend([]), self._unanswered)

    @property
    def unusable(self) -> DestinationUnusable | None:
        """Why the CRM account cannot be used."""
        return self.by_id.unusable

    def write(self, *, alone: bool = False) -> None:
        """Write it, as far as the CRM account can be used. Raises LeaseLost.

        alone: a single record of which the CRM does not say what became means that it cannot be used.
        """
        self.by_id.unusable = fault_in(self.lease.lane, lambda: self._write_all(alone)) or self.by_id.unusable

    def _write_all(self, alone: bool) -> None:
        planned = self._planned()
        ledger, digest, version = self.store.ledger, self.store.database.digest, self.mapping.version
        # No flag is left out here: each that is refused is tried by itself below.
        folded, self.heard, writing = prepare(
            planned, self.route, ledger, digest, self._intend, self._crm_time, version=version, again=0
        )
        writing.run(folded)
        self.writing, self.alone = writing, alone
        self.by_id.unusable = writing.unusable or self._unanswered(
            answer.outcome for answer in writing.answers.values()
        )
        failed = [merged for merged in folded if self._failed(merged, writing)]
        self._write_alone(list(chain(self._one_by_one(failed, writing), self._elsewhere(writing))))
        self._opt_out_shown(writing)

    def _unanswered(self, outcomes: Iterable[Outcome | None]) -> DestinationUnusable | None:
        return unanswered(self.lease.lane, outcomes, self.route.destination.crm.unaccounted, alone=self.alone)

    @property
    def _looked_for(self) -> Mapping[tuple[str, str], str]:
        """The digest of the addresses that each customer's records show, by customer and flag."""
        return self.shown.digests() if self.shown and not self.shown.unusable else {}

    @property
    def answered(self) -> bool:
        """Whether the CRM answered anything."""
        answers = self.writing.answers.values() if self.writing else ()
        return bool(self.applied) or any(answer.outcome for answer in answers)

    def settle(self) -> None:
        """Record in one commit what became of it, and pause the lane if the CRM account cannot be used."""
        standing = self.store.lanes.standing(self.lease)
        pause = pause_for(self.by_id.unusable, standing, self.pace.roll()) if self.by_id.unusable else None
        roll = self.pace.roll()  # one for all: what was refused together is tried again together
        payments = [self._payment(obligation, pause, roll) for obligation in self.owed]
        answers = list(self.writing.answers.values()) if self.writing else []
        raised = [self._asked_for(flag) for flag in (*raised_by(answers), *map(raised_on, self.applied))]
        settlement = Settlement(
            self.mapping.version,
            remembered=[*(remembered(answers, self.writing.digest) if self.writing else ()), *self._merged()],
            gone=list(self.by_id.gone),
            consents=self._consents(raised, self.heard),
            raised=raised,
            pause=pause,
            refused=standing.refused,
            payments=payments,
            released=list(released(answers)),
            proven=pause is None and self.answered,
        )
        self.store.lanes.settle(self.lease, settlement, self.pace.hold_ms)
        report_payments(self.lease, payments, pause)

    def _asked_for(self, raised: Raised) -> Raised:
        """Name the delivery that asks for the opt-out; 0 where retention has removed it."""
        delivery_id = self.deliveries.get((raised.customer_id, raised.flag), 0)
        return replace(raised, delivery_id=delivery_id, addressed=False)  # its payment says what became of it

    def _consents(self, raised: Iterable[Raised], heard: Mapping[str, States]) -> dict[str, dict[str, FlagState]]:
        """The flags that reached the CRM, noted as applied: the event that raises one need not write it again.

        Nothing else of the events is noted: one that waits may be older, and must be heard in its own time. Nor is the
        time of an event that is gone or cannot be read: it is not the customer's.
        """
        applied = sorted({(flag.customer_id, flag.flag) for flag in raised})
        known = self.store.ledger.consents(self.lease.destination, {customer for customer, _ in applied})
        states: dict[str, dict[str, FlagState]] = {}
        for customer, flag in applied:
            source = heard if (customer, flag) in self.readable else known
            state = source.get(customer, {}).get(flag, FlagState(Stamp(0, ""), None))
            states.setdefault(customer, {})[flag] = state._replace(applied=True, owed=False)
        return states

    def _intend(self, meant: Sequence[Remembered]) -> None:
        self.store.lanes.intend(self.lease, meant, self.pace.hold_ms)

    def _crm_time(self) -> int:
        return self.route.time(self.store.database)

    def _planned(self) -> Planned:
        """Plan each event's opt-outs."""
        by_event: dict[int, list[Obligation]] = {}
        for obligation in self.owed:
            by_event.setdefault(obligation.event_id, []).append(obligation)
        kept = self.store.inbox.deliveries_of(self.lease.destination, list(by_event))
        planned = [self._plan(delivery, by_event.pop(delivery.event_id)) for delivery in kept]
        return planned + [self._plan(no_longer_kept(owed[0]), owed) for owed in by_event.values()]

    def _plan(self, delivery: Delivery, owed: Sequence[Obligation]) -> tuple[Delivery, Plan]:
        flags_plan = flags_plan_of(delivery.event, owed, self.mapping, self.route.timezone)
        for write in flags_plan.writes:
            self.customers.setdefault(write.key, set()).add(owed[0].customer_id)
        flags = [(obligation.customer_id, obligation.flag) for obligation in owed]
        self.deliveries |= dict.fromkeys(flags, delivery.id)
        if delivery.id and read_again(delivery.event):
            self.readable.update(flags)
        self.reasons[owed[0].event_id] = flags_plan.reason
        return without_payload(delivery), flags_plan

    def _failed(self, folded: Folded, writing: Writing) -> bool:
        """Note what became of a record's flags, unless they failed and are to be tried one by one: then return True."""
        key = folded.write.key
        answer = writing.answers.get(key)
        if answer is None:  # the account became unusable before its turn
            self._note_all(folded, Result(ObligationState.OWED, NOT_TRIED, key.object))
            return False
        result = result_of_answer(answer)
        failed = result.state in (ObligationState.REFUSED, ObligationState.OWED)
        # Its key is gone, or it was merged into another.
        lost = result.state is ObligationState.NO_RECORD and bool(answer.entry.crm_id)
        if self.by_id.unusable is None and (failed or lost or self._may_lack_some(folded, answer)):
            return True
        self._note_all(folded, result)
        return False

    def _may_lack_some(self, folded: Folded, answer: Answer) -> bool:
        """Whether others with the key of a record that has the flags may lack them."""
        if answer.crm_id is None:
            return False
        key = folded.write.key
        return self._is_owed(folded, answer) or self.route.destination.may_have_twins(key.object, key.field)

    def _is_owed(self, folded: Folded, answer: Answer) -> bool:
        """Whether flags are owed although the record we know has them."""
        missing = (ObligationState.OWED, ObligationState.REFUSED)
        owed = {(item.customer_id, item.flag) for item in self.owed if item.state in missing}
        asked = product(self.customers[folded.write.key], folded.flags)
        return answer.outcome is None and not owed.isdisjoint(asked)

    def _one_by_one(self, failed: Sequence[Folded], writing: Writing) -> Iterator[Target]:
        """The flags of records that failed, aimed at the id of each record with the key, duplicates included."""
        in_crm = self._look_for([merged.write.key for merged in failed])  # a record we know may have duplicates
        for merged in failed:
            key = merged.write.key
            holders = in_crm.get(key, [])
            result = result_of_answer(writing.answers[key])
            ids = known_ids(writing.answers[key]) | ids_of(holders)
            if result.state is ObligationState.APPLIED or not ids:
                self._note_all(merged, result)
                ids -= {result.crm_id}
            if isinstance(holders, Outcome):  # a duplicate may be without the flags
                self._note_all(merged, result_of(holders, key.object))
            for crm_id, customer in product(sorted(ids), sorted(self.customers[key])):
                for flag, (field_name, _) in merged.flags.items():
                    address = merged.write.address if flag in merged.write.address_flags else None
                    yield Target(customer, flag, key.object, field_name, crm_id, address)

    def _opt_out_shown(self, writing: Writing) -> None:
        """Opt out the addresses that the customers' records show and that are not out yet."""
        if not self.route.destination.crm.address_field or self.by_id.unusable:
            return
        shown = self.shown = Shown(self.route.destination, list(self._addressed(writing)), writing.digest)
        shown.read()
        self.by_id.unusable = shown.unusable
        for target, why in shown.unread():
            self._note(target.customer_id, target.flag, result_of(why, target.object))
        are_out = self._are_out(writing)

        def is_out(target: Target, address: str) -> bool:
            return (target.customer_id, writing.digest(address)) in are_out

        for turn in shown.to_opt_out(self._known_out(), is_out):
            self._write_alone(turn)

    def _known_out(self) -> dict[tuple[str, str], str]:
        """The addresses that were opted out when a flag was confirmed, by customer and flag."""
        in_crm = (owed for owed in self.owed if owed.state is ObligationState.APPLIED and owed.addresses is not None)
        return {(owed.customer_id, owed.flag): owed.addresses or "" for owed in in_crm}

    def _are_out(self, writing: Writing) -> set[tuple[str, str]]:
        """The customers with the digests of the addresses that this batch has opted out."""
        out = {key: opted_out_by(answer, writing.digest) for key, answer in writing.answers.items()}
        return {(customer, own) for key, owns in out.items() for customer in self.customers[key] for own in owns}

    def _addressed(self, writing: Writing) -> Iterator[Target]:
        """The opt-outs in force that also opt addresses out, on each record of their customers."""
        flags: dict[str, list[str]] = {}
        for owed in self.owed:
            if owed.state is not ObligationState.APPLIED or self._is_in_force(owed):
                flags.setdefault(owed.customer_id, []).append(owed.flag)
        known = self.store.ledger.records_of(self.lease.destination, list(flags)) if flags else ()
        records = {(record.customer_id, record.object, record.crm_id) for record in known}
        for key, answer in writing.answers.items():
            records |= {(customer, key.object, answer.crm_id) for customer in self.customers[key] if answer.crm_id}
        records |= {(target.customer_id, target.object, target.crm_id) for target in self.applied}
        for customer, kind, crm_id in sorted(records):
            for flag in flags.get(customer, ()):
                if self.mapping.unsubscribes(kind, flag):
                    yield Target(customer, flag, kind, self.mapping.flag_fields(kind, flag)[0], crm_id)

    def _is_in_force(self, owed: Obligation) -> bool:
        """Whether careCycle has not lowered a flag since it reached the CRM."""
        state = self.heard.get(owed.customer_id, {}).get(owed.flag)
        return state is None or state.spoken or state.value is not False

    def _look_for(self, keys: Sequence[RecordKey]) -> dict[RecordKey, list[Found] | Outcome]:
        """Search for the records with these keys; stop where the account cannot be used."""
        holders: dict[RecordKey, list[Found] | Outcome] = {}
        by_field = sorted(keys, key=lambda key: (key.object, key.field))
        for (kind, name), keys_of_field in groupby(by_field, key=lambda key: (key.object, key.field)):
            group = list(keys_of_field)
            try:
                answers = self.route.destination.find(kind, name, [key.value for key in group], ())
            except DestinationUnusable as error:
                self.by_id.unusable = error
                return holders
            holders |= {key: answers.get(key.value, []) for key in group}
        return holders

    def _note_all(self, folded: Folded, result: Result) -> None:
        """Note a result for every customer and flag of a record."""
        for customer, flag in product(self.customers[folded.write.key], folded.flags):
            self._note(customer, flag, result)

    def _note(self, customer_id: str, flag: str, result: Result) -> None:
        self.results.setdefault((customer_id, flag), []).append(result)

    def _elsewhere(self, writing: Writing) -> Iterator[Target]:
        """The flags on the customers' other records, written under another key or by an earlier mapping."""
        tried = set(self._tried(writing))
        unpaid: dict[str, list[str]] = {}
        for obligation in self.owed:
            is_unknown = (obligation.customer_id, obligation.flag) not in self.results
            if is_unknown or obligation.state is not ObligationState.APPLIED:
                unpaid.setdefault(obligation.customer_id, []).append(obligation.flag)
        for known in self.store.ledger.records_of(self.lease.destination, list(unpaid)) if unpaid else ():
            for flag in unpaid[known.customer_id]:
                for target in self.mapping.flag_fields(known.object, flag):
                    if (known.customer_id, flag, known.object, known.crm_id) not in tried:
                        yield Target(known.customer_id, flag, known.object, target, known.crm_id)

    def _tried(self, writing: Writing) -> Iterator[tuple[str, str, str, str | None]]:
        """Yield the customer, flag and record of each opt-out that went out under its event's key."""
        for key, answer in writing.answers.items():
            for customer, flag in product(self.customers[key], answer.folded.flags):
                yield customer, flag, key.object, answer.crm_id

    def _write_alone(self, targets: Iterable[Target]) -> None:
        """Write flags to records by id, and note what became of each."""
        for target, result in self.by_id.write(targets):
            if result.state is ObligationState.APPLIED:
                self.applied.append(target)
            self._note(target.customer_id, target.flag, result)

    def _merged(self) -> Iterator[Remembered]:
        """The records that the customers' own were merged into: theirs from now on."""
        survivors = {(kind, survivor) for (kind, _), survivor in self.by_id.gone.items() if survivor}
        for target in self.applied:
            if object_and_id(target) in survivors:
                key = RecordKey(target.object, FORMER_ID, target.crm_id)
                delivery = self.deliveries[target.customer_id, target.flag]
                yield Remembered(key, Entry(target.crm_id), target.customer_id, delivery)

    def _payment(self, obligation: Obligation, pause: Pause | None, roll: float) -> Payment:
        own = self.results.get((obligation.customer_id, obligation.flag), [])
        if pause and (not own or any(result.state is ObligationState.OWED for result in own)):
            why = Refusal(pause.code, pause.problem)
            return Payment(obligation, obligation.state, why, wait_ms=pause.opt_outs_wait)
        is_carried = obligation.flag in self.mapping.flags
        cause = is_carried and self.reasons.get(obligation.event_id)
        why = replace(NOT_CARRIED, cause=cause, action="") if cause else NOT_CARRIED
        not_mapped = Result(ObligationState.NOT_MAPPED, why)
        worst = min(own, key=lambda result: WORST_FIRST.index(result.state), default=not_mapped)
        addresses = self._looked_for.get((obligation.customer_id, obligation.flag))
        wait = wait_for(worst.state, obligation.attempts, roll)
        if worst.state is ObligationState.APPLIED and addresses is not None:
            wait = LOOK_AGAIN  # people may give the record another address
        return Payment(obligation, worst.state, worst.why, worst.object, worst.crm_id, wait, addresses)


def report_payments(lease: Lease, payments: Iterable[Payment], pause: Pause | None) -> None:
    """Log what became of opt-outs, and the pause of their lane."""
    for payment in payments:
        telemetry.opt_out_paid(lease.destination, payment.obligation.flag, payment.state, payment.why.code)
    if pause:
        telemetry.lane_paused(lease.lane, lease.destination, pause.code, pause.problem, pause.wait_ms / 1000)
