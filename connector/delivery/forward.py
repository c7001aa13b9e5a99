"""Fields that move along a list and never back: judged by how far a value is, not by its time. Pure.

The furthest of all that events say wins, so their order makes no difference. The ledger's mark has the furthest value
that was said: what is no further is no news, and so does not undo that people moved the field back in the CRM.
"""

from __future__ import annotations

from connector.delivery.authors import is_taken_back
from connector.delivery.digests import Digest
from connector.mapping.steps.texts import text
from connector.model import FieldWrite, Mark, Stamp, Value, fold_key


def progress(write: FieldWrite) -> int:
    """Return the place of a field's value on its list; 0 for a field that has none."""
    place = _place(write.value, write) if write.order and isinstance(write.value, str | int) else None
    return place or 0


def is_further(write: FieldWrite, mark: Mark, digest: Digest) -> bool:
    """Whether a value is further than all that was said before, and no older than what an undo took back."""
    is_old = is_taken_back(mark) and write.stamp < mark.stamp
    return progress(write) > _said(write, mark.digest, digest) and not is_old


def falls_short(write: FieldWrite, other: str, digest: Digest) -> bool:
    """Whether a value comes before another on its list, which is given as its digest."""
    return progress(write) < _said(write, other, digest)


def furthest(older: FieldWrite, newer: FieldWrite) -> FieldWrite:
    """Return the further of two values, as of the newer event: it counts after all that both say."""
    further = max(older, newer, key=lambda write: (progress(write), write.stamp))
    return further._replace(stamp=Stamp(max(older.stamp.at, newer.stamp.at), further.stamp.tie))


def caught_up(write: FieldWrite, mark: Mark | None, digest: Digest) -> FieldWrite:
    """Return what to write to a record that takes the place of another: no less than was said of that one."""
    if mark is None or is_taken_back(mark) or not falls_short(write, mark.digest, digest):
        return write
    said = write.order[_said(write, mark.digest, digest)]
    return write._replace(value=said, stamp=Stamp(max(write.stamp.at, mark.stamp.at), mark.stamp.tie))


def marked(write: FieldWrite, mark: Mark | None, *, kept: bool) -> Stamp:
    """Return the stamp of a mark: as new as any event so far, and behind it the one that said what is furthest.

    kept: whether the CRM's own value stays, so that no event is behind it.
    """
    return write.stamp.covering(mark.stamp if mark else None, None if kept else write.stamp)


def advanced(mark: Mark, write: FieldWrite) -> Mark:
    """Return the mark after a newer event that says nothing further; an undo's goes on holding back what is older."""
    if is_taken_back(mark):
        return mark
    return mark._replace(stamp=write.stamp.covering(mark.stamp, mark.stamp), timing=write.timing)


def goes_on(write: FieldWrite, current: Value, *, ours: bool) -> bool:
    """Whether a value is further than the CRM's. ours: whether the connector or the CRM itself put that there.

    What people put there that is not on the list stays.
    """
    place = _place(current, write)
    if place is None:
        return ours or current in (None, "")
    return place < progress(write)


def _said(write: FieldWrite, said: str, digest: Digest) -> int:
    """Return where on a field's list a value is, by its digest; -1 where it is not."""
    return next((place for place, value in enumerate(write.order) if digest(value) == said), -1)


def _place(value: Value, write: FieldWrite) -> int | None:
    """Return where on a field's list a value is, as CRMs compare them."""
    folded = fold_key(text(value))
    return next((place for place, known in enumerate(write.order) if fold_key(text(known)) == folded), None)
