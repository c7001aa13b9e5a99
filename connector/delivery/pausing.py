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
from connector.errors import ACCOUNT_WIDE, DestinationUnusable, PauseReason
from connector.settlement import CauseKey, Pause, Streak

STOP_THE_LINE: Final = 20
"""After this many records in a row rejected for one cause, the destination itself is at fault."""


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


def pause_for(error: DestinationUnusable, failures: int, roll: float) -> Pause:
    """Return the pause after this error; `failures` in a row came before it."""
    if error.reason is PauseReason.BUDGET and error.retry_after is not None:  # when calls are free again is known
        wait = int((error.retry_after + 60 * roll) * backoff.SECOND)
    else:
        steady = error.reason is PauseReason.SENSITIVE  # no call is made: only our own check is repeated
        wait = backoff.pause(0 if steady else failures, roll, error.retry_after)
    of_account = error.reason in ACCOUNT_WIDE or error.reason is PauseReason.BUDGET
    return Pause(wait, error.reason, error.problem, error.refused, None if of_account else error.in_flight)
