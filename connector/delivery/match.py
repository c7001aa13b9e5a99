"""Look up in the CRM the records that cannot be decided without it: a search per batch, never one per record."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from connector.crm import Crm, is_same_id
from connector.delivery.adoption import Adoption
from connector.delivery.decide import Existing, to_read
from connector.delivery.digests import Digest
from connector.delivery.fold import Folded
from connector.destinations.base import Answers, Destination, Found, Outcome, as_text
from connector.model import BLANK, Candidate, Entry, FactKind, Person, RecordKey, fold_key

Read = Mapping[RecordKey, frozenset[str]]
"""The fields to read of each record."""

Wanted = tuple[RecordKey, str]
"""A key, and the id of a record that it might adopt."""

Taken = Callable[[Collection[Wanted]], Collection[Wanted]]
"""Keys with records they might adopt -> those whose record belongs to another key."""


@dataclass(slots=True)
class Matches:
    """The records matched by key, or adopted.

    ambiguous: the ids where several records have the key. refused: the outcome of records the CRM cannot be searched
    for. questions: the records of which people must say whether they are the customer's.
    gone: the records that the CRM no longer has under the id we know: the id each has now, or None.
    held: the addresses that other records turned out to have -> the id of the record that has it.
    """

    existing: dict[RecordKey, Existing] = field(default_factory=dict)
    ambiguous: dict[RecordKey, tuple[str, ...]] = field(default_factory=dict)
    refused: dict[RecordKey, Outcome] = field(default_factory=dict)
    questions: dict[RecordKey, tuple[Candidate, ...]] = field(default_factory=dict)
    gone: dict[RecordKey, str | None] = field(default_factory=dict)
    held: dict[RecordKey, dict[str, str]] = field(default_factory=dict)

    def take_first(self, key: RecordKey, crm_id: str | None, candidates: Sequence[Found] | Outcome) -> None:
        """Note what the CRM has under a record's key, or under the id that we know it by."""
        if crm_id is None or isinstance(candidates, Outcome):
            self.take(key, candidates)
        elif not candidates:
            self.gone[key] = None
        elif not is_same_id(candidates[0].id, crm_id):
            self.gone[key] = candidates[0].id
        else:
            self.take(key, candidates)

    def take(self, key: RecordKey, candidates: Sequence[Found] | Outcome) -> None:
        """Note the CRM's records that match a key."""
        if isinstance(candidates, Outcome):
            self.refused[key] = candidates
        elif len(candidates) > 1:
            self.ambiguous[key] = tuple(sorted(candidate.id for candidate in candidates))
        elif candidates:
            self.existing[key] = Existing(candidates[0].id, candidates[0].values)

    def open(self, key: RecordKey) -> bool:
        """Whether nothing matches it yet."""
        return not any(key in noted for noted in (self.existing, self.ambiguous, self.refused))


@dataclass(frozen=True, slots=True)
class _Question:
    """One record to look for: the fields that must agree (the CRM is searched by the first), and what else to read.

    is_phone: whether the CRM is searched for a phone number. helpful: what is read only if the account has it: a hidden
    field refuses a whole query.
    """

    folded: Folded
    agree: Mapping[str, str] = field(repr=False)
    read: frozenset[str] = frozenset()
    helpful: frozenset[str] = frozenset()
    is_phone: bool = False

    @property
    def searched(self) -> tuple[str, str]:
        """The field and value that the CRM is searched by."""
        return next(iter(self.agree.items()))


def find_existing(
    destination: Destination,
    batch: Sequence[Folded],
    entries: Mapping[RecordKey, Entry],
    digest: Digest,
    taken: Taken = lambda wanted: (),
    by_key: Callable[[Matches], None] = lambda matches: None,
    first: Read | None = None,
) -> Matches:
    """Search by key, then, for records the ledger does not know, by each step of `also_match` in turn.

    taken: asked once for each step. by_key: checks what the search by key found. first: the fields of each record to
    read as well, because they are written for the first time. Raises DestinationUnusable.
    """
    matches, first = Matches(), first or {}
    read = dict.fromkeys(first, frozenset[str]()) | _values_to_read(batch, entries, destination.crm, digest)
    wanted = [folded for folded in batch if folded.write.key in read]
    id_field = destination.crm.id_field
    by_identity = [
        _Question(folded, _identity(folded, entries, id_field), read[key], first.get(key, frozenset()))
        for folded in wanted
        if (key := folded.write.key)
    ]
    for question, candidates in _ask(destination, by_identity):
        matches.take_first(question.folded.write.key, question.agree.get(id_field), candidates)
    by_key(matches)
    strangers = [folded for folded in wanted if entries.get(folded.write.key, BLANK).crm_id is None]
    _adopt(destination, strangers, matches, (read, first), entries, digest, taken)
    return matches


def _adopt(
    destination: Destination,
    strangers: Sequence[Folded],
    matches: Matches,
    read: tuple[Read, Read],
    entries: Mapping[RecordKey, Entry],
    digest: Digest,
    taken: Taken,
) -> None:
    """Search for records that people created, and note those that are certainly the customers' own, and the others."""
    adoption = Adoption(destination.crm.id_field, lambda own, other: digest(own) == digest(other))
    for step in range(max((len(folded.write.also_match) for folded in strangers), default=0)):
        asked = _ask(destination, _questions_of(step, strangers, matches, *read))
        others = _claimed(asked, taken)
        _note_holders(matches, asked, destination.crm.address_field)
        for question, candidates in asked:
            write = question.folded.write
            ruled_out = entries.get(write.key, BLANK).decided.others
            free = _free(write.key, candidates, others, ruled_out)
            if isinstance(free, Outcome):
                matches.take(write.key, free)
            elif chosen := adoption.choose(write, write.also_match[step], free):
                matches.take(write.key, [chosen])
    for key in adoption.give_up_contested():
        del matches.existing[key]
    keys = [folded.write.key for folded in strangers if matches.open(folded.write.key)]
    questions = ((key, adoption.question(key)) for key in keys)
    matches.questions = {key: records for key, records in questions if records}


def _values_to_read(
    batch: Iterable[Folded], entries: Mapping[RecordKey, Entry], crm: Crm, digest: Digest
) -> dict[RecordKey, frozenset[str]]:
    """The records that have to be looked for, each with the fields whose current values decide."""
    read = {}
    for folded in batch:
        entry = entries.get(folded.write.key, BLANK)
        needed, names = to_read(folded, entry, digest, redirects=crm.redirects)
        if needed:
            touched = (*crm.stamp_fields, *crm.author_fields) if entry.unread or entry.creating else ()
            read[folded.write.key] = frozenset(names).union(touched)
    return read


def _questions_of(step: int, strangers: Iterable[Folded], matches: Matches, read: Read, first: Read) -> list[_Question]:
    """A step of `also_match`, for each record that has such a step and no match yet."""
    return [
        _Question(
            folded,
            {fact.field: fact.value for fact in folded.write.also_match[step]},
            read[folded.write.key],
            _person_fields(folded.write.person) | first.get(folded.write.key, frozenset()),
            folded.write.also_match[step][0].kind is FactKind.PHONE,
        )
        for folded in strangers
        if matches.open(folded.write.key) and len(folded.write.also_match) > step
    ]


def _identity(folded: Folded, entries: Mapping[RecordKey, Entry], id_field: str) -> dict[str, str]:
    """What to search by: the id in the ledger, else the key."""
    key, crm_id = folded.write.key, entries.get(folded.write.key, BLANK).crm_id
    return {key.field: key.value} if crm_id is None else {id_field: crm_id}


def _ask(destination: Destination, questions: Sequence[_Question]) -> list[tuple[_Question, list[Found] | Outcome]]:
    groups: dict[tuple[str, str, bool], list[_Question]] = {}
    for question in questions:
        group_key = (question.folded.write.key.object, question.searched[0], question.is_phone)
        groups.setdefault(group_key, []).append(question)
    answered: list[tuple[_Question, list[Found] | Outcome]] = []
    for (kind, name, is_phone), group in groups.items():
        search = destination.find_phones if is_phone else destination.find
        by_value = _search(partial(search, kind, name, [question.agree[name] for question in group]), group)
        # A rehearsal that may not ask the CRM has no answers.
        answered += [(own, by_value[own.agree[name]]) for own in group if own.agree[name] in by_value]
    return answered


def _search(search: Callable[[list[str]], Answers], group: Sequence[_Question]) -> Answers:
    """Search with the fields to read; without those that would only help, where the CRM refuses the search for them."""
    needed = {wanted for q in group for wanted in (*q.read, *q.agree, q.folded.write.key.field)}
    helpful = {wanted for q in group for wanted in q.helpful} - needed
    answers = search(sorted(needed | helpful))
    while refused := helpful & refused_fields(answers.values()):  # a CRM may name one field at a time
        helpful -= refused
        answers = search(sorted(needed | helpful))
    return answers


def refused_fields(answers: Iterable[Sequence[Found] | Outcome]) -> set[str]:
    """Return the fields that a search names as those it is refused for."""
    return {name for answer in answers if isinstance(answer, Outcome) for name in answer.fields}


def _person_fields(person: Person | None) -> frozenset[str]:
    if person is None:
        return frozenset()
    fields = person.fields
    return frozenset({fields.first, fields.last, fields.suffix, fields.born} - {""})


def _claimed(asked: Iterable[tuple[_Question, Sequence[Found] | Outcome]], taken: Taken) -> frozenset[Wanted]:
    """The candidates that belong to another key."""
    wanted = {
        (question.folded.write.key, candidate.id)
        for question, candidates in asked
        if not isinstance(candidates, Outcome)
        for candidate in candidates
    }
    return frozenset(taken(wanted)) if wanted else frozenset()


def _note_holders(
    matches: Matches, asked: Iterable[tuple[_Question, Sequence[Found] | Outcome]], address_field: str
) -> None:
    """Note the only record that has an address, unless it shows the key that it was searched for."""
    for question, candidates in asked:
        key, (name, address) = question.folded.write.key, question.searched
        if name != address_field or isinstance(candidates, Outcome) or len(candidates) != 1:
            continue
        if fold_key(as_text(candidates[0].values.get(key.field))) != key.folded:
            matches.held.setdefault(key, {})[address] = candidates[0].id


def _free(
    key: RecordKey,
    candidates: Sequence[Found] | Outcome,
    others: frozenset[Wanted],
    ruled_out: Collection[str],
) -> Sequence[Found] | Outcome:
    """The candidates that may be the customer's: neither another key's, nor ruled out by people."""
    if isinstance(candidates, Outcome):
        return candidates
    unclaimed = (candidate for candidate in candidates if (key, candidate.id) not in others)
    blank = (candidate for candidate in unclaimed if not candidate.values.get(key.field))
    return [candidate for candidate in blank if candidate.id not in ruled_out]
