"""Finding records: by a unique property, by search where the property is not unique, owners by their list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from connector.destinations.base import Found
from connector.destinations.hubspot.calls import OWNERS, READ, SEARCH, Calls, Query, expect
from connector.destinations.hubspot.errors import OF_PROPERTY, WHOLE
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
        """Value asked -> the records that hold it."""
        asked = list(dict.fromkeys(value for value in values if value))
        answers: Answers = {value: [] for value in values}
        if object == "owners":
            return answers | (self._find_owners(field, asked, names) if asked else {})
        for some in chunks(asked, BATCH):
            ask = self._search if (object, field) in self._not_unique else self._read
            answers.update(ask(object, field, some, names))
        return answers

    def _read(self, object: str, field: str, asked: list[str], names: Sequence[str]) -> Answers:
        """One batch read, split when it is refused: a value HubSpot cannot read is one nobody holds."""
        reply = self._calls.ask(READ, object=object, body=_read_body(field, asked, names))
        if not reply.ok:
            return self._refused(object, field, asked, names, reply)
        batch = expect(Read, reply)
        if len(asked) == 1:
            return {asked[0]: [found(record, names) for record in batch.results]}
        answers = _matched(field, asked, names, batch)
        # A secondary e-mail address finds its contact, which then shows another one: ask for what is left one by one.
        missing = {identity for error in batch.errors for identity in named_ids(error)}
        left = [value for value in asked if value not in answers and value.lower() not in missing]
        for value in left:
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
        parts = [self._read(object, field, some, names) for some in (asked[:half], asked[half:])]
        return parts[0] | parts[1]

    def _search(self, object: str, field: str, asked: list[str], names: Sequence[str]) -> Answers:
        """Every record with one of the values. The index lags by seconds: good for records people made, not ours."""
        wanted = {"propertyName": field, "operator": "IN", "values": sorted({value.lower() for value in asked})}
        body = {"filterGroups": [{"filters": [wanted]}], "properties": sorted({*names, field}), "limit": 200}
        answers: Answers = {}
        for one in self._pages(object, body):
            for value in asked:
                if folded(one.properties.get(field)) == folded(value):
                    answers.setdefault(value, []).append(found(one, names))
        return answers

    def _pages(self, object: str, body: dict[str, object]) -> Iterator[Written]:
        after: str | None = "0"
        while after is not None:
            page = expect(Page, self._calls.ask(SEARCH, object=object, body={**body, "after": after}))
            yield from page.results
            after = page.paging.next.after if page.paging and page.paging.next else None

    def _find_owners(self, field: str, asked: list[str], names: Sequence[str]) -> Answers:
        """Owners are few, and HubSpot looks them up by nothing but one address a call: read them all."""
        held = [(owner, _owner(owner)) for owner in self._owners()]
        return {
            value: [
                Found(owner.id, {name: values.get(name) for name in names})
                for owner, values in held
                if folded(values.get(field)) == folded(value)
            ]
            for value in asked
        }

    def _owners(self) -> Iterator[Owner]:
        after: str | None = ""
        while after is not None:
            query: Query = [("limit", "500"), *([("after", after)] if after else [])]
            page = self._calls.read(Owners, OWNERS, query=query)
            yield from page.results
            after = page.paging.next.after if page.paging and page.paging.next else None


def chunks(rows: Sequence[str], size: int) -> Iterator[list[str]]:
    """The rows in pieces of at most `size`."""
    for start in range(0, len(rows), size):
        yield list(rows[start : start + size])


def found(one: Written, names: Sequence[str]) -> Found:
    """A record as the rest of the house reads it."""
    return Found(one.id, {name: _value(one, name) for name in names})


def _value(one: Written, name: str) -> Value:
    return one.id if name in ("id", "hs_object_id") else plain(name, one.properties.get(name))


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
    """The records of a batch, each under the value that asked for it."""
    if field in _ID_FIELDS:
        by_id = {record.id: record for record in batch.results}
        return {value: [found(by_id[value], names)] for value in asked if value in by_id}
    by_value = {folded(record.properties.get(field)): record for record in batch.results}
    return {value: [found(by_value[folded(value)], names)] for value in asked if folded(value) in by_value}
