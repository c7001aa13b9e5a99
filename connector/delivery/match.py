"""Find in the CRM the records that cannot be decided without it: one question a batch, never one a record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from connector.delivery.fold import Digest, Existing, Folded, to_read
from connector.destinations.base import Destination, Found
from connector.model import Entry, RecordKey


@dataclass(slots=True)
class Matches:
    """The records found by their key, or adopted; and the ids of several where one was wanted."""

    existing: dict[RecordKey, Existing] = field(default_factory=dict)
    ambiguous: dict[RecordKey, tuple[str, ...]] = field(default_factory=dict)

    def take(self, key: RecordKey, found: Sequence[Found]) -> None:
        """Note what was found for a record."""
        if len(found) > 1:
            self.ambiguous[key] = tuple(sorted(one.id for one in found))
        elif found:
            self.existing[key] = Existing(found[0].id, found[0].values)

    def open(self, key: RecordKey) -> bool:
        """Whether nothing was found for it yet."""
        return key not in self.existing and key not in self.ambiguous


@dataclass(frozen=True, slots=True)
class _Question:
    """One record to look for: the fields that must agree, the first of which is asked for, and what else to read."""

    folded: Folded
    agree: Mapping[str, str] = field(repr=False)
    read: frozenset[str] = frozenset()


def find_existing(
    destination: Destination, batch: Sequence[Folded], entries: Mapping[RecordKey, Entry], digest: Digest
) -> Matches:
    """Look by key, then, for records the ledger does not know, by each step of `also_match` in turn.

    May raise DestinationUnusable.
    """
    matches = Matches()
    compared: dict[RecordKey, frozenset[str]] = {}
    for folded in batch:
        needed, names = to_read(folded, entries.get(folded.write.key, Entry()), digest)
        if needed:
            compared[folded.write.key] = frozenset(names)
    wanted = [folded for folded in batch if folded.write.key in compared]
    by_key = [_Question(one, _identity(one, entries), compared[one.write.key]) for one in wanted]
    for question, found in _ask(destination, by_key):
        matches.take(question.folded.write.key, found)
    strangers = [one for one in wanted if entries.get(one.write.key, Entry()).crm_id is None]
    for step in range(max((len(one.write.also_match) for one in strangers), default=0)):
        by_hand = [
            _Question(one, dict(one.write.also_match[step]), compared[one.write.key])
            for one in strangers
            if matches.open(one.write.key) and len(one.write.also_match) > step
        ]
        for question, found in _ask(destination, by_hand):
            matches.take(question.folded.write.key, [one for one in found if _adoptable(question, one, digest)])
    return matches


def _identity(folded: Folded, entries: Mapping[RecordKey, Entry]) -> dict[str, str]:
    """What to ask by: the key, or the id we remember where the key is not unique and only a lagging search knows it."""
    key, crm_id = folded.write.key, entries.get(folded.write.key, Entry()).crm_id
    return {key.field: key.value} if folded.write.unique or crm_id is None else {"id": crm_id}


def _ask(destination: Destination, questions: Sequence[_Question]) -> list[tuple[_Question, list[Found]]]:
    groups: dict[tuple[str, str], list[_Question]] = {}
    for question in questions:
        groups.setdefault((question.folded.write.key.object, next(iter(question.agree))), []).append(question)
    answered = []
    for (kind, name), group in groups.items():
        read = {one for q in group for one in (*q.read, *q.agree, q.folded.write.key.field)}
        found = destination.find(kind, name, [question.agree[name] for question in group], sorted(read))
        answered += [(question, found.get(question.agree[name], [])) for question in group]
    return answered


def _adoptable(question: _Question, found: Found, digest: Digest) -> bool:
    """Every further field agrees, and the record is not another customer's already.

    The first was matched by the CRM itself: a secondary e-mail address finds a contact that shows another one.
    """
    if found.values.get(question.folded.write.key.field):
        return False
    further = list(question.agree.items())[1:]
    return all(digest(found.values.get(name)) == digest(value) for name, value in further)
