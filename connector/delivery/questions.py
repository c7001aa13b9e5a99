"""Which questions a batch leaves for people: records that may be a customer's, and which it answers. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from connector.delivery.answer import Answer
from connector.destinations.base import Verdict
from connector.model import Candidate, RecordKey
from connector.settlement import Asked


def asked_by(answers: Iterable[Answer]) -> Iterator[Asked]:
    """Yield the questions: candidates that may be the person's, or several records that hold the key."""
    for answer in answers:
        folded = answer.folded
        candidates = answer.question or tuple(map(Candidate, answer.candidates))
        if candidates:
            name, newest = folded.write.name, max(folded.deliveries)
            by_key = not answer.question
            yield Asked(folded.write.key, name, folded.customer_id, newest, candidates, by_key)


def answered_by(answers: Iterable[Answer]) -> Iterator[tuple[RecordKey, str]]:
    """Yield the records that the answer to their question is by now, as after a merge in the CRM."""
    for answer in answers:
        is_written = answer.outcome is None or answer.outcome.verdict is Verdict.DELIVERED
        decided = answer.entry.decided
        if is_written and answer.crm_id and answer.crm_id in {*decided.asked, decided.same}:
            yield answer.folded.write.key, answer.crm_id
