"""Put a key that somebody typed over back on its customer's record, before the typed key's customer is written."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from connector.delivery.keep_apart import another_key, shows
from connector.delivery.match import Matches, Wanted
from connector.destinations.base import Destination, Row, Verdict
from connector.model import BLANK, Entry, Mode, RecordKey

Owners = Callable[[Collection[Wanted]], Mapping[Wanted, RecordKey | None]]
"""Keys with records the CRM returns for them -> the records of other customers, each with its own key if known."""


@dataclass(frozen=True, slots=True)
class KeyBack:
    """Works on the records that one batch finds by their keys.

    may_write: raises LeaseLost where another worker has taken over.
    """

    destination: Destination
    entries: Mapping[RecordKey, Entry]
    owners: Owners
    may_write: Callable[[], None]

    def __call__(self, matches: Matches) -> None:
        """Take other customers' records out of the matches; refuse those whose own key cannot be put back.

        Raises DestinationUnusable.
        """
        crm = self.destination.crm
        shown = {
            (key, existing.id)
            for key, existing in matches.existing.items()
            if self.entries.get(key, BLANK).crm_id is None and not crm.is_id(key.field) and shows(existing, key, crm)
        }
        owners = self.owners(shown) if shown else {}
        put_back = self._put_back({crm_id: own for (_, crm_id), own in owners.items() if own})
        for key, crm_id in owners:
            del matches.existing[key]
            if crm_id not in put_back:
                matches.refused[key] = another_key(crm_id)

    def _put_back(self, own_keys: Mapping[str, RecordKey]) -> set[str]:
        """Write the records' own keys; return the ids of those that have them."""
        if not own_keys:
            return set()
        self.may_write()
        outcomes = self.destination.write([self._row(crm_id, key) for crm_id, key in own_keys.items()])
        written = zip(own_keys, outcomes, strict=True)
        return {crm_id for crm_id, outcome in written if outcome.verdict is Verdict.DELIVERED}

    def _row(self, crm_id: str, key: RecordKey) -> Row:
        by_id = RecordKey(key.object, self.destination.crm.id_field, crm_id)
        return Row(by_id, {key.field: key.value}, id=crm_id, mode=Mode.UPDATE)
