"""What a batch leaves behind: each delivery's state, each record's ledger entry, each customer's consent. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from connector import backoff
from connector.delivery.consent import States
from connector.delivery.fold import CREATING, Digest, doubted, in_doubt
from connector.delivery.write import LINK, Answer
from connector.destinations.base import Outcome, Verdict
from connector.errors import DestinationUnusable
from connector.model import Delivery, Entry, Mark, Plan, RecordKey
from connector.settlement import NO_RECORD, Pause, Raised, Remembered, Settled, Streak
from connector.store.tables import BUDGET

STOP_THE_LINE: Final = 20
"""So many records refused for one cause, and none accepted between them: the cause is the destination's."""

AGAIN: Final = 60 * backoff.SECOND
"""Until an opt-out that did not go out, while its lane waits for the day's API calls, is tried again."""

_LOST: Final = Outcome(Verdict.DEFERRED, code="LOST", problem="the CRM had lost the record: it is written in full next")

Answers = Mapping[RecordKey, Answer]


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What settling needs beside the answers: epoch ms, a random number for each wait, how long the batch took."""

    now: int
    roll: Callable[[], float]
    duration_ms: int = 0


def settle_delivery(
    delivery: Delivery, plan: Plan, asked: Collection[RecordKey], answers: Answers, around: Circumstances
) -> Settled | None:
    """What becomes of one delivery. None leaves it untouched: the destination was lost before its turn.

    asked: the records the whole batch asked for; one of this plan's that is missing there was withheld by consent.
    """
    keys = [write.key for write in plan.writes if write.key in asked]
    if not keys:
        reason = plan.reason or "withheld by consent"
        return Settled(delivery.id, "skipped", "skipped", "SKIPPED", reason, records=_kept_back(plan, []))
    if any(key not in answers for key in keys):
        return None
    own = [answers[key] for key in keys]
    told = Settled(
        delivery.id,
        *_standing(plan, own),
        records=[*(_record(answer, plan) for answer in own), *_kept_back(plan, own)],
        request_id=next((one.outcome.request_id for one in own if one.outcome and one.outcome.request_id), ""),
        duration_ms=around.duration_ms,
    )
    worst = _worst(_LOST if one.lost else one.outcome for one in own if one.outcome)
    if worst is None:
        return told
    return _refused(delivery, told, worst, around)


def _worst(outcomes: Iterable[Outcome]) -> Outcome | None:
    bad = [one for one in outcomes if one.verdict in (Verdict.REJECTED, Verdict.DEFERRED)]
    # A record that merely waits for a refused one is not the cause an operator has to mend.
    return max(bad, key=lambda one: (one.verdict is Verdict.REJECTED, one.code != "PARENT_MISSING"), default=None)


def _refused(delivery: Delivery, told: Settled, worst: Outcome, around: Circumstances) -> Settled:
    reason = worst.problem + (f" [{', '.join(worst.fields)}]" if worst.fields else "")
    if worst.verdict is Verdict.REJECTED or backoff.exhausted(delivery.attempts + 1, delivery.first_at, around.now):
        return replace(told, state="dead", outcome="dead", code=worst.code, reason=reason)
    wait = backoff.delay(delivery.attempts, around.roll())
    if worst.retry_after is not None:
        wait = max(wait, int(worst.retry_after * backoff.SECOND))
    return replace(told, state="ready", outcome="deferred", code=worst.code, reason=reason, wait_ms=wait)


def _standing(plan: Plan, own: Sequence[Answer]) -> tuple[str, str, str, str]:
    """State, outcome, code and reason of a delivery nothing was held against."""
    missing = {one.folded.write.key for one in own if one.outcome and one.outcome.verdict is Verdict.SKIPPED}
    if len(missing) == len(own):
        return "skipped", "skipped", NO_RECORD, "an update of a record the CRM does not hold"
    if any(write.flags and write.key in missing for write in plan.writes):
        return (
            "skipped",
            "skipped",
            NO_RECORD,
            "the opt-out waits for a record the CRM does not hold; all else is written",
        )
    if _superseded(plan, {answer.folded.write.key: answer for answer in own}):
        return "superseded", "superseded", "SUPERSEDED", "everything in it was said anew by a later event"
    if all(answer.outcome is None for answer in own):
        return "delivered", "unchanged", "UNCHANGED", "the CRM holds all of it already"
    return "delivered", "delivered", "", ""


def _superseded(plan: Plan, answers: Answers) -> bool:
    """Every field of every record was written by something newer, and no opt-out was raised by it."""
    beaten = [
        mark is not None and mark.stamp > one.stamp
        for write in plan.writes
        if (answer := answers.get(write.key))
        for name, one in write.fields.items()
        for mark in [answer.decision.marks.get(name) or answer.entry.marks.get(name)]
    ]
    raised = any(set(one.flags) & set(answers[one.key].decision.consent) for one in plan.writes if one.key in answers)
    return bool(beaten) and all(beaten) and not raised


def _kept_back(plan: Plan, own: Sequence[Answer]) -> list[dict[str, Any]]:
    """The records consent kept back as a whole."""
    made = {answer.folded.write.name for answer in own}
    blank: dict[str, Any] = {"object": "", "crm_id": None, "fields": [], "kept": [], "verdict": "withheld", "code": ""}
    whole = {one.record: one.flag for one in plan.withheld if not one.field and one.record not in made}
    return [{"record": record, **blank, "withheld": {"(the whole record)": flag}} for record, flag in whole.items()]


def _record(answer: Answer, plan: Plan) -> dict[str, Any]:
    """What an attempt keeps of one record: names and ids, never a value."""
    withheld = [*(one for one in plan.withheld if one.record == answer.folded.write.name), *answer.folded.withheld]
    write, decision = answer.folded.write, answer.decision
    return {
        "record": write.name,
        "object": write.key.object,
        "crm_id": answer.crm_id,
        "fields": sorted([*decision.fields, *decision.consent.values()]) if answer.outcome else [],
        "withheld": {one.field: one.flag for one in withheld},
        "kept": list(decision.kept),
        "verdict": answer.outcome.verdict if answer.outcome else "unchanged",
        "code": answer.outcome.code if answer.outcome else "",
    }


def remember(answer: Answer, digest: Digest) -> Remembered | None:
    """The record's new ledger entry; None when nothing is to be learnt from this answer."""
    folded, outcome = answer.folded, answer.outcome
    if outcome is not None and outcome.verdict is not Verdict.DELIVERED:
        if answer.lost:
            return _entry(answer, None, {})
        # The opt-outs went out although the rest was refused.
        carried = {name: answer.decision.marks[name] for name in answer.decision.consent.values()}
        if outcome.consent_written:
            return _entry(answer, answer.crm_id, {**answer.entry.marks, **carried})
        return _after_creating(answer, outcome)
    made = {LINK + link.object: Mark(folded.write.stamp, digest(link.id)) for link in answer.links}
    marks = {**answer.decision.marks, **made}
    if not marks and answer.crm_id == answer.entry.crm_id:
        return None
    if answer.lost:  # the new record holds what was sent this time and nothing else
        sent = {*answer.decision.fields, *answer.decision.consent.values()}
        return _entry(answer, answer.crm_id, {name: mark for name, mark in marks.items() if name in sent})
    known = {name: mark for name, mark in _settled_marks(answer).items() if doubted(name) not in marks}
    return _entry(answer, answer.crm_id, {**known, **marks})


def _after_creating(answer: Answer, outcome: Outcome) -> Remembered | None:
    """Of a record sent to be made whose write is not over: its id where it was made; that it is not, where refused."""
    if answer.creating and (outcome.id or outcome.verdict is Verdict.REJECTED):
        return _entry(answer, outcome.id, _settled_marks(answer))
    return None


def _settled_marks(answer: Answer) -> dict[str, Mark]:
    """What the ledger held, now that it is known whether the record was made."""
    return {name: mark for name, mark in answer.entry.marks.items() if name != CREATING}


def _entry(answer: Answer, crm_id: str | None, marks: Mapping[str, Mark]) -> Remembered:
    folded = answer.folded
    new = crm_id is not None and crm_id != answer.entry.crm_id
    return Remembered(folded.write.key, Entry(crm_id, marks), folded.customer_id, max(folded.deliveries), new)


def may_stand(answer: Answer | None) -> bool:
    """Whether a write that was sent may be in the CRM: it was accepted, or its answer never came."""
    return answer is None or answer.outcome is None or answer.outcome.verdict is Verdict.DELIVERED


def amend(answer: Answer, digest: Digest, known: Entry) -> Remembered:
    """The ledger's entry after a write that came too late: of what it sent, nobody knows what the CRM holds now."""
    folded = answer.folded
    entry = Entry(known.crm_id or answer.crm_id, in_doubt(folded, answer.decision, known.marks, digest))
    return Remembered(folded.write.key, entry, folded.customer_id, max(folded.deliveries))


def consents_after(states: Mapping[str, States], answers: Iterable[Answer]) -> dict[str, States]:
    """What is known of consent, with the raises that reached the CRM noted as applied."""
    after = {customer: dict(flags) for customer, flags in states.items()}
    for one in raised_by(answers):
        after[one.customer_id][one.flag] = replace(after[one.customer_id][one.flag], applied=True, owed=False)
    return dict(after)


def raised_by(answers: Iterable[Answer]) -> Iterator[Raised]:
    """The opt-outs that reached the CRM."""
    for answer in answers:
        folded, outcome = answer.folded, answer.outcome
        if not outcome or not (outcome.verdict is Verdict.DELIVERED or outcome.consent_written):
            continue
        for flag in answer.decision.consent:
            last = max(folded.deliveries)
            yield Raised(folded.customer_id or "", flag, folded.write.key.object, answer.crm_id, last)


def contested(answers: Iterable[Answer]) -> frozenset[int]:
    """The deliveries merged into a refused write: one of them may be to blame, and is to be found by halves."""
    return frozenset(
        delivery
        for answer in answers
        if answer.outcome and answer.outcome.verdict is Verdict.REJECTED and len(answer.folded.deliveries) > 1
        for delivery in answer.folded.deliveries
    )


def halved(planned: Sequence[tuple[Delivery, Plan]]) -> list[list[tuple[Delivery, Plan]]]:
    """The same deliveries in two turns, of each record the older half before the newer: nothing for nothing."""
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


def cause(answer: Answer) -> str:
    """Why a record was refused for good; empty when it was not."""
    outcome = answer.outcome
    return f"{outcome.code}: {outcome.problem}" if outcome and outcome.verdict is Verdict.REJECTED else ""


def running(before: Streak, answers: Iterable[Answer], *, counting: bool = True) -> Streak:
    """The streak of refusals for one cause after one more batch: any record accepted ends it."""
    seen = list(answers)
    if any(one.outcome and one.outcome.verdict is Verdict.DELIVERED for one in seen):
        return Streak()
    causes = Counter(cause(one) for one in seen if cause(one))
    if not (causes and counting):
        return before
    (most, count), *_ = causes.most_common(1)
    return Streak(most, count + (before.count if before.cause == most else 0))


def stops_the_line(lane: str, refused: Streak, answers: Iterable[Answer]) -> DestinationUnusable | None:
    """The destination's own trouble, when as many as that were refused for the cause these answers tell again."""
    if refused.count < STOP_THE_LINE or all(cause(one) != refused.cause for one in answers):
        return None
    code, _, problem = refused.cause.partition(": ")
    return DestinationUnusable(lane, code, f"{STOP_THE_LINE} records running were refused: {problem}")


def ahead(
    planned: Sequence[tuple[Delivery, Plan]], asked: Collection[RecordKey], answers: Answers
) -> tuple[list[int], dict[int, int]]:
    """Deliveries whose opt-outs were sent ahead of the rest: those done, and how many ms each of the others waits."""
    done = [delivery.id for delivery, plan in planned if _raised(plan, asked, answers)]
    return done, {delivery.id: AGAIN for delivery, _ in planned if delivery.id not in set(done)}


def _raised(plan: Plan, asked: Collection[RecordKey], answers: Answers) -> bool:
    """Whether the CRM took the opt-outs of a plan, or holds no record to raise them on."""
    keys = [write.key for write in plan.writes if write.key in asked]  # of others, consent holds back the whole record
    taken = (Verdict.DELIVERED, Verdict.SKIPPED)
    outcomes = [answers[key].outcome for key in keys if key in answers]
    return len(outcomes) == len(keys) and all(one is None or one.verdict in taken for one in outcomes)


def pause_for(error: DestinationUnusable, failures: int, roll: float) -> Pause:
    """How long a lane rests after this, having failed so often in a row."""
    if error.reason == BUDGET and error.retry_after is not None:  # the moment is known: no guessing around it
        return Pause(int((error.retry_after + 60 * roll) * backoff.SECOND), error.reason, error.problem)
    return Pause(backoff.pause(failures, roll, error.retry_after), error.reason, error.problem)
