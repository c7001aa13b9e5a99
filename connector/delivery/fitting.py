"""Fit texts into their fields: hold back those whose length is not known, shorten those the CRM finds too long."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from connector.delivery.decide import standing
from connector.delivery.digests import Digest
from connector.delivery.fold import Folded
from connector.delivery.left_out import Sending
from connector.destinations.base import Outcome, Verdict
from connector.errors import DestinationUnusable
from connector.mapping.steps.lengths import cut
from connector.mapping.target import TargetSchema
from connector.model import Cut, Entry, FieldWrite, OpenItem, Rule
from connector.settlement import LENGTH_UNKNOWN, Refusal

SURE: Final = 20
"""UTF-16 units that every text field for people holds: shorter texts need not wait for their field's length."""

_LATER: Final = "nothing: it is cut and sent once the CRM has described its fields; if that lasts, run connector doctor"
_CAUSE: Final = "the mapping cuts the text to the length of {fields}, which the CRM has not said yet"
_CUT_ALREADY: Final = (
    "the mapping cuts it already, to what the CRM says the field holds: ask who runs the CRM for a validation rule or "
    "an automation that allows less, then replay"
)


class Describing(Protocol):
    """Knows the CRM's own schema of a destination."""

    def missing(self) -> DestinationUnusable | None:
        """Ask for it if it is not known yet; return why the account cannot be used, if it cannot."""
        ...

    def again(self) -> TargetSchema | None:
        """Return it as it is now; None if it cannot be had."""
        ...

    def forget(self) -> None:
        """Forget it: the destination serves another account."""
        ...


def held_back(folded: Folded, waiting: Mapping[str, FieldWrite], version: str) -> Folded:
    """Return a record without the texts whose fields' lengths are not known: each becomes an open item."""
    if not waiting:
        return folded
    items = {name: _item(name, own, folded.write.name, version) for name, own in waiting.items()}
    fields = {name: own for name, own in folded.write.fields.items() if name not in waiting}
    return replace(folded, write=folded.write._replace(fields=fields), unmatched={**folded.unmatched, **items})


def must_wait(waiting: Mapping[str, FieldWrite]) -> Outcome | None:
    """The outcome of a record that cannot do without one of these texts."""
    names = tuple(name for name, own in waiting.items() if own.required)
    if not names:
        return None
    return Outcome(Verdict.DEFERRED, refusal=Refusal.of(LENGTH_UNKNOWN, _CAUSE, _LATER, names))


def too_early(folded: Folded, entry: Entry, digest: Digest) -> Mapping[str, FieldWrite]:
    """The texts whose fields' lengths are not known yet."""
    unknown = {
        name: own
        for name, own in folded.write.fields.items()
        if own.cut is Cut.UNKNOWN and isinstance(own.value, str) and cut(own.value, SURE) != own.value
    }
    if entry.crm_id is not None:
        unknown = {name: own for name, own in unknown.items() if own.rule is not Rule.ON_CREATE}
    return standing(unknown, entry, digest) if unknown else {}


def _item(name: str, own: FieldWrite, record: str, version: str) -> OpenItem:
    why = Refusal.of(LENGTH_UNKNOWN, _CAUSE, _LATER, (name,))
    return OpenItem(why.code, why.cause, why.action, record, "", own.stamp, version)


@dataclass(slots=True)
class Fitting:
    """Shortens texts that the CRM finds too long although they were cut: their fields' lengths have changed.

    describing: what knows the CRM's own schema. It is asked once at most.
    """

    describing: Describing | None
    digest: Digest
    _schema: TargetSchema | None = None
    _has_asked: bool = field(default=False)

    def shorter(self, sending: Sending, outcome: Outcome, too_long: Collection[str]) -> Sending | None:
        """Return a refused record with its texts cut to the lengths of now; None where that changes nothing."""
        names = _cut(sending, outcome) if outcome.code in too_long else []
        lengths = {name: length for name in names if (length := self._length(sending.row.key.object, name))}
        texts = {name: cut(str(sending.row.fields[name]), length) for name, length in lengths.items()}
        changed = {name: text for name, text in texts.items() if text != sending.row.fields[name]}
        if not changed:
            return None
        answer, row = sending
        marks = {name: answer.decision.marks[name]._replace(digest=self.digest(text)) for name, text in changed.items()}
        decision = replace(
            answer.decision,
            fields={**answer.decision.fields, **changed},
            marks={**answer.decision.marks, **marks},
        )
        return Sending(replace(answer, decision=decision), replace(row, fields={**row.fields, **changed}))

    def _length(self, kind: str, name: str) -> int | None:
        if not self._has_asked:
            self._has_asked = True
            self._schema = self.describing.again() if self.describing else None
        known = self._schema.objects.get(kind) if self._schema else None
        return known.fields[name].length if known and name in known.fields else None


def explained(sending: Sending, outcome: Outcome, too_long: Collection[str]) -> Outcome:
    """Return an outcome that does not advise to cut what is cut already, or will be."""
    names = _cut(sending, outcome) if outcome.code in too_long else []
    if not names:
        return outcome
    if any(sending.answer.folded.write.fields[name].cut is Cut.UNKNOWN for name in names):
        return replace(outcome, refusal=Refusal.of(LENGTH_UNKNOWN, _CAUSE, _LATER, tuple(names)))
    return replace(outcome, refusal=replace(outcome.refusal, action=_CUT_ALREADY))


def _cut(sending: Sending, outcome: Outcome) -> list[str]:
    """The fields that the outcome names and the mapping has cut."""
    named, writes = {name.lower() for name in outcome.fields}, sending.answer.folded.write.fields
    return [
        name
        for name in sending.row.fields
        if name.lower() in named and name in writes and writes[name].cut is not Cut.NO
    ]
