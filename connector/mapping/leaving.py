"""Which data a mapping sends out of the house: the classes of the event fields behind each target."""

from __future__ import annotations

from collections.abc import Iterator

from connector.carecycle import catalogue
from connector.carecycle.catalogue import Privacy
from connector.mapping import event_paths
from connector.mapping.load import Loaded
from connector.mapping.schema import File, Record


def leaving(loaded: Loaded) -> dict[Privacy, list[str]]:
    """Every class of data with the targets it goes to, as `record.Field`; nothing for a mapping that does not load.

    A target counts for every event field that decides its value: those sent, and those its conditions look at. It is
    operational only when nothing of another class decides it.
    """
    found: dict[Privacy, dict[str, None]] = {privacy: {} for privacy in Privacy}
    for target, path in _sent(loaded.written[0]) if loaded.written else ():
        if path in catalogue.FIELDS:
            found[catalogue.FIELDS[path].privacy][target] = None
    personal = {
        target for privacy, targets in found.items() if privacy is not Privacy.OPERATIONAL for target in targets
    }
    found[Privacy.OPERATIONAL] = {target: None for target in found[Privacy.OPERATIONAL] if target not in personal}
    return {privacy: list(targets) for privacy, targets in found.items()}


def _sent(file: File) -> Iterator[tuple[str, str]]:
    """Each target with each event field that decides its value."""
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
