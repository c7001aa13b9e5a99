"""The bodies that are being read: what they take together, and who gives way where there is no room for all.

A body that takes longer than a moment to arrive counts as half-sent. What arrives at once is never given up for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

Chunks = Callable[[], Awaitable[bytes]]
"""The next bytes of a body; empty once there are no more."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may cost: bytes of body, seconds to send it; requests in Flask at once, and those that wait.

    threads: 0 for an application that waits for nothing: it is called where its request was read. pages: threads for
    the pages of people, fewer than there are database connections; pages_waiting: those at work and those that wait.
    large: bytes of a body from which on it is large; larger: of all large bodies that are in memory together; smaller:
    of all others, as far as they have arrived. So much is sent by nobody who means well.
    moment: seconds after which a body counts as half-sent; half_sent: such bodies of one source; in all.
    unread: bytes of a refused body that are read, so that its sender can read the answer; silence: seconds it may
    pause meanwhile; draining: such bodies at once.
    """

    body: int = 5 * 1024 * 1024
    large: int = 64 * 1024
    larger: int = 20 * 1024 * 1024
    smaller: int = 32 * 1024 * 1024
    seconds: float = 20.0
    moment: float = 1.0
    half_sent: int = 128
    half_sent_in_all: int = 1024
    unread: int = 16 * 1024 * 1024
    silence: float = 2.0
    draining: int = 64
    threads: int = 32
    waiting: int = 1024
    pages: int = 8
    pages_waiting: int = 32


class TooLarge(Exception):
    """The body is over the limit."""


class NoRoom(Exception):
    """Too much of other bodies is in memory, or too many are half-sent."""


class Late(Exception):
    """The body did not arrive in time."""


@dataclass(slots=True, eq=False)
class Body:
    """A body as it arrives. source: who sends it. taken: its bytes, while they are in memory."""

    source: str = ""
    content: bytearray = field(default_factory=bytearray)
    taken: int = 0
    is_large: bool = False
    is_given_up: bool = False
    deadline: asyncio.Timeout | None = None


class Bodies:
    """All bodies of one listener, on its loop."""

    def __init__(self) -> None:
        self._taken = {True: 0, False: 0}  # of large bodies, and of the others
        self._half_sent: dict[Body, None] = {}  # the oldest first

    async def read(self, chunks: Chunks, body: Body, limits: Limits, length: int | None = None) -> None:
        """Read it whole. length: of which nothing more is awaited, if it is known. Raises TooLarge, NoRoom, Late."""
        moment = asyncio.get_running_loop().call_later(limits.moment, self._still_comes, body, limits)
        try:
            async with asyncio.timeout(limits.seconds) as body.deadline:
                while chunk := await chunks():
                    self._take(body, chunk, limits)
                    if len(body.content) == length:
                        break
        except TimeoutError:
            raise (NoRoom if body.is_given_up else Late) from None
        finally:
            moment.cancel()
            self._half_sent.pop(body, None)

    def release(self, body: Body) -> None:
        """Drop what is in memory of it."""
        self._taken[body.is_large] -= body.taken
        body.taken = 0
        body.content.clear()

    def _still_comes(self, body: Body, limits: Limits) -> None:
        self._half_sent[body] = None
        same = [other for other in self._half_sent if other.source == body.source]
        if len(same) > limits.half_sent:
            self._give_up(same[0])
        elif len(self._half_sent) > limits.half_sent_in_all:
            self._give_up(next(iter(self._half_sent)))

    def _take(self, body: Body, chunk: bytes, limits: Limits) -> None:
        if body.is_given_up:
            raise NoRoom
        body.content += chunk
        size = len(body.content)
        if size > limits.body:
            raise TooLarge
        self._taken[body.is_large] -= body.taken
        body.taken, body.is_large = size, size > limits.large
        self._taken[body.is_large] += size
        self._make_room(body, limits.larger if body.is_large else limits.smaller)

    def _make_room(self, body: Body, most: int) -> None:
        """Give up those that are half-sent, the oldest first, until there is room for this one. Raises NoRoom."""
        while self._taken[body.is_large] > most:
            alike = (other for other in self._half_sent if other.taken and other.is_large == body.is_large)
            if (other := next(alike, body)) is body:
                raise NoRoom
            self._give_up(other)

    def _give_up(self, body: Body) -> None:
        body.is_given_up = True
        del self._half_sent[body]
        self.release(body)
        if body.deadline and not body.deadline.expired():
            body.deadline.reschedule(asyncio.get_running_loop().time())
