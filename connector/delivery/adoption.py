"""Choose, of the records that people created, the customer's own; what cannot be decided becomes a question. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from connector.delivery.agreement import Equal, HandMade, Judgement, Verdict, judge
from connector.destinations.base import Found, as_text
from connector.model import Candidate, Fact, RecordKey, Write

MOST: Final = 20
"""Candidates of one question: more would help nobody to decide."""


@dataclass(slots=True)
class Adoption:
    """What the steps of `also_match` have found for the records of a batch.

    id_field: where the CRM's records have their own id. equal: whether two texts are the same value there.
    chosen: the record that each key is to adopt.
    """

    id_field: str
    equal: Equal
    chosen: dict[RecordKey, str] = field(default_factory=dict)
    agreeing: dict[RecordKey, dict[str, Judgement]] = field(default_factory=dict)
    unsure: dict[RecordKey, dict[str, Candidate]] = field(default_factory=dict)

    def choose(self, write: Write, step: Sequence[Fact], records: Sequence[Found]) -> Found | None:
        """Return the only record that agrees. Where several have agreed in an earlier step, it is among them."""
        agreeing: dict[str, Found] = {}
        before = frozenset(self.agreeing.get(write.key, ()))
        for record in records:
            values = {name: as_text(value) for name, value in record.values.items()}
            judgement = judge(write.person, step, HandMade(record.id, values), self.id_field, self.equal)
            if judgement.verdict is Verdict.AGREES:
                agreeing[record.id] = record
                self.agreeing.setdefault(write.key, {})[record.id] = judgement
            elif judgement.verdict is Verdict.UNSURE:
                self.unsure.setdefault(write.key, {})[record.id] = judgement.candidate
        narrowed = [record for crm_id, record in agreeing.items() if not before or crm_id in before]
        if len(narrowed) != 1:
            return None
        self.chosen[write.key] = narrowed[0].id
        return narrowed[0]

    def give_up_contested(self) -> list[RecordKey]:
        """Give up the records that agree with another key of the batch as well; return the keys that lose them."""
        contested = [key for key in self.chosen if self._is_contested(key)]
        for key in contested:
            del self.chosen[key]
        return contested

    def _is_contested(self, key: RecordKey) -> bool:
        crm_id = self.chosen[key]
        strength = self.agreeing[key][crm_id].strength
        return any(
            other != key
            and other.object == key.object
            and self.chosen.get(other, crm_id) == crm_id
            and crm_id in agreeing
            and agreeing[crm_id].strength >= strength
            for other, agreeing in self.agreeing.items()
        )

    def question(self, key: RecordKey) -> tuple[Candidate, ...]:
        """Return the records that may be the customer's, those that agree first; none that another key adopts."""
        adopted = {crm_id for other, crm_id in self.chosen.items() if other.object == key.object}
        agreeing = {crm_id: judgement.candidate for crm_id, judgement in self.agreeing.get(key, {}).items()}
        candidates = {**agreeing, **self.unsure.get(key, {}), **agreeing}
        return tuple(candidate for crm_id, candidate in candidates.items() if crm_id not in adopted)[:MOST]
