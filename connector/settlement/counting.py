"""The calls that a field of a record counts, and how many those are. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from connector.model import RecordKey, Stamp


class Mark(NamedTuple):
    """The newest known state of a call: what time it is of, and whether the call counts."""

    stamp: Stamp
    counts: bool


class Total(NamedTuple):
    """How many calls count. stamp: of the newest that is known, counted or not."""

    number: int
    stamp: Stamp


Place = tuple[RecordKey, str]
"""A record, and the name of a field."""

Totals = Mapping[Place, Total]
"""Only fields of records that had a call."""


def total(marks: Iterable[Mark]) -> Total:
    """Add up the calls of a field.

    An older call that arrives late makes the number greater and leaves the time: what was written last is not newer.
    """
    known = list(marks)
    return Total(sum(mark.counts for mark in known), max(mark.stamp for mark in known))
