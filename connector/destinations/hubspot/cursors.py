"""Follow the pages of a list that may never end: a cursor that leads back to a page, or always to another one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from connector.destinations.base import Outcome, Verdict
from connector.settlement import Refusal

PAGES: Final = 100
"""The most pages of one list: HubSpot's searches end after 50, and 100 pages hold 50,000 owners."""

ENDLESS: Final = Outcome(
    Verdict.DEFERRED,
    refusal=Refusal(
        "LIST_ENDLESS",
        "HubSpot's list does not end, so a record that is not in what was read may exist",
        "replay: the list is read again; if it happens again, open a case with HubSpot support",
    ),
)
"""The outcome of a record that needs what such a list may have left out."""


class Cursors:
    """The cursors of one list, from the first. ended: whether the list has come to its end."""

    def __init__(self, first: str) -> None:
        self._next: str | None = first
        self._seen: set[str] = set()
        self.ended = False

    def follow(self, paging: Any) -> None:
        """Go on with the page that a reply names. A part that cannot be read names none, and is no end either."""
        match paging:
            case {"next": {"after": str(after)}}:
                self._next = after
            case None | {"next": None}:
                self._next, self.ended = None, True
            case _:
                self._next, self.ended = None, isinstance(paging, dict) and "next" not in paging

    def __iter__(self) -> Iterator[str]:
        while self._next is not None and self._next not in self._seen and len(self._seen) < PAGES:
            self._seen.add(self._next)
            yield self._next
