"""What a batch leaves behind: each delivery's state, each record's ledger entry, each customer's consent. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from connector import backoff
from connector.consent import States
from connector.destinations.base import Outcome, Verdict
from connector.errors import DestinationUnusable
from connector.fold import Digest
from connector.model import Delivery, Entry, Mark, Plan, RecordKey
from connector.store.lanes import Pause, Settled
from connector.store.ledger import Remembered
from connector.write import LINK, Answer

STOP_THE_LINE: Final = 20
"""So many records of a batch refused for one cause, and none accepted: the cause is the destination's."""

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
    if all(answer.outcome and answer.outcome.verdict is Verdict.SKIPPED for answer in own):
        return "skipped", "skipped", "NO_RECORD", "an update of a record the CRM does not hold"
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
    newest = max(folded.deliveries)
    if outcome is not None and outcome.verdict is not Verdict.DELIVERED:
        return Remembered(folded.write.key, Entry(), folded.customer_id, newest) if answer.lost else None
    made = {LINK + link.object: Mark(folded.write.stamp, digest(link.id)) for link in answer.links}
    marks = {**answer.decision.marks, **made}
    if not marks and answer.crm_id == answer.entry.crm_id:
        return None
    if answer.lost:  # the new record holds what was sent this time and nothing else
        marks = {name: mark for name, mark in marks.items() if name in answer.decision.fields}
        return Remembered(folded.write.key, Entry(answer.crm_id, marks), folded.customer_id, newest)
    entry = Entry(answer.crm_id, {**answer.entry.marks, **marks})
    return Remembered(folded.write.key, entry, folded.customer_id, newest)


def consents_after(states: Mapping[str, States], answers: Iterable[Answer]) -> dict[str, States]:
    """What is known of consent, with the raises that reached the CRM noted as applied."""
    after = {customer: dict(flags) for customer, flags in states.items()}
    for answer in answers:
        if not (answer.outcome and (answer.outcome.verdict is Verdict.DELIVERED or answer.outcome.consent_written)):
            continue
        flags = after.get(answer.folded.customer_id or "", {})
        for flag in answer.decision.consent:
            flags[flag] = replace(flags[flag], applied=True)
    return dict(after)


def refused_alike(answers: Iterable[Answer]) -> tuple[str, str] | None:
    """The code and problem of one cause that refused 20 records of a batch that accepted none."""
    outcomes = [answer.outcome for answer in answers if answer.outcome]
    if any(one.verdict is Verdict.DELIVERED for one in outcomes):
        return None
    causes = Counter((one.code, one.problem) for one in outcomes if one.verdict is Verdict.REJECTED)
    (cause, count), *_ = causes.most_common(1) or [(("", ""), 0)]
    return cause if count >= STOP_THE_LINE else None


def pause_for(error: DestinationUnusable, failures: int, roll: float) -> Pause:
    """How long a lane rests after this, having failed so often in a row."""
    return Pause(backoff.pause(failures, roll, error.retry_after), error.reason, error.problem)
