"""Values as keyed digests: how those of the ledger, of events and of a CRM are compared. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from connector.mapping.rules import OVER_OURS
from connector.mapping.spelling import usual
from connector.model import Entry, FieldWrite, Stamp, Value

Digest = Callable[[Value], str]
"""A keyed digest of a value as the CRM would return it."""


def plain(write: FieldWrite) -> Value:
    """Return the value of a field whose references and look-ups were resolved."""
    assert write.value is None or isinstance(write.value, str | int | float | bool)  # resolve() came before
    return write.value


def digests_of(value: Value, digest: Digest) -> frozenset[str]:
    """Return the digests of a value as it is and in its usual spelling: values alike share one."""
    return frozenset({digest(value), digest(usual(value))})


def with_earlier(earlier: Mapping[str, Sequence[FieldWrite]], entry: Entry, digest: Digest) -> Entry:
    """Count as ours what a batch's earlier events say of fields that people may edit, as if each had gone alone."""
    ours = {name: dict(_ours(name, writes, entry, digest)) for name, writes in earlier.items()}
    more = {name: {**entry.meant.get(name, {}), **values} for name, values in ours.items() if values}
    return replace(entry, meant={**entry.meant, **more}) if more else entry


def _ours(name: str, writes: Sequence[FieldWrite], entry: Entry, digest: Digest) -> Iterator[tuple[str, Stamp]]:
    mark = entry.fields.get(name)
    for write in writes:
        is_plain = isinstance(write.value, str | int | float | bool)
        if is_plain and write.rule in OVER_OURS and (mark is None or write.stamp >= mark.stamp):
            for each in digests_of(plain(write), digest):
                yield each, write.stamp
