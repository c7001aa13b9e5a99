"""Find records by a unique property, by search if the property is not unique, and owners by their list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from connector.destinations.base import Found
from connector.destinations.hubspot.calls import OWNERS, READ, SEARCH, Calls, Query, expect, unusable
from connector.destinations.hubspot.errors import OF_PROPERTY, UNREADABLE, WHOLE
from connector.destinations.hubspot.refusals import named_ids, reply_refusal
from connector.destinations.hubspot.replies import Owner, Owners, Page, Read, Reply, Written
from connector.destinations.hubspot.values import folded, plain
from connector.model import Value

BATCH: Final = 100

_ID_FIELDS: Final = ("id", "hs_object_id")

Answers = dict[str, list[Found]]


class Finder:
    """Reads of one account."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._not_unique: set[tuple[str, str]] = set()

    def find(self, object: str, field: str, values: Sequence[str], names: Sequence[str]) -> Answers:
        """Records by a property: each of `values` -> the records that have it."""
        asked = list(dict.fromkeys(value for value in values if value))
        answers: Answers = {value: [] for value in values}
        if object == "owners":
            return answers | (self._find_owners(field, asked, names) if asked else {})
        for chunk in chunks(asked, BATCH):
            ask = self._search if (object, field) in self._not_unique else self._read
            answers.update(ask(object, field, chunk, names))
        return answers

    def _read(self, object: str, field: str, asked: list[str], names: Sequence[str]) -> Answers:
        """Read one batch, and split it if HubSpot rejects it: no record has a value that HubSpot cannot parse."""
        reply = self._calls.ask(READ, object=object, body=_read_body(field, asked, names))
        if not reply.ok:
            return self._refused(object, field, asked, names, reply)
        batch = expect(Read, reply)
        if len(asked) == 1:
            return {asked[0]: [_as_found(record, names) for record in batch.results]}
        answers = _matched(field, asked, names, batch)
        missing = {identity for error in batch.errors for identity in named_ids(error)}
        unmatched = [value for value in asked if value not in answers and value.lower() not in missing]
        # A contact read by its secondary email address shows its primary one, so it is matched by asking alone.
        for value in unmatched:
            answers.update(self._read(object, field, [value], names))
        return answers

    def _refused(self, object: str, field: str, asked: list[str], names: Sequence[str], reply: Reply) -> Answers:
        code = reply_refusal(reply).code
        if code == "KEY_NOT_UNIQUE":
            self._not_unique.add((object, field))
            return self._search(object, field, asked, names)
        if code in WHOLE | OF_PROPERTY:
            expect(Read, reply)
        if len(asked) == 1:
            return {}
        half = len(asked) // 2
        first = self._read(object, field, asked[:half], names)
        return first | self._read(object, field, asked[half:], names)

    def _search(self, object: str, field: str, asked: list[str], names: Sequence[str]) -> Answers:
        """Search for the values. The index lags by seconds, so this finds records made by people, not by us."""
        wanted = {"propertyName": field, "operator": "IN", "values": sorted({value.lower() for value in asked})}
        body = {"filterGroups": [{"filters": [wanted]}], "properties": sorted({*names, field}), "limit": 200}
        answers: Answers = {}
        for record in self._pages(object, body):
            for value in asked:
                if folded(record.properties.get(field)) == folded(value):
                    answers.setdefault(value, []).append(_as_found(record, names))
        return answers

    def _pages(self, object: str, body: dict[str, object]) -> Iterator[Written]:
        after: str | None = "0"
        seen = {after}
        while after is not None:
            page = expect(Page, self._calls.ask(SEARCH, object=object, body={**body, "after": after}))
            yield from page.results
            after = page.paging.next.after if page.paging and page.paging.next else None
            if after in seen:  # what the pages left out would pass for missing, and be created twice
                raise unusable(UNREADABLE)
            seen.add(after)

    def _find_owners(self, field: str, asked: list[str], names: Sequence[str]) -> Answers:
        """Read all owners and pick: they are few, and HubSpot looks up only one address per call."""
        owners = {owner.id: _owner(owner) for owner in self._owners()}
        return {
            value: [
                Found(identity, {name: values.get(name) for name in names})
                for identity, values in owners.items()
                if folded(values.get(field)) == folded(value)
            ]
            for value in asked
        }

    def _owners(self) -> Iterator[Owner]:
        after: str | None = ""
        seen: set[str | None] = set()
        while after is not None and after not in seen:
            seen.add(after)
            query: Query = [("limit", "500"), *([("after", after)] if after else [])]
            page = self._calls.read(Owners, OWNERS, query=query)
            yield from page.results
            after = page.paging.next.after if page.paging and page.paging.next else None


def chunks(rows: Sequence[str], size: int) -> Iterator[list[str]]:
    """Split the rows into lists of at most `size`."""
    for start in range(0, len(rows), size):
        yield list(rows[start : start + size])


def _as_found(record: Written, names: Sequence[str]) -> Found:
    return Found(record.id, {name: _value(record, name) for name in names})


def _value(record: Written, name: str) -> Value:
    return record.id if name in _ID_FIELDS else plain(name, record.properties.get(name))


def _owner(owner: Owner) -> dict[str, Value]:
    return {
        "id": owner.id,
        "email": owner.email,
        "firstName": owner.first_name,
        "lastName": owner.last_name,
        "userId": owner.user_id,
    }


def _read_body(field: str, asked: list[str], names: Sequence[str]) -> dict[str, Any]:
    by_id = field in _ID_FIELDS
    body = {
        "inputs": [{"id": value} for value in asked],
        "properties": sorted({*names} if by_id else {*names, field}),
        "propertiesWithHistory": [],  # the specification requires it, HubSpot does not
    }
    return body if by_id else {**body, "idProperty": field}


def _matched(field: str, asked: list[str], names: Sequence[str], batch: Read) -> Answers:
    """The records of a batch, each under the value it was read by."""
    if field in _ID_FIELDS:
        by_id = {record.id: record for record in batch.results}
        return {value: [_as_found(by_id[value], names)] for value in asked if value in by_id}
    by_value = {folded(record.properties.get(field)): record for record in batch.results}
    return {value: [_as_found(by_value[folded(value)], names)] for value in asked if folded(value) in by_value}
