"""Look values up in the CRM and cache them: owners and users seldom change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

from connector.destinations.base import Destination, Found
from connector.model import Lookup, Value


class Lookups:
    """Cache the look-ups of one destination. clock: monotonic seconds. keep: seconds."""

    def __init__(self, clock: Callable[[], float], keep: float = 900.0) -> None:
        self._clock, self._keep = clock, keep
        self._known: dict[Lookup, tuple[float, Value]] = {}

    def resolve(self, destination: Destination, wanted: Iterable[Lookup]) -> dict[Lookup, Value]:
        """Return each look-up's value, None where the CRM has no match or several. Raises DestinationUnusable."""
        now, asked = self._clock(), set(wanted)
        known = {lookup: kept for lookup, kept in self._known.items() if kept[0] > now}
        for question, group in groupby(sorted(asked - known.keys(), key=_question), _question):
            values = _ask(destination, question, list(group))
            known |= {lookup: (now + self._keep, value) for lookup, value in values.items()}
        # Replaced as a whole: a destination's lanes share it. A value that records wait for is asked for again.
        self._known = {lookup: kept for lookup, kept in known.items() if not (lookup.waits and kept[1] is None)}
        return {lookup: known[lookup][1] for lookup in asked}


def _question(lookup: Lookup) -> tuple[str, str, str]:
    return lookup.object, lookup.match, lookup.returns


def _ask(destination: Destination, question: tuple[str, str, str], lookups: Sequence[Lookup]) -> dict[Lookup, Value]:
    """Return the values of look-ups that share a question, by one search."""
    kind, match, returns = question
    matches = destination.find(kind, match, [lookup.value for lookup in lookups], [returns])
    is_id = destination.crm.is_id(returns)
    return {lookup: _single(matches.get(lookup.value, []), returns, is_id) for lookup in lookups}


def _single(matches: Sequence[Found], returns: str, is_id: bool) -> Value:
    if len(matches) != 1:
        return None
    return matches[0].id if is_id else matches[0].values.get(returns)
