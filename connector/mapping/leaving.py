"""List which classes of data a mapping sends to the CRM, from the event fields behind each target."""

from __future__ import annotations

from collections.abc import Iterator

from connector.carecycle import catalogue
from connector.carecycle.catalogue import Privacy
from connector.mapping import event_paths
from connector.mapping.load import Loaded
from connector.mapping.schema import File, Record


def leaving(loaded: Loaded) -> dict[Privacy, list[str]]:
    """Map each class of data to the targets it goes to, as `record.Field`; empty lists if the mapping has errors.

    A target counts for every event field that decides its value: those sent and those its conditions read. It counts
    as operational only if no field of another class decides it.
    """
    by_class: dict[Privacy, dict[str, None]] = {privacy: {} for privacy in Privacy}
    for target, path in _sent(loaded.written[0]) if loaded.written else ():
        if path in catalogue.FIELDS:
            by_class[catalogue.FIELDS[path].privacy][target] = None
    operational = by_class.pop(Privacy.OPERATIONAL)
    personal = {target for targets in by_class.values() for target in targets}
    by_class[Privacy.OPERATIONAL] = {target: None for target in operational if target not in personal}
    return {privacy: list(by_class[privacy]) for privacy in Privacy}


def _sent(file: File) -> Iterator[tuple[str, str]]:
    """Pair each target with every event field that decides its value."""
    for name, record in file.records.items():
        yield from ((f"{name}.{target}", path) for target, path in _of_record(record))
    for flag, target in file.consent.flags.items():
        yield target, f"customer.{flag}"
    if file.consent.unsubscribe:
        yield "(unsubscribed addresses)", "customer.email"


def _of_record(record: Record) -> Iterator[tuple[str, str]]:
    for entry in (record.key, *record.also_match):
        for target, key in entry.items():
            yield from ((target, path) for path in event_paths.of_source(key.as_source()))
    for target, field in record.fields.items():
        yield from ((target, path) for path in event_paths.of_source(field))
