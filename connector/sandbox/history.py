"""What was written to a CRM, when, by which request, and what the fields held before and after."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from flask import has_request_context, request

_MOST: Final = 5_000
"""Changes remembered: more than anyone looks at, and little enough for a sandbox that runs for days."""

Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """One write to one record. at: epoch seconds. request: method and path; empty for what a person did by hand.

    fields: those that changed: name, value before, value after.
    """

    number: int
    at: float
    request: str
    kind: str
    id: str
    deed: str
    fields: tuple[tuple[str, Any, Any], ...]


class History:
    """The latest changes, oldest first. Callers hold the sandbox's lock."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.changes: deque[Change] = deque(maxlen=_MOST)
        self.count, self._clock, self._deed = 0, clock, ""

    def add(self, kind: str, id: str, deed: str, before: Fields | None = None, after: Fields | None = None) -> None:
        """Remember a change: what the fields held, and what they hold now."""
        former, now = before or {}, after or {}
        names = [name for name in {**former, **now} if former.get(name) != now.get(name)]
        fields = tuple((name, former.get(name), now.get(name)) for name in names)
        self.count += 1
        self.changes.append(Change(self.count, self._clock(), _request(), kind, id, self._deed or deed, fields))

    @contextmanager
    def called(self, deed: str) -> Iterator[None]:
        """Give every change of the block this name, such as merged."""
        self._deed = deed
        try:
            yield
        finally:
            self._deed = ""

    def back_to(self, count: int) -> None:
        """Forget the changes since there were this many: they were rolled back."""
        while self.changes and self.changes[-1].number > count:
            self.changes.pop()


def by_hand() -> bool:
    """Whether a person does this, and no request."""
    return not _request()


def _request() -> str:
    """The request being handled, unless it is that of a person on the sandbox's own page."""
    if not has_request_context() or request.blueprint:
        return ""
    return f"{request.method} {request.path}"
