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

AGAIN: Final = 2
"""How often an empty page is asked for again."""

SPARE: Final = 20
"""Requests that a list may need beyond twice its pages, before it is given up."""


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of a list, as it came. current, following: what it says its number and the next one's are, if any.

    silent: it does not say whether another one follows.
    """

    items: Sequence[Any]
    total: int | None = None
    current: int | None = None
    following: int | None = None
    silent: bool = False

    def ids(self) -> set[str]:
        """The ids of the items that have one."""
        named = (as_id(item.get("id")) for item in self.items if isinstance(item, Mapping))
        return {identity for identity in named if identity}


@dataclass(frozen=True, slots=True)
class Turn:
    """A page that was read, by its number. last: the list ends with it. lacking: items it should have had as well."""

    number: int
    listing: Listing
    last: bool
    lacking: int = 0


class NeverEnds(Exception):
    """The list does not end. stuck: another page came than the one asked for."""

    def __init__(self, number: int, *, stuck: bool) -> None:
        super().__init__(number)
        self.number, self.stuck = number, stuck


class EmptyPage(Exception):
    """A page came without items time and again, although the list goes on. total: of the list, if known."""

    def __init__(self, number: int, total: int | None) -> None:
        super().__init__(number)
        self.number, self.total = number, total


def as_listing(body: Any) -> Listing | None:
    """Read a page; None where it holds no list.

    >>> as_listing({"itemsTotal": "231", "currentPage": 1, "nextPage": 2.0, "items": []})
    Listing(items=[], total=231, current=1, following=2, silent=False)
    """
    items = body.get("items") if isinstance(body, Mapping) else None
    if not isinstance(items, list):
        return None
    total, current, following = (_number(body.get(name)) for name in ("itemsTotal", "currentPage", "nextPage"))
    return Listing(items, None if items and not total else total, current, following, "nextPage" not in body)


def _number(value: Any) -> int | None:
    """A number, also as text. Of pages, 0 is none.

    >>> [_number(value) for value in (7, "7", 7.0, 0, "many", True, None)]
    [7, 7, 7, 0, None, None, None]
    """
    text = as_id(value)
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 16 else None


def turns(ask: Callable[[int], Listing], first: int = 1, most: int = 1) -> Iterator[Turn]:
    """Read pages from the first until the list ends. Raises NeverEnds, EmptyPage, and whatever `ask` raises.

    most: items asked for of a page.
    """
    number, size, before, asked = first, 1, Listing((), following=first), 0
    while True:
        page, asked = _with_items(ask, number, max(size, most * (first > 1)), resumed=first > 1), asked + 1
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
            yield Turn(number, page, last, _lacking(page, number, size))
            if last:
                return
            number, before = number + 1, page


def _with_items(ask: Callable[[int], Listing], number: int, size: int, *, resumed: bool) -> Listing:
    """Ask for a page, and again where it is empty although there must be more."""
    page, again = ask(number), 0
    while not page.items and _goes_on(ask, page, number, size, resumed=resumed):
        if again == AGAIN:
            raise EmptyPage(number, page.total)
        page, again = ask(number), again + 1
    return page


def _goes_on(ask: Callable[[int], Listing], page: Listing, number: int, size: int, *, resumed: bool) -> bool:
    """Whether the list goes on after an empty page. Where its length is unknown, the page after it tells.

    resumed: how long its pages are is not known for certain, so that what it says of the next one counts as well.
    """
    if page.total is not None:
        return (resumed and (page.following or 0) > number) or (number - 1) * size < page.total
    return page.following == number + 1 and bool(ask(page.following).items)


def _lacking(page: Listing, number: int, size: int) -> int:
    """How many items a page should have had besides those that it has."""
    expected = len(page.items) if page.total is None else min(size, page.total - (number - 1) * size)
    return max(0, expected - len(page.items))


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
    return len(ids & before.ids()) * 2 < len(ids) if ids else page.items != before.items


def _follows(page: Listing, number: int, size: int) -> bool:
    """Whether a page of this number follows. One that says it is the last is believed once all items were covered."""
    if page.following and page.following >= number:
        return page.total is None or number - 1 <= math.ceil(page.total / size)
    return page.silent if page.total is None else (number - 1) * size < page.total
