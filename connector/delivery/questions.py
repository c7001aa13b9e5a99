"""Which questions a batch leaves for people: records that may be a customer's. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from connector.delivery.answer import Answer
from connector.model import Candidate
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
