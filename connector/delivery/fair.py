"""Which lane has the next turn where there are more lanes than turns at once. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from connector.store.lanes import Waiting

OLDEST_EVERY: Final = 4
"""Of this number of turns, one goes to the longest wait: a stream of opt-outs must not keep the others from work."""


def may_start(waiting: Iterable[Waiting], held: Mapping[str, Waiting], most: int, agencies: int) -> list[Waiting]:
    """List what is due and would start if a turn were free. held: what has a turn now, by its name.

    most: turns at once, of which one is left to the other agencies, if there are any. A CRM account that may be down
    is tried by one lane at a time.
    """
    trying = {turn.destination for turn in held.values() if turn.trying}
    of_agency = Counter(_agency(name) for name in held)
    own = most - 1 if agencies > 1 and most > 1 else most
    due = [turn for turn in waiting if turn.wait_ms <= 0 and turn.name not in held]
    return [
        turn for turn in due if of_agency[_agency(turn.name)] < own and not (turn.trying and turn.destination in trying)
    ]


def choose(startable: Sequence[Waiting], held: Collection[str], *, oldest: bool) -> Waiting:
    """Return who has the next turn: opt-outs, then an agency with few turns, then the longest wait.

    oldest: the longest wait alone decides.
    """
    of_agency = Counter(map(_agency, held))
    if oldest:
        return min(startable, key=lambda turn: turn.since)
    return min(startable, key=lambda turn: (not turn.opt_outs, of_agency[_agency(turn.name)], turn.since))


def _agency(name: str) -> str:
    return name.partition("/")[0]
