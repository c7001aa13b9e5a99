"""Follow records that the CRM has merged into another or deleted, so that no second record is made for good."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from connector.delivery.answer import Answer, Followed
from connector.delivery.digests import Digest
from connector.delivery.fates import Fates, Whereabouts, known_as
from connector.delivery.fold import Folded
from connector.delivery.forward import caught_up
from connector.model import Entry, Mark, RecordKey, Ref, Rule

Claim = Callable[[Mapping[RecordKey, str]], Collection[RecordKey]]
"""Claims CRM records for keys; returns the keys that may not have theirs, because another key has it."""


@dataclass(slots=True)
class Following:
    """Follows the records of one batch. entries: the ledger's, changed here to what is to be written next.

    followed: the records whose entry was changed. marks: what had been written to each of them.
    """

    whereabouts: Whereabouts
    entries: dict[RecordKey, Entry]
    claim: Claim
    digest: Digest
    marks: dict[RecordKey, Mapping[str, Mark]] = field(default_factory=dict)
    followed: dict[RecordKey, Followed] = field(default_factory=dict)

    def again(self, batch: Sequence[Folded], answers: Mapping[RecordKey, Answer]) -> list[list[Folded]]:
        """Follow what the CRM says is gone; return what to write again, in turn: records, then what points at them.

        Raises DestinationUnusable.
        """
        suspects = [folded for folded in batch if self.whereabouts.says_gone(answers.get(folded.write.key))]
        if not suspects:
            return []
        own = [answers[folded.write.key] for folded in suspects]
        parents = self._follow(own, _pointed_at(suspects, answers))
        children = [folded for folded in suspects if self._may_be_written(folded)]
        for folded in children:
            self._keep_what_was_written(answers[folded.write.key])
        return [[self._caught_up(folded) for folded in part] for part in (parents, children) if part]

    def _caught_up(self, folded: Folded) -> Folded:
        """Return a record with the furthest that was said of each field that moves forward, whenever that was."""
        if not (marks := self.marks.get(folded.write.key)):
            return folded
        fields = {name: caught_up(write, marks.get(name), self.digest) for name, write in folded.write.fields.items()}
        return replace(folded, write=folded.write._replace(fields=fields))

    def _follow(self, own: Sequence[Answer], pointed_at: Sequence[Answer]) -> list[Folded]:
        """Follow records and those they point at; return which of the latter were gone."""
        fates = self.whereabouts.of(own, pointed_at)
        parents = [answer for answer in pointed_at if _is_gone(answer, fates)]
        self._move([*parents, *(answer for answer in own if _is_gone(answer, fates))], fates)
        return [answer.folded for answer in parents]

    def _may_be_written(self, folded: Folded) -> bool:
        """Whether what held a record up is out of the way."""
        key = folded.write.key
        return key in self.whereabouts.keyless or any(own in self.followed for own in (key, *_points_at(folded)))

    def _keep_what_was_written(self, answer: Answer) -> None:
        """Note the id of a record that was written and could not be linked: it must not be created twice."""
        key, outcome = answer.folded.write.key, answer.outcome
        if key not in self.followed and outcome and outcome.id:
            self.entries[key] = replace(answer.entry, crm_id=outcome.id)
            self.followed[key] = Followed()

    def _move(self, gone: Sequence[Answer], fates: Fates) -> None:
        """Change the entries of records that were merged or deleted to what is known of them now."""
        into = {answer.folded.write.key: where for answer in gone if (where := fates[known_as(answer) or ("", "")])}
        others = self.whereabouts.of_others(into)
        free = _first_of_each({key: crm_id for key, crm_id in into.items() if key not in others})
        held = (into.keys() - free.keys()) | set(self.claim(free) if free else ())
        for answer in gone:
            key, entry = answer.folded.write.key, answer.entry
            self.marks[key] = entry.fields
            self.followed[key] = Followed(behind=None if key in held else behind(answer.folded, entry))
            if key not in into:
                self.entries[key] = Entry(open=entry.open, decided=entry.decided)
            elif key in held:
                self.entries[key] = Entry(into[key], merged=True, decided=entry.decided)
            else:
                decided = self.whereabouts.after_merge(key, entry.decided, into[key])
                self.entries[key] = replace(taken_over(answer.folded, entry, into[key]), decided=decided)


def _is_gone(answer: Answer, fates: Fates) -> bool:
    """Whether a record no longer is where the ledger knew it."""
    known = known_as(answer)
    return known is not None and known in fates and fates[known] != known[1]


def _points_at(folded: Folded) -> Iterator[RecordKey]:
    yield from folded.write.links
    yield from (write.value.key for write in folded.write.fields.values() if isinstance(write.value, Ref))


def _pointed_at(records: Iterable[Folded], answers: Mapping[RecordKey, Answer]) -> list[Answer]:
    """The answers for the records that these point at, each once."""
    keys = dict.fromkeys(key for folded in records for key in _points_at(folded))
    return [answers[key] for key in keys if key in answers]


def _first_of_each(into: Mapping[RecordKey, str]) -> dict[RecordKey, str]:
    """Of several keys with the same record, the first has it."""
    first: dict[tuple[str, str], RecordKey] = {}
    for key, crm_id in into.items():
        first.setdefault((key.object, crm_id), key)
    return {key: crm_id for (_, crm_id), key in first.items()}


def taken_over(folded: Folded, entry: Entry, crm_id: str) -> Entry:
    """Return the entry of a record that becomes this key's: all is written to it, but nothing older than we know.

    Values that were ours on the former record still count as ours.
    """
    meant = {name: dict(values) for name, values in entry.meant.items()}
    for name, mark in entry.fields.items():
        if mark.digest:
            meant.setdefault(name, {})[mark.digest] = mark.stamp
    rules = {**folded.write.mapped, **{name: write.rule for name, write in folded.write.fields.items()}}
    depends = {name for name, rule in rules.items() if rule is not Rule.ALWAYS}
    newer = _newer(folded, entry)
    marks = {name: Mark(mark.stamp, "", timing=mark.timing) for name, mark in newer.items() if name not in depends}
    return Entry(crm_id, marks, meant=meant, open=entry.open, decided=entry.decided)


def behind(folded: Folded, entry: Entry) -> int | None:
    """Return since when events have to be delivered again, epoch ms; None if this batch has all that was written."""
    return min((_said_since(name, mark, folded) for name, mark in _newer(folded, entry).items()), default=None)


def _said_since(name: str, mark: Mark, folded: Folded) -> int:
    """Return since when a field has been written, epoch ms: what moves forward, perhaps long before its mark."""
    return 0 if folded.write.mapped.get(name) is Rule.FORWARD else mark.stamp.moment


def _newer(folded: Folded, entry: Entry) -> dict[str, Mark]:
    """The mapping's fields that were written with newer values than this batch has, or of which it says nothing."""
    write = folded.write
    return {
        name: mark
        for name, mark in entry.fields.items()
        if (mark.stamp > write.fields[name].stamp if name in write.fields else name in write.mapped)
    }
