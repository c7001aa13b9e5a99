"""Which version of the mapping wrote each field, and what an undone value means for the next event. Pure.

A mark's turn says more about its author: empty where the value is the first that this version wrote.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from connector.model import Entry, Mark, RecordKey, Stamp

AGAIN: Final = "again"
"""A newer event changed the value that the same version wrote first."""

UNDONE: Final = "undone"
"""What the version wrote was undone: nothing as old as that is written again by it."""


def signed(stamp: Stamp, digest: str, before: Mark | None, by: str) -> Mark:
    """Return the mark of a value that this version writes. by: empty where the CRM had the value already."""
    is_again = before is not None and before.by == by and (bool(before.turn) or stamp > before.stamp)
    return Mark(stamp, digest, by, AGAIN if by and is_again else "")


def repeated(mark: Mark, stamp: Stamp) -> Mark:
    """Return the mark of a value that a newer event repeats."""
    return Mark(stamp, mark.digest) if mark.turn == UNDONE else replace(mark, stamp=stamp)


def is_first(mark: Mark | None, by: str) -> bool:
    """Whether a value would be the first that this version, or run, writes to a field."""
    return mark is None or by not in (mark.by, version_of(mark))


def version_of(mark: Mark) -> str:
    """Return the version of the mapping that wrote a value, in a run or not."""
    return mark.by.partition("@")[0]


def undone(mark: Mark, digest: str) -> Mark:
    """Return the mark of a value that was undone: its own event, and what is as old, are no news any more.

    digest: of the value that was restored, if that counts as ours; else empty.
    """
    return Mark(Stamp(mark.stamp.at + 1, ""), digest, mark.by, UNDONE)


def for_version(entries: Mapping[RecordKey, Entry], version: str) -> dict[RecordKey, Entry]:
    """Return the entries as another version's mapping sees them: what was undone may be written again, corrected."""
    return {key: _for_version(entry, version) for key, entry in entries.items()}


def _for_version(entry: Entry, version: str) -> Entry:
    open_again = {
        name: Mark(Stamp(mark.stamp.at - 1, ""), mark.digest)
        for name, mark in entry.fields.items()
        if mark.turn == UNDONE and version_of(mark) != version
    }
    return replace(entry, fields={**entry.fields, **open_again}) if open_again else entry
