"""A CRM account in which a trial can write only to what it made itself, and sees nobody else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from connector.destinations.around import Around
from connector.destinations.base import EVERY, Answers, Found, Narrow, Outcome, Row, Verdict
from connector.model import RecordKey
from connector.settlement import Refusal

_FENCED: Final = Outcome(
    Verdict.REJECTED,
    refusal=Refusal(
        "NOT_OURS",
        "the trial writes only records whose key is its own, and this record's key is not",
        "nothing: real events write it; try it by hand with an event of your own",
    ),
)

_ANSWERED: Final = frozenset({Verdict.REJECTED, Verdict.SKIPPED})

Record = tuple[str, str]
"""A CRM record: its object and id."""


@dataclass(slots=True)
class Fence(Around):
    """A Destination.

    owns: whether a key or an address can only be this trial's. written: the mapping's objects.
    made: what the trial made, oldest first. on_made: called with each new record of those. unsure: key -> whether it is
    unique, of each record that was sent to be created and of which no answer is known.
    """

    owns: Callable[[str], bool]
    written: frozenset[str]
    on_made: Callable[[str, str], None] = lambda kind, crm_id: None
    made: dict[Record, None] = field(default_factory=dict)
    unsure: dict[RecordKey, bool] = field(default_factory=dict)
    batch: int = 100

    def write(self, rows: Sequence[Row]) -> list[Outcome]:
        """Write the rows that are this trial's; reject the others."""
        ours = [self._is_ours(row) for row in rows]
        sent = [row for row, own in zip(rows, ours, strict=True) if own]
        self.unsure |= {row.key: row.unique for row in sent if row.id is None}
        outcomes = iter(self.real.write(sent) if sent else ())
        return [self._noted(row, next(outcomes)) if own else _FENCED for row, own in zip(rows, ours, strict=True)]

    def _is_ours(self, row: Row) -> bool:
        """Whether this trial made the record or its key is the trial's, and so is all that the row touches besides."""
        touched = [(row.key.object, own) for own in (row.id, row.known) if own]
        touched += [(link.object, link.id) for link in row.links]
        by_whom = row.id is not None or self.owns(row.key.value)
        return by_whom and self.made.keys() >= set(touched) and (not row.unsubscribe or self.owns(row.unsubscribe))

    def _noted(self, row: Row, outcome: Outcome) -> Outcome:
        if outcome.id or outcome.verdict in _ANSWERED:
            self.unsure.pop(row.key, None)
        if outcome.id and outcome.verdict is not Verdict.REJECTED:
            self._note(row.key.object, outcome.id)
        return outcome

    def _note(self, object: str, crm_id: str) -> None:
        if (object, crm_id) not in self.made:
            self.made[object, crm_id] = None
            self.on_made(object, crm_id)

    def find(
        self, object: str, field: str, values: Sequence[str], read: Iterable[str], narrow: Narrow = EVERY
    ) -> Answers:
        """Find records; of the mapping's objects, only those of this trial."""
        answers = self.real.find(object, field, values, read, narrow)
        return self._ours(object, answers) if object in self.written else answers

    def find_phones(self, object: str, field: str, numbers: Sequence[str], read: Iterable[str]) -> Answers:
        """Find records by phone; of the mapping's objects, only those of this trial."""
        return self._ours(object, self.real.find_phones(object, field, numbers, read))

    def _ours(self, object: str, answers: Answers) -> Answers:
        return {value: self._among(object, value, answer) for value, answer in answers.items()}

    def _among(self, object: str, value: str, answer: list[Found] | Outcome) -> list[Found] | Outcome:
        if isinstance(answer, Outcome):
            return answer
        if self.owns(value):  # a record that was created without a reply is ours, too
            for record in answer:
                self._note(object, record.id)
        return [record for record in answer if (object, record.id) in self.made]
