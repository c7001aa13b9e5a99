"""Look values up in the CRM and cache them: owners and users seldom change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from threading import Lock
from typing import Final

from connector.destinations.base import Compare, Destination, Found, Narrow, Outcome
from connector.model import Lookup, Value

MOST: Final = 20_000
"""Answers kept at most; the oldest go first."""

Answer = Value | Outcome
"""None where the CRM has no match or several, an Outcome where it cannot be asked."""


class Lookups:
    """Cache the look-ups of one destination, for all its lanes. clock: monotonic seconds. keep: seconds."""

    def __init__(self, clock: Callable[[], float], keep: float = 900.0) -> None:
        self._clock, self._keep = clock, keep
        self._known: dict[Lookup, tuple[float, Answer]] = {}
        self._lock = Lock()

    def resolve(self, destination: Destination, wanted: Iterable[Lookup]) -> dict[Lookup, Answer]:
        """Return each look-up's value, of those that have no match what is looked up or taken instead.

        Raises DestinationUnusable.
        """
        resolved: dict[Lookup, Answer] = {}
        asking = {lookup: lookup for lookup in wanted}
        while asking:
            answers, following = self._answers(destination, set(asking.values())), dict[Lookup, Lookup]()
            for lookup, step in asking.items():
                answer = answers[step] if answers[step] is not None else step.otherwise
                if isinstance(answer, Lookup):
                    following[lookup] = answer
                else:
                    resolved[lookup] = answer
            asking = following
        return resolved

    def _answers(self, destination: Destination, asked: set[Lookup]) -> dict[Lookup, Answer]:
        known = self._fresh()
        if asked - known.keys():
            with self._lock:  # of several lanes that want the same, the first asks
                known = self._ask(destination, asked)
        return {lookup: known[lookup][1] for lookup in asked}

    def _fresh(self) -> dict[Lookup, tuple[float, Answer]]:
        now = self._clock()
        return {lookup: kept for lookup, kept in self._known.items() if kept[0] > now}

    def _ask(self, destination: Destination, asked: set[Lookup]) -> dict[Lookup, tuple[float, Answer]]:
        """Ask for what is not known by now; return everything that is."""
        known, now = self._fresh(), self._clock()
        for _, group in groupby(sorted(asked - known.keys(), key=_question), _question):
            values = _ask(destination, list(group))
            known |= {lookup: (now + self._kept_for(value), value) for lookup, value in values.items()}
        lasting = [(lookup, kept) for lookup, kept in known.items() if _is_lasting(lookup, kept[1])]
        self._known = dict(lasting[-MOST:])  # replaced as a whole, because other lanes read it meanwhile
        return known

    def _kept_for(self, value: Answer) -> float:
        """Seconds; a replay after a missing user was created must find them."""
        return self._keep if value is not None else min(self._keep, 60.0)


def _is_lasting(lookup: Lookup, value: Answer) -> bool:
    """Whether a value may be used again; one that records wait for is asked for again."""
    if isinstance(value, Outcome):
        return False
    return not (lookup.waits and value is None)


def _question(lookup: Lookup) -> tuple[object, ...]:
    names = tuple(name for name, _ in lookup.criteria)
    return lookup.object, lookup.returns, names, lookup.where


def _ask(destination: Destination, lookups: Sequence[Lookup]) -> dict[Lookup, Answer]:
    """Return the values of look-ups that share a question, by one search."""
    first = lookups[0]
    returns, others = first.returns, [name for name, _ in first.criteria[1:]]
    narrow = {name: sorted({dict(lookup.criteria)[name] for lookup in lookups}) for name in others}
    comparing = _comparing(destination, first.object, narrow)
    if unknown := [name for name, compare in comparing.items() if compare is None]:
        return _ask_each(destination, lookups, unknown)
    values, read = [lookup.value for lookup in lookups], [returns, *others]
    answers = destination.find(first.object, first.match, values, read, narrow)
    is_id = destination.crm.is_id(returns)
    compared = {name: compare for name, compare in comparing.items() if compare}
    records = {lookup: _agreeing(answers.get(lookup.value, []), lookup, compared) for lookup in lookups}
    return {lookup: _single(answer, returns, is_id) for lookup, answer in records.items()}


def _comparing(destination: Destination, object: str, narrow: Narrow) -> dict[str, Compare | None]:
    """Return how the fields are compared that the search is not for one value of."""
    return {name: destination.comparing(object, name) for name, wanted in narrow.items() if len(wanted) > 1}


def _ask_each(destination: Destination, lookups: Sequence[Lookup], fields: Sequence[str]) -> dict[Lookup, Answer]:
    """Ask for one value at a time of the fields that the CRM alone can compare."""

    def values(lookup: Lookup) -> list[str]:
        return [dict(lookup.criteria)[name] for name in fields]

    groups = groupby(sorted(lookups, key=values), values)
    return {lookup: answer for _, group in groups for lookup, answer in _ask(destination, list(group)).items()}


def _agreeing(answer: list[Found] | Outcome, lookup: Lookup, compared: Mapping[str, Compare]) -> list[Found] | Outcome:
    """Leave out the records that have another value in a field that the search was not for one value of."""
    if isinstance(answer, Outcome):
        return answer
    wanted = {name: compared[name](value) for name, value in lookup.criteria if name in compared}
    return [
        record
        for record in answer
        if all(compared[name](record.values.get(name)) == value for name, value in wanted.items())
    ]


def _single(answer: list[Found] | Outcome, returns: str, is_id: bool) -> Answer:
    if isinstance(answer, Outcome):
        return answer
    if len(answer) != 1:
        return None
    return answer[0].id if is_id else answer[0].values.get(returns)
