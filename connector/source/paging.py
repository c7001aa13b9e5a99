"""Go through a list page by page, whatever its pages say of themselves.

careCycle does not say how a list ends, and it changes while it is read. Read in ascending order, new customers come
at the end; one that goes away moves all later ones up, so the pages before are read again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from connector.carecycle.coercions import as_id

SPARE: Final = 20
"""Requests that a list may need beyond twice its pages, before it is given up."""


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of a list, as it came. current, following: what it says its number and the next one's are, if any."""

    items: Sequence[Any]
    total: int | None = None
    current: int | None = None
    following: int | None = None

    def ids(self) -> set[str]:
        """The ids of the items that have one."""
        named = (as_id(item.get("id")) for item in self.items if isinstance(item, Mapping))
        return {identity for identity in named if identity}


@dataclass(frozen=True, slots=True)
class Turn:
    """A page that was read, by its number. last: the list ends with it."""

    number: int
    listing: Listing
    last: bool


class NeverEnds(Exception):
    """The list does not end. stuck: another page came than the one asked for."""

    def __init__(self, number: int, *, stuck: bool) -> None:
        super().__init__(number)
        self.number, self.stuck = number, stuck


def as_listing(body: Any) -> Listing | None:
    """Read a page; None where it holds no list.

    >>> as_listing({"itemsTotal": "231", "currentPage": 1, "nextPage": 2.0, "items": []})
    Listing(items=[], total=231, current=1, following=2)
    """
    items = body.get("items") if isinstance(body, Mapping) else None
    if not isinstance(items, list):
        return None
    total, current, following = (_number(body.get(name)) for name in ("itemsTotal", "currentPage", "nextPage"))
    return Listing(items, None if items and not total else total, current, following)


def _number(value: Any) -> int | None:
    """A number, also as text. Of pages, 0 is none.

    >>> [_number(value) for value in (7, "7", 7.0, 0, "many", True, None)]
    [7, 7, 7, 0, None, None, None]
    """
    text = as_id(value)
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 16 else None


def turns(ask: Callable[[int], Listing], first: int = 1) -> Iterator[Turn]:
    """Read pages from the first until the list ends. Raises NeverEnds, and whatever `ask` raises."""
    number, size, before, asked = first, 1, Listing((), following=first), 0
    while True:
        page, asked = ask(number), asked + 1
        size = max(size, len(page.items))
        moved = _moved(page, number, before)
        if asked > 2 * _pages(page, size, number) + SPARE:
            raise NeverEnds(number, stuck=False)
        if gone := _gone(page, before):
            number, before = max(1, number - math.ceil(gone / size)), page
        elif not page.items or not (moved or _follows(before, number, size)):
            yield Turn(number, Listing((), page.total), last=True)
            return
        elif not moved:
            raise NeverEnds(number, stuck=True)
        else:
            last = not _follows(page, number + 1, size)
            yield Turn(number, page, last)
            if last:
                return
            number, before = number + 1, page


def _pages(page: Listing, size: int, number: int) -> int:
    return number if page.total is None else math.ceil(page.total / size)


def _gone(page: Listing, before: Listing) -> int:
    """How many items the list has lost since the page before."""
    return max(0, before.total - page.total) if before.total and page.total is not None else 0


def _moved(page: Listing, number: int, before: Listing) -> bool:
    """Whether the page is the one asked for: by its number, or by its items where it says none."""
    if page.current:
        return page.current == number
    ids = page.ids()
    return len(ids & before.ids()) * 2 < len(ids) or not ids


def _follows(page: Listing, number: int, size: int) -> bool:
    """Whether a page of this number follows. One that says it is the last is believed once all items were covered."""
    if page.following and page.following >= number:
        return page.total is None or number - 1 <= math.ceil(page.total / size)
    return page.total is not None and (number - 1) * size < page.total
