"""Compile a look-up, and what is looked up or taken where it has no match."""

from __future__ import annotations

from collections.abc import Callable
from datetime import tzinfo
from typing import Any

from connector.carecycle.catalogue import ABSENT
from connector.mapping import schema_sources as schema
from connector.mapping.functions import Get, Payload
from connector.mapping.steps.texts import text
from connector.model import Lookup


def compiled(written: schema.Lookup, id_field: str, read: Callable[[str], Get], *, bare: bool) -> Get:
    """Compile a look-up. read: compiles a field of the event, as text. bare: without its `else:`."""
    required, waits = written.missing == "reject", written.missing == "wait"
    first, *others = [step for _, step in written.steps()]
    get = None if bare or written.last is None else _fixed(written.last)
    for step in [] if bare else reversed(others):
        get = _step(step, step.return_ or id_field, read, get, (required, waits))
    return _step(first, first.return_ or id_field, read, get, (required, waits))


def always(written: schema.Lookup, id_field: str) -> Lookup:
    """Return the record that a look-up by fixed text alone is for, without its `else:`."""
    (match, value), *where = _criteria(written)
    return Lookup(written.object, match, value, id_field, where=tuple(where))


def _criteria(written: schema.Lookup) -> list[tuple[str, str]]:
    """List what is fixed. Records are searched by the first, for which true or false would not do."""
    ordered = sorted(written.where.items(), key=lambda item: isinstance(item[1], bool))
    return [(name, text(value)) for name, value in ordered]


def _fixed(value: Any) -> Get:
    return lambda payload, zone: value


def _step(
    written: schema.Lookup, returns: str, read: Callable[[str], Get], otherwise: Get | None, missing: tuple[bool, bool]
) -> Get:
    if otherwise is None and len(written.match) == 1 and not written.where:
        return _plain(written, returns, read, missing)
    kind, fixed, sought = written.object, _criteria(written), _sought(written, read)
    lead, where = ([], tuple(fixed)) if written.match else (fixed[:1], tuple(fixed[1:]))

    def look_up(payload: Payload, zone: tzinfo) -> Any:
        following = None if otherwise is None else otherwise(payload, zone)
        criteria = sought(payload, zone)
        if not isinstance(criteria, list):
            return criteria if otherwise is None else following
        together: list[tuple[str, str]] = [*lead, *criteria]
        (match, value), *also = together
        instead = None if following is ABSENT else following
        return Lookup(kind, match, value, returns, *missing, also=tuple(also), where=where, otherwise=instead)

    return look_up


def _sought(written: schema.Lookup, read: Callable[[str], Get]) -> Get:
    """Compile what an event says of the fields to search by: null or ABSENT where it does not say all of it."""
    gets = [(name, read(path)) for name, path in written.match.items()]

    def criteria(payload: Payload, zone: tzinfo) -> Any:
        given = []
        for name, get in gets:
            value = get(payload, zone)
            if value is None or value is ABSENT:
                return value
            given.append((name, value))
        return given

    return criteria


def _plain(written: schema.Lookup, returns: str, read: Callable[[str], Get], missing: tuple[bool, bool]) -> Get:
    """Compile the common kind: by one field of the event."""
    ((match, path),) = written.match.items()
    kind, value_of, (required, waits) = written.object, read(path), missing

    def look_up(payload: Payload, zone: tzinfo) -> Any:
        value = value_of(payload, zone)
        if value is None or value is ABSENT:
            return value
        return Lookup(kind, match, value, returns, required, waits)

    return look_up
