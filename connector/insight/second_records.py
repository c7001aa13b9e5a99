"""Find the customers for whom a mapping would write another record in place of the one that is theirs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

from connector.delivery.plan_ahead import Planned
from connector.model import BLANK, Entry, Mode, RecordKey
from connector.store import Store


def second_records(store: Store, destination: str, planned: Planned) -> Counter[str]:
    """Count the customers by object. planned: all that is known of some customers, of which no part is missing.

    They have a record that the ledger knows under a key which the mapping no longer makes of anything, and the mapping
    makes a key that the ledger does not know: its key was edited.
    """
    keys = _keys(planned)
    made = {(key.object, store.ledger.key_digest(destination, key)) for own in keys.values() for key in own}
    unknown = _unknown(keys, store.ledger.entries(destination, {key for own in keys.values() for key in own}))
    left = store.reapplying.written(destination, {customer for customer, _ in unknown}) if unknown else []
    without = {(record.customer_id, record.object) for record in left if record[1:] not in made}
    return Counter(kind for _, kind in without & unknown)


def _keys(planned: Planned) -> dict[str, set[RecordKey]]:
    """The keys of the records that may be created, by customer."""
    keys: dict[str, set[RecordKey]] = defaultdict(set)
    for _, plan in planned:
        creating = (write.key for write in plan.writes if write.mode is not Mode.UPDATE)
        if plan.customer_id is not None:
            keys[plan.customer_id].update(creating)
    return keys


def _unknown(keys: Mapping[str, set[RecordKey]], entries: Mapping[RecordKey, Entry]) -> set[tuple[str, str]]:
    """The customers, each with the object of a record that the ledger does not know under its key."""
    return {
        (customer, key.object)
        for customer, own in keys.items()
        for key in own
        if entries.get(key, BLANK).crm_id is None
    }
