"""What a record's newest event said, where it is still stored: a digest alone does not tell a cut text from another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from connector.delivery.difference import also, without
from connector.delivery.digests import Digest
from connector.delivery.plan_ahead import plan_all
from connector.destinations.base import Current
from connector.mapping import Mapping as CompiledMapping
from connector.mapping.spelling import usual
from connector.model import FieldWrite, Value
from connector.settlement.verification import Difference, Held, Verified
from connector.store import Store

MOST: Final = 100
"""Events read for the records of one portion: more differences than that are not a matter of spelling."""

_LEAST: Final = 20
"""Characters of a text that may be the beginning of a longer one."""


@dataclass(frozen=True, slots=True)
class Sent:
    """The stored events of one destination, planned under its running mapping. timezone: of its agency."""

    store: Store
    name: str
    mapping: CompiledMapping
    timezone: str
    digest: Digest

    def respelled(self, verified: Sequence[Verified], now: Mapping[str, Current]) -> list[Verified]:
        """Count what a CRM has made of our own text, by another spelling or by cutting it, as reformatted."""
        changed = [result.held for result in verified if Difference.CHANGED in result.differences][:MOST]
        sent = {held.place: self._sent(held) for held in changed}
        return [self._judged(result, sent.get(result.held.place, {}), now) for result in verified]

    def _judged(self, verified: Verified, sent: Mapping[str, Value], now: Mapping[str, Current]) -> Verified:
        changed = verified.differences.get(Difference.CHANGED, ()) if sent else ()
        shown = now[verified.held.crm_id].values if changed else {}
        alike = [name for name in changed if name in sent and _is_alike(shown.get(name), sent[name])]
        if not alike:
            return verified
        return also(without(verified, Difference.CHANGED, frozenset(alike)), {Difference.REFORMATTED: alike})

    def _sent(self, held: Held) -> dict[str, Value]:
        """The values of a record's newest event that are those the ledger has."""
        planned, _ = plan_all(self.store.history.deliveries([held.delivery_id]), self.mapping, self.timezone)
        fields: dict[str, FieldWrite] = {}
        ledger = self.store.ledger
        for _, plan in planned:
            for write in plan.writes:
                if write.key.object == held.object and ledger.key_digest(self.name, write.key) == held.key:
                    fields |= write.fields
        values = {name: own.value for name, own in fields.items() if isinstance(own.value, str)}
        marks = held.entry.fields
        return {name: value for name, value in values.items() if name in marks and self._is_ours(held, name, value)}

    def _is_ours(self, held: Held, name: str, value: Value) -> bool:
        return held.entry.fields[name].digest == self.digest(value)


def _is_alike(shown: Value, sent: Value) -> bool:
    """Whether a text is another spelling of what was sent, or its beginning.

    >>> _is_alike("Ana@example.com", "ana@example.COM"), _is_alike("A text that was cut of", "A text that was cut off")
    (True, True)
    >>> _is_alike("Ana", "Anabel"), _is_alike(None, "Ana")
    (False, False)
    """
    if not (isinstance(shown, str) and isinstance(sent, str)):
        return False
    is_cut = len(shown) >= _LEAST and sent.startswith(shown.rstrip())
    return usual(shown) == usual(sent) or is_cut
