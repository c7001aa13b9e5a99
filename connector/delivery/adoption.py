"""Choose, of the records that people created, the customer's own; what cannot be decided becomes a question. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from connector.delivery.agreement import Equal, HandMade, Verdict, judge
from connector.destinations.base import Found, as_text
from connector.model import Candidate, Fact, RecordKey, Write

MOST: Final = 20
"""Candidates of one question: more would help nobody to decide."""

_Candidates = dict[str, Candidate]


@dataclass(slots=True)
class Adoption:
    """What the steps of `also_match` have found for the records of a batch.

    id_field: where the CRM's records have their own id. equal: whether two texts are the same value there.
    """

    id_field: str
    equal: Equal
    agreeing: dict[RecordKey, _Candidates] = field(default_factory=dict)
    unsure: dict[RecordKey, _Candidates] = field(default_factory=dict)

    def choose(self, write: Write, step: Sequence[Fact], records: Sequence[Found]) -> Found | None:
        """Return the only record that agrees. Where several have agreed in an earlier step, it is among them."""
        agreeing: dict[str, Found] = {}
        before = frozenset(self.agreeing.get(write.key, ()))
        for record in records:
            values = {name: as_text(value) for name, value in record.values.items()}
            verdict, candidate = judge(write.person, step, HandMade(record.id, values), self.id_field, self.equal)
            if verdict is Verdict.AGREES:
                agreeing[record.id] = record
                self.agreeing.setdefault(write.key, {})[record.id] = candidate
            elif verdict is Verdict.UNSURE:
                self.unsure.setdefault(write.key, {})[record.id] = candidate
        narrowed = [record for crm_id, record in agreeing.items() if not before or crm_id in before]
        return narrowed[0] if len(narrowed) == 1 else None

    def question(self, key: RecordKey) -> tuple[Candidate, ...]:
        """Return the records that may be the customer's, those that agree first."""
        agreeing, unsure = self.agreeing.get(key, {}), self.unsure.get(key, {})
        others = [candidate for crm_id, candidate in unsure.items() if crm_id not in agreeing]
        return (*agreeing.values(), *others)[:MOST]
