"""Look whether other records have the keys of ours. Only digests of keys are kept: a key is what its record shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from connector.crm import is_same_id
from connector.delivery.difference import Written, also
from connector.destinations.base import Current, Destination, Found, Outcome, as_text
from connector.model import RecordKey
from connector.settlement.verification import Difference, Held, Verified
from connector.store.ledger import Ledger

_Currents = Mapping[str, Current]


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one destination's records."""

    ledger: Ledger
    name: str
    destination: Destination

    def replaced(self, verified: Verified, now: _Currents) -> Verified:
        """Add a key in whose place somebody has put another."""
        held = verified.held
        shown = as_text(now[held.crm_id].values.get(held.key_field))
        is_another = verified.is_there and shown != "" and not self._is_key(held, shown)
        return also(verified, {Difference.CHANGED: [held.key_field]}) if is_another else verified

    def held_twice(
        self, kind: str, written: Written, verified: Sequence[Verified], now: _Currents
    ) -> Iterator[Verified]:
        """Add that other records have the key, as far as the CRM allows it. Raises DestinationUnusable."""
        asked: dict[str, dict[str, Held]] = {}
        for result in verified:
            if result.is_there and (key := self._asked(kind, written, result.held, now)):
                asked.setdefault(result.held.key_field, {})[key] = result.held
        twins = {place for name, keys in asked.items() for place in self._twins(kind, name, keys)}
        for result in verified:
            is_twin = result.held.place in twins
            yield also(result, {Difference.TWIN: [result.held.key_field]}) if is_twin else result

    def _twins(self, kind: str, name: str, keys: Mapping[str, Held]) -> Iterator[tuple[str, str]]:
        for key, answer in self.destination.find(kind, name, list(keys), ()).items():
            if any(not is_same_id(crm_id, keys[key].crm_id) for crm_id in _ids(answer)):
                yield keys[key].place

    def _asked(self, kind: str, written: Written, held: Held, now: _Currents) -> str:
        """The key to search for; empty where no other record can have it, or it is not known."""
        shown = as_text(now[held.crm_id].values.get(held.key_field))
        if held.key_field and shown and self._is_key(held, shown):
            may_be = held.key_field in written.keys or self.destination.may_have_twins(kind, held.key_field)
            return shown if may_be else ""
        own = held.customer_id or ""
        return own if held.key_field and self._is_key(held, own) else ""

    def _is_key(self, held: Held, value: str) -> bool:
        return self.ledger.key_digest(self.name, RecordKey(held.object, held.key_field, value)) == held.key


def _ids(answer: list[Found] | Outcome) -> list[str]:
    return [] if isinstance(answer, Outcome) else [holder.id for holder in answer]
