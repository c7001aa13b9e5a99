"""Listen to what is exchanged with servers over HTTP, for the report of a trial. Nothing listens otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final


@dataclass(slots=True)
class Exchange:
    """One request and its reply. status: 0 if there was none. url: a path with its query, or all of it."""

    method: str
    url: str = field(repr=False)
    sent: Any = field(default=None, repr=False)
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    reply: bytes = field(default=b"", repr=False)


Listener = Callable[[Exchange], None]

_listeners: Final[list[Listener]] = []


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Call the listener after each exchange of this process, in the thread that made it."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


@contextmanager
def overheard(method: str, url: str, sent: Any) -> Iterator[Exchange]:
    """An exchange to be completed with its reply."""
    exchange = Exchange(method, url, sent)
    try:
        yield exchange
    finally:
        for listener in _listeners:
            listener(exchange)


def is_listened() -> bool:
    """Whether replies have to be kept for a listener."""
    return bool(_listeners)
