"""Replies in which one part is another one than the CRM's, or missing."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from tests.replies.shared import Recorded

ODD: Final[tuple[Any, ...]] = (None, 7, True, "text", [], {"x": {}}, ...)
"""What stands in the place of a part of another type; an ellipsis: nothing."""
LISTS: Final = tuple((name,) for name in ("results", "errors", "records", "fields"))
"""The lists of which each entry stands for itself."""
MOST: Final = 250
"""The changes of one reply that are tried; of larger replies, as many at random."""
Way = tuple[str | int, ...]


@dataclass(frozen=True)
class Changed:
    """A reply with one odd part. way: where it is. entry: the same reply without the whole entry it is in."""

    way: Way
    odd: Any
    reply: Recorded
    without: Recorded


def changes(reply: Recorded) -> Iterator[Changed]:
    """The reply with each of its parts changed. Of a list that is the whole body, the length is left as it is."""
    body = json.loads(reply.body)
    ways = [(way, odd) for way in parts_of(body) for odd in ODD if type(odd) is not type(at(body, way))]
    ways = [(way, odd) for way, odd in ways if not (odd is ... and way == way[:1] and isinstance(body, list))]
    if len(ways) > MOST:
        ways = random.Random(reply.name).sample(ways, MOST)
    for way, odd in ways:
        entry = way[: 2 if way[:1] in LISTS else 1]
        nothing = {} if entry and isinstance(entry[-1], int) else ...
        yield Changed(way, odd, _with(reply, body, way, odd), _with(reply, body, entry, nothing))


def new_pause(expected: str, said: str, changed: Changed) -> bool:
    """Whether a part that leaves something to read has stopped the account."""
    is_nothing_left = changed.way in ((), *LISTS)
    return said.startswith("paused") and not expected.startswith("paused") and not is_nothing_left


def lost(expected: str, without: str, said: str) -> list[str]:
    """The rows that come out otherwise, though they would not if the whole entry were missing."""
    rows = zip(*(_verdicts(words) for words in (expected, without, said)), strict=False)
    return [before for before, untouched, now in rows if before == untouched != now]


def _verdicts(said: str) -> list[str]:
    """What becomes of each row, without the fields and ids that are named."""
    return [" ".join(row.split()[:2]) for row in said.split("; ")]


def _with(reply: Recorded, body: Any, way: Way, odd: Any) -> Recorded:
    return replace(reply, body=json.dumps(with_part(body, way, odd)).encode())


def parts_of(value: Any, way: Way = ()) -> Iterator[Way]:
    """The way to each part of a JSON value."""
    yield way
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inside:
        yield from parts_of(part, (*way, key))


def at(value: Any, way: Way) -> Any:
    """The part of a JSON value at this place."""
    for key in way:
        value = value[key]
    return value


def with_part(value: Any, way: Way, part: Any) -> Any:
    """A copy of a JSON value in which one part is another, or missing (...)."""
    if not way:
        return None if part is ... else part
    changed = copy.deepcopy(value)
    holder = changed
    for key in way[:-1]:
        holder = holder[key]
    if part is ...:
        del holder[way[-1]]
    else:
        holder[way[-1]] = part
    return changed
