"""What became of one record of a batch."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from connector.delivery.decide import Decision
from connector.delivery.digests import Digest
from connector.delivery.fold import Folded
from connector.destinations.base import Link, Outcome, Verdict
from connector.model import Candidate, Entry, RecordKey, Value
from connector.settlement import Refusal


@dataclass(frozen=True, slots=True)
class Followed:
    """A record was merged or deleted, and its entry says what it became.

    behind: since when its customer's events have to be delivered again, epoch ms; None if nothing newer is known.
    """

    behind: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one record. `outcome` is None when the CRM already held everything and was not called.

    found_id: the CRM's id of a record that was looked up because the ledger did not know it.
    sent_to: the id it was written to, if it was sent by one. followed: where it was merged or deleted.
    creating: whether it is created without a unique key, so that sending it twice would create two.
    candidates: the CRM's ids where several records have the key.
    question: the records of which people must say whether they are the customer's, who has one of their own till then.
    kept: the records that its opt-outs still go to after people decided that another is the customer's. freed: the
    record that is not the customer's any more, because that was taken back.
    read_back: values read from the record after it was created.
    """

    folded: Folded
    entry: Entry
    decision: Decision = field(default_factory=Decision)
    outcome: Outcome | None = None
    links: tuple[Link, ...] = ()
    found_id: str | None = None
    sent_to: str | None = None
    followed: Followed | None = None
    creating: bool = False
    candidates: tuple[str, ...] = ()
    question: tuple[Candidate, ...] = ()
    kept: frozenset[str] = frozenset()
    freed: str | None = None
    read_back: Mapping[str, Value] = field(default_factory=dict, repr=False)

    @property
    def crm_id(self) -> str | None:
        """Return the CRM's id of the record, where it exists."""
        return (self.outcome.id if self.outcome else None) or self.entry.crm_id or self.found_id

    @property
    def lost(self) -> bool:
        """Whether the CRM lost the record the ledger knew: its ledger entry is void."""
        return self.outcome is not None and self.entry.crm_id is not None and self.crm_id != self.entry.crm_id

    @property
    def takes_key(self) -> bool:
        """Whether a record that others were merged into becomes this key's."""
        return self.followed is not None and bool(self.folded.write.fields) and not self.entry.merged

    @property
    def waits(self) -> bool:
        """Whether records that point at this one must wait for it."""
        refused = self.outcome is not None and self.outcome.verdict in (Verdict.DEFERRED, Verdict.REJECTED)
        return refused and self.crm_id is None


def new_links(answer: Answer, id_of: Callable[[RecordKey], str | None], digest: Digest) -> tuple[Link, ...]:
    """Return the records to associate a record with that it is not associated with yet."""
    links = ((key.object, id_of(key)) for key in answer.folded.write.links)
    written = answer.entry.links
    return tuple(
        Link(kind, crm_id)
        for kind, crm_id in links
        if crm_id and (kind not in written or written[kind].digest != digest(crm_id))
    )


def duplicated(answers: Iterable[Answer], codes: Collection[str]) -> frozenset[str]:
    """Return the customers of whom the CRM has several records. codes: those by which it says so."""
    several = (answer for answer in answers if answer.candidates or (answer.outcome and answer.outcome.code in codes))
    return frozenset(answer.folded.customer_id for answer in several if answer.folded.customer_id is not None)


def to_deliver_again(answers: Iterable[Answer]) -> dict[str, int]:
    """Return the customers of whose record newer events left out something that must be in it now, and since when."""
    since: dict[str, int] = {}
    for answer in answers:
        behind = (answer.followed.behind if answer.followed else None, answer.decision.behind)
        customer, at = answer.folded.customer_id, min((at for at in behind if at is not None), default=None)
        is_written = answer.outcome is None or answer.outcome.verdict is Verdict.DELIVERED
        if customer is not None and at is not None and is_written:
            since[customer] = min(at, since.get(customer, at))
    return since


_MERGED: Final = Refusal(
    "MERGED", "in the CRM this record was merged into another customer's, which keeps that customer's values"
)


def merged_away(answers: Iterable[Answer]) -> Refusal | None:
    """Return why fields were not written, where a merge made a record another customer's."""
    return _MERGED if any(answer.entry.merged for answer in answers) else None
