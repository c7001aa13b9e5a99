"""Rows as Salesforce's records, and how they are put together in requests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from connector.destinations.base import Outcome, Row, Verdict
from connector.destinations.salesforce import values
from connector.destinations.salesforce.errors import hopeless
from connector.destinations.salesforce.writes import Record
from connector.model import Value


def alike(rows: dict[int, Row]) -> dict[tuple[str, str], list[int]]:
    """Places by object and key field, in the order given."""
    groups: dict[tuple[str, str], list[int]] = {}
    for place, row in rows.items():
        groups.setdefault((row.key.object, row.key.field), []).append(place)
    return groups


def waves(places: Iterable[int], aims: Mapping[int, str]) -> list[list[int]]:
    """The places in as few turns as can be: of one id, each turn holds one row."""
    waves: list[list[int]] = []
    turns: Counter[str] = Counter()
    for place in places:
        turn = turns[aims[place]] if aims[place] else 0
        turns[aims[place]] += 1
        if turn == len(waves):
            waves.append([])
        waves[turn].append(place)
    return waves


def record(row: Row, id: str, fields: Mapping[str, Value]) -> Record:
    """A row to write by its id, or by its key where that is empty."""
    key = {} if row.key.field == "Id" else {row.key.field: values.key(row.key.value)}
    return _head(row, id) | {name: values.outgoing(value) for name, value in fields.items()} | key


def worth_raising(told: Outcome) -> bool:
    """Whether the opt-outs of a record so refused may still go through alone."""
    return told.verdict is Verdict.REJECTED and not hopeless(told.code)


def flags(row: Row, id: str) -> Record:
    """A row's opt-outs alone."""
    return _head(row, id) | {name: values.outgoing(row.fields[name]) for name in sorted(row.consent)}


def _head(row: Row, id: str) -> Record:
    return {"attributes": {"type": row.key.object}} | ({"id": id} if id else {})
