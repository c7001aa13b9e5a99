"""What was being sent to a CRM when it could not be used. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from connector.delivery.fold import Folded
from connector.errors import InFlight
from connector.model import BLANK, Entry, RecordKey


def in_flight(folded: Folded, crm_id: str | None, count: int = 1) -> InFlight:
    """Return a record in flight, by its newest event."""
    write = folded.write
    return InFlight(max(folded.deliveries), write.name, write.key.object, crm_id or "", count)


def first_in_flight(
    keys: Collection[object], unanswered: Sequence[Folded], entries: Mapping[RecordKey, Entry]
) -> InFlight | None:
    """Return the first record of the call that failed, and how many it had. keys: empty if the call is not known."""
    sent = [folded for folded in unanswered if folded.write.key in keys] or unanswered
    if not sent:
        return None
    return in_flight(sent[0], entries.get(sent[0].write.key, BLANK).crm_id, len(sent))
