"""Which made-up events a trial sends: together they make every record of the mapping that made-up people can have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connector.insight.trial.person import ENDINGS, MARK, MOST_CALLS, SLOTS, MadeUp, prefix, statuses
from connector.insight.trial.way import Way
from connector.model import RecordKey

Payload = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Cast:
    """The first person, the second with the same address, and their events. calls: the first person's."""

    first: dict[str, Any]
    second: dict[str, Any]
    created: Payload
    calls: tuple[Payload, ...]


def cast(made_up: MadeUp, way: Way) -> Cast:
    """Choose a status that the mapping writes, and as many calls as make all of its records and fields."""
    for status in statuses():
        first = made_up.person(0, status)
        created = made_up.created(first)
        if way.plan(created).writes:
            break
    second = made_up.person(1, first["status"])
    covered: set[tuple[str, str]] = set()
    calls: list[Payload] = []
    for ending in ENDINGS:
        call = made_up.call(first, ending, len(calls))
        fields = {(write.name, name) for write in way.plan(call).writes for name in write.fields}
        if fields - covered and len(calls) < MOST_CALLS:
            calls.append(call)
            covered |= fields
    return Cast(first, second, created, tuple(calls))


def made_up_for(way: Way, run: str, now: datetime) -> MadeUp:
    """The people of a trial, such that their keys can be found again."""
    made_up = MadeUp(0, run, now)
    by_slot = any(run in key.folded and made_up.prefix not in key.folded for key in _keys(way, made_up))
    return MadeUp(0, run, now, by_slot)


def telling(way: Way, made_up: MadeUp) -> dict[str, set[str]]:
    """The fields in which people of trials show that they are made up: object -> fields."""
    fields: dict[str, set[str]] = {}
    for person in (made_up.person(part, status) for status in statuses() for part in range(2)):
        for write in way.plan(made_up.created(person)).writes:
            shown = {
                name for name, own in write.fields.items() if isinstance(own.value, str) and MARK.search(own.value)
            }
            fields.setdefault(write.key.object, set()).update(shown)
    return fields


def reserved_keys(way: Way, made_up: MadeUp) -> dict[tuple[str, str], dict[str, int]]:
    """The keys that records of any trial may have here: (object, key field) -> key -> its slot."""
    keys: dict[tuple[str, str], dict[str, int]] = {}
    mine = made_up.prefix
    for key in {*_keys(way, made_up)}:
        if mine in key.folded:
            others = {key.folded.replace(mine, prefix(slot)): slot for slot in range(SLOTS)}
            keys.setdefault((key.object, key.field), {}).update(others)
    return keys


def _keys(way: Way, made_up: MadeUp) -> Iterator[RecordKey]:
    for status in statuses():
        people = [made_up.person(part, status) for part in range(2)]
        events = [made_up.created(person) for person in people]
        events += [made_up.call(people[0], ending, number) for ending in ENDINGS for number in range(MOST_CALLS)]
        for event in events:
            yield from (write.key for write in way.plan(event).writes)
