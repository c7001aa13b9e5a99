"""Which version of the mapping wrote each field, and what an undone value means for the next event. Pure.

A mark's turn says more about its author: empty where the value is the first that this version wrote. After what an undo
did, it may name who had written the value that is there again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from connector.model import Delivery, Entry, FieldWrite, Mark, RecordKey, Stamp, Timing
from connector.settlement.previous import KEPT

AGAIN: Final = "again"
"""A newer event changed the value that the same version wrote first."""

UNDONE: Final = "undone"
"""What the version wrote was undone: nothing as old as that is written again by it."""

TAKEN_BACK: Final = "taken back"
"""What a run fetched was undone: nothing as old as that is written again, by any version."""

ARRIVING: Final = 60_000
"""Milliseconds from an event's time of acceptance until it is stored, by clocks that may differ, at the most."""

_UNDONE: Final = frozenset({UNDONE, TAKEN_BACK})
_TAKEN_BACK: Final = _UNDONE | {KEPT}


def state(mark: Mark) -> str:
    """Return what a mark's turn says, without who had written the value before."""
    return mark.turn.partition(":")[0]


def restored(mark: Mark) -> str:
    """Return who had first written the value that an undo restored; empty if that is not known."""
    return mark.turn.partition(":")[2]


def first_by(mark: Mark) -> str:
    """Return who wrote a value as the first of theirs."""
    return restored(mark) if mark.turn else mark.by


def signed(stamp: Stamp, digest: str, before: Mark | None, by: str, timing: Timing) -> Mark:
    """Return the mark of a value that this version writes. by: empty where the CRM had the value already."""
    is_again = before is not None and before.by == by and (bool(before.turn) or stamp > before.stamp)
    return Mark(stamp, digest, by, AGAIN if by and is_again else "", timing)


def repeated(mark: Mark, write: FieldWrite) -> Mark:
    """Return the mark of a value that a newer event repeats."""
    if is_taken_back(mark):
        return Mark(write.stamp, mark.digest, timing=write.timing)
    return Mark(write.stamp, mark.digest, mark.by, mark.turn, write.timing)


def is_taken_back(mark: Mark) -> bool:
    """Whether an undo restored what was there before a value, or found that people had changed it."""
    return bool(mark.turn) and state(mark) in _TAKEN_BACK


def is_first(mark: Mark | None, by: str) -> bool:
    """Whether a value would be the first that this version, or run, writes to a field."""
    return mark is None or by not in (mark.by, version_of(mark))


def version_of(mark: Mark) -> str:
    """Return the version of the mapping that wrote a value, in a run or not."""
    return mark.by.partition("@")[0]


def is_undone(mark: Mark | None, version: str, run: str, at: int) -> bool:
    """Whether what an event of this time, which a run may have fetched, wrote with this version was undone."""
    if mark is None or state(mark) not in _UNDONE or version_of(mark) != version:
        return False
    return at < mark.stamp.at and run_of(mark) in ("", run)


def run_of(mark: Mark) -> str:
    """Return the run that wrote a value; empty if none did."""
    return mark.by.partition("@")[2]


def stays_deleted(entry: Entry, deliveries: Iterable[Delivery], version: str) -> bool:
    """Whether an undo deleted a record, and these deliveries, to be written with this version, bring nothing new.

    What a version wrote wrongly another one may write again, corrected; what a run brought nobody does. What raises an
    opt-out is always written.
    """
    if entry.undone is None or entry.crm_id is not None:
        return False
    return all(not own.owing and _is_of(own, entry.undone, version) for own in deliveries)


def _is_of(delivery: Delivery, undone: tuple[str, int], version: str) -> bool:
    """Whether a delivery is of what was undone: of the run, or accepted before this version's records were judged."""
    by, at = undone
    of, _, run = by.partition("@")
    return delivery.event.run == run if run else of == version and delivery.first_at < at - ARRIVING


def undone(mark: Mark, digest: str, run: str = "", author: str = "") -> Mark:
    """Return the mark of a value that was undone: its own event, and what is as old, are no news any more.

    digest: of the value that was restored, if that counts as ours; else empty. run: the run that was undone; empty for
    a version. author: who had first written the value that was restored.
    """
    turn = TAKEN_BACK if run else UNDONE
    return Mark(_beyond(mark), digest, mark.by, f"{turn}:{author}" if author and digest else turn, mark.timing)


def left(mark: Mark) -> Mark:
    """Return the mark of a value that an undo found changed by a person: nothing as old is written over it."""
    return mark._replace(stamp=_beyond(mark), turn=KEPT)


def _beyond(mark: Mark) -> Stamp:
    return mark.stamp if is_taken_back(mark) else Stamp(mark.stamp.at + 1, "")


def for_version(entries: Mapping[RecordKey, Entry], version: str) -> dict[RecordKey, Entry]:
    """Return the entries as another version's mapping sees them: what was undone may be written again, corrected."""
    return {key: _for_version(entry, version) for key, entry in entries.items()}


def _for_version(entry: Entry, version: str) -> Entry:
    open_again = {
        name: Mark(Stamp(mark.stamp.at - 1, ""), mark.digest, timing=mark.timing)
        for name, mark in entry.fields.items()
        if state(mark) == UNDONE and version_of(mark) != version
    }
    return replace(entry, fields={**entry.fields, **open_again}) if open_again else entry
