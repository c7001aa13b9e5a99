"""Create records that nothing is known of without looking for them: a CRM that keeps keys unique refuses the others."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from connector.backoff import SECOND
from connector.crm import Crm
from connector.delivery.decide import Existing
from connector.delivery.digests import Digest
from connector.delivery.fold import Folded
from connector.delivery.ours import caught_up
from connector.destinations.base import Destination, Outcome, Row, Verdict
from connector.model import BLANK, Entry, Mode, RecordKey
from connector.settlement import Remembered
from connector.settlement.previous import Before

CLOCKS: Final = 10 * SECOND
"""How far the CRM's clock, which we know from its replies, may be from the one that its records are stamped with."""


def created_first(
    batch: Iterable[Folded], known: Container[RecordKey], destination: Destination
) -> frozenset[RecordKey]:
    """Return the records to create without looking for them. known: those that were sent before, answered or not."""
    keys = (folded.write.key for folded in batch if folded.write.key not in known and _has_key_alone(folded))
    return frozenset(key for key in keys if destination.refuses_taken(key.object, key.field))


def _has_key_alone(folded: Folded) -> bool:
    """Whether nothing but its key says which record it is."""
    write = folded.write
    return write.unique and write.mode is not Mode.UPDATE and write.person is None and not write.also_match


def is_to_be_looked_for(row: Row, outcome: Outcome) -> bool:
    """Whether a record that was not created may be there already: an org's own rules often come first."""
    return row.new and outcome.verdict is not Verdict.DELIVERED


def to_look_for(batch: Iterable[Folded], new: Container[RecordKey]) -> list[Folded]:
    """Return the others of a batch. new: those that are created."""
    return [folded for folded in batch if folded.write.key not in new]


def catch_up(
    batch: Iterable[Folded],
    existing: Mapping[RecordKey, Existing],
    entries: Mapping[RecordKey, Entry],
    crm: Crm,
    digest: Digest,
    version: str,
) -> tuple[dict[RecordKey, Entry], list[Remembered]]:
    """Return the entries of records whose creation was never confirmed, and what to take back of some.

    What the CRM filled into those we created counts as ours; of those that were there before, nothing does.
    """
    caught, others = dict[RecordKey, Entry](), list[Remembered]()
    for folded in batch:
        key = folded.write.key
        entry, record = entries.get(key, BLANK), existing.get(key)
        if record is not None and _was_there(folded, entry, record, crm):
            caught[key] = replace(entry, creating=None, unread=(), meant={})
            others.append(_not_created(folded, version))
        elif entry.unread and (record is not None or entry.crm_id is None):
            caught[key] = caught_up(entry, record, crm, folded.write.stamp, digest)
    return caught, others


def _was_there(folded: Folded, entry: Entry, existing: Existing, crm: Crm) -> bool:
    """Whether a record that we tried to create, perhaps without an answer, was created by somebody else before."""
    if not (folded.write.unique and entry.creating) or entry.crm_id is not None:
        return False
    try:
        created = datetime.fromisoformat(str(existing.values[crm.stamp_fields[0]]))
    except (LookupError, ValueError):
        return True
    return created.timestamp() * SECOND < entry.creating - CLOCKS


def _not_created(folded: Folded, version: str) -> Remembered:
    """Take back what was kept of the creation of a record that was there."""
    before = Before(version, {}, refused=True)
    return Remembered(folded.write.key, BLANK, folded.customer_id, max(folded.deliveries), before=before)
