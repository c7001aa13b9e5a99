"""Work out what the ledger remembers of a record after it was written. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from connector.delivery.answer import Answer
from connector.delivery.decide import Decision
from connector.delivery.digests import Digest
from connector.delivery.open_items import closed, opened
from connector.delivery.ours import further_digests, is_new, unread_after
from connector.delivery.uncertain import in_doubt
from connector.destinations.base import Outcome, Verdict
from connector.model import BLANK, Entry, Mark, OpenItem, RecordKey
from connector.settlement import Remembered

FORMER_ID: Final = "(former id)"
"""In place of a key's field: the ledger's name for a record that is known by its id alone."""

_NO_ITEMS: Final[Mapping[str, OpenItem]] = MappingProxyType({})


def remembered(answers: Iterable[Answer], digest: Digest) -> list[Remembered]:
    """Return the new ledger entries of a batch's records, and those that keep the id of a record the CRM lost."""
    seen = list(answers)
    entries = [entry for entry in (remember(answer, digest) for answer in seen) if entry is not None]
    lost = [
        _former(answer, answer.entry.crm_id or "") for answer in seen if answer.lost and answer.folded.write.carries
    ]
    return entries + lost + [_former(answer, crm_id) for answer in seen for crm_id in sorted(answer.kept)]


def _former(answer: Answer, crm_id: str) -> Remembered:
    """Keep the id of a record that must carry the opt-outs too: it may have been merged into another."""
    folded = answer.folded
    key = RecordKey(folded.write.key.object, FORMER_ID, crm_id)
    return Remembered(key, Entry(crm_id), folded.customer_id, max(folded.deliveries), lost=True)


def remember(answer: Answer, digest: Digest) -> Remembered | None:
    """Return the record's new ledger entry; None when this answer changes nothing."""
    folded, decision, entry, outcome = answer.folded, answer.decision, answer.entry, answer.outcome
    if outcome is not None and outcome.verdict is not Verdict.DELIVERED:
        return _remember_refused(answer, outcome, digest)
    links = {link.object: Mark(folded.write.stamp, digest(link.id)) for link in answer.links}
    unsubscribed, items = _unsubscribed(answer, digest), (opened(answer, digest), closed(answer, digest))
    is_news = decision.marks or links or unsubscribed or any(items) or answer.followed
    if not is_news and answer.crm_id == entry.crm_id:
        return None
    meant, unread = further_digests(answer, digest), unread_after(answer, digest)
    if answer.lost:
        return _remembered(
            answer, digest, Entry(answer.crm_id, _sent_marks(decision), meant=meant, unread=unread), *items
        )
    known = Entry(
        answer.crm_id,
        {**entry.fields, **decision.marks},
        {**entry.links, **links},
        meant,
        unsubscribed or entry.unsubscribed,
        unread=unread,
        merged=entry.merged,
    )
    return _remembered(answer, digest, known, *items)


def _unsubscribed(answer: Answer, digest: Digest) -> Mark | None:
    address = answer.decision.unsubscribe
    refused = answer.outcome is not None and answer.outcome.subscription.code
    return None if address is None or refused else Mark(answer.folded.write.stamp, digest(address))


def _sent_marks(decision: Decision) -> dict[str, Mark]:
    """The marks of a record created again: it has what was sent this time and nothing else."""
    sent = {*decision.fields, *decision.consent.values()}
    return {name: mark for name, mark in decision.marks.items() if name in sent}


def _remember_refused(answer: Answer, outcome: Outcome, digest: Digest) -> Remembered | None:
    entry, decision = answer.entry, answer.decision
    if answer.lost:
        return _remembered(answer, digest, BLANK)
    if answer.candidates:  # which of them is the customer's is for people to say
        return None
    if outcome.consent_written:  # the opt-outs were written although the rest was refused
        carried = {name: decision.marks[name] for name in decision.consent.values()}
        return _remembered(answer, digest, replace(entry, crm_id=answer.crm_id, fields={**entry.fields, **carried}))
    if answer.creating and (outcome.id or outcome.verdict is Verdict.REJECTED):  # whether it was created is known now
        return _remembered(answer, digest, replace(entry, crm_id=outcome.id, creating=None))
    return None


def _remembered(
    answer: Answer,
    digest: Digest,
    entry: Entry,
    opened: Mapping[str, OpenItem] = _NO_ITEMS,
    closed: tuple[str, ...] = (),
) -> Remembered:
    folded = answer.folded
    new = entry.crm_id is not None and (answer.followed is not None or entry.crm_id != answer.entry.crm_id)
    created = new and is_new(answer, digest)
    known = (folded.write.key, entry, folded.customer_id, max(folded.deliveries))
    return Remembered(*known, new, opened, closed, created=created)


def may_stand(answer: Answer | None) -> bool:
    """Whether the CRM may hold a write that was sent: it was accepted, or its answer never came."""
    return answer is None or answer.outcome is None or answer.outcome.verdict is Verdict.DELIVERED


def amend(answer: Answer, digest: Digest, known: Entry) -> Remembered:
    """Return the ledger entry after a late write: which of its values the CRM holds now is unknown."""
    folded = answer.folded
    entry = replace(in_doubt(folded, answer.decision, known, digest, late=True), crm_id=known.crm_id or answer.crm_id)
    return Remembered(folded.write.key, entry, folded.customer_id, max(folded.deliveries))
