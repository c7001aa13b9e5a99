"""Keep the records of different keys apart: a CRM record belongs to one key, and no other is written to it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from connector.crm import Crm
from connector.delivery.answer import Answer
from connector.delivery.decide import Existing
from connector.delivery.match import Matches
from connector.destinations.base import Outcome, Verdict, as_text
from connector.model import BLANK, Entry, RecordKey, fold_key
from connector.settlement import Claim, Refusal

ClaimRecords = Callable[[Mapping[RecordKey, str]], Collection[RecordKey]]
"""Keys with the ids of records they want -> the keys whose record belongs to another key."""


def keep_apart(matches: Matches, entries: Mapping[RecordKey, Entry], crm: Crm, claim: ClaimRecords) -> None:
    """Claim the records that do not show the key they were matched for; take those of other keys out of the matches.

    A key that was to adopt such a record gets one of its own. A record that the CRM itself returned for a key cannot
    have another beside it.
    """
    wanted = {
        key: existing.id
        for key, existing in matches.existing.items()
        if entries.get(key, BLANK).crm_id != existing.id and not shows(existing, key, crm)
    }
    foreign = {key for key in wanted if _is_foreign(matches.existing[key], key, crm)}
    free = {key: crm_id for key, crm_id in wanted.items() if key not in foreign}
    for key in {*foreign, *(claim(free) if free else ())}:
        existing = matches.existing.pop(key)
        if _shown(existing, key):
            matches.refused[key] = another_key(existing.id)


def _shown(existing: Existing, key: RecordKey) -> str:
    return fold_key(as_text(existing.values.get(key.field)))


def shows(existing: Existing, key: RecordKey, crm: Crm) -> bool:
    """Whether a record has this key."""
    return crm.is_id(key.field) or _shown(existing, key) == key.folded


def _is_foreign(existing: Existing, key: RecordKey, crm: Crm) -> bool:
    """Whether the record shows another key. By an address, a CRM also finds the record that has it as a further one."""
    return _shown(existing, key) != "" and key.field != crm.address_field


def another_key(crm_id: str) -> Outcome:
    """Return the refusal of a key for which the CRM has another customer's record."""
    cause = f"for this key the CRM returns record {crm_id}, which belongs to another key"
    action = "correct the key of that record in the CRM, then replay"
    return Outcome(Verdict.REJECTED, refusal=Refusal("ANOTHER_KEY", cause, action))


def released(answers: Iterable[Answer]) -> Iterator[Claim]:
    """Yield the records that are not their key's any more: lost, given back, or not adopted because it was refused."""
    for answer in answers:
        key, customer = answer.folded.write.key, answer.folded.customer_id
        if answer.freed and not _was_refused(answer):
            yield Claim(key, answer.freed, customer)
        if answer.lost:
            yield Claim(key, answer.entry.crm_id or "", customer)
        elif answer.entry.crm_id is None and answer.found_id and _was_refused(answer):
            yield Claim(key, answer.found_id, customer)


def _was_refused(answer: Answer) -> bool:
    outcome = answer.outcome
    return outcome is not None and outcome.verdict is Verdict.REJECTED and not outcome.consent_written
