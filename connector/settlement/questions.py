"""A question for people: which CRM record is this customer's, and what was decided. Names and ids, never a value."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum

from connector.model import Candidate


class QuestionState(StrEnum):
    """Whether a question waits for people, or what they decided."""

    OPEN = "open"
    SAME_PERSON = "same person"
    SOMEBODY_ELSE = "somebody else"


@dataclass(frozen=True, slots=True)
class Question:
    """Which of the candidates, if any, is the record that the mapping writes for a customer.

    key: the digest of the record's key, as in the ledger. message_id: of the newest event, while it is stored.
    by_key: every candidate holds this key already. own: the CRM id of the record the customer has now. chosen: the
    candidate decided to be the customer's. former: the record that the customer had before that. taken_back: the
    candidate for which that was taken back. since, decided_at: epoch ms.
    """

    destination: str
    object: str
    key: str
    customer_id: str | None
    record: str
    by_key: bool
    candidates: tuple[Candidate, ...]
    since: int
    state: QuestionState
    delivery_id: int
    message_id: str | None = None
    own: str | None = None
    chosen: str | None = None
    former: str | None = None
    taken_back: str | None = None
    decided_at: int | None = None
    decided_by: str = ""

    @property
    def id(self) -> str:
        """A short name for the question, the same for the same record of the same customer."""
        named = json.dumps([self.destination, self.object, self.key])
        return hashlib.sha256(named.encode()).hexdigest()[:12]

    @property
    def is_open(self) -> bool:
        """Whether people still have to decide."""
        return self.state is QuestionState.OPEN
