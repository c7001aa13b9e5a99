"""Find records by a unique property, by search if the property is not unique, and owners by their list."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as attribute
from typing import Any, Final

from connector.destinations.base import EVERY, Answers, Found, Narrow, Outcome, Verdict
from connector.destinations.hubspot.calls import OWNERS, READ, SEARCH, Calls, Query, expect
from connector.destinations.hubspot.cursors import ENDLESS, Cursors
from connector.destinations.hubspot.entries import UNREAD, Listed, Seen, owners, records
from connector.destinations.hubspot.errors import OF_PROPERTY, OF_VALUE, WHOLE
from connector.destinations.hubspot.refusals import named_ids, outcome, reply_refusal
from connector.destinations.hubspot.replies import Owner, Page, Read, Reply, Written
from connector.destinations.hubspot.values import folded, plain
from connector.model import Value
from connector.settlement import Refusal

BATCH: Final = 100
SPLITS: Final = 32

_FURTHER: Final = {"email": ("hs_additional_emails",)}
"""Where a record shows the further values it is also found by, separated by semicolons."""

_ID_FIELDS: Final = ("id", "hs_object_id")
FORMER_IDS: Final = ("hs_merged_object_ids", "hs_calculated_merged_vids")
"""Where a record shows the ids of those merged into it, the second with times: https://knowledge.hubspot.com/records/merge-records."""
_FURTHER_FILTERS: Final = 5
"""Of at most six in a group. What records have in other properties is compared in any case."""
RECORD_ID: Final = re.compile(r"[0-9]{1,19}")
_CORRECT: Final = "correct the value in careCycle, which sends a new event, or the mapping, then replay"
_LEFT_OVER: Final = Outcome(
    Verdict.DEFERRED,
    refusal=Refusal(
        "SEARCH_REFUSED",
        "its search was refused because of other values, too many to tell which",
        "replay: the search is repeated",
    ),
)


@dataclass(slots=True)
class _Query:
    """What to search for, by one property. splits: extra calls left to isolate the values that HubSpot refuses.

    further: properties that must have one value each.
    """

    object: str
    field: str
    names: Sequence[str]
    further: Mapping[str, str] = attribute(default_factory=dict)
    splits: int = SPLITS


_Ask = Callable[[_Query, list[str]], Answers]


class Finder:
    """Reads of one account."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._not_unique: set[tuple[str, str]] = set()

    def find(
        self, object: str, field: str, values: Sequence[str], names: Sequence[str], narrow: Narrow = EVERY
    ) -> Answers:
        """Records by a property: each of `values` -> the records that have it, or why they are unknown."""
        further = {name: wanted[0] for name, wanted in narrow.items() if len(wanted) == 1}
        read = tuple(dict.fromkeys([*names, *further]))
        asked = list(dict.fromkeys(value for value in values if _may_exist(object, field, value)))
        answers: Answers = {value: [] for value in values}
        if object == "owners":
            answers |= self._find_owners(field, asked, read) if asked else {}
        else:
            for chunk in chunks(asked, BATCH):
                ask = self._search if (object, field) in self._not_unique else self._read
                answers.update(ask(_Query(object, field, read, further), chunk))
        return {value: _narrowed(answer, further) for value, answer in answers.items()} if further else answers

    def search(self, object: str, field: str, values: Sequence[str], names: Sequence[str]) -> Answers:
        """Records by a property that is not unique."""
        answers: Answers = {value: [] for value in values}
        for chunk in chunks(values, BATCH):
            answers.update(self._search(_Query(object, field, names), chunk))
        return answers

    def _read(self, question: _Query, asked: list[str]) -> Answers:
        """Read one batch."""
        reply = self._calls.ask(READ, object=question.object, body=_read_body(question, asked))
        if not reply.ok:
            return self._refused(question, asked, reply, self._read)
        batch = expect(Read, reply)
        listed = records(batch.results)
        if len(asked) == 1:
            return {asked[0]: _of_one_value(question, listed)}
        answers = _matched(question, asked, listed.read)
        missing = {identity for error in batch.errors for identity in named_ids(error)}
        unmatched = [value for value in asked if value not in answers and value.lower() not in missing]
        # A record that does not show the value it was read by is matched by asking alone.
        for value in unmatched:
            answers.update(self._read(question, [value]))
        return answers

    def _refused(self, question: _Query, asked: list[str], reply: Reply, ask: _Ask) -> Answers:
        """Handle the rejection of a read: ask for half of its values at a time until those at fault are alone."""
        error = reply_refusal(reply)
        if error.code == "KEY_NOT_UNIQUE" and ask == self._read:
            self._not_unique.add((question.object, question.field))
            return self._search(question, asked)
        if error.code in WHOLE | OF_PROPERTY:
            return dict.fromkeys(asked, outcome(error, reply.request_id))
        if len(asked) == 1:
            return {asked[0]: [] if error.code in OF_VALUE else _unqueryable(question.field, error.code)}
        if question.splits < 2:
            return dict.fromkeys(asked, _LEFT_OVER)
        question.splits -= 2
        half = len(asked) // 2
        return ask(question, asked[:half]) | ask(question, asked[half:])

    def _search(self, question: _Query, asked: list[str]) -> Answers:
        """Search for the values. The index lags by seconds, so this finds records made by people, not by us."""
        names = sorted({*question.names, question.field})
        wanted = {
            "propertyName": question.field,
            "operator": "IN",
            "values": sorted({value.lower() for value in asked}),
        }
        further = [{"propertyName": name, "operator": "EQ", "value": value} for name, value in question.further.items()]
        further = further[:_FURTHER_FILTERS]
        # The specification requires `sorts` and HubSpot does not.
        body = {"filterGroups": [{"filters": [wanted, *further]}], "properties": names, "limit": 200, "sorts": []}
        entries = self._pages(question.object, body)
        if isinstance(entries, Reply):
            return self._refused(question, asked, entries, self._search)
        if isinstance(entries, Outcome):  # what the pages left out would pass for missing, and be created twice
            return dict.fromkeys(asked, entries)
        listed = records(entries, question.field)
        answers: Answers = {}
        for value in asked:
            holders = [own for own in listed.read if folded(own.properties[question.field]) == folded(value)]
            is_unread = listed.may_hide(value, is_found=bool(holders))
            answers[value] = UNREAD if is_unread else [_as_found(own, question.names) for own in holders]
        return answers

    def _pages(self, object: str, body: dict[str, object]) -> list[Any] | Reply | Outcome:
        """All entries of a search, the reply that rejects it, or that it does not end."""
        cursors = Cursors("0")
        entries: list[Any] = []
        for after in cursors:
            reply = self._calls.ask(SEARCH, object=object, body={**body, "after": after})
            if not reply.ok:
                return reply
            page = expect(Page, reply)
            entries += page.results
            cursors.follow(page.paging)
        return entries if cursors.ended else ENDLESS

    def _find_owners(self, field: str, asked: list[str], names: Sequence[str]) -> Answers:
        """Read all owners and pick: they are few, and HubSpot looks up only one address per call."""
        cursors = Cursors("")
        entries: list[Any] = []
        for after in cursors:
            query: Query = [("limit", "500"), *([("after", after)] if after else [])]
            page = self._calls.read(Page, OWNERS, query=query)
            entries += page.results
            cursors.follow(page.paging)
        listed = owners(entries, field)
        known = {owner.id: _owner(owner) for owner in listed.read}
        answers: Answers = {}
        for value in asked:
            matches = [
                Found(crm_id, {name: own.get(name) for name in names})
                for crm_id, own in known.items()
                if folded(own.get(field)) == folded(value)
            ]
            doubt = UNREAD if listed.may_hide(value, is_found=bool(matches)) else matches
            answers[value] = doubt if matches or cursors.ended else ENDLESS
        return answers


def chunks(rows: Sequence[str], size: int) -> Iterator[list[str]]:
    """Split the rows into lists of at most `size`."""
    for start in range(0, len(rows), size):
        yield list(rows[start : start + size])


def single_id(answer: list[Found] | Outcome) -> str | Outcome:
    """The id of the only record a search answered; empty if there is none or several."""
    if isinstance(answer, Outcome):
        return answer
    return answer[0].id if len(answer) == 1 else ""


def former_ids(record: Written) -> list[str]:
    """The ids that lead to a record besides its own."""
    shown = (record.properties.get(name) or "" for name in FORMER_IDS)
    return [part.partition(":")[0] for text in shown for part in text.split(";") if part]


def _narrowed(answer: list[Found] | Outcome, further: Mapping[str, str]) -> list[Found] | Outcome:
    """Leave out the records that do not have each of these values: not every way of reading asks for them."""
    if isinstance(answer, Outcome):
        return answer
    wanted = {name: folded(value) for name, value in further.items()}
    return [own for own in answer if all(folded(own.values[name]) == value for name, value in wanted.items())]


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


def _may_exist(object: str, field: str, value: str) -> bool:
    """Whether a record can have this value; the id of a record is a number."""
    if field in _ID_FIELDS and object != "owners":
        return RECORD_ID.fullmatch(value) is not None
    return value != ""


def _unqueryable(field: str, code: str) -> Outcome:
    cause, action = f"HubSpot cannot search {{fields}} for this value ({code})", _CORRECT
    return Outcome(Verdict.REJECTED, refusal=Refusal.of("UNQUERYABLE", cause, action, (field,)))


def _read_body(question: _Query, asked: list[str]) -> dict[str, Any]:
    by_id, names = question.field in _ID_FIELDS, question.names
    body = {
        "inputs": [{"id": value} for value in asked],
        "properties": sorted({*names, *(FORMER_IDS if by_id else (question.field, *_FURTHER.get(question.field, ())))}),
        "propertiesWithHistory": [],  # the specification requires it, HubSpot does not
    }
    return body if by_id else {**body, "idProperty": question.field}


def _held_values(record: Written, field: str) -> list[str]:
    """The values by which a record is found."""
    texts = [record.properties.get(name) or "" for name in (field, *_FURTHER.get(field, ()))]
    return [folded(value) for text in texts for value in text.split(";")]


def _of_one_value(question: _Query, listed: Listed[Seen]) -> list[Found] | Outcome:
    matches = [_as_found(record, question.names) for record in listed.read]
    return UNREAD if listed.is_odd and not matches else matches


def _matched(question: _Query, asked: list[str], read: Sequence[Seen]) -> Answers:
    """The records of a batch, each under the value it was read by."""
    field, names = question.field, question.names
    if field in _ID_FIELDS:
        by_id = {own: record for record in read for own in (*former_ids(record), record.id)}
        return {value: [_as_found(by_id[value], names)] for value in asked if value in by_id}
    by_value = {value: record for record in read for value in _held_values(record, field)}
    return {value: [_as_found(by_value[folded(value)], names)] for value in asked if folded(value) in by_value}
