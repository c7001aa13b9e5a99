"""Create records that nothing is known of without looking for them: a CRM that keeps keys unique refuses the others."""

from __future__ import annotations

from collections.abc import Container, Iterable

from connector.delivery.fold import Folded
from connector.destinations.base import Destination, Outcome, Row, Verdict
from connector.model import BLANK, Mode, RecordKey
from connector.settlement import Remembered
from connector.settlement.previous import Before


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


def is_there(row: Row, outcome: Outcome) -> bool:
    """Whether a record may have been refused because it is there already: an org's own rules often come first."""
    return row.new and outcome.verdict is Verdict.REJECTED


def to_look_for(batch: Iterable[Folded], new: Container[RecordKey]) -> list[Folded]:
    """Return the others of a batch. new: those that are created."""
    return [folded for folded in batch if folded.write.key not in new]


def not_created(folded: Folded, version: str) -> Remembered:
    """Take back what was kept of a creation that was refused."""
    before = Before(version, {}, refused=True)
    return Remembered(folded.write.key, BLANK, folded.customer_id, max(folded.deliveries), before=before)
