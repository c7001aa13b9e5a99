"""What became of one record of a batch."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from connector.delivery.fold import Decision, Folded
from connector.destinations.base import Link, Outcome, Verdict
from connector.model import Candidate, Entry, Value


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one record. `outcome` is None when the CRM already held everything and was not called.

    found_id: the CRM's id of a record that was looked up because the ledger did not know it.
    gone: the CRM no longer has it: a write to it, or to a record that points at it, was refused for that.
    creating: whether it is created without a unique key, so that sending it twice would create two.
    candidates: the CRM's ids where several records have the key.
    question: the records of which people must say whether they are the customer's, who has one of their own till then.
    kept: the records that its opt-outs still go to after people decided that another is the customer's.
    read_back: values read from the record after it was created.
    """

    folded: Folded
    entry: Entry
    decision: Decision = field(default_factory=Decision)
    outcome: Outcome | None = None
    links: tuple[Link, ...] = ()
    found_id: str | None = None
    gone: bool = False
    creating: bool = False
    candidates: tuple[str, ...] = ()
    question: tuple[Candidate, ...] = ()
    kept: frozenset[str] = frozenset()
    read_back: Mapping[str, Value] = field(default_factory=dict, repr=False)

    @property
    def crm_id(self) -> str | None:
        """Return the CRM's id of the record, where it exists."""
        return (self.outcome.id if self.outcome else None) or self.entry.crm_id or self.found_id

    @property
    def lost(self) -> bool:
        """Whether the CRM lost the record the ledger knew: its ledger entry is void."""
        if self.outcome is None or self.entry.crm_id is None:
            return False
        return self.gone or self.crm_id != self.entry.crm_id

    @property
    def waits(self) -> bool:
        """Whether records that point at this one must wait for it."""
        refused = self.outcome is not None and self.outcome.verdict in (Verdict.DEFERRED, Verdict.REJECTED)
        return refused and self.crm_id is None


def duplicated(answers: Iterable[Answer], codes: Collection[str]) -> frozenset[str]:
    """Return the customers of whom the CRM has several records. codes: those by which it says so."""
    several = (answer for answer in answers if answer.candidates or (answer.outcome and answer.outcome.code in codes))
    return frozenset(answer.folded.customer_id for answer in several if answer.folded.customer_id is not None)
