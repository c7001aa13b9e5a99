"""Look values up in the CRM and cache them: owners and users seldom change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from threading import Lock
from typing import Final

from connector.destinations.base import Destination, Found, Outcome
from connector.model import Lookup, Value

MOST: Final = 20_000
"""Answers kept at most; the oldest go first."""


class Lookups:
    """Cache the look-ups of one destination, for all its lanes. clock: monotonic seconds. keep: seconds."""

    def __init__(self, clock: Callable[[], float], keep: float = 900.0) -> None:
        self._clock, self._keep = clock, keep
        self._known: dict[Lookup, tuple[float, Value | Outcome]] = {}
        self._lock = Lock()

    def resolve(self, destination: Destination, wanted: Iterable[Lookup]) -> dict[Lookup, Value | Outcome]:
        """Return each look-up's value: None where the CRM has no match or several, an Outcome where it cannot be asked.

        Raises DestinationUnusable.
        """
        asked = set(wanted)
        known = self._fresh()
        if asked - known.keys():
            with self._lock:  # of several lanes that want the same, the first asks
                known = self._ask(destination, asked)
        return {lookup: known[lookup][1] for lookup in asked}

    def _fresh(self) -> dict[Lookup, tuple[float, Value | Outcome]]:
        now = self._clock()
        return {lookup: kept for lookup, kept in self._known.items() if kept[0] > now}

    def _ask(self, destination: Destination, asked: set[Lookup]) -> dict[Lookup, tuple[float, Value | Outcome]]:
        """Ask for what is not known by now; return everything that is."""
        known, now = self._fresh(), self._clock()
        for question, group in groupby(sorted(asked - known.keys(), key=_question), _question):
            values = _ask(destination, question, list(group))
            known |= {lookup: (now + self._kept_for(value), value) for lookup, value in values.items()}
        lasting = [(lookup, kept) for lookup, kept in known.items() if _is_lasting(lookup, kept[1])]
        self._known = dict(lasting[-MOST:])  # replaced as a whole, because other lanes read it meanwhile
        return known

    def _kept_for(self, value: Value | Outcome) -> float:
        """Seconds; a replay after a missing user was created must find them."""
        return self._keep if value is not None else min(self._keep, 60.0)


def _is_lasting(lookup: Lookup, value: Value | Outcome) -> bool:
    """Whether a value may be used again; one that records wait for is asked for again."""
    if isinstance(value, Outcome):
        return False
    return not (lookup.waits and value is None)


def _question(lookup: Lookup) -> tuple[str, str, str]:
    return lookup.object, lookup.match, lookup.returns


def _ask(
    destination: Destination, question: tuple[str, str, str], lookups: Sequence[Lookup]
) -> dict[Lookup, Value | Outcome]:
    """Return the values of look-ups that share a question, by one search."""
    kind, match, returns = question
    answers = destination.find(kind, match, [lookup.value for lookup in lookups], [returns])
    is_id = destination.crm.is_id(returns)
    return {lookup: _single(answers.get(lookup.value, []), returns, is_id) for lookup in lookups}


def _single(answer: list[Found] | Outcome, returns: str, is_id: bool) -> Value | Outcome:
    if isinstance(answer, Outcome):
        return answer
    if len(answer) != 1:
        return None
    return answer[0].id if is_id else answer[0].values.get(returns)
