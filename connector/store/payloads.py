"""Read stored payloads a few at a time, so that what is in memory does not grow with their number or size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, Protocol, TypeVar

from sqlalchemy import ColumnElement, Row, func, select

from connector.store.database import Database
from connector.store.tables import events

PART: Final = 1024 * 1024
"""Bytes of payloads in memory together: about five hundred ordinary events."""

STEP: Final = 500
"""Rows listed in one step, without their payloads."""

SIZE: Final = func.length(events.c.payload).label("size")
"""Of a payload, in bytes; None if it is no longer stored. Neither database reads the payload to know it."""


class _Sized(Protocol):
    @property
    def size(self) -> int | None: ...


Listed = TypeVar("Listed", bound=_Sized)


def parts(listed: Iterable[Listed]) -> Iterator[list[Listed]]:
    """Divide what is listed into parts of PART bytes; a payload larger than that is a part of its own."""
    part: list[Listed] = []
    size = 0
    for item in listed:
        own = item.size or 0
        if part and size + own > PART:
            yield part
            part, size = [], 0
        part.append(item)
        size += own
    if part:
        yield part


def walk(
    database: Database, *which: ColumnElement[bool], newest_first: bool = False, step: int = STEP
) -> Iterator[list[Row[Any]]]:
    """Yield the events chosen that have a payload, by id, a part at a time.

    The id of one that was forgotten meanwhile may be another's: what is read is chosen once more.
    """
    own, kept = events.c.id, events.c.payload.is_not(None)
    order, beyond = (own.desc(), own.__lt__) if newest_first else (own.asc(), own.__gt__)
    listed = select(own, SIZE).where(*which, kept).order_by(order).limit(step)
    following = listed
    while True:
        with database.reading() as connection:
            heads = connection.execute(following).all()
        if not heads:
            return
        for part in parts(heads):
            with database.reading() as connection:
                rows = connection.execute(
                    select(events).where(*which, own.in_([head.id for head in part]), kept).order_by(order)
                ).all()
            yield [*rows]
        following = listed.where(beyond(heads[-1].id))
