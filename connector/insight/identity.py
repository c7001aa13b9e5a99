"""The questions about who is who, as people see them: names of fields and ids, and the person's values masked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from connector.insight.accounts import Account, named
from connector.insight.masking import ShownField, masked
from connector.model import Candidate
from connector.settlement.questions import Question, QuestionState
from connector.store import Store

_PERSON: Final = frozenset(
    f"customer.{name}"
    for name in ("firstName", "middleName", "lastName", "dateOfBirth", "email", "phoneNumber", "externalId")
)
"""What tells one person from another."""


@dataclass(frozen=True, slots=True)
class ShownCandidate:
    """A CRM record that may be the customer's, with its address in the CRM; empty if it is not known."""

    id: str
    link: str
    agrees: tuple[str, ...]
    differs: tuple[str, ...]
    blank: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ShownQuestion:
    """One question. person: the fields of the customer in the newest event, masked; none once it is purged."""

    of: Question
    candidates: tuple[ShownCandidate, ...]
    own_link: str
    person: tuple[ShownField, ...] = ()

    @property
    def seen(self) -> str:
        """Changes when the question, its candidates or its decision do."""
        ids = ",".join(candidate.id for candidate in self.candidates)
        return f"{self.of.state}-{self.of.since}-{ids}"

    @property
    def leftover(self) -> str:
        """The id of the record that we made and the customer has left; empty if there is none."""
        former = self.of.former
        return former if former and self.of.chosen and former != self.of.chosen else ""


def find_questions(store: Store, accounts: Sequence[Account] = (), *, decided: bool = False) -> list[ShownQuestion]:
    """List the questions that wait for people, or all of them; the oldest first. accounts: used for the links."""
    asked = (question for question in store.questions.all() if decided or question.is_open)
    return [_shown(store, question, accounts) for question in asked]


def newest_decided(store: Store, accounts: Sequence[Account], limit: int) -> list[ShownQuestion]:
    """List the questions that were decided last, the newest decision first."""
    decided = [question for question in store.questions.all() if not question.is_open]
    decided.sort(key=lambda question: question.decided_at or 0, reverse=True)
    return [_shown(store, question, accounts) for question in decided[:limit]]


def oldest_open(store: Store, accounts: Sequence[Account], limit: int) -> list[ShownQuestion]:
    """List the questions that have waited longest."""
    opened = [question for question in store.questions.all() if question.is_open]
    return [_shown(store, question, accounts) for question in opened[:limit]]


def question_of(store: Store, accounts: Sequence[Account], id: str) -> ShownQuestion | None:
    """Find a question by its id; None if there is none."""
    asked = next((question for question in store.questions.all() if question.id == id), None)
    return _shown(store, asked, accounts) if asked else None


def _shown(store: Store, question: Question, accounts: Sequence[Account]) -> ShownQuestion:
    account = named(accounts, question.destination)

    def link(crm_id: str | None) -> str:
        return account.link(question.object, crm_id) if account and crm_id else ""

    return ShownQuestion(
        question,
        tuple(_candidate(candidate, link(candidate.id)) for candidate in question.candidates),
        link(question.own),
        _person(store, question),
    )


def _candidate(candidate: Candidate, link: str) -> ShownCandidate:
    return ShownCandidate(candidate.id, link, candidate.agrees, candidate.differs, candidate.blank)


def _person(store: Store, question: Question) -> tuple[ShownField, ...]:
    event = store.desk.event(question.message_id) if question.message_id else None
    fields = masked(event.payload, event.type) if event else []
    return tuple(field for field in fields if field.path in _PERSON)


def agreement_words(candidate: ShownCandidate) -> str:
    """Say which fields of a candidate agree with the customer's."""
    parts = {"same": candidate.agrees, "different": candidate.differs, "unclear": candidate.blank}
    return "; ".join(f"{word}: {', '.join(names)}" for word, names in parts.items() if names)


def decided_words(question: ShownQuestion) -> str:
    """Say what people decided, and what is left to do in the CRM."""
    of = question.of
    match of.state:
        case QuestionState.OPEN if of.taken_back:
            return (
                f"The decision for {of.taken_back} was taken back. The values and opt-outs written to it stay there: "
                "correct them in the CRM."
            )
        case QuestionState.SAME_PERSON:
            chosen, left = of.chosen, question.leftover
            now = f"The customer's record is {chosen}."
            if of.own != chosen:
                now = f"The next delivery makes {chosen} the customer's."
            leftover = f" {left}, which the connector created, is left over: merge it into {chosen}, or delete it."
            return f"{now}{leftover if left else ''}"
        case QuestionState.SOMEBODY_ELSE:
            return "None of these records is the customer's."
        case _:
            return ""


def queued_words(count: int) -> str:
    """Say when a decision takes effect."""
    if count:
        return "The customer's events are delivered again now."
    return "No event of the customer is stored any more: it takes effect with the next one."
