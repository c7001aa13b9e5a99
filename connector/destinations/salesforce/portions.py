"""Write records in as few calls as an org takes: 200 in a collection, five collections in a call."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, count
from typing import Final, NamedTuple

from connector.destinations.base import Outcome, Row, Verdict, one_call
from connector.destinations.salesforce.abreast import Abreast
from connector.destinations.salesforce.client import Client
from connector.destinations.salesforce.together import LONGEST, REFERENCE, Fault, Replies, Reply, Request, Together
from connector.destinations.salesforce.writes import Batch, Record

COLLECTION: Final = 200
"""Records that one collection may have."""
_ALONE: Final = Fault("REFUSED_TOGETHER", too_much=True)
_CROWDED: Final = Fault("TOO_MANY_RECORDS_TOGETHER", too_much=True)


class Group(NamedTuple):
    """Records of one object for one path, and the rows they were made of.

    key_field: empty if they are not written by their key. method: PATCH, or POST for records that are created.
    """

    path: str
    key_field: str
    records: Sequence[Record]
    rows: Sequence[Row]
    method: str = "PATCH"


@dataclass(slots=True)
class _Portion:
    """What one collection has of a group. number: the group's. places: of the records in it. texts: them as JSON.

    alone: whether their text means something else among other requests.
    """

    group: Group
    number: int
    alone: bool
    places: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    size: int = 0

    @property
    def rows(self) -> list[Row]:
        return [self.group.rows[place] for place in self.places]

    @property
    def records(self) -> list[Record]:
        return [self.group.records[place] for place in self.places]

    @property
    def request(self) -> Request:
        return Request(self.group.method, self.group.path, f'{{"allOrNone":false,"records":[{",".join(self.texts)}]}}')

    def is_full(self, text: str) -> bool:
        return len(self.places) == COLLECTION or (bool(self.places) and self.size + len(text) > LONGEST)

    def add(self, place: int, text: str) -> None:
        self.places.append(place)
        self.texts.append(text)
        self.size += len(text)


_Written = tuple[Batch, list[Outcome]]
"""How a portion was written, and the outcome of each of its records."""


class Writer:
    """Writes groups of records to one org. May raise DestinationUnusable."""

    def __init__(self, client: Client, abreast: Abreast) -> None:
        self._client, self._abreast = client, abreast
        self._together = Together(client, "writes")

    def write(self, groups: Sequence[Group]) -> list[list[Outcome]]:
        """The outcome of each record of each group, in order."""
        portions = list(chain.from_iterable(map(_portions, count(), groups)))
        portions.sort(key=lambda portion: portion.alone)
        replied = self._abreast([partial(self._ask, bundle) for bundle in self._bundles(portions)])
        replies = chain.from_iterable(answer.each for answer in replied)
        written = self._abreast(list(map(partial(partial, self._write), portions, replies)))
        self._learn(replied, written)
        return _in_order(groups, zip(portions, (outcomes for _, outcomes in written), strict=True))

    def _bundles(self, portions: Sequence[_Portion]) -> list[list[_Portion]]:
        sizes = [None if portion.alone else portion.size for portion in portions]
        return [[portions[place] for place in bundle] for bundle in self._together.bundles(sizes)]

    def _learn(self, replied: Sequence[Replies], written: Sequence[_Written]) -> None:
        """Send fewer together for a fault of a call, however many there are."""
        refused = chain.from_iterable(map(_refused, replied))
        alone = (_ALONE for was_refused, own in zip(refused, written, strict=True) if was_refused and _is_taken(own))
        crowded = (_CROWDED for batch, _ in written if batch.crowded)
        if fault := next(filter(None, chain((answer.fault for answer in replied), crowded, alone)), None):
            self._together.learn(fault)

    def _ask(self, portions: Sequence[_Portion]) -> Replies:
        if len(portions) == 1:
            return Replies([None])
        with one_call(row for portion in portions for row in portion.rows):
            return self._together.ask([portion.request for portion in portions])

    def _write(self, portion: _Portion, reply: Reply | None) -> _Written:
        batch = Batch(self._client, portion.group.path, portion.group.key_field, portion.group.method)
        with one_call(portion.rows):
            return batch, batch.write(portion.records, reply)


def _portions(number: int, group: Group) -> Iterator[_Portion]:
    open_portions: dict[bool, _Portion] = {}
    for place, record in enumerate(group.records):
        text = json.dumps(record)
        alone = REFERENCE in text
        portion = open_portions.setdefault(alone, _Portion(group, number, alone))
        if portion.is_full(text):
            yield portion
            portion = open_portions[alone] = _Portion(group, number, alone)
        portion.add(place, text)
    yield from open_portions.values()


def _refused(answer: Replies) -> list[bool]:
    """Which requests were refused for a reason that may lie in those they were sent with."""
    return [answer.doubtful and reply is None for reply in answer.each]


def _is_taken(written: _Written) -> bool:
    return all(outcome.verdict is Verdict.DELIVERED for outcome in written[1])


def _in_order(groups: Sequence[Group], written: Iterable[tuple[_Portion, Sequence[Outcome]]]) -> list[list[Outcome]]:
    outcomes: list[dict[int, Outcome]] = [{} for _ in groups]
    for portion, own in written:
        outcomes[portion.number].update(zip(portion.places, own, strict=True))
    return [[of_group[place] for place in range(len(of_group))] for of_group in outcomes]
