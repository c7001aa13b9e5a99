"""Values found in the CRM, kept for a while: owners and users change seldom."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

from connector.destinations.base import Destination, Found
from connector.model import Lookup, Value


class Lookups:
    """A cache of look-ups for one destination. `clock` in seconds, monotonic; `keep` in seconds."""

    def __init__(self, clock: Callable[[], float], keep: float = 900.0) -> None:
        self._clock, self._keep = clock, keep
        self._known: dict[Lookup, tuple[float, Value]] = {}

    def resolve(self, destination: Destination, wanted: Iterable[Lookup]) -> dict[Lookup, Value]:
        """The value of each look-up, None where the CRM holds none or several. May raise DestinationUnusable."""
        now, asked = self._clock(), set(wanted)
        known = {one: kept for one, kept in self._known.items() if kept[0] > now}
        for (kind, match, returns), group in groupby(sorted(asked - known.keys(), key=_question), _question):
            missing = list(group)
            found = destination.find(kind, match, [one.value for one in missing], [returns])
            for one in missing:
                known[one] = (now + self._keep, _single(found.get(one.value, []), returns))
        # Replaced whole: the lanes of one destination share this. What somebody waits for is asked for again.
        self._known = {one: kept for one, kept in known.items() if not (one.waits and kept[1] is None)}
        return {one: known[one][1] for one in asked}


def _question(one: Lookup) -> tuple[str, str, str]:
    return one.object, one.match, one.returns


def _single(found: Sequence[Found], returns: str) -> Value:
    if len(found) != 1:
        return None
    return found[0].id if returns.lower() == "id" else found[0].values.get(returns)
