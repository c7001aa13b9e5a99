"""Turn rows into Salesforce records, and group them into requests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from enum import Enum, auto

from connector.destinations.base import Outcome, Row, Verdict
from connector.destinations.salesforce import values
from connector.destinations.salesforce.converted import CODE as CONVERTED
from connector.destinations.salesforce.errors import hopeless
from connector.destinations.salesforce.writes import Record
from connector.model import Value


class How(Enum):
    """How a record is written. CREATED: it is refused if another record has its key."""

    CREATED = auto()
    BY_KEY = auto()
    BY_ID = auto()

    @property
    def method(self) -> str:
        """Of the request."""
        return "POST" if self is How.CREATED else "PATCH"


def how(row: Row, id: str) -> How:
    """How to write a row. id: of its record, empty if there is none or it is not known."""
    if id:
        return How.BY_ID
    return How.CREATED if row.new else How.BY_KEY


def alike(rows: dict[int, Row]) -> dict[tuple[str, str], list[int]]:
    """The rows' places, grouped by object and key field, in the given order."""
    groups: dict[tuple[str, str], list[int]] = {}
    for place, row in rows.items():
        groups.setdefault((row.key.object, row.key.field), []).append(place)
    return groups


def waves(places: Iterable[int], target_ids: Mapping[int, str], seen: Counter[str]) -> list[list[int]]:
    """Split the places into as few waves as possible, with no id twice in a wave.

    seen: in how many waves each id is already, also under another key; counted on.
    """
    waves: list[list[int]] = []
    for place in places:
        target_id = target_ids[place]
        wave = seen[target_id] if target_id else 0
        seen[target_id] += 1
        while wave >= len(waves):
            waves.append([])
        waves[wave].append(place)
    return waves


def record(row: Row, id: str, fields: Mapping[str, Value]) -> Record:
    """The record to write by its id, or by its key if the id is empty."""
    key = {} if row.key.field == "Id" or (id and not row.keyed) else {row.key.field: values.key(row.key.value)}
    return _head(row, id) | {name: values.outgoing(value) for name, value in fields.items()} | key


def worth_raising(outcome: Outcome) -> bool:
    """Whether the opt-outs of a row with this outcome may succeed on their own.

    On a converted lead they would reach nobody, whether Salesforce takes them or not.
    """
    return outcome.verdict is Verdict.REJECTED and outcome.code != CONVERTED and not hopeless(outcome.code)


def flags(row: Row, id: str) -> Record:
    """The record with only the row's opt-outs."""
    return _head(row, id) | {name: values.outgoing(row.fields[name]) for name in sorted(row.consent)}


def _head(row: Row, id: str) -> Record:
    return {"attributes": {"type": row.key.object}} | ({"id": id} if id else {})
