"""Ask the CRM what became of records that may be gone: merged into another, deleted, or still there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

from connector.crm import is_same_id
from connector.delivery.answer import Answer
from connector.destinations.base import Destination, Found, Outcome, Verdict, as_text
from connector.model import Decided, RecordKey, fold_key
from connector.settlement import Refusal

LOST: Final = Outcome(
    Verdict.DEFERRED,
    refusal=Refusal("LOST", "the CRM no longer has this record", "replay: the record is written in full"),
)

Known = tuple[str, str]
"""A record in the CRM: its object and its id."""

Fates = dict[Known, str | None]
"""The id under which a record lives now, its own or another's; None where it is deleted."""


@dataclass(slots=True)
class Whereabouts:
    """Asks one CRM account. keyless: the records whose key cannot be written. Raises DestinationUnusable."""

    destination: Destination
    keyless: set[RecordKey] = field(default_factory=set)

    def says_gone(self, answer: Answer | None) -> bool:
        """Whether the CRM's answer means that a record, or one it points at, may be gone under the id we know."""
        if answer is None or answer.outcome is None:
            return False
        codes = (*self.destination.crm.gone, LOST.code)
        return answer.outcome.code in codes or has_moved(answer) or self._is_key_taken(answer)

    def _is_key_taken(self, answer: Answer) -> bool:
        """Whether a write by id was refused because another record has the key."""
        outcome, key = answer.outcome, answer.folded.write.key
        if outcome is None or answer.entry.crm_id is None or outcome.code not in self.destination.crm.taken:
            return False
        return key.field.lower() in {name.lower() for name in outcome.fields}

    def of(self, gone: Iterable[Answer], pointed_at: Iterable[Answer]) -> Fates:
        """Return what became of these records and of those they point at, as far as the CRM says."""
        fates: Fates = {}
        ask = set(filter(None, map(known_as, pointed_at)))
        taken: dict[RecordKey, Known] = {}
        for answer in gone:
            known = known_as(answer)
            if known is None:
                continue
            if self._is_key_taken(answer):
                taken[answer.folded.write.key] = known
            elif has_moved(answer):
                fates[known] = answer.crm_id
            else:
                ask.add(known)
        return fates | self._survivors(ask - fates.keys()) | self._holders(taken)

    def _survivors(self, records: Iterable[Known]) -> Fates:
        fates: Fates = {}
        for kind, group in groupby(sorted(records), key=lambda record: record[0]):
            ids = [crm_id for _, crm_id in group]
            fates |= {(kind, crm_id): where for crm_id, where in self.destination.survivors(kind, ids).items()}
        return fates

    def _holders(self, refused: Mapping[RecordKey, Known]) -> Fates:
        """Find the records that have the keys which the CRM refused to write twice.

        A key that no record can be seen to have is not written from now on.
        """
        fates: Fates = {}
        for kind, name, keys in _by_field(refused):
            answers = self.destination.find(kind, name, [key.value for key in keys], ())
            holders = {key: holder for key in keys if (holder := _only(answers.get(key.value, [])))}
            self.keyless.update(key for key in keys if key not in holders)
            fates |= {refused[key]: holder.id for key, holder in holders.items()}
        return fates

    def of_others(self, into: Mapping[RecordKey, str]) -> set[RecordKey]:
        """Return the keys whose record shows another key: it is another customer's."""
        others: set[RecordKey] = set()
        for kind, name, keys in _by_field(into):
            ids = sorted({into[key] for key in keys})
            answers = self.destination.find(kind, self.destination.crm.id_field, ids, [name])
            for key in keys:
                record = _only(answers.get(into[key], []))
                shown = fold_key(as_text(record.values.get(name))) if record else ""
                if shown and shown != key.folded:
                    others.add(key)
        return others

    def after_merge(self, key: RecordKey, decided: Decided, crm_id: str) -> Decided:
        """Return the decisions, with this CRM record for those that were merged into it."""
        named = {*decided.asked, decided.same} - {None, crm_id}
        ids = sorted(name for name in named if name)
        where = self.destination.survivors(key.object, ids) if ids else {}
        return decided.after_merge({name for name in ids if where.get(name) == crm_id}, crm_id)


def known_as(answer: Answer) -> Known | None:
    """Return the record that the ledger knew before this answer."""
    crm_id = answer.entry.crm_id
    return (answer.folded.write.key.object, crm_id) if crm_id else None


def has_moved(answer: Answer) -> bool:
    """Whether a write by the id we know went to a record of another id."""
    sent, outcome = answer.sent_to, answer.outcome
    return bool(sent and outcome and outcome.id and not is_same_id(outcome.id, sent))


def _only(answer: list[Found] | Outcome) -> Found | None:
    return answer[0] if isinstance(answer, list) and len(answer) == 1 else None


def _by_field(keys: Iterable[RecordKey]) -> Iterator[tuple[str, str, list[RecordKey]]]:
    """Group keys by their object and field."""
    for (kind, name), group in groupby(sorted(keys), key=lambda key: (key.object, key.field)):
        yield kind, name, list(group)
