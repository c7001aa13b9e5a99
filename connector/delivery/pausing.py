"""When a lane pauses, and for how long: an account that cannot be used, or many rejections for one cause. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from connector import backoff
from connector.delivery.answer import Answer
from connector.delivery.in_flight import in_flight
from connector.destinations.base import Verdict
from connector.errors import ACCOUNT_WIDE, PASSING, DestinationUnusable, PauseReason
from connector.settlement import CauseKey, Pause, Standing, Streak

STOP_THE_LINE: Final = 20
"""After this many records in a row rejected for one cause, the destination itself is at fault."""

OPT_OUTS_TRY_AFTER: Final = 30 * backoff.SECOND
"""The longest pause, in milliseconds, before an opt-out is tried where the CRM may be back at any moment."""


def cause(answer: Answer) -> CauseKey | None:
    """Return the cause a record was rejected for; None when it was not rejected."""
    outcome = answer.outcome
    if outcome is None or outcome.verdict is not Verdict.REJECTED:
        return None
    return replace(outcome.refusal, record=answer.folded.write.name).key


def streak_after(before: Streak, answers: Iterable[Answer], *, counting: bool = True) -> Streak:
    """Return the streak of rejections for one cause after a batch: any accepted record ends it."""
    seen = list(answers)
    if any(answer.outcome and answer.outcome.verdict is Verdict.DELIVERED for answer in seen):
        return Streak()
    causes = Counter(key for answer in seen if (key := cause(answer)))
    if not (causes and counting):
        return before
    (most, count), *_ = causes.most_common(1)
    return Streak(most, count + (before.count if before.cause == most else 0))


def stops_the_line(lane: str, streak: Streak, answers: Iterable[Answer]) -> DestinationUnusable | None:
    """Return the error that pauses the lane, when the streak is long and one of these answers continues it."""
    if streak.count < STOP_THE_LINE:
        return None
    for answer in answers:
        if answer.outcome and cause(answer) == streak.cause:
            why = answer.outcome.refusal
            problem = f"{STOP_THE_LINE} records in a row were rejected: {why.cause}"
            stopped = DestinationUnusable(lane, PauseReason.REFUSED, problem, refused=why.code)
            stopped.in_flight = in_flight(answer.folded, answer.crm_id)
            return stopped
    return None


def pause_for(error: DestinationUnusable, standing: Standing, roll: float) -> Pause:
    """Return the pause after this error."""
    if error.reason is PauseReason.BUDGET and error.retry_after is not None:  # when calls are free again is known
        wait = int((error.retry_after + 60 * roll) * backoff.SECOND)
        return Pause(wait, error.reason, error.problem, error.refused)
    if error.reason not in ACCOUNT_WIDE:
        steady = error.reason in (
            PauseReason.SENSITIVE,
            PauseReason.TESTS,
        )  # no call is made: only our own check is repeated
        wait = backoff.pause(0 if steady else standing.failures, roll, error.retry_after)
        return Pause(wait, error.reason, error.problem, error.refused, error.in_flight)
    failures = max(standing.failures, standing.of_account)  # what one lane learned is not learned again by each
    wait = backoff.pause(failures, roll, error.retry_after)
    return Pause(wait, error.reason, error.problem, error.refused, opt_outs_ms=min(wait, _opt_outs(error, wait, roll)))


def _opt_outs(error: DestinationUnusable, wait: int, roll: float) -> int:
    """Return the milliseconds until an opt-out is tried: no more than needed."""
    if error.retry_after is not None:  # the CRM named it
        return backoff.pause(0, roll, error.retry_after)
    return int(OPT_OUTS_TRY_AFTER * (0.5 + roll / 2)) if error.reason in PASSING else wait
