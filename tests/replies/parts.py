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


def changes(reply: Recorded, lists: tuple[str, ...] = ("results", "errors")) -> Iterator[Changed]:
    """The reply with each of its parts changed. lists: the names of the lists whose entries stand for themselves."""
    body = json.loads(reply.body)
    ways = [(way, odd) for way in parts_of(body) for odd in ODD if type(odd) is not type(at(body, way))]
    if len(ways) > MOST:
        ways = random.Random(reply.name).sample(ways, MOST)
    for way, odd in ways:
        entry = way[: 2 if way and way[0] in lists else 1]
        yield Changed(way, odd, _with(reply, body, way, odd), _with(reply, body, entry, {} if len(entry) > 1 else ...))


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
