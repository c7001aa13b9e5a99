"""Settle a batch: the state of each delivery, the consent of each customer. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, assert_never

from connector import backoff
from connector.delivery.answer import Answer, merged_away
from connector.delivery.consent import States
from connector.delivery.open_items import codes, left_out_of
from connector.delivery.pausing import STOP_THE_LINE
from connector.destinations.base import Outcome, Verdict
from connector.model import Delivery, Plan, RecordKey, Stamp, Unopened
from connector.settlement import (
    NO_RECORD,
    WRITTEN,
    AttemptOutcome,
    DeliveryState,
    Obligation,
    Raised,
    RecordNote,
    RecordVerdict,
    Refusal,
    Settled,
    unopenable,
)

_LOST: Final = Outcome(
    Verdict.DEFERRED,
    refusal=Refusal("LOST", "the CRM had lost the record", "replay: the record is written in full"),
)

Answers = Mapping[RecordKey, Answer]


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What settling needs besides the answers: the time (epoch ms), a random number per wait, the batch's duration.

    nothing_opens: none of the batch's many payloads can be decrypted, so the keys or the database are at fault.
    """

    now: int
    roll: Callable[[], float]
    duration_ms: int = 0
    nothing_opens: bool = False


def settle_delivery(
    delivery: Delivery, plan: Plan, asked: Collection[RecordKey], answers: Answers, around: Circumstances
) -> Settled | None:
    """Settle one delivery. None leaves it untouched: the destination became unusable before its turn.

    asked: the records of the whole batch; a record of this plan that is not among them was withheld by consent.
    """
    if delivery.event.unopened:
        return _unopened(delivery, delivery.event.unopened, around)
    keys = [write.key for write in plan.writes if write.key in asked]
    if not keys:
        why = Refusal("SKIPPED", plan.reason or "withheld by consent")
        return Settled(
            delivery.id, DeliveryState.SKIPPED, AttemptOutcome.SKIPPED, why, records=_held_back_whole(plan, [])
        )
    if any(key not in answers for key in keys):
        return None
    own = [answers[key] for key in keys]
    settled = Settled(
        delivery.id,
        *_end(plan, own),
        records=[*(_note(answer, plan) for answer in own), *_held_back_whole(plan, own)],
        request_id=_request_id(own),
        duration_ms=around.duration_ms,
    )
    worst = _worst(own)
    return settled if worst is None else _refused(delivery, settled, worst, around)


def _request_id(own: Iterable[Answer]) -> str:
    return next((answer.outcome.request_id for answer in own if answer.outcome and answer.outcome.request_id), "")


def _worst(own: Iterable[Answer]) -> Outcome | None:
    """Return the outcome to report when something was refused; it names the mapping's record."""
    outcomes = [
        replace(outcome, refusal=replace(outcome.refusal, record=answer.folded.write.name).held_by(outcome.holder))
        for answer in own
        if (outcome := _LOST if answer.lost else answer.outcome) and _refuses(outcome.verdict)
    ]
    # A record that only waits for a refused one is not the cause an operator has to fix.
    return max(outcomes, key=_severity, default=None)


def _severity(outcome: Outcome) -> tuple[bool, bool]:
    return outcome.verdict is Verdict.REJECTED, outcome.code != "PARENT_MISSING"


def _refuses(verdict: Verdict) -> bool:
    match verdict:
        case Verdict.REJECTED | Verdict.DEFERRED:
            return True
        case Verdict.DELIVERED | Verdict.SKIPPED:
            return False
        case _:
            assert_never(verdict)


def set_aside(delivery: Delivery, why: Refusal, around: Circumstances, *, later: bool) -> Settled:
    """Settle a delivery that the CRM fails over by itself. later: it may succeed by itself."""
    settled = Settled(delivery.id, DeliveryState.DEAD, AttemptOutcome.DEAD, duration_ms=around.duration_ms)
    outcome = Outcome(Verdict.DEFERRED if later else Verdict.REJECTED, refusal=why)
    return _refused(delivery, settled, outcome, around)


def _refused(delivery: Delivery, settled: Settled, worst: Outcome, around: Circumstances) -> Settled:
    is_over = not worst.patient and backoff.exhausted(delivery.attempts + 1, delivery.first_at, around.now)
    if worst.verdict is Verdict.REJECTED or is_over:
        return replace(settled, state=DeliveryState.DEAD, outcome=AttemptOutcome.DEAD, why=worst.refusal)
    wait = backoff.delay(delivery.attempts, around.roll())
    if worst.retry_after is not None:
        wait = max(wait, int(worst.retry_after * backoff.SECOND))
    return replace(settled, state=DeliveryState.READY, outcome=AttemptOutcome.DEFERRED, why=worst.refusal, wait_ms=wait)


def _unopened(delivery: Delivery, unopened: Unopened, around: Circumstances) -> Settled:
    """Settle a delivery that cannot be decrypted: at once where its own content is at fault, else it waits."""
    waits = unopened.missing or around.nothing_opens
    outcome = Outcome(Verdict.DEFERRED if waits else Verdict.REJECTED, refusal=unopenable(unopened))
    blank = Settled(delivery.id, DeliveryState.DEAD, AttemptOutcome.DEAD, duration_ms=around.duration_ms)
    return _refused(delivery, blank, outcome, around)


def nothing_opens(planned: Sequence[tuple[Delivery, Plan]], unplanned: Sequence[Settled]) -> bool:
    """Whether a batch has many payloads and none of them can be decrypted."""
    return not unplanned and len(planned) >= STOP_THE_LINE and all(delivery.event.unopened for delivery, _ in planned)


_UPDATES_NOTHING: Final = Refusal(NO_RECORD, "the event updates a record the CRM does not have")
_OPT_OUT_WAITS: Final = Refusal(NO_RECORD, "the opt-out waits for its CRM record to exist; everything else was written")
_SUPERSEDED: Final = Refusal("SUPERSEDED", "later events already set all its fields")
_UNCHANGED: Final = Refusal("UNCHANGED", "the CRM already has all of it")


def _end(plan: Plan, own: Sequence[Answer]) -> tuple[DeliveryState, AttemptOutcome, Refusal]:
    """Decide how a delivery ends when nothing of it was refused."""
    missing = {answer.folded.write.key for answer in own if _is_missing(answer)}
    if len(missing) == len(own):
        return DeliveryState.SKIPPED, AttemptOutcome.SKIPPED, _UPDATES_NOTHING
    if any(write.flags and write.key in missing for write in plan.writes):
        return DeliveryState.SKIPPED, AttemptOutcome.SKIPPED, _OPT_OUT_WAITS
    answers = {answer.folded.write.key: answer for answer in own}
    if _superseded(plan, answers):
        return DeliveryState.SUPERSEDED, AttemptOutcome.SUPERSEDED, _SUPERSEDED
    why = left_out_of(plan, answers) or merged_away(own)
    if all(answer.outcome is None for answer in own):
        return DeliveryState.DELIVERED, AttemptOutcome.UNCHANGED, why or _UNCHANGED
    return DeliveryState.DELIVERED, AttemptOutcome.DELIVERED, why or WRITTEN


def _is_missing(answer: Answer) -> bool:
    return answer.outcome is not None and answer.outcome.verdict is Verdict.SKIPPED


def _superseded(plan: Plan, answers: Answers) -> bool:
    """Whether newer events wrote every field of every record, and this one raised no opt-out and changed no count."""
    counting = {(own.record, own.field) for own in plan.counted}
    said = [
        (answer, name, field_write.stamp)
        for write in plan.writes
        if (answer := answers.get(write.key))
        for name, field_write in write.fields.items()
        if (write.name, name) not in counting
    ]
    if not said or not all(_is_beaten(*field) for field in said):
        return False
    raised = any(
        set(write.flags) & set(answers[write.key].decision.consent) for write in plan.writes if write.key in answers
    )
    return not (raised or _counts(plan, answers))


def _is_beaten(answer: Answer, name: str, stamp: Stamp) -> bool:
    mark = answer.decision.marks.get(name) or answer.entry.fields.get(name)
    return mark is not None and mark.stamp > stamp


def _counts(plan: Plan, answers: Answers) -> bool:
    return any(own.key in answers and own.field in answers[own.key].decision.fields for own in plan.counted)


def _held_back_whole(plan: Plan, own: Sequence[Answer]) -> list[RecordNote]:
    """Return a note for each record withheld as a whole."""
    written = {answer.folded.write.name for answer in own}
    whole = {held.record: held.flag for held in plan.withheld if not held.field and held.record not in written}
    return [RecordNote(record, withheld_by=flag, verdict=RecordVerdict.WITHHELD) for record, flag in whole.items()]


def _note(answer: Answer, plan: Plan) -> RecordNote:
    write, decision, outcome = answer.folded.write, answer.decision, answer.outcome
    withheld = [*(held for held in plan.withheld if held.record == write.name), *answer.folded.withheld]
    return RecordNote(
        write.name,
        write.key.object,
        answer.crm_id,
        _confirmed(answer),
        {held.field: held.flag for held in withheld if held.field},
        next((held.flag for held in withheld if not held.field), ""),
        tuple(decision.kept),
        RecordVerdict(outcome.verdict) if outcome else RecordVerdict.UNCHANGED,
        outcome.code if outcome else "",
        {value.field: value.path for value in plan.untranslated if value.record == write.name},
        codes(decision.left_out, *(own.fields for own in plan.writes if own.key == write.key)),
    )


def _confirmed(answer: Answer) -> tuple[str, ...]:
    """The fields the CRM confirmed as written."""
    decision, outcome = answer.decision, answer.outcome
    if outcome is None:
        return ()
    if outcome.verdict is Verdict.DELIVERED:
        return tuple(sorted([*(decision.fields.keys() - decision.left_out.keys()), *decision.consent.values()]))
    return tuple(sorted(decision.consent.values())) if outcome.consent_written else ()


def consents_after(states: Mapping[str, States], answers: Iterable[Answer]) -> dict[str, States]:
    """Return the consent states with every raise that reached the CRM marked as applied."""
    return with_applied(states, ((raised.customer_id, raised.flag) for raised in raised_by(answers)))


def with_applied(states: Mapping[str, States], applied: Iterable[tuple[str, str]]) -> dict[str, States]:
    """Return the states with these flags (customer id, flag) marked as applied, where anything is known of them."""
    after = {customer: dict(flags) for customer, flags in states.items()}
    for customer, flag in applied:
        flags = after.get(customer, {})
        if flag in flags:
            flags[flag] = flags[flag]._replace(applied=True, owed=False)
    return dict(after)


def raised_by(answers: Iterable[Answer]) -> Iterator[Raised]:
    """Yield the opt-outs that reached the CRM."""
    for answer in answers:
        folded, outcome = answer.folded, answer.outcome
        if not outcome or not (outcome.verdict is Verdict.DELIVERED or outcome.consent_written):
            continue
        refused = folded.write.address_flags if outcome.subscription.code else frozenset()
        for flag in sorted(answer.decision.consent.keys() - refused):
            field = answer.decision.consent[flag]
            last = max(folded.deliveries)
            addressed = flag in folded.write.address_flags
            yield Raised(folded.customer_id or "", flag, folded.write.key.object, answer.crm_id, last, field, addressed)


def owed_by(planned: Iterable[tuple[Delivery, Plan]], destination: str) -> Iterator[Obligation]:
    """Yield the opt-outs the inbox did not know of: spoken in a call, or unreadable to an older version."""
    for delivery, plan in planned:
        read = {flag for flag, value in plan.consent.items() if value is True}
        # What is spoken is owed even if it was noted: another CRM's mapping may have heard it first.
        for flag in sorted(plan.spoken | (read - delivery.owing)) if plan.customer_id else ():
            # A destination that was added later hears it late: an operator may have lowered it before.
            since = min(delivery.first_at, delivery.event.received_at) if flag in plan.spoken else delivery.first_at
            yield Obligation(destination, plan.customer_id or "", flag, since, delivery.event_id)


def contested(answers: Iterable[Answer]) -> frozenset[int]:
    """Return the deliveries merged into a rejected write: one may be the cause, and halving finds it."""
    return frozenset(
        delivery
        for answer in answers
        if answer.outcome and answer.outcome.verdict is Verdict.REJECTED and len(answer.folded.deliveries) > 1
        for delivery in answer.folded.deliveries
    )


def halved(planned: Sequence[tuple[Delivery, Plan]]) -> list[list[tuple[Delivery, Plan]]]:
    """Split deliveries in two, the older half of each record's before the newer. Empty in, empty out."""
    total = Counter(key for _, plan in planned for key in _keys(plan))
    seen: Counter[RecordKey] = Counter()
    older: list[tuple[Delivery, Plan]] = []
    newer: list[tuple[Delivery, Plan]] = []
    for delivery, plan in sorted(planned, key=lambda pair: pair[1].stamp):
        early = all(2 * seen[key] < total[key] for key in _keys(plan))
        (older if early else newer).append((delivery, plan))
        seen.update(_keys(plan))
    return [turn for turn in (older, newer) if turn]


def _keys(plan: Plan) -> set[RecordKey]:
    return {write.key for write in plan.writes}
