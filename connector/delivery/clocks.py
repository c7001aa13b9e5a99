"""How the values of an edited mapping compare with what the ledger remembers by another clock. Pure.

Watermarks compare only where they are of one kind. After an edit a field's values may be of another kind of time than
its watermark: what wins by the one says nothing of the other. What an applied mapping says wins then. Without
`reapply` the greater time does, so that what comes late replaces nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from connector.delivery.authors import is_taken_back
from connector.model import OLDEST, Entry, FieldWrite, Mark, RecordKey, Stamp, Timing, Write

_BEFORE_ALL: Final = Stamp(-1, "")
_AFTER_ALL_TURNED: Final = Stamp(0, "").turned


def by_their_clocks(entries: Mapping[RecordKey, Entry], writes: Iterable[Write]) -> dict[RecordKey, Entry]:
    """Return the entries as these writes compare with them: a watermark of another kind is before everything."""
    seen = dict(entries)
    for write in writes:
        if entry := seen.get(write.key):
            seen[write.key] = _seen(entry, write)
    return seen


def _seen(entry: Entry, write: Write) -> Entry:
    other = {
        name: mark._replace(stamp=_for_another_clock(mark, own), digest=_digest(name, mark, entry))
        for name, own in write.fields.items()
        if (mark := entry.fields.get(name)) and own.stamp != OLDEST and _is_void(mark, own, write.stamp.applied)
    }
    return replace(entry, fields={**entry.fields, **other}) if other else entry


def _is_void(mark: Mark, own: FieldWrite, applied: str) -> bool:
    """Whether a watermark says nothing of this write. applied: by which `reapply` it is delivered, or after which."""
    if mark.stamp.is_turned or own.stamp.is_turned:
        return mark.stamp.is_turned is not own.stamp.is_turned
    kind = _kind(mark)
    is_other = kind not in (Timing.UNKNOWN, own.timing) and own.timing is not Timing.FORWARD
    return is_other and applied > mark.stamp.applied


def _digest(name: str, mark: Mark, entry: Entry) -> str:
    """Return the value that the CRM has by a mark; empty where a field that moved forward may have got a later one."""
    return "" if _kind(mark) is Timing.FORWARD and entry.meant.get(name) else mark.digest


def _kind(mark: Mark) -> Timing:
    """Return what a watermark is the time of. Older versions did not note it."""
    return mark.timing or (Timing.FORWARD if mark.stamp.covers else Timing.UNKNOWN)


def _for_another_clock(mark: Mark, own: FieldWrite) -> Stamp:
    """Return where a mark is by another clock. What an undo took back stays so: no value as old as that counts."""
    if not is_taken_back(mark):
        return _BEFORE_ALL
    if own.stamp.is_turned:  # the first call of all is as old
        return _AFTER_ALL_TURNED
    return Stamp(mark.stamp.moment + 2, "") if mark.stamp.is_turned else mark.stamp
