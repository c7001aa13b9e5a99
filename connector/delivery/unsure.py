"""Creations without an answer: such a record is created again only once a search would show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from connector.delivery.fold import Folded
from connector.destinations.base import Outcome, Verdict
from connector.model import Entry, RecordKey
from connector.settlement import Refusal, Remembered

UNSURE: Final = Outcome(
    Verdict.DEFERRED,
    refusal=Refusal(
        "CREATE_UNSURE",
        "the CRM may have created the record without confirming it",
        "replay: the record is searched for before it is created again",
    ),
)


def unsure_for(folded: Folded, entry: Entry, search_lag: int, now: int) -> int:
    """Return the ms until a search would show the record, had the CRM created it without confirming; both in its time.

    search_lag: ms until a new record can be searched for.
    """
    if folded.write.unique or entry.creating is None or entry.crm_id is not None:
        return 0
    return entry.creating + search_lag - now


def begun_now(batch: Sequence[Folded], entries: Mapping[RecordKey, Entry], now: int) -> list[Remembered]:
    """Return the marks of creations that seem to have begun in the future, by a clock that was ahead: begun now."""
    return [
        Remembered(key, replace(entry, creating=now), folded.customer_id, max(folded.deliveries))
        for folded in batch
        if (key := folded.write.key) in entries and ((entry := entries[key]).creating or 0) > now
    ]
